# SPDX-License-Identifier: BSD-3-Clause
"""Check the structure of a CDF file before its values are read.

A reader that trusts the counts and offsets in a file, as cdflib does, may loop 2^31 times or ask for gigabytes because
of one wrong bit. So this module first follows every chain of the file that is needed, and checks each count, size and
type. The size of the file bounds the time and the memory that this takes.
Structure: CDF Internal Format Description (NASA/GSFC, version 3.8).
"""

from __future__ import annotations

import hashlib
import math
import struct
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from padflow.cdf.internal_records import (
    ADR,
    AGREDR,
    AZEDR,
    CCR,
    CDR,
    CVVR,
    GDR,
    MAGIC,
    RVDR,
    VVR,
    VXR,
    ZVDR,
    RecordReader,
)
from padflow.cdf.packing import MAX_RATIO, PIECE_BYTES, RLE, pieces, rle_size
from padflow.cdf.values import (
    PAD_SPARSE,
    PREVIOUS_SPARSE,
    TEXT_TYPES,
    TYPE_BYTES,
    Block,
    ByteOrder,
    Layout,
    Variable,
    attribute_value,
    default_pad,
)
from padflow.errors import BadFile

MAX_VARIABLE_BYTES = 2**28
"""Largest variable (chosen): twice a day of one record a second with 17 pitch angles and 12 energies."""


MAX_UNPACKED_BYTES = 2**30
"""Largest content of a file that is compressed as a whole (chosen); it is unpacked to disk."""


MAX_SPARSE_RECORDS = 2**20
"""Most records of a sparse variable, for which the file may hold no byte (chosen): a day at 12 Hz."""


MAX_ATTRIBUTE_BYTES = 2**12


_PLAIN, _COMPRESSED = b"\x00\x00\xff\xff", b"\xcc\xcc\x00\x01"


_EARLIER_MAGIC = b"\x00\x00\xff\xff"


_MAX_DIMENSIONS = 10  # CDF_MAX_DIMS


_BIG_ENDIAN, _LITTLE_ENDIAN = (1, 2, 5, 7, 9, 11, 12), (4, 6, 13, 16, 17, 19)  # not 18: its reals are little-endian


_VAX = (3, 14, 15, 20, 21)


_GLOBAL_SCOPE = 1


_ENTRY_KINDS = {RVDR: AGREDR, ZVDR: AZEDR}
"""Kind of the entries of an attribute by the kind of the variables that they describe."""


DEPENDS = ("DEPEND_1", "DEPEND_2", "DEPEND_3", "DEPEND_4")


ATTRIBUTES = ("FILLVAL", "UNITS", *DEPENDS)
"""The attributes of variables that are read. Entries of other attributes are never opened."""


@contextmanager
def plain_file(path: Path) -> Iterator[Path]:
    """Yield the path; for a file that is compressed as a whole, that of an uncompressed copy, which is deleted later.

    Raises
    ------
    BadFile
        With the reason ``dangling_link``, ``empty``, ``not_cdf``, ``truncated`` or ``absurd_size``; ``unsupported``
        where padflow does not know the compression; ``unreadable`` where unpacking fails.
    """
    if path.is_symlink() and not path.exists():
        text = f"{path} is a symbolic link that leads nowhere, to {path.readlink()}; put back what it leads to"
        raise BadFile("dangling_link", text)
    size = path.stat().st_size
    if size == 0:
        raise BadFile("empty", f"{path} is empty; download it again")
    with path.open("rb") as file:
        magic, packing = file.read(4), file.read(4)
        if len(packing) < 4 and any(known.startswith(magic) for known in MAGIC):
            raise BadFile("truncated", f"{path} holds only {size} bytes; download it again")
        if magic == _EARLIER_MAGIC:
            RecordReader(path, file, size, "i").refuse("was written by CDF 2.5 or earlier", "-single")
        if magic not in MAGIC or packing not in (_PLAIN, _COMPRESSED):
            raise BadFile(
                "not_cdf",
                f"{path} is no CDF file of version 2.6 or later; it begins with {magic + packing!r}",
            )
        if packing == _PLAIN:
            yield path
            return
        with tempfile.NamedTemporaryFile(suffix=".cdf") as copy:
            copy.write(magic + _PLAIN)
            _unpack(RecordReader(path, file, size, MAGIC[magic]), copy)
            copy.flush()
            yield Path(copy.name)


