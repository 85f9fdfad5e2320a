# SPDX-License-Identifier: BSD-3-Clause
"""Intervals hold the true share as often as they say, whatever the share, and however alike the records of an orbit."""

from __future__ import annotations

import numpy as np
import pytest

from padflow.maps.grid import Grid
from padflow.maps.intervals import shares_of
from padflow.maps.orbits import OrbitCounts, OrbitSums, begins_of_orbits
from padflow.shapes.names import SHAPES, name_shapes
from padflow.simulation.belt import storm_indices, storms_between
from padflow.simulation.conditions import Conditions, smooth_noise
from padflow.simulation.continuum import Continuum
from padflow.simulation.day import PITCH_ANGLES
from padflow.simulation.orbit import track

CELLS = 200


def simulated(rng: np.random.Generator, *, orbits: int, alike: float) -> tuple[np.ndarray, OrbitSums]:
    """Return true shares, and sums over orbits whose own shares scatter about them; 30 % of cells are not passed.

    ``alike`` is the correlation of two records of an orbit, NaN for another one in each cell.
    """
    true = rng.beta(0.5, 1.5, CELLS)
    correlation = rng.choice([0.02, 0.2, 0.7], CELLS) if np.isnan(alike) else np.full(CELLS, alike)
    records = rng.integers(5, 100, (orbits, CELLS)) * (rng.random((orbits, CELLS)) < 0.7)
    strength = 1 / correlation - 1
    own = rng.beta(true * strength + 1e-9, (1 - true) * strength + 1e-9, (orbits, CELLS))
    count = rng.binomial(records, own)
    sums = OrbitSums(CELLS, 2, complete=2)
    numbers = np.stack([count, records - count], axis=2).reshape(-1)
    present = np.flatnonzero(numbers)
    sums.add(OrbitCounts(present, numbers[present], orbits))
    sums.finish()
    return true, sums


@pytest.mark.parametrize("orbits", [5, 15, 60])
@pytest.mark.parametrize("alike", [0.05, 0.3, 0.8, np.nan])
def test_intervals_hold_the_true_share_95_times_in_100(orbits: int, alike: float) -> None:
    rng = np.random.default_rng(orbits)
    inside = []
    for _ in range(20):
        true, sums = simulated(rng, orbits=orbits, alike=alike)
        share, low, high = shares_of(sums)
        known = sums.orbits >= 2
        assert np.isnan(low[~known]).all()
        assert ((low <= share) & (share <= high))[known].all()
        np.testing.assert_allclose(share[sums.orbits > 0].sum(axis=1), 1)
        inside.append(((low[:, 0] <= true) & (true <= high[:, 0]))[known])
    assert 0.93 <= np.concatenate(inside).mean() <= 0.985


GRID = Grid({"L": np.arange(3, 6.6, 0.5), "MLT": np.arange(0, 25, 2.0)})


def a_fortnight(seed: int) -> OrbitSums:
    """Shapes at 2.1 MeV along a simulated orbit, with storms of the seed; one record every four minutes, no noise."""
    sums, before = OrbitSums(GRID.size, len(SHAPES), complete=len(SHAPES)), np.nan
    for day in range(15_765, 15_779):
        time = day * 86_400_000 + np.arange(360) * 240_000
        at, days = track("rbspa", time), time / 86_400_000
        dst, main, recovery = storm_indices(storms_between(seed, days[0] - 110, days[-1] + 1), days)
        noise = smooth_noise(seed, 0, time, day)
        place = Conditions(time, at.L, at.MLT, dst, main, recovery, at.B_Eq / at.B_Calc, noise)
        pads = Continuum().pads(place, PITCH_ANGLES, np.array([2.1]))[0]
        shape = name_shapes(PITCH_ANGLES, pads.swapaxes(1, 2)).astype(np.int64)
        begins = begins_of_orbits(at.L, before=before)
        cell = GRID.cells({"L": at.L, "MLT": at.MLT})
        sums.add(OrbitCounts.of(begins, cell, shape, size=(GRID.size, len(SHAPES))))
        before = at.L[-1]
    sums.finish()
    return sums


@pytest.mark.slow
def test_intervals_of_a_fortnight_hold_the_share_of_many() -> None:
    """Orbits of one storm are alike, too: the intervals of one fortnight are held against 12 with other storms."""
    several = [a_fortnight(seed) for seed in range(12)]
    records = np.maximum(sum(sums.records for sums in several), 1)
    true = sum(sums.count for sums in several) / records[:, None]
    inside = []
    for sums in several:
        _, low, high = shares_of(sums)
        known = (sums.orbits >= 2)[:, None] & (true > 0.005) & (true < 0.995)
        inside.append(((low <= true) & (true <= high))[known])
    assert len(np.concatenate(inside)) > 500
    assert 0.93 <= np.concatenate(inside).mean() <= 0.99


def test_intervals_that_take_records_for_observations_would_fail() -> None:
    true, sums = simulated(np.random.default_rng(0), orbits=15, alike=0.3)
    share = sums.count[:, 0] / np.maximum(sums.records, 1)
    half = 1.96 * np.sqrt(share * (1 - share) / np.maximum(sums.records, 1))
    assert (np.abs(share - true) <= half).mean() < 0.5


def test_what_no_orbit_had_may_still_occur() -> None:
    sums = OrbitSums(1, 2, complete=2)
    sums.add(OrbitCounts(np.arange(10) * 2, np.full(10, 50), 10))
    sums.finish()
    share, low, high = shares_of(sums)
    assert (share[0, 1], low[0, 1]) == (0, 0)
    assert 0.2 < high[0, 1] < 0.3  # of ten orbits none: 1.96^2 / (10 + 1.96^2)
