# SPDX-License-Identifier: BSD-3-Clause
"""Storms: those that were simulated, to the minute; phases by definition; gaps and ends of an index."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import brentq, minimize_scalar

from padflow.errors import PadflowError
from padflow.indices.storms import INITIAL_WINDOW, LONGEST_GAP, QUIET_LEVEL, STORM_LEVEL, find_storms
from padflow.simulation.belt import Storm, storm_indices, storms_between

FIRST = np.datetime64("2013-03-16", "ns")
MINUTE = np.timedelta64(1, "m")
NAMES = ("initial_start", "main_start", "recovery_start", "recovery_end")


def indices(values: np.ndarray, *, name: str = "sym_h", minutes: int = 1) -> xr.Dataset:
    """An index as `read_indices` returns it."""
    dimension = {1: "time_1min", 60: "time_1h"}[minutes]
    time = FIRST + np.arange(len(values)) * minutes * MINUTE
    coordinate = (dimension, time, {"cadence_seconds": 60 * minutes})
    return xr.Dataset({name: (dimension, np.asarray(values, "f4"))}, coords={dimension: coordinate})


def by_knots(hours: list[float], levels: list[float]) -> np.ndarray:
    """Minutes of an index that is straight between knots."""
    return np.interp(np.arange(int(hours[-1] * 60) + 1) / 60, hours, levels)


def minutes_of(storms: xr.Dataset, number: int = 0) -> list[float | None]:
    """The four times of a storm in minutes since the beginning."""
    times = [storms[name].values[number] for name in NAMES]
    return [None if np.isnat(time) else (time - FIRST) / MINUTE for time in times]


USUAL = [0, 10, 10.5, 20, 26, 60], [-40, -40, 30, 5, -125, 45]


def test_the_phases_of_a_storm_with_a_sudden_begin() -> None:
    values = by_knots(*USUAL)
    storms = find_storms(indices(values))
    assert storms.sizes == {"storm": 1, "covered": 1}
    times = minutes_of(storms)
    assert times == [600 + 11, 20 * 60 + 55, 26 * 60, 26 * 60 + 1320], "crossings of -15 nT by hand"
    assert values[int(times[1])] >= QUIET_LEVEL > values[int(times[1]) + 1]
    assert values[int(times[3])] >= QUIET_LEVEL > values[int(times[3]) - 1]
    assert storms["lowest"].values == [-125]
    assert storms["lowest"].attrs["units"] == "nT"
    assert storms.attrs["index"] == "sym_h"


def truth(level: Callable[[float], float], storms: list[Storm], first: float, last: float) -> list[list[float]]:
    """Begin of the main phase, lowest value, end of the recovery, and depth, by minima and roots of ``level``."""
    found: list[list[float]] = []
    minima = [lowest_near(level, storm.minimum) for storm in storms if first < storm.onset < last]
    for lowest in sorted(minima, key=level):
        if level(lowest) >= STORM_LEVEL or any(main <= lowest <= end for main, _, end, _ in found):
            continue
        main, end = (root(level, lowest, step) for step in (-1 / 48, 1 / 48))
        found.append([main, lowest, end, level(lowest)])
    return sorted(found)


def lowest_near(level: Callable[[float], float], time: float) -> float:
    """The lowest place near the end of a main phase, where the level has a kink."""
    smooth = minimize_scalar(level, bounds=(time - 0.03, time), method="bounded").x
    return min((time, smooth), key=level)


def root(level: Callable[[float], float], place: float, step: float) -> float:
    """The first place from ``place`` on where the level is the quiet one."""
    while level(place + step) < QUIET_LEVEL:
        place += step
    return brentq(lambda time: level(time) - QUIET_LEVEL, *sorted((place, place + step)), xtol=1e-9)


@pytest.mark.parametrize("seed", [0, 4])
def test_simulated_storms_are_found_to_the_minute(seed: int) -> None:
    days = 120
    first = float((FIRST - np.datetime64(0, "ns")) / np.timedelta64(1, "D"))
    made = storms_between(seed, first - 110, first + days)
    values = storm_indices(made, first + np.arange((days + 30) * 1440) / 1440)[0]
    storms = find_storms(indices(values))
    expected = truth(lambda time: float(storm_indices(made, np.array([time]))[0][0]), made, first, first + days)
    assert storms.sizes["storm"] == len(expected) >= 3
    for number, (*times, depth) in enumerate(expected):
        found = [(storms[name].values[number] - FIRST) / np.timedelta64(1, "D") + first for name in NAMES[1:]]
        np.testing.assert_allclose(found, times, rtol=0, atol=1.001 / 1440)
        np.testing.assert_allclose(storms["lowest"].values[number], depth, rtol=0, atol=0.01)


def test_a_storm_is_below_its_level_and_one_for_each_time_below_the_quiet_level() -> None:
    at_level = by_knots([0, 5, 10, 15], [0, 0, -80, 0])
    assert find_storms(indices(at_level)).sizes["storm"] == 0
    two_dips = by_knots([0, 5, 10, 12, 14, 40], [0, 0, -90, -16, -120, 0])
    storms = find_storms(indices(two_dips))
    assert storms.sizes["storm"] == 1
    assert minutes_of(storms)[2] == 14 * 60
    apart = by_knots([0, 5, 10, 12, 14, 40], [0, 0, -90, -14, -120, 0])
    assert find_storms(indices(apart)).sizes["storm"] == 2


def test_the_first_of_equal_lowest_values_counts() -> None:
    values = np.array([0, -50, -100, -100, -90, -100, -20, 0])
    assert minutes_of(find_storms(indices(values))) == [None, 0, 2, 7]


def test_the_initial_phase_has_its_peak_in_the_18_hours_before_the_main_phase() -> None:
    early, late = 24 * 60 - 18 * 60 - 60, 24 * 60 - 18 * 60 + 60
    values = np.full(24 * 60 + 600, -14.0)
    values[100:110] = -20
    values[late - 30] = -20
    values[early], values[late] = 40, 30
    values[24 * 60 + 1 : 24 * 60 + 500] = -90
    assert np.timedelta64(18 * 60, "m") == INITIAL_WINDOW
    assert minutes_of(find_storms(indices(values)))[:2] == [late - 29, 24 * 60]
    values[late] = -14
    assert minutes_of(find_storms(indices(values)))[0] == 110, "values at the border are equal, and the first counts"


def test_an_initial_phase_does_not_begin_before_the_storm_before_has_ended() -> None:
    values = by_knots([0, 1, 2, 4, 6, 8, 10, 14], [-20, 50, -20, -90, -5, -5, -90, 0])
    storms = find_storms(indices(values))
    assert storms.sizes["storm"] == 2
    assert minutes_of(storms, 1)[0] == minutes_of(storms, 0)[3]


def test_what_lies_before_or_behind_the_index_is_missing() -> None:
    values = by_knots(*USUAL)
    assert minutes_of(find_storms(indices(values[700:])))[0] is None
    assert minutes_of(find_storms(indices(values[1500:])))[:2] == [None, None]
    cut = minutes_of(find_storms(indices(values[:1700])))
    assert cut[:3] == minutes_of(find_storms(indices(values)))[:3]
    assert cut[3] is None


def test_short_gaps_are_bridged_and_long_ones_part_the_index() -> None:
    values = by_knots(*USUAL)
    whole = minutes_of(find_storms(indices(values)))
    gap = int(LONGEST_GAP / MINUTE)
    values[1600 : 1600 + gap] = np.nan
    bridged = find_storms(indices(values))
    assert minutes_of(bridged) == whole
    assert bridged.sizes["covered"] == 1
    values[1600 + gap] = np.nan
    parted = find_storms(indices(values))
    assert parted.sizes == {"storm": 2, "covered": 2}
    assert minutes_of(parted, 0) == [*whole[:3], None]
    assert minutes_of(parted, 1) == [None, None, 1600 + gap + 1, whole[3]]
    ends = [(time - FIRST) / MINUTE for time in [*parted["covered_start"].values, *parted["covered_end"].values]]
    assert ends == [0, 1601 + gap, 1600, len(values)]


def test_dst_serves_where_there_is_no_sym_h() -> None:
    values = by_knots(*USUAL)
    both = indices(values[::60], name="dst", minutes=60).merge(indices(np.full(9, np.nan)))
    storms = find_storms(both)
    assert storms.attrs["index"] == "dst"
    assert minutes_of(storms) == [11 * 60, 20 * 60, 26 * 60, 48 * 60]
    with pytest.raises(PadflowError, match="SYM-H or Dst, but the indices are kp"):
        find_storms(xr.Dataset({"kp": ("time_3h", [1.0])}))
