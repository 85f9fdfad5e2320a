# SPDX-License-Identifier: BSD-3-Clause
"""Packings of CDF, unpacked within bounds."""

from __future__ import annotations

import re
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from padflow.cdf import packing as packing_module


@given(st.binary(max_size=60), st.lists(st.tuples(st.integers(1, 300), st.binary(max_size=3)), max_size=20), st.data())
def test_rle_is_what_it_packs(start: bytes, runs: list[tuple[int, bytes]], data: st.DataObject) -> None:
    content = start + b"".join(bytes(number) + rest for number, rest in runs)
    packed = b"".join(
        bytes([0, len(run) - 1]) if run[0] == 0 else run for run in re.findall(rb"\0{1,256}|[^\0]+", content)
    )
    with mock.patch.object(packing_module, "_RLE_PIECE_BYTES", data.draw(st.integers(2, 70))):
        assert packing_module.unpack(packed, len(content), packing_module.RLE) == content
        assert packing_module.rle_size(packed) == len(content)
        with pytest.raises(ValueError, match=r"packed stream|ends within a run"):
            packing_module.unpack(packed + b"\0", len(content), packing_module.RLE)
        with pytest.raises(ValueError, match="packed stream"):
            packing_module.unpack(packed, len(content) + 1, packing_module.RLE)
