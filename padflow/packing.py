"""Named arrays as the bytes of an ``.npz`` file, without pickles."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

import numpy as np


def pack_arrays(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return arrays as the bytes of an ``.npz`` file."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def unpack_arrays(content: bytes) -> dict[str, np.ndarray]:
    """Return the arrays of an ``.npz`` file; objects are refused, never unpickled.

    Raises
    ------
    ValueError
        Where it is no such file, or holds objects.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (EOFError, TypeError, MemoryError, zipfile.BadZipFile) as error:  # empty, a lone array, absurd, cut off
        raise ValueError(f"It is no .npz file: {error}.") from None
