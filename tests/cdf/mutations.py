# SPDX-License-Identifier: BSD-3-Clause
"""Ways in which disks, networks and malice damage a CDF file, each a function of its bytes and a random generator."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable

import numpy as np

ABSURD = (-(2**31), -2, -1, 0, 1, 2, 7, 255, 65_536, 10**6, 2**30, 2**31 - 1)
CCR, CVVR, VXR, VVR = 10, 13, 6, 7
STRUCTURE = (1, 2, 3, 4, 5, VXR, 8, 9, CCR, 11, 12, CVVR)
"""Kinds of internal records with counts and offsets in them: all but VVR, which holds plain values."""

Mutation = Callable[[bytes, np.random.Generator], bytes]


def internal_records(content: bytes) -> list[tuple[int, int, int]]:
    """Return (offset, size, kind) of the internal records, which follow one another from byte 8 on."""
    layout = struct.Struct(">qi" if content[:4] == b"\xcd\xf3\x00\x01" else ">ii")
    found, offset = [], 8
    while offset + layout.size <= len(content):
        size, kind = layout.unpack_from(content, offset)
        if size < layout.size:
            break
        found.append((offset, size, kind))
        offset += size
    return found


def flip_bits(content: bytes, random: np.random.Generator) -> bytes:
    """One to eight bits anywhere, as bad memory does."""
    damaged = bytearray(content)
    for place in random.integers(len(content), size=random.integers(1, 9)):
        damaged[place] ^= 1 << int(random.integers(8))
    return bytes(damaged)


def flip_structure(content: bytes, random: np.random.Generator) -> bytes:
    """One bit in the first 80 bytes of an internal record that is structure, where it does most."""
    records = [record for record in internal_records(content) if record[2] in STRUCTURE]
    offset, size, _ = records[random.integers(len(records))]
    damaged = bytearray(content)
    damaged[offset + random.integers(min(size, 80))] ^= 1 << int(random.integers(8))
    return bytes(damaged)


def truncate(content: bytes, random: np.random.Generator) -> bytes:
    """The end is missing, as after an interrupted download, or zeros where room was made beforehand."""
    kept = content[: random.integers(len(content))]
    return kept + bytes(len(content) - len(kept)) if random.random() < 0.5 else kept


def swap_blocks(content: bytes, random: np.random.Generator) -> bytes:
    """Two blocks change places: disk sectors, or whole internal records of one kind."""
    if random.random() < 0.5:
        size = min(512, len(content) // 4)
        one, other = sorted(size * random.choice(len(content) // size, 2, replace=False))
        pair = [(one, size), (other, size)]
    else:
        records = internal_records(content)
        kinds = sorted({kind for _, _, kind in records if sum(k == kind for _, _, k in records) > 1})
        if not kinds:  # a file compressed as a whole
            return flip_bits(content, random)
        alike = [record for record in records if record[2] == random.choice(kinds)] or records
        chosen = sorted(random.choice(len(alike), min(2, len(alike)), replace=False))
        pair = [alike[number][:2] for number in chosen]
        if len(pair) < 2:
            return flip_bits(content, random)
    (one, one_size), (other, other_size) = pair
    middle = content[one + one_size : other]
    swapped = content[other : other + other_size] + middle + content[one : one + one_size]
    return content[:one] + swapped + content[other + other_size :]


def overwrite_sector(content: bytes, random: np.random.Generator) -> bytes:
    """Some 512-byte sectors hold zeros, ones or something else."""
    damaged = bytearray(content)
    for _ in range(random.integers(1, 4)):
        start = 512 * int(random.integers(len(content) // 512))
        stuff = [bytes(512), b"\xff" * 512, random.bytes(512), content[:512]][random.integers(4)]
        damaged[start : start + 512] = stuff[: len(damaged) - start]
    return bytes(damaged)


def shift(content: bytes, random: np.random.Generator) -> bytes:
    """Bytes too many or too few, as after a transfer in text mode."""
    if random.random() < 0.3:
        return content.replace(b"\n", b"\r\n") if random.random() < 0.5 else content.replace(b"\r\n", b"\n")
    place, number = int(random.integers(len(content))), int(random.integers(1, 64))
    if random.random() < 0.5:
        return content[:place] + random.bytes(number) + content[place:]
    return content[:place] + content[place + number :]


def absurd_counts(content: bytes, random: np.random.Generator) -> bytes:
    """One to three numbers of the structure are impossible: records, dimensions, entries, sizes, offsets."""
    records = [record for record in internal_records(content) if record[2] in STRUCTURE]
    damaged = bytearray(content)
    for _ in range(random.integers(1, 4)):
        offset, size, _ = records[random.integers(len(records))]
        place = offset + 4 * int(random.integers(min(size, 96) // 4))
        damaged[place : place + 4] = struct.pack(">i", random.choice(ABSURD))
    return bytes(damaged)


def bomb(content: bytes, random: np.random.Generator) -> bytes:
    """A gzip stream that says or holds more than belongs there; in a plain file, a variable that claims more."""
    wide = content[:4] == b"\xcd\xf3\x00\x01"
    packed = [record for record in internal_records(content) if record[2] in (CCR, CVVR)]
    if not packed or not wide:
        return _claim(content, random)
    offset, size, kind = packed[random.integers(len(packed))]
    damaged = bytearray(content)
    declared = int(random.choice([10**6, 10**8, 2**31 - 1, 2**32 - 1]))
    head = 32 if kind == CCR else 24
    if random.random() < 0.5:  # by its declaration
        if kind == CCR:
            damaged[offset + 20 : offset + 28] = struct.pack(">q", declared)
        damaged[offset + size - 4 : offset + size] = struct.pack("<I", declared)
        return bytes(damaged)
    zeros = bytes(min(2**24, 900 * (size - head)))  # by its content, whatever it declares
    stream = gzip.compress(zeros, mtime=0)
    if len(stream) > size - head:
        return bytes(damaged)
    damaged[offset + head : offset + head + len(stream)] = stream
    if random.random() < 0.5:
        damaged[offset + size - 4 : offset + size] = struct.pack("<I", 40 * 17 * 12 * 8)
    return bytes(damaged)


def _claim(content: bytes, random: np.random.Generator) -> bytes:
    """A variable and the index of its blocks agree on far too many records."""
    wide = content[:4] == b"\xcd\xf3\x00\x01"
    descriptions = [record for record in internal_records(content) if record[2] == 8]
    offset, *_ = descriptions[random.integers(len(descriptions))]
    last = int(random.choice([10**5, 10**7, 2**31 - 2]))
    damaged = bytearray(content)
    place = offset + (24 if wide else 16)
    damaged[place : place + 4] = struct.pack(">i", last)
    (index,) = struct.unpack_from(">q" if wide else ">i", content, place + 4)
    if 8 <= index < len(content) - 64:
        room = struct.unpack_from(">i", content, index + (20 if wide else 12))[0]
        lasts = index + (28 if wide else 20) + 4 * room
        if 0 < room < 1000 and lasts + 4 <= len(content):
            damaged[lasts : lasts + 4] = struct.pack(">i", last)
    return bytes(damaged)


def overlap(content: bytes, random: np.random.Generator) -> bytes:
    """An internal record reaches into those that follow, or an index refers to the block of another variable."""
    records = internal_records(content)
    wide = content[:4] == b"\xcd\xf3\x00\x01"
    layout = struct.Struct(">q" if wide else ">i")
    damaged = bytearray(content)
    indexes = [offset for offset, _, kind in records if kind == VXR]
    blocks = [offset for offset, _, kind in records if kind in (VVR, CVVR)]
    if random.random() < 0.5 and len(indexes) > 1:
        offset = indexes[random.integers(len(indexes))]
        head = layout.size + 4 + layout.size
        room, used = struct.unpack_from(">2i", content, offset + head)
        if 0 < used <= room < 1000:
            place = offset + head + 8 + 8 * room + layout.size * int(random.integers(used))
            layout.pack_into(damaged, place, blocks[random.integers(len(blocks))])
        return bytes(damaged)
    number = int(random.integers(len(records)))
    offset, size, _ = records[number]
    beyond = [other_size for _, other_size, _ in records[number + 1 : number + 1 + random.integers(1, 9)]]
    layout.pack_into(damaged, offset, size + sum(beyond) - int(random.integers(2)))
    return bytes(damaged)


MUTATIONS: dict[str, Mutation] = {
    function.__name__: function
    for function in (
        flip_bits,
        flip_structure,
        truncate,
        swap_blocks,
        overwrite_sector,
        shift,
        absurd_counts,
        bomb,
        overlap,
    )
}
