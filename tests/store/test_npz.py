# SPDX-License-Identifier: BSD-3-Clause
"""Files of arrays from anybody: nothing unpacks to more than it is, and every array is what it should be."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import numpy as np
import pytest

from padflow.store.npz import pack_arrays, unpack_arrays

HUGE = 1 << 40


def header(shape: tuple[int, ...], dtype: str = "<f8") -> bytes:
    """What stands before the values in a .npy file."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"shape": shape, "fortran_order": False, "descr": dtype})
    return buffer.getvalue()


def zipped(members: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def overlapping(number: int) -> bytes:
    """Many members that are one and the same bytes, as in the better zip bombs."""
    content = zipped([("a0000.npy", header((500,)) + bytes(4000))])
    ends = content.rindex(b"PK\x05\x06")
    entry = content[content.rindex(b"PK\x01\x02") : ends]
    entries = b"".join(entry.replace(b"a0000.npy", f"a{i:04}.npy".encode()) for i in range(number))
    end = bytearray(content[ends:])
    end[8:12] = number.to_bytes(2, "little") * 2
    end[12:16] = len(entries).to_bytes(4, "little")
    return content[: content.rindex(b"PK\x01\x02")] + entries + bytes(end)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: zipped([("a.npy", header((10**6,)) + bytes(8 * 10**6))], zipfile.ZIP_DEFLATED), "'a.npy'.*compressed"),
        (
            lambda: zipped([("a.npy", header((HUGE,)) + bytes(80))]),
            "'a.npy'.*declares 8,796,093,022,208 bytes, but has 80",
        ),
        (lambda: zipped([("a.npy", header((2,)) + bytes(80))]), "declares 16 bytes, but has 80"),
        (lambda: zipped([("a.npy", header((-1, -10)) + bytes(80))]), "'a.npy'"),
        (lambda: zipped([("a.npy", header((HUGE,), "<U0"))]), "holds '<U0'|holds '<U1'|declares"),
        (lambda: zipped([("a.npy", header((HUGE,), "|V0"))]), "holds"),
        (lambda: zipped([("a.npy", header((1,), "|O") + b"x")]), "'a.npy' in it holds 'object'"),
        (lambda: zipped([("a.npy", header((1,), "<c16") + bytes(16))]), "holds 'complex128'"),
        (lambda: zipped([("a.npy", header((1,), "<M8[ns]") + bytes(8))]), "holds 'datetime64"),
        (lambda: zipped([("a.npy", header((1,)) + bytes(8))] * 2), "more than once"),
        (lambda: zipped([("a.npy", b"no array")]), "magic"),
        (lambda: zipped([("a.npy", b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65_535)]), "header"),
        (lambda: zipped([("a.npy", b"\x93NUMPY\x03\x00" + header((1,))[8:] + bytes(8))]), "version"),
        (lambda: overlapping(1000), "unpacks to more than its own size|Overlapped"),
        (lambda: zipped([("a.npy", header((1,)) + bytes(8))])[:-30], "no .npz file"),
    ],
)
def test_what_unpacks_to_more_or_else_than_it_declares_is_refused(make: Callable[[], bytes], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        unpack_arrays(make())


def test_bits_flipped_anywhere_end_in_an_error_or_in_arrays() -> None:
    """Never in another kind of error, nor in more memory than the file has bytes."""
    content = pack_arrays({"a": np.arange(6.0).reshape(2, 3), "b": np.array(3)})
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(content), 400):
        changed = bytearray(content)
        changed[place] ^= 1 << rng.integers(8)
        try:
            arrays = unpack_arrays(bytes(changed))
        except ValueError:
            continue
        assert sum(array.nbytes for array in arrays.values()) <= len(content)
