# SPDX-License-Identifier: BSD-3-Clause
"""Encode a part as the bytes of one Zarr chunk or shard, and read rows of it.

zarr-python writes and reads the same bytes (tests compare both). But it needs nearly as much time for its event loop,
threads and copies as Zstandard needs for the values. Layout: Zarr 3, sharding codec 1.0, index at the end.

Measured with one thread on 155,495 REPT records, block by block: zarr-python 3.1.6 takes 1.9 to 2.0 times
the processor time of `read_rows`, the zarrs 0.2.3 pipeline 1.0 to 1.2 times. zarrs would be good enough, but it opens
files itself. A reader must open files that a run has replaced meanwhile (`padflow.store.states.Snapshot`) elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import google_crc32c
import numpy as np
from numcodecs import Zstd

from padflow.errors import PadflowError

# With a checksum, a flipped bit gives an error in every reader, and never a wrong value.
_codec = lru_cache(lambda level: Zstd(level=level, checksum=True))


_ENTRY = np.dtype([("offset", "<u8"), ("size", "<u8")])


_CHECKSUM_BYTES = 4


def encode_chunk(values: np.ndarray, *, level: int) -> bytes:
    """Encode C-contiguous little-endian values with a level of Zstandard."""
    return _codec(level).encode(values)


def encode_shard(values: np.ndarray, *, chunk_rows: int, level: int) -> bytes:
    """Encode C-contiguous little-endian values as chunks of `chunk_rows` rows, with their index and its checksum."""
    chunks = [_codec(level).encode(values[row : row + chunk_rows]) for row in range(0, len(values), chunk_rows)]
    entries = np.empty(len(chunks), _ENTRY)
    entries["size"] = [len(chunk) for chunk in chunks]
    entries["offset"] = np.cumsum(entries["size"]) - entries["size"]
    index = entries.tobytes()
    return b"".join([*chunks, index, google_crc32c.value(index).to_bytes(_CHECKSUM_BYTES, "little")])


def read_rows(
    path: Path,
    first: int,
    out: np.ndarray,
    *,
    chunk_rows: int,
    chunks: int,
    opened: Callable[[], BinaryIO] | None = None,
) -> None:
    """Read rows of a part into `out`, from row `first` of the part, and open its file once.

    Parameters
    ----------
    out : ndarray, shape (rows, ...)
        C-contiguous. It is filled in place.
    chunk_rows, chunks : int
        Rows in a chunk, and chunks in the shard; 0 where the file is a chunk and no shard.
    opened : callable, optional
        Opens the file where the one at `path` may be newer than the one to be read.

    Raises
    ------
    PadflowError
        Where the file is damaged, or cannot be read.
    FileNotFoundError
        Where there is no file.
    """
    begin, end = first // chunk_rows, -(-(first + len(out)) // chunk_rows)
    try:
        with opened() if opened else path.open("rb") as file:
            places = _places(file, chunks)[begin:end] if chunks else [(0, -1)]
            for number, (offset, size) in enumerate(places, begin):
                file.seek(offset)
                # Not decoded in place: a chunk with too few rows would leave old values in the rest of `out`.
                values = np.frombuffer(_codec(1).decode(file.read(size)), out.dtype)
                whole = values.reshape(chunk_rows, *out.shape[1:])
                low = number * chunk_rows - first
                out[max(low, 0) : low + chunk_rows] = whole[max(-low, 0) : len(out) - low]
    except FileNotFoundError:
        raise
    except OSError as error:
        raise PadflowError(
            f"{path} cannot be read ({error.strerror or error}). Fix that and run the command again."
        ) from error
    # numcodecs raises RuntimeError. A damaged header may also ask for too much memory.
    except (ValueError, OverflowError, RuntimeError, MemoryError) as error:
        raise PadflowError(
            f"{path} is damaged ({str(error) or 'or memory is short'}). `padflow verify --repair` finds all such "
            "parts, and the next `padflow run` does them again."
        ) from error


def _places(file: BinaryIO, chunks: int) -> list[tuple[int, int]]:
    """Return offset and size of each chunk of a shard."""
    index_bytes = chunks * _ENTRY.itemsize
    start = file.seek(0, 2) - index_bytes - _CHECKSUM_BYTES
    if start < 0:
        raise ValueError("it is shorter than its index")
    file.seek(start)
    index, checksum = file.read(index_bytes), file.read()
    if google_crc32c.value(index) != int.from_bytes(checksum, "little"):
        raise ValueError("its index has another checksum")
    return np.frombuffer(index, _ENTRY).tolist()
