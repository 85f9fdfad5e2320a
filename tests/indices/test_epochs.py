# SPDX-License-Identifier: BSD-3-Clause
"""Clocks that storms and other events set, and lists of events in files."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import xarray as xr

import padflow
from padflow.errors import BadFile, PadflowError
from padflow.indices.epochs import Epochs, epochs_of, read_events
from padflow.indices.table import storm_csv

NAT = np.datetime64("NaT", "ns")


def at(*hours: float) -> np.ndarray:
    """Hours of a day as times."""
    return np.datetime64("2013-03-17", "ns") + (np.array(hours) * 3600e9).astype("timedelta64[ns]")


TWO = np.stack([at(1, 2, 4, 8), at(8, 10, 11, 12)])


def test_each_phase_has_the_length_one() -> None:
    clock, storm = Epochs("storm_time", TWO).read(np.array([*at(0.5, 1, 1.5, 2, 3, 4, 7, 8, 11.5, 12, 30), NAT]))
    np.testing.assert_allclose(clock, [np.nan, 0, 0.5, 1, 1.5, 2, 2.75, 0, 2.5, np.nan, np.nan, np.nan])
    assert storm.tolist() == [-1, 0, 0, 0, 0, 0, 0, 1, 1, -1, -1, -1]


def test_a_phase_whose_bound_is_not_known_has_no_time() -> None:
    times = TWO.copy()
    times[0, 0], times[1, 3] = NAT, NAT
    clock, storm = Epochs("storm_time", times).read(at(1.5, 3, 9, 11.5))
    np.testing.assert_allclose(clock, [np.nan, 1.5, 0.5, np.nan])
    assert storm.tolist() == [-1, 0, 1, -1]


def test_hours_count_from_the_nearest_event() -> None:
    clock, event = epochs_of(at(10, 0)).read(np.array([*at(-2, 4, 6, 12), NAT]))
    np.testing.assert_allclose(clock, [-2, 4, -4, 2, np.nan])
    assert event.tolist() == [0, 0, 1, 1, -1]
    np.testing.assert_allclose(epochs_of(at(3)).read(at(1, 5))[0], [-2, 2])


def test_bins_are_whole_parts_of_phases_and_of_hours() -> None:
    assert Epochs("storm_time", TWO).edges.tolist() == np.arange(0, 3.01, 0.25).tolist()
    assert epochs_of(at(0)).edges[[0, 8, -1]].tolist() == [-48, 0, 96]


def test_lists_of_storms_and_of_times_are_read(tmp_path: Path, index_factory: ModuleType) -> None:
    (tmp_path / "sym_h.txt").write_text(index_factory.one_storm())
    storms = padflow.find_storms(padflow.read_indices(tmp_path / "sym_h.txt"))
    path = tmp_path / "list.csv"
    path.write_text(storm_csv(storms))
    found = read_events(path)
    np.testing.assert_array_equal(found["recovery_start"].values, storms["recovery_start"].values)
    np.testing.assert_array_equal(epochs_of(found).times, epochs_of(storms).times)
    path.write_text("# mine\ntime,what\n2013-03-17T06:00Z,shock\n\n2013-03-18,stream\n")
    np.testing.assert_array_equal(read_events(path), np.array(["2013-03-17T06:00", "2013-03-18"], "M8[ns]"))
    path.write_text("2013-03-17 06:00\n")
    np.testing.assert_array_equal(read_events(path), at(6))


@pytest.mark.parametrize(
    ("text", "words"),
    [("2013-03-17\nsoon\n", r"line 2: expected a UTC time .* but found 'soon'"), ("a\n\n1e9\n", "line 3: expected")],
)
def test_a_line_without_a_time_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(text)
    with pytest.raises(BadFile, match=words):
        read_events(path)
    with pytest.raises(BadFile, match=r"none\.csv cannot be read: No such file"):
        read_events(tmp_path / "none.csv")


def test_what_sets_no_clock_is_refused() -> None:
    with pytest.raises(PadflowError, match="no storm or event"):
        epochs_of([])
    with pytest.raises(PadflowError, match="NaT"):
        epochs_of([NAT])
    with pytest.raises(PadflowError, match="storms lack initial_start"):
        epochs_of(xr.Dataset())
