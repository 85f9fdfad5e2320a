# SPDX-License-Identifier: BSD-3-Clause
"""Regions of published results: what lies in them, sums that do not depend on parts, and intervals of means."""

from __future__ import annotations

import numpy as np
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from padflow.maps.orbits import OrbitCounts, OrbitSums
from padflow.maps.outcomes import Outcomes
from padflow.maps.regions import PER_UNIT, REGIONS, Region, RegionCounter, RegionSums, mean_of
from padflow.shapes.names import BUTTERFLY, PANCAKE, UNCLEAR

COUNTER = RegionCounter(Outcomes(2, 2))


def test_a_region_may_lie_over_midnight() -> None:
    night = Region((5.5, 8.0), (20.0, 4.0))
    L, mlt = np.array([6, 6, 6, 6, 5.4, np.nan, 6]), np.array([20, 3.9, 4, 3, 0, 0, np.nan])
    assert night.holds(L, mlt).tolist() == [True, True, False, True, False, False, False]
    assert Region((4, 5)).holds(np.array([4.0, 5.0]), np.array([0.0, 12.0])).tolist() == [True, False]


def test_a_region_near_the_equator_has_records_of_known_latitude_alone() -> None:
    near = Region((5.5, 8.0), latitude=3.0)
    L, mlt = np.full(4, 6.0), np.full(4, 12.0)
    assert near.holds(L, mlt, np.array([-3, 3.1, 0, np.nan])).tolist() == [True, False, True, False]
    assert not near.holds(L, mlt).any()


def records(rows: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "L": rng.uniform(3, 7, rows),
        "MLT": rng.uniform(0, 24, rows),
        "MLAT": rng.uniform(-10, 10, rows),
        "pad_class": rng.integers(0, 4, rows),
        "begins": rng.random(rows) < 0.1,
        "shape": rng.choice([UNCLEAR, PANCAKE, BUTTERFLY], (rows, 2)).astype("i1"),
        "sin_n": np.where(rng.random((rows, 2)) < 0.2, np.nan, rng.normal(1, 1, (rows, 2))).astype("f4"),
    }


def summed(of: dict[str, np.ndarray], parts: list[np.ndarray]) -> xr.Dataset:
    sums = RegionSums(COUNTER)
    for part in parts:
        some = {name: values[part] for name, values in of.items()}
        more = {"shape": some["shape"], "sin_n": some["sin_n"]}
        sums.add("rbspa", COUNTER.count(some, some["pad_class"], some["begins"], **more))
    return sums.dataset()


def test_shares_and_means_are_those_of_all_records() -> None:
    of = records(4000)
    found = summed(of, [np.arange(4000)]).sel(region="night_20_22").isel(shape_energy=1)
    inside = REGIONS["night_20_22"].holds(of["L"], of["MLT"], of["MLAT"])
    shape, sin_n = of["shape"][inside, 1], of["sin_n"][inside, 1]
    assert found["region_name_share"].sel(shape="butterfly") == (shape == BUTTERFLY).sum() / (shape != UNCLEAR).sum()
    np.testing.assert_allclose(found["region_sin_n"], np.nanmean(sin_n), atol=1 / PER_UNIT)
    np.testing.assert_allclose(found["region_class_share"][0], (of["pad_class"][inside] == 0).mean())
    assert found["region_orbits"] == len(np.unique(np.cumsum(of["begins"])[inside]))


@given(st.lists(st.integers(0, 300), max_size=3))
def test_parts_change_nothing(cuts: list[int]) -> None:
    of = records(300)
    xr.testing.assert_identical(summed(of, [np.arange(300)]), summed(of, np.split(np.arange(300), sorted(cuts))))


def test_intervals_of_means_hold_the_true_mean() -> None:
    rng = np.random.default_rng(0)
    inside = []
    for orbits in (5, 20, 80):
        number = rng.integers(5, 100, (orbits, 300))
        own = rng.normal(1.5, 0.4, (orbits, 300)) + rng.normal(0, 0.5, (orbits, 300)) / np.sqrt(number)
        total = np.round(PER_UNIT * own * number).astype(np.int64)
        sums = OrbitSums(300, 2, complete=1)
        values = np.stack([number, total], axis=2).ravel()
        sums.add(OrbitCounts(np.arange(len(values)), values, orbits))
        sums.finish()
        mean, half = mean_of(sums)
        inside.append(np.abs(mean - 1.5) <= half)
    assert 0.93 <= np.mean(inside) <= 0.97
