# SPDX-License-Identifier: BSD-3-Clause
"""Write and read ``.npz`` files without pickles; files that are not trusted are checked before they are read."""

from __future__ import annotations

import io
import math
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from padflow.errors import brief
from padflow.store.durable import naming_read

MOST_BYTES = 1 << 30
"""Largest file of arrays (chosen: a model of 10,000 features has 400 MB)."""


KINDS = "fiub"
"""Kinds of arrays that padflow packs: numbers and truth values."""


def pack_arrays(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return arrays as the bytes of an ``.npz`` file."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def read_bounded(path: Path, most: int = MOST_BYTES) -> bytes:
    """Return the content of a file.

    Raises
    ------
    ValueError
        Where it is larger than `most` bytes.
    CannotRead
        Where the system cannot read it: names the file.
    """
    with naming_read(path), path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"It is larger than {most >> 20} MiB.")
    return content


def unpack_arrays(content: bytes) -> dict[str, np.ndarray]:
    """Return the arrays of an ``.npz`` file. Objects are refused and never unpickled.

    The arrays take no more memory than the file itself, for compressed ones are refused.

    Raises
    ------
    ValueError
        Where it is no such file, or where an array is an object or has another size than it declares: names the array.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            check_members(archive, len(content))
            return {member.filename.removesuffix(".npy"): _array(archive, member) for member in archive.infolist()}
    except _NO_ARCHIVE as error:
        raise ValueError(f"It is no .npz file: {error}.") from None


_NO_ARCHIVE = (zipfile.BadZipFile, EOFError, MemoryError, NotImplementedError, OSError, OverflowError, struct.error)


def check_members(archive: zipfile.ZipFile, size: int) -> None:
    """Refuse an archive that unpacks to more than its own size.

    Raises
    ------
    ValueError
        Names the member that is compressed, encrypted or doubled.
    """
    members = archive.infolist()
    seen: set[str] = set()
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
            raise ValueError(f"{brief(member.filename)} in it is compressed or encrypted, which padflow never does.")
        if member.filename in seen:
            raise ValueError(f"{brief(member.filename)} is in it more than once.")
        seen.add(member.filename)
    if sum(member.file_size for member in members) > size:
        raise ValueError("It unpacks to more than its own size.")


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ValueError(
                f"{brief(member.filename)} in it has version {version} of NumPy's format; 1.0 was expected."
            )
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        if dtype.kind not in KINDS:
            raise ValueError(f"{brief(member.filename)} in it holds {brief(str(dtype))}; numbers were expected.")
        declared, there = math.prod(shape) * dtype.itemsize, member.file_size - file.tell()
        if min(shape, default=0) < 0 or declared != there:
            raise ValueError(f"{brief(member.filename)} in it declares {declared:,} bytes, but has {there:,}.")
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)
