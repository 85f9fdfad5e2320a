# SPDX-License-Identifier: BSD-3-Clause
"""Maps of a run, added up part by part: those of `padflow.occurrence` are held in pipeline/test_summary.py."""

from __future__ import annotations

import numpy as np
import xarray as xr

from padflow.maps.orbits import begins_of_orbits
from padflow.maps.outcomes import Outcomes
from padflow.maps.run_maps import MapCounter, MapSums, map_of

DAY = 86_400 * 10**9
COUNTER = MapCounter((0, DAY, 2 * DAY), Outcomes(2, 0))


def count(hours: np.ndarray, **more: np.ndarray) -> dict[str, np.ndarray]:
    values = {"time": (hours * 3600 * 10**9).astype("datetime64[ns]"), "L": np.full(len(hours), 4.1)} | more
    outcome = np.zeros((len(hours), 1), np.int64)
    return COUNTER.count(values, outcome, begins_of_orbits(values["L"], before=1.0 if hours[0] else np.nan))


def test_parts_of_an_orbit_are_one_orbit_and_spacecraft_are_two() -> None:
    sums = MapSums(COUNTER)
    for group in ("rbspa", "rbspb"):
        sums.add(group, count(np.array([0, 1])))
        sums.add(group, count(np.array([2, 3])))  # an orbit begins: L rose through 2 before the part
    found = map_of(sums.dataset(np.empty(0)), "l_time").sel(L=4.125).isel(time=0)
    assert (int(found["records"]), int(found["orbits"])) == (8, 4)
    assert found["class_share"].values.tolist() == [1, 0]


def test_a_map_without_its_variable_is_left_out() -> None:
    sums = MapSums(COUNTER)
    sums.add("rbspa", count(np.array([0, 1])))
    summary = sums.dataset(np.empty(0))
    assert not map_of(summary, "l_mlt").data_vars
    assert set(map_of(summary, "l_time").coords) >= {"L_edges", "time_edges"}
    sums = MapSums(COUNTER)
    sums.add("rbspa", count(np.array([0, 1]), MLT=np.array([1.0, 2.0])))
    assert "shape_share" not in map_of(sums.dataset(np.empty(0)), "l_mlt")
    assert isinstance(MapSums(COUNTER).dataset(np.empty(0)), xr.Dataset)
