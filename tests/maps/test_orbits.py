# SPDX-License-Identifier: BSD-3-Clause
"""Orbits and sums over them, against sums over all records at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from padflow.maps.orbits import OrbitCounts, OrbitSums, begins_of_orbits, last_known
from padflow.simulation.orbit import ORBITS, track

CELLS, OUTCOMES, COMPLETE = 4, 5, 3


def test_an_orbit_begins_where_l_rises_through_two() -> None:
    L = np.array([1.5, 2.5, 5.0, 2.5, np.nan, 1.2, np.nan, 2.0, 4.0, 1.9, 1.8])
    assert np.flatnonzero(begins_of_orbits(L)).tolist() == [1, 7]
    assert np.flatnonzero(begins_of_orbits(L[7:], before=1.2)).tolist() == [0]
    assert np.flatnonzero(begins_of_orbits(L[7:])).tolist() == []
    assert last_known(L) == pytest.approx(1.8)
    assert last_known(L[6:7], before=3.0) == 3.0


def test_orbits_are_as_long_as_the_spacecraft_takes() -> None:
    seconds = np.arange(0, 20 * 86_400, 60)
    L = track("rbspa", 1_363_478_400_000 + 1000 * seconds).L
    begins = np.diff(seconds[begins_of_orbits(L)])
    assert len(begins) == pytest.approx(20 * 86_400 / ORBITS["rbspa"].period_seconds, abs=2)
    np.testing.assert_allclose(begins, ORBITS["rbspa"].period_seconds, rtol=0.2)  # the dipole turns with the Earth


def random_records(seed: int, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    begins = rng.random(rows) < 0.1
    cell = rng.integers(-1, CELLS, rows)
    outcome = np.stack([rng.integers(0, COMPLETE, rows), rng.integers(COMPLETE - 1, OUTCOMES, rows)], axis=1)
    outcome[outcome[:, 1] < COMPLETE, 1] = -1
    return begins, cell, outcome


@given(st.integers(0, 1000), st.integers(0, 80), st.lists(st.integers(0, 80), max_size=4))
def test_sums_do_not_depend_on_parts_and_are_those_of_all_records(seed: int, rows: int, cuts: list[int]) -> None:
    begins, cell, outcome = random_records(seed, rows)
    sums = OrbitSums(CELLS, OUTCOMES, complete=COMPLETE)
    for part in np.split(np.arange(rows), sorted(min(cut, rows) for cut in cuts)):
        sums.add(OrbitCounts.of(begins[part], cell[part], outcome[part], size=(CELLS, OUTCOMES)))
    sums.finish()
    orbit = np.cumsum(begins)
    counts = np.zeros((rows + 1, CELLS, OUTCOMES))
    known = cell >= 0
    for kind in outcome.T:
        there = known & (kind >= 0)
        np.add.at(counts, (orbit[there], cell[there], kind[there]), 1)
    records = np.zeros((rows + 1, CELLS))
    np.add.at(records, (orbit[known], cell[known]), 1)
    np.testing.assert_array_equal(sums.count, counts.sum(axis=0))
    np.testing.assert_array_equal(sums.squares, (counts**2).sum(axis=0))
    np.testing.assert_array_equal(sums.products, (counts * records[:, :, None]).sum(axis=0))
    np.testing.assert_array_equal(sums.records, records.sum(axis=0))
    np.testing.assert_array_equal(sums.record_squares, (records**2).sum(axis=0))
    np.testing.assert_array_equal(sums.orbits, (records > 0).sum(axis=0))


def test_orbits_of_two_spacecraft_are_not_one() -> None:
    sums = OrbitSums(1, 1, complete=1)
    for _ in range(2):
        zeros = np.zeros(3, np.int64)
        sums.add(OrbitCounts.of(np.zeros(3, bool), zeros, zeros[:, None], size=(1, 1)))
        sums.finish()
    assert (sums.orbits[0], sums.records[0], sums.record_squares[0]) == (2, 6, 18)