def read_layout(path: Path, needed: Collection[str], *, shown: Path) -> Layout:
    """Check a file's structure and return it.

    Parameters
    ----------
    path : Path
        File without whole-file compression.
    needed : collection of str
        Names of the variables to be read. Their blocks are checked too. Names that the file does not hold are skipped.
    shown : Path
        The path to name in messages.

    Raises
    ------
    BadFile
        ``truncated`` if the file is shorter than it says; ``wrong_checksum`` if its content does not agree with the MD5
        in it; ``absurd_size`` if a needed variable claims more than the file can hold; ``unsupported`` if the file is
        whole but has a form that padflow does not read; ``unreadable`` for any other contradiction.
    """
    wanted = {name.lower() for name in needed}
    variables: dict[str, Variable] = {}
    numbers: dict[tuple[int, int], str] = {}
    with path.open("rb") as file:
        walker = _Walker(shown, file, path.stat().st_size, MAGIC[file.read(4)])
        header = walker.global_header()
        if header.has_md5 and path == shown:  # gzip itself has checked a file that was compressed as a whole
            walker.check_md5()
        for first, count, kind in ((header.first_z, header.z, ZVDR), (header.first_r, header.r, RVDR)):
            offset = first
            for number in range(count):
                variable, place, offset = walker.variable(offset, kind, header)
                key = variable.name.strip().lower()
                if key in variables:
                    continue
                if key in wanted and variable.data_type not in TEXT_TYPES:
                    variable = replace(variable, blocks=walker.blocks(variable, place))
                    numbers[kind, number] = key
                variables[key] = variable
        attributes = walker.attributes(header, numbers)
        walker.check_overlaps()
    for key in numbers.values():
        fill_value = attributes.get(("FILLVAL", key))
        if type(fill_value) is type(variables[key].pad):  # then it takes the place of the pad, as in NASA's library
            variables[key] = replace(variables[key], filler=fill_value)
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
    byte_order: ByteOrder
    row_major: bool
    has_md5: bool


@dataclass(frozen=True)
class _Place:
    """Where records of a variable are: its first index, elements of a value, and description of its packing or 0."""

    first_index: int
    elements: int
    packing: int


