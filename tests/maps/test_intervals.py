"""Intervals hold the true share as often as they say, whatever the share, and however alike the records of an orbit."""

from __future__ import annotations

import numpy as np
import pytest

from padflow.maps.intervals import shares_of
from padflow.maps.orbits import OrbitCounts, OrbitSums

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
