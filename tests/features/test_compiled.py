# SPDX-License-Identifier: BSD-3-Clause
"""Compiled steps of preprocessing against their definitions, row by row in float64."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from padflow.features import compiled


@given(st.lists(st.integers(1, 40), min_size=1, max_size=40), st.integers(0, 60), st.integers(1, 30), st.data())
def test_bounds_are_those_of_all_rows_near_in_time(steps: list[int], half: int, gap: int, data: st.DataObject) -> None:
    time = np.cumsum(steps)
    start = data.draw(st.integers(0, len(time) - 1))
    rows = data.draw(st.integers(0, len(time) - start))
    first, end = np.full((2, rows), -1)
    compiled.find_bounds(time, start, half, gap, first, end)
    run = np.cumsum(np.diff(time, prepend=time[0]) > gap)
    for row in range(start, start + rows):
        near = np.flatnonzero((abs(time - time[row]) <= half) & (run == run[row]))
        assert (first[row - start], end[row - start]) == (near[0], near[-1] + 1)


def test_root_shares_lean_on_the_shape_of_all_energies() -> None:
    counts = np.random.default_rng(0).poisson(2, (40, 5, 3)).astype(np.float32)
    counts[3], counts[4, :, 1] = 0, 0
    out = np.empty_like(counts)
    for prior in (0.0, 30.0):
        compiled.put_root_count_shares(counts, np.float32(prior), np.float32(1e-30), out)
        for row, found in zip(counts.astype("f8"), out, strict=True):
            total, every = row.sum(axis=0), row.sum()
            if every == 0:
                assert (found == 0).all()
                continue
            expected = (row + prior * row.sum(axis=1, keepdims=True) / every) / np.where(
                total + prior, total + prior, 1
            )
            np.testing.assert_allclose(found**2, expected, atol=1e-6)