class _Walker(RecordReader):
    """Follows the chains of a file without whole-file compression."""

    def global_header(self) -> _Header:
        _, _, gdr_offset, _, _, encoding, flags, _ = self.record(8, "oiiii", CDR)
        gdr = self.record(gdr_offset, "ooooiiiiioiii", GDR, whole=True)
        first_r, first_z, first_attribute, eof, r, attributes, _, r_rank, z = gdr[2:11]
        if eof > self.size:
            self.fail(f"it should have {eof} bytes and has {self.size}", "truncated")
        self.reason_beyond_end = "unreadable"
        rest = gdr[-1]
        if min(r, z, attributes) < 0 or not 0 <= r_rank <= _MAX_DIMENSIONS or len(rest) < 4 * r_rank:
            self.fail("its numbers of variables, attributes or dimensions are impossible")
        if not flags & 2:
            self.refuse("is a multi-file CDF, its values in files .z0, .v0 and so on beside it", "-single")
        if encoding not in _BIG_ENDIAN + _LITTLE_ENDIAN:
            what = "VAX floating point" if encoding in _VAX else f"encoding {encoding}"
            self.refuse(f"holds numbers in {what}", "-network")
        order: ByteOrder = ">" if encoding in _BIG_ENDIAN else "<"
        r_dims = struct.unpack_from(f">{r_rank}i", rest)
        return _Header(
            first_r, first_z, first_attribute, r, z, attributes, r_dims, order, bool(flags & 1), flags & 12 == 12
        )

    def check_md5(self) -> None:
        """Compare the last 16 bytes of the file with the MD5 of all bytes before them."""
        self.file.seek(0)
        found = hashlib.md5(usedforsecurity=False)
        left = self.size - 16
        while left and (piece := self.file.read(min(left, PIECE_BYTES))):
            found.update(piece)
            left -= len(piece)
        if found.digest() != self.file.read(16):
            self.fail("its content does not have the checksum that is written in it", "wrong_checksum")

    def attributes(self, header: _Header, numbers: Mapping[tuple[int, int], str]) -> dict[tuple[str, str], Any]:
        """Return the values of `ATTRIBUTES`, by name and key of the variables whose kinds and ``numbers`` are given."""
        known = {name.lower(): name for name in ATTRIBUTES}
        found: dict[tuple[str, str], Any] = {}
        offset = header.first_attribute
        for _ in range(header.attributes):
            fields = self.record(offset, f"ooiiiiioiii{self.name_bytes}s", ADR)
            offset, first_r, scope, _, r_entries, _, _, first_z, z_entries, _, _, stored = fields[2:14]
            # The first of a name counts; a global one may have it too.
            name = known.pop(self.name(stored).strip().lower(), None) if scope != _GLOBAL_SCOPE else None
            if name is None:
                continue
            for kind, first, entries in ((RVDR, first_r, r_entries), (ZVDR, first_z, z_entries)):
                for number, data_type, elements, value in self.entries(first, entries, _ENTRY_KINDS[kind]):
                    variable = numbers.get((kind, number))
                    if variable is not None and (name, variable) not in found:
                        found[name, variable] = attribute_value(
                            data_type, elements, value, byte_order=header.byte_order
                        )
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
            used = elements * TYPE_BYTES.get(data_type, len(stored) + 1)
            if not 0 <= used <= len(stored):
                self.fail("an attribute is larger than its place or of unknown type")
            if used > MAX_ATTRIBUTE_BYTES:
                self.fail(f"an attribute claims {used} bytes", "absurd_size")
            yield number, data_type, elements, stored[:used]

    def variable(self, offset: int, kind: int, header: _Header) -> tuple[Variable, _Place, int]:
        """Return the variable, the place of its records, and the offset of the following one."""
        fields = self.record(offset, f"oiiooiiiiiiioi{self.name_bytes}s", kind, whole=True)
        following, data_type, last_record, first_index, _, flags, sparse = fields[2:9]
        elements, packing, name, rest = fields[12], fields[14], fields[16], fields[17]
        if kind == ZVDR:
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
        return variable, _Place(first_index, elements, packing if flags & 4 else 0), following

    def blocks(self, variable: Variable, place: _Place) -> tuple[Block, ...]:
        """Check that the blocks of a variable hold the records it declares, before room is made for them."""
        if place.elements != 1 or (not variable.record_varying and variable.records > 1):
            self.fail(f"{variable.name} has an impossible number of elements or records")
        record_bytes = math.prod(variable.dims) * TYPE_BYTES[variable.data_type]
        self.check_size(variable, variable.records * record_bytes)
        packing = self.packing(place.packing, f"holds {variable.name}", "vars") if place.packing else 0
        blocks = []
        upto = 0  # records accounted for
        for first, last, offset, kind in self._entries(place.first_index) if variable.records else ():
            if first > last or first < upto or (first > upto and not variable.sparse):
                self.fail(f"records of {variable.name} are missing or doubled in its index")
            if upto < variable.records:  # else: room set aside for records never written
                expected = (last - first + 1) * record_bytes
                if kind == CVVR:
                    start, packed, method, held = self._packed_block(variable, offset, packing)
                else:
                    size, *_ = self.record(offset, "", VVR)
                    start, packed, method, held = offset + self.header.size, 0, 0, size - self.header.size
                if held < expected or (held > expected and last + 1 < variable.records):
                    self.fail(f"a block of {variable.name} holds {held} bytes where {expected} belong")
                blocks.append(Block(first, last - first + 1, start, packed, method, held))
                upto = last + 1
        if upto < variable.records and not variable.sparse:
            self.fail(f"{variable.name} has an index of {upto} records for {variable.records}")
        return tuple(blocks)

    def check_size(self, variable: Variable, declared: int) -> None:
        """Refuse a variable that claims more bytes or records than the file can hold, or than padflow reads."""
        if declared > MAX_RATIO * self.size:
            self.fail(f"{variable.name} claims {declared} bytes in a file of {self.size}", "absurd_size")
        too_many = variable.sparse and variable.records > MAX_SPARSE_RECORDS
        if declared > MAX_VARIABLE_BYTES or too_many:
            raise BadFile(
                "absurd_size",
                f"{self.path} holds {variable.records} records of {variable.name} in {declared} bytes; padflow reads "
                f"at most {MAX_VARIABLE_BYTES} bytes, and {MAX_SPARSE_RECORDS} records where some were never written. "
                "Split the file into shorter ones",
            )

    def _packed_block(self, variable: Variable, offset: int, packing: int) -> tuple[int, int, int, int]:
        """Return where a packed block's stream begins, its size, its packing, and the size of the values in it."""
        size, _, _, packed, _ = self.record(offset, "io", CVVR)
        start = offset + self.header.size + 4 + self.width
        least = 1 if packing == RLE else 18  # a gzip header and trailer
        if not packing or not least <= packed <= offset + size - start:
            self.fail(f"a block of {variable.name} is larger than its place, or packed where none is")
        if packing == RLE:
            self.file.seek(start)
            return start, packed, packing, rle_size(self.file.read(packed))
        self.file.seek(start + packed - 4)
        (held,) = struct.unpack("<I", self.file.read(4))  # gzip ends with the size of its content
        if held > MAX_RATIO * packed:
            self.fail(f"a block of {variable.name} claims {held} bytes from {packed}", "absurd_size")
        return start, packed, packing, held

    def _entries(self, offset: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield (first record, last record, offset, kind) of a variable's blocks, through all levels."""
        levels = [self._level(offset)]
        while levels:
            entry = next(levels[-1], None)
            if entry is None:
                levels.pop()
            elif entry[3] == VXR:
                levels.append(self._level(entry[2]))
            else:
                yield entry

    def _level(self, offset: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield the entries of an index and of those that follow it."""
        while offset:
            _, _, following, room, used, rest = self.record(offset, "oii", VXR, whole=True)
            if not 0 <= used <= room or room * (8 + self.width) > len(rest):
                self.fail("an index of a variable is larger than its place")
            columns = ((0, 4, "i"), (4 * room, 4, "i"), (8 * room, self.width, self.o))
            parts = (struct.iter_unpack(f">{code}", rest[at : at + used * width]) for at, width, code in columns)
            for (first,), (last,), (below,) in zip(*parts, strict=True):
                yield first, last, below, self.kind_at(below)
            offset = following


def _unpack(reader: RecordReader, target: IO[bytes]) -> None:
    """Write out the content of a file compressed as a whole, without the 8 bytes of magic, a piece at a time."""
    *_, description, size, _, packed = reader.record(8, "ooi", CCR, whole=True)
    if not 0 < size <= MAX_RATIO * reader.size:
        reader.fail(f"it claims {size} bytes from {reader.size}", "absurd_size")
    if size > MAX_UNPACKED_BYTES:
        text = f"{reader.path} unpacks to {size} bytes, and padflow unpacks at most {MAX_UNPACKED_BYTES}"
        raise BadFile(
            "absurd_size", f"{text}; convert it with `cdfconvert -compression cdf:none {reader.path} NEW.cdf`"
        )
    packing = reader.packing(description, "is", "cdf")
    reader.check_overlaps()
    held = 0
    for piece in pieces(packed, packing):
        held += target.write(piece)
        if held > size:
            break
    if held != size:
        reader.fail(f"its packed content holds {held} bytes or more where {size} belong")
