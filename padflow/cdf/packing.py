# SPDX-License-Identifier: BSD-3-Clause
"""Unpack gzip and RLE, the compressions of CDF files and variables, to a bounded size."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator

import numpy as np

RLE, GZIP = 1, 5


READABLE = (RLE, GZIP)


PIECE_BYTES = 2**20


MAX_RATIO = 1100  # deflate reaches 1032, RLE 128


_NAMES = {2: "Huffman coding", 3: "adaptive Huffman coding"}


_RLE_PIECE_BYTES = 2**16  # 128 times as much comes out


def packing_name(packing: int) -> str:
    """Return the name of a packing that padflow does not read."""
    return _NAMES.get(packing, f"method {packing}")


def pieces(packed: bytes, packing: int) -> Iterator[bytes]:
    """Unpack a stream in pieces of bounded size.

    Raises
    ------
    ValueError, OSError, EOFError, zlib.error
        If the stream is damaged.
    """
    if packing == RLE:
        yield from _rle_pieces(packed)
        return
    with gzip.open(io.BytesIO(packed)) as stream:
        while piece := stream.read(PIECE_BYTES):
            yield piece


def unpack(packed: bytes, size: int, packing: int) -> bytes:
    """Unpack a stream that must hold ``size`` bytes. Never unpacks much more. The checksum of gzip is checked.

    Raises
    ------
    ValueError, zlib.error
        If the stream is damaged or holds another number of bytes.
    """
    if packing == RLE:
        content: bytes | bytearray = bytearray()
        for piece in _rle_pieces(packed):
            content += piece
            if len(content) > size:
                break
        whole = len(content) == size
    else:
        stream = zlib.decompressobj(wbits=31)
        content = stream.decompress(packed, size + 1)
        whole = len(content) == size and stream.eof
    if not whole:
        raise ValueError(f"a packed stream holds {len(content)} bytes or more where {size} belong")
    return bytes(content)


def rle_size(packed: bytes) -> int:
    """Return the number of bytes that an RLE stream holds. The file does not say it."""
    return sum(map(len, _rle_pieces(packed)))


def _rle_pieces(packed: bytes) -> Iterator[bytes]:
    """Unpack an RLE stream in pieces. After a zero comes the number of further zeros; other bytes are as they are."""
    begin = 0
    while begin < len(packed):
        stored = np.frombuffer(packed, np.uint8, min(_RLE_PIECE_BYTES, len(packed) - begin), begin)
        zero, place = stored == 0, np.arange(len(stored))
        run_start = np.maximum.accumulate(np.where(np.append(False, zero[:-1]), 0, place))
        marks = zero & ((place - run_start) % 2 == 0)  # of zeros in a row, each second one is a number
        if marks[-1]:  # its number is in the next piece
            stored, marks = stored[:-1], marks[:-1]
        if not len(stored):
            raise ValueError("an RLE stream ends within a run")
        counts = np.flatnonzero(marks) + 1
        repeats = np.ones(len(stored), np.int64)
        repeats[counts - 1] += stored[counts]
        repeats[counts] = 0
        yield np.repeat(stored, repeats).tobytes()
        begin += len(stored)
