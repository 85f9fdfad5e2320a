"""The skeleton of a CDF file, checked before a reader trusts it.

cdflib follows the counts and offsets it finds: one flipped bit can make it loop 2^31 times or ask for
gigabytes. So every chain that will be followed is walked here first, with each count, size and type checked,
in time and memory bounded by the size of the file.
Structure: CDF Internal Format Description (NASA/GSFC, version 3.8).
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import math
import struct
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, NoReturn

from padflow.archive.cdf_values import (
    PAD_SPARSE,
    PREVIOUS_SPARSE,
    TEXT_TYPES,
    TYPE_BYTES,
    Block,
    Layout,
    Variable,
    attribute_value,
    default_pad,
)
from padflow.errors import BadFile

MAX_VARIABLE_BYTES = 2**28  # a record a second for a day, of 17 pitch angles and 12 energies, takes half of it
MAX_UNPACKED_BYTES = 2**30  # of a file compressed as a whole; it goes to disk
MAX_COMPRESSION_RATIO = 1100  # deflate reaches 1032
MAX_SPARSE_RECORDS = 2**20  # no byte of the file need stand for them; a day at 12 Hz

_MAGIC = {
    b"\xcd\xf3\x00\x01": "q",
    b"\xcd\xf2\x60\x02": "i",
}  # CDF 3 has 8-byte offsets and sizes, CDF 2.6 and 2.7 4
_PLAIN, _COMPRESSED = b"\x00\x00\xff\xff", b"\xcc\xcc\x00\x01"
_CDR, _GDR, _RVDR, _ADR, _AGREDR, _VXR, _VVR, _ZVDR, _AZEDR, _CCR, _CPR, _CVVR = (
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    11,
    13,
)
_GZIP = 5
_PIECE_BYTES = 2**20
_MAX_DIMENSIONS = 10  # CDF_MAX_DIMS
_BIG_ENDIAN, _LITTLE_ENDIAN = (1, 2, 5, 7, 9, 11, 12), (4, 6, 13, 16)
_GLOBAL_SCOPE = 1
DEPENDS = ("DEPEND_1", "DEPEND_2", "DEPEND_3", "DEPEND_4")
ATTRIBUTES = ("FILLVAL", "UNITS", *DEPENDS)
"""Attributes of variables that are read; the entries of others are never opened."""


@contextmanager
def plain_file(path: Path) -> Iterator[Path]:
    """Yield the path itself or, for a file compressed as a whole, that of a plain copy, deleted afterwards.

    Raises
    ------
    BadFile
        ``dangling_link``, ``empty``, ``not_cdf``, ``truncated``, ``absurd_size``, or ``unreadable`` for what cannot be
        unpacked.
    """
    if path.is_symlink() and not path.exists():
        text = f"{path} is a symbolic link that leads nowhere, to {path.readlink()}; put back what it leads to"
        raise BadFile("dangling_link", text)
    size = path.stat().st_size
    if size == 0:
        raise BadFile("empty", f"{path} is empty; download it again")
    with path.open("rb") as file:
        magic, packing = file.read(4), file.read(4)
        if len(packing) < 4 and any(known.startswith(magic) for known in _MAGIC):
            raise BadFile("truncated", f"{path} holds only {size} bytes; download it again")
        if magic not in _MAGIC or packing not in (_PLAIN, _COMPRESSED):
            raise BadFile(
                "not_cdf",
                f"{path} is no CDF file of version 2.6 or later; it begins with {magic + packing!r}",
            )
        if packing == _PLAIN:
            yield path
            return
        with tempfile.NamedTemporaryFile(suffix=".cdf") as copy:
            copy.write(magic + _PLAIN)
            _unpack(_Walker(path, file, size, _MAGIC[magic]), copy)
            copy.flush()
            yield Path(copy.name)


def read_layout(path: Path, needed: Collection[str], *, shown: Path) -> Layout:
    """Check a file's structure and return it.

    Parameters
    ----------
    path : Path
        File without whole-file compression.
    needed : collection of str
        Names of the variables whose values will be read: their blocks are checked too. Absent ones are
        skipped.
    shown : Path
        The path for messages.

    Raises
    ------
    BadFile
        ``truncated`` if the file is shorter than it says, ``wrong_checksum`` if it is not what it was when its
        MD5 was written into it, ``absurd_size`` if a needed variable claims more than the file can hold,
        ``unreadable`` for any other contradiction.
    """
    wanted = {name.lower() for name in needed}
    variables: dict[str, Variable] = {}
    with path.open("rb") as file:
        walker = _Walker(shown, file, path.stat().st_size, _MAGIC[file.read(4)])
        header = walker.global_header()
        if header.has_md5 and path == shown:  # what was compressed as a whole, gzip has a checksum of
            walker.check_md5()
        stored = walker.attributes(header.first_attribute, header.attributes)
        attributes = {}
        for first, count, kind in ((header.first_z, header.z, _ZVDR), (header.first_r, header.r, _RVDR)):
            offset = first
            for number in range(count):
                variable, index, offset = walker.variable(offset, kind, header)
                key = variable.name.strip().lower()
                if key in variables:
                    continue
                if key in wanted:
                    variable = replace(variable, blocks=walker.blocks(variable, *index))
                    for name in ATTRIBUTES:
                        if entry := stored.get((name, kind, number)):
                            attributes[name, key] = attribute_value(*entry, byte_order=header.byte_order)
                    fill_value = attributes.get(("FILLVAL", key))
                    if type(fill_value) is type(variable.pad):  # then it stands for the pad, as in NASA's library
                        variable = replace(variable, filler=fill_value)
                variables[key] = variable
    return Layout(variables, header.byte_order, header.row_major, attributes)


@dataclass(frozen=True)
class _Header:
    first_r: int
    first_z: int
    first_attribute: int
    r: int
    z: int
    attributes: int
    r_dims: tuple[int, ...]
    byte_order: str
    row_major: bool
    has_md5: bool


@functools.cache
def _struct(layout: str, offset_code: str) -> struct.Struct:
    return struct.Struct(">" + layout.replace("o", offset_code))


class _Walker:
    """Reads internal records, each checked for place, size and type; none is visited twice."""

    def __init__(self, path: Path, file: BinaryIO, size: int, offset_code: str):
        self.path, self.file, self.size, self.o = path, file, size, offset_code
        self.header = struct.Struct(f">{offset_code}i")
        self.visited: set[int] = set()
        self.reason_beyond_end = "truncated"  # until the file is known to be as long as it says

    def fail(self, text: str, reason: str = "unreadable") -> NoReturn:
        raise BadFile(reason, f"{self.path} is damaged: {text}; download it again")

    def record(self, offset: int, layout: str, *kinds: int, whole: bool = False) -> tuple:
        """Return (size, kind, *fields of ``layout``, rest); ``o``: an offset; rest: read if ``whole``."""
        if not 8 <= offset <= self.size - self.header.size:
            self.fail(f"something is said to be at byte {offset} of {self.size}", self.reason_beyond_end)
        if offset in self.visited:
            self.fail(f"the record at byte {offset} is referred to twice")
        self.visited.add(offset)
        self.file.seek(offset)
        size, kind = self.header.unpack(self.file.read(self.header.size))
        fields = _struct(layout, self.o)
        if kind not in kinds or size < self.header.size + fields.size:
            self.fail(f"byte {offset} holds a record of kind {kind} and size {size} where kind {kinds[0]} belongs")
        if offset + size > self.size:
            self.fail(f"a record at byte {offset} ends beyond the file's {self.size} bytes", self.reason_beyond_end)
        values = fields.unpack(self.file.read(fields.size))
        rest = self.file.read(size - self.header.size - fields.size) if whole else b""
        return size, kind, *values, rest

    def global_header(self) -> _Header:
        _, _, gdr_offset, _, _, encoding, flags, _ = self.record(8, "oiiii", _CDR)
        gdr = self.record(gdr_offset, "ooooiiiiioiii", _GDR, whole=True)
        first_r, first_z, first_attribute, eof, r, attributes, _, r_rank, z = gdr[2:11]
        if eof > self.size:
            self.fail(f"it should have {eof} bytes and has {self.size}", "truncated")
        self.reason_beyond_end = "unreadable"
        rest = gdr[-1]
        if min(r, z, attributes) < 0 or not 0 <= r_rank <= _MAX_DIMENSIONS or len(rest) < 4 * r_rank:
            self.fail("its numbers of variables, attributes or dimensions are impossible")
        if encoding not in _BIG_ENDIAN + _LITTLE_ENDIAN:
            self.fail(f"its encoding is number {encoding}, which cannot be read")
        order = ">" if encoding in _BIG_ENDIAN else "<"
        r_dims = struct.unpack_from(f">{r_rank}i", rest)
        return _Header(
            first_r, first_z, first_attribute, r, z, attributes, r_dims, order, bool(flags & 1), flags & 12 == 12
        )

    def check_md5(self) -> None:
        """Compare the MD5 of all but the file's last 16 bytes with these."""
        self.file.seek(0)
        found = hashlib.md5(usedforsecurity=False)
        left = self.size - 16
        while left and (piece := self.file.read(min(left, _PIECE_BYTES))):
            found.update(piece)
            left -= len(piece)
        if found.digest() != self.file.read(16):
            self.fail("its content does not have the checksum that is written in it", "wrong_checksum")

    def attributes(self, offset: int, count: int) -> dict[tuple[str, int, int], tuple[int, int, bytes]]:
        """Return type, number of elements and bytes of `ATTRIBUTES`, by name, kind and number of the variable."""
        name_bytes = 256 if self.o == "q" else 64
        known = {name.lower(): name for name in ATTRIBUTES}
        found = {}
        for _ in range(count):
            fields = self.record(offset, f"ooiiiiioiii{name_bytes}s", _ADR)
            offset, first_r, scope, _, r_entries, _, _, first_z, z_entries, _, _, stored = fields[2:14]
            # The first of a name counts; a global one may have it too.
            name = known.pop(self.name(stored).strip().lower(), None) if scope != _GLOBAL_SCOPE else None
            if name:
                for kind, first, entries in ((_RVDR, first_r, r_entries), (_ZVDR, first_z, z_entries)):
                    for number, *value in self.entries(first, entries, _AGREDR if kind == _RVDR else _AZEDR):
                        found.setdefault((name, kind, number), tuple(value))
        return found

    def name(self, stored: bytes) -> str:
        """Return a name; what is not empty beyond its end is damage, and readers differ in what they make of it."""
        name, _, beyond = stored.partition(b"\x00")
        if beyond.strip(b"\x00"):
            self.fail(f"the name {name!r} goes on beyond its end")
        return name.decode("ascii")

    def entries(self, offset: int, count: int, kind: int) -> Iterator[tuple[int, int, int, bytes]]:
        """Yield number of the variable, type, number of elements and bytes of an attribute's entries."""
        for _ in range(count):
            _, _, offset, _, data_type, number, elements, *_, stored = self.record(
                offset, "oiiiiiiiii", kind, whole=True
            )
            if data_type not in TYPE_BYTES or not 0 <= elements * TYPE_BYTES[data_type] <= len(stored):
                self.fail("an attribute is larger than its place or of unknown type")
            yield number, data_type, elements, stored

    def variable(self, offset: int, kind: int, header: _Header) -> tuple[Variable, tuple[int, int], int]:
        """Return the variable, its (first index, number of elements), and the offset of the following one."""
        name_bytes = 256 if self.o == "q" else 64
        fields = self.record(offset, f"oiiooiiiiiiioi{name_bytes}s", kind, whole=True)
        following, data_type, last_record, first_index, _, flags, sparse = fields[2:9]
        elements, packing, name, rest = fields[12], fields[14], fields[16], fields[17]
        if kind == _ZVDR:
            (rank,) = struct.unpack_from(">i", rest) if len(rest) >= 4 else (-1,)
            if not 0 <= rank <= _MAX_DIMENSIONS or len(rest) < 4 + 8 * rank:
                self.fail("a variable's number of dimensions is impossible")
            sizes = struct.unpack_from(f">{rank}i", rest, 4)
            varies = struct.unpack_from(f">{rank}i", rest, 4 + 4 * rank)
            rest = rest[4 + 8 * rank :]
        else:
            rank = len(header.r_dims)
            if len(rest) < 4 * rank:
                self.fail("a variable's dimensions are missing")
            sizes, varies = header.r_dims, struct.unpack_from(f">{rank}i", rest)
            rest = rest[4 * rank :]
        dims = tuple(size for size, vary in zip(sizes, varies, strict=True) if vary)
        record_varying = bool(flags & 1)
        if (
            last_record < -1
            or any(size < 1 for size in dims)
            or data_type not in TYPE_BYTES
            or sparse not in (0, PAD_SPARSE, PREVIOUS_SPARSE)
        ):
            self.fail("a variable's type, number of records or dimensions is impossible")
        pad = default_pad(data_type)
        if flags & 2 and data_type not in TEXT_TYPES:
            if len(rest) < TYPE_BYTES[data_type]:
                self.fail("a variable's pad is missing")
            pad = attribute_value(data_type, 1, rest, byte_order=header.byte_order)
        shape = dims, last_record + 1, record_varying
        variable = Variable(self.name(name), data_type, *shape, sparse, pad, filler=pad)
        if flags & 4:
            self._check_packing(packing)
        return variable, (first_index, elements), following

    def _check_packing(self, offset: int) -> None:
        self.visited.discard(offset)  # variables may share one description of their compression
        if self.record(offset, "iii", _CPR)[2] != _GZIP:
            self.fail("it is packed in another way than gzip, which cannot be read")

    def blocks(self, variable: Variable, first_index: int, elements: int) -> tuple[Block, ...]:
        """Check that the blocks of a variable hold the records it declares, before room is made for them."""
        record_bytes = math.prod(variable.dims) * TYPE_BYTES[variable.data_type] * elements
        declared = variable.records * record_bytes
        if declared > min(MAX_VARIABLE_BYTES, MAX_COMPRESSION_RATIO * self.size):
            self.fail(f"{variable.name} claims {declared} bytes in a file of {self.size}", "absurd_size")
        if variable.sparse and variable.records > MAX_SPARSE_RECORDS:
            self.fail(f"{variable.name} claims {variable.records} records, not all written", "absurd_size")
        if elements != 1 or (not variable.record_varying and variable.records > 1):
            self.fail(f"{variable.name} has an impossible number of elements or records")
        blocks = []
        upto = 0  # records accounted for
        for first, last, offset in self._entries(first_index) if variable.records else ():
            if first > last or first < upto or (first > upto and not variable.sparse):
                self.fail(f"records of {variable.name} are missing or doubled in its index")
            if upto < variable.records:  # else: room set aside for records never written
                expected = (last - first + 1) * record_bytes
                where = self._block(variable, offset, expected, is_last=last + 1 >= variable.records)
                blocks.append(Block(first, last - first + 1, *where))
                upto = last + 1
        if upto < variable.records and not variable.sparse:
            self.fail(f"{variable.name} has an index of {upto} records for {variable.records}")
        return tuple(blocks)

    def _block(self, variable: Variable, offset: int, expected: int, *, is_last: bool) -> tuple[int, int, int]:
        """Return where a block's bytes begin, their packed size or 0, and the size of the values."""
        size, kind, _ = self.record(offset, "", _VVR, _CVVR)
        start, packed = offset + self.header.size, 0
        held = size - self.header.size
        if kind == _CVVR:
            self.visited.discard(offset)
            _, _, _, packed, _ = self.record(offset, "io", _CVVR)
            start += 4 + struct.calcsize(">" + self.o)
            if not 18 <= packed <= offset + size - start:  # a gzip header and trailer take 18 bytes
                self.fail(f"a block of {variable.name} is larger than its place")
            self.file.seek(start + packed - 4)
            (held,) = struct.unpack("<I", self.file.read(4))  # gzip ends with the size of its content
            if held > MAX_COMPRESSION_RATIO * packed:
                self.fail(f"a block of {variable.name} claims {held} bytes from {packed}", "absurd_size")
        if held != expected and not (is_last and held > expected):
            self.fail(f"a block of {variable.name} holds {held} bytes where {expected} belong")
        return start, packed, held

    def _entries(self, offset: int) -> Iterator[tuple[int, int, int]]:
        """Yield (first record, last record, offset) of a variable's blocks, through all levels."""
        while offset:
            _, _, following, room, used, rest = self.record(offset, "oii", _VXR, whole=True)
            width = struct.calcsize(">" + self.o)
            if not 0 <= used <= room or room * (8 + width) > len(rest):
                self.fail("an index of a variable is larger than its place")
            firsts = struct.unpack_from(f">{used}i", rest)
            lasts = struct.unpack_from(f">{used}i", rest, 4 * room)
            offsets = struct.unpack_from(f">{used}{self.o}", rest, 8 * room)
            for first, last, below in zip(firsts, lasts, offsets, strict=True):
                if self._kind(below) == _VXR:
                    yield from self._entries(below)
                else:
                    yield first, last, below
            offset = following

    def _kind(self, offset: int) -> int:
        if not 8 <= offset <= self.size - self.header.size:
            self.fail(f"a block is said to be at byte {offset} of {self.size}")
        self.file.seek(offset)
        return self.header.unpack(self.file.read(self.header.size))[1]


def _unpack(walker: _Walker, target: BinaryIO) -> None:
    """Write out the content of a file compressed as a whole, without the 8 bytes of magic, a piece at a time."""
    *_, packing, size, _, packed = walker.record(8, "ooi", _CCR, whole=True)
    if not 0 < size <= min(MAX_UNPACKED_BYTES, MAX_COMPRESSION_RATIO * walker.size):
        walker.fail(f"it claims {size} bytes from {walker.size}", "absurd_size")
    if walker.record(packing, "iii", _CPR)[2] != _GZIP:
        walker.fail("it is packed in another way than gzip, which cannot be read")
    held = 0
    with gzip.open(io.BytesIO(packed)) as stream:
        while held <= size and (piece := stream.read(_PIECE_BYTES)):
            held += target.write(piece)
    if held != size:
        walker.fail(f"its gzip stream holds {held} bytes or more where {size} belong")
