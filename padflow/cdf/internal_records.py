# SPDX-License-Identifier: BSD-3-Clause
"""Read the internal records of a CDF file. Place, size and type of each are checked first.

A record inside another one, or with two references to it, is refused: with overlapping records a small file could ask
for any amount of time and memory. Structure: CDF Internal Format Description (NASA/GSFC, version 3.8).
"""

from __future__ import annotations

import functools
import struct
from pathlib import Path
from typing import BinaryIO, NoReturn

from padflow.cdf.packing import READABLE, packing_name
from padflow.errors import BadFile

MAGIC = {
    b"\xcd\xf3\x00\x01": "q",
    b"\xcd\xf2\x60\x02": "i",
}  # offsets and sizes have 8 bytes in CDF 3, and 4 in CDF 2.6 and 2.7


CDR, GDR, RVDR, ADR, AGREDR, VXR, VVR, ZVDR, AZEDR, CCR, CPR = range(1, 12)


CVVR = 13


@functools.cache
def _struct(layout: str, offset_code: str) -> struct.Struct:
    return struct.Struct(">" + layout.replace("o", offset_code))


class RecordReader:
    """Reads internal records. All of them together are no larger than the file."""

    def __init__(self, path: Path, file: BinaryIO, size: int, offset_code: str):
        self.path, self.file, self.size, self.o = path, file, size, offset_code
        self.header = struct.Struct(f">{offset_code}i")
        self.width = struct.calcsize(">" + offset_code)
        self.name_bytes = 256 if offset_code == "q" else 64
        self.ends: dict[int, int] = {}  # where each record that was read ends, by its beginning
        self.walked = 0
        self.packings: dict[int, int] = {}
        self.reason_beyond_end = "truncated"  # as long as the length of the file is not checked

    def fail(self, text: str, reason: str = "unreadable") -> NoReturn:
        """Refuse a damaged file."""
        raise BadFile(reason, f"{self.path} is damaged: {text}; download it again")

    def refuse(self, text: str, options: str) -> NoReturn:
        """Refuse a whole file in a form that padflow does not read; NASA's cdfconvert can convert it."""
        command = f"cdfconvert {options} {self.path} NEW.cdf"
        raise BadFile("unsupported", f"{self.path} {text}, which padflow does not read; convert it with `{command}`")

    def record(self, offset: int, layout: str, *kinds: int, whole: bool = False) -> tuple:
        """Return (size, kind, *fields of ``layout``, rest). ``o`` is an offset; the rest is read only if ``whole``."""
        if not 8 <= offset <= self.size - self.header.size:
            self.fail(f"something is said to be at byte {offset} of {self.size}", self.reason_beyond_end)
        if offset in self.ends:
            self.fail(f"the record at byte {offset} is referred to twice")
        self.file.seek(offset)
        size, kind = self.header.unpack(self.file.read(self.header.size))
        fields = _struct(layout, self.o)
        if kind not in kinds or size < self.header.size + fields.size:
            self.fail(f"byte {offset} holds a record of kind {kind} and size {size} where kind {kinds[0]} belongs")
        if offset + size > self.size:
            self.fail(f"a record at byte {offset} ends beyond the file's {self.size} bytes", self.reason_beyond_end)
        self.ends[offset] = offset + size
        self.walked += size
        if self.walked > self.size:
            self.fail("records overlap")
        values = fields.unpack(self.file.read(fields.size))
        rest = self.file.read(size - self.header.size - fields.size) if whole else b""
        return size, kind, *values, rest

    def kind_at(self, offset: int) -> int:
        """Return the kind of a record before it is read."""
        if not 8 <= offset <= self.size - self.header.size:
            self.fail(f"a block is said to be at byte {offset} of {self.size}")
        self.file.seek(offset)
        return self.header.unpack(self.file.read(self.header.size))[1]

    def packing(self, offset: int, what: str, option: str) -> int:
        """Return the packing in a description, which variables may share; refuse a packing that is not read."""
        if offset not in self.packings:
            self.packings[offset] = self.record(offset, "iii", CPR)[2]
        if self.packings[offset] not in READABLE:
            text = f"{what} packed with {packing_name(self.packings[offset])}"
            self.refuse(text, f"-compression {option}:none")
        return self.packings[offset]

    def check_overlaps(self) -> None:
        """Refuse the file if records that were read share bytes."""
        upto = 0
        for begin in sorted(self.ends):
            if begin < upto:
                self.fail(f"the record at byte {begin} begins within another one")
            upto = self.ends[begin]
