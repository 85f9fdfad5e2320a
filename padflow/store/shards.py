"""Whole parts as the bytes of one Zarr chunk or shard, and rows of them back.

zarr-python writes and reads the same bytes (tests hold both to it), but spends nearly as long on its way through
event loop, threads and copies as Zstandard spends on the values. Layout: Zarr 3, sharding codec 1.0, index at the end.

Measured with one thread on 155,495 REPT records, block by block: zarr-python 3.1.6 takes 1.9 to 2.0 times
the processor time of `read_rows`, the zarrs 0.2.3 pipeline 1.0 to 1.2 times. zarrs would do, but it opens files itself:
a reader could not be led to the files that a run has replaced meanwhile (`padflow.store.states.Snapshot`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import google_crc32c
import numpy as np
from numcodecs import Zstd

from padflow.errors import PadflowError

ZSTD_LEVEL = 3


# With a checksum, so that a flipped bit is an error for every reader and never a value.
_CODEC = Zstd(level=ZSTD_LEVEL, checksum=True)


_ENTRY = np.dtype([("offset", "<u8"), ("size", "<u8")])


_CHECKSUM_BYTES = 4


def encode_chunk(values: np.ndarray) -> bytes:
    """Encode C-contiguous little-endian values."""
    return _CODEC.encode(values)


def encode_shard(values: np.ndarray, *, chunk_rows: int) -> bytes:
    """Encode C-contiguous little-endian values as chunks of `chunk_rows` rows, with their index and its checksum."""
    chunks = [_CODEC.encode(values[row : row + chunk_rows]) for row in range(0, len(values), chunk_rows)]
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
    """Read rows of a part from its row `first` on, as many as `out` has, all through one open file.

    Parameters
    ----------
    out : ndarray, shape (rows, ...)
        C-contiguous; filled in place.
    chunk_rows, chunks : int
        Rows in a chunk, and chunks in the shard; 0 where the file is a chunk and no shard.
    opened : callable, optional
        Opens the file, where what lies at `path` may be a newer one.

    Raises
    ------
    PadflowError
        Where the file is damaged, or cannot be read.
    FileNotFoundError
        Where there is none.
    """
    begin, end = first // chunk_rows, -(-(first + len(out)) // chunk_rows)
    try:
        with opened() if opened else path.open("rb") as file:
            places = _places(file, chunks)[begin:end] if chunks else [(0, -1)]
            for number, (offset, size) in enumerate(places, begin):
                file.seek(offset)
                # Not decoded in place: a chunk of fewer rows would leave the rest of `out` as it was.
                values = np.frombuffer(_CODEC.decode(file.read(size)), out.dtype)
                whole = values.reshape(chunk_rows, *out.shape[1:])
                low = number * chunk_rows - first
                out[max(low, 0) : low + chunk_rows] = whole[max(-low, 0) : len(out) - low]
    except FileNotFoundError:
        raise
    except OSError as error:
        raise PadflowError(
            f"{path} cannot be read ({error.strerror or error}). Mend that and run the command again."
        ) from error
    # numcodecs raises RuntimeError, and asks for as much memory as a damaged header says.
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
