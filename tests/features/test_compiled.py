# SPDX-License-Identifier: BSD-3-Clause
"""Compiled steps of preprocessing against their definitions, row by row in float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from padflow.features import compiled


@given(st.lists(st.integers(1, 40), min_size=1, max_size=40), st.integers(0, 60), st.integers(1, 30), st.data())
def test_bounds_are_those_of_all_rows_near_in_time(steps: list[int], half: int, gap: int, data: st.DataObject) -> None:
    time = np.cumsum(steps)
    start = data.draw(st.integers(0, len(time) - 1))
    rows = data.draw(st.integers(0, len(time) - start))
    first, end = np.full((2, rows), -1)
    alike = compiled.find_bounds(time, start, half, gap, first, end)
    run = np.cumsum(np.diff(time, prepend=time[0]) > gap)
    for row in range(start, start + rows):
        near = np.flatnonzero((abs(time - time[row]) <= half) & (run == run[row]))
        assert (first[row - start], end[row - start]) == (near[0], near[-1] + 1)
    assert alike == bool((np.diff(first) == 1).all() and (np.diff(end) == 1).all())


@pytest.mark.parametrize("records", [0, 1, 15, 16, 17, 50])
def test_window_counts_are_products_and_nothing_where_there_is_no_value(records: int) -> None:
    random = np.random.default_rng(records)
    flux, per_flux = random.gamma(2, 10, (records, 7)).astype("f4"), random.gamma(2, 1, 7).astype("f4")
    flux[random.random(flux.shape) < 0.2] = np.nan
    averaged = random.integers(1, 12, records).astype("f4")
    out = np.full((7, records), np.float32(-1))
    compiled.put_window_counts(flux, per_flux, averaged, out)
    expected = np.nan_to_num(flux.astype("f8") * per_flux) * averaged[:, None]
    np.testing.assert_allclose(out.T, expected, rtol=1e-6)


def test_root_shares_lean_on_the_shape_of_all_energies() -> None:
    counts = np.random.default_rng(0).poisson(2, (40, 5, 3)).astype(np.float32)
    counts[3], counts[4, :, 1] = 0, 0
    for prior in (0.0, 30.0):
        by_bin = np.ascontiguousarray(counts.transpose(1, 2, 0))
        out = np.empty_like(by_bin)
        compiled.put_root_count_shares(by_bin, np.float32(prior), np.float32(1e-30), out)
        for row, found in zip(counts.astype("f8"), out.transpose(2, 0, 1), strict=True):
            total, every = row.sum(axis=0), row.sum()
            if every == 0:
                assert (found == 0).all()
                continue
            expected = (row + prior * row.sum(axis=1, keepdims=True) / every) / np.where(
                total + prior, total + prior, 1
            )
            np.testing.assert_allclose(found**2, expected, atol=1e-6)


def test_halves_are_those_of_numpy() -> None:
    every = np.arange(2**16, dtype=np.uint16).view(np.float16).astype(np.float32)
    every = every[np.isfinite(every)]
    between = (np.sort(every)[1:] + np.sort(every)[:-1]) / 2
    random = np.random.default_rng(5).integers(0, 2**32, 10**6, dtype=np.uint32).view(np.float32)
    beside = [np.nextafter(between, np.float32(side)) for side in (-np.inf, np.inf)]
    values = np.concatenate([every, between, *beside, random, np.float32([np.nan, np.inf, -np.inf, 0, -0.0])])
    values = values[: len(values) // 3 * 3].reshape(-1, 3)
    largest, chosen = np.float32(60_000), np.arange(len(values)) % 11 != 5
    out = np.empty(values.shape, np.uint16)
    compiled.put_halves(values, chosen, largest, out)
    expected = np.clip(values, -largest, largest).astype(np.float16)
    expected[~chosen] = np.nan
    np.testing.assert_array_equal(out.view(np.float16), expected)
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(out[known], expected.view(np.uint16)[known])  # with the sign of zero
