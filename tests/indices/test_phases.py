# SPDX-License-Identifier: BSD-3-Clause
"""The storm phase of records: borders, what the index does not cover, and lists of one's own."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from padflow.errors import PadflowError
from padflow.indices.phases import PHASES, join_storms, phase_bounds, phases_at
from padflow.indices.reading import read_indices
from padflow.indices.storms import TIMES, find_storms
from padflow.indices.table import storm_csv

NAT = np.datetime64("NaT", "ns")


def at(*hours: float) -> np.ndarray:
    """Hours of a day as times."""
    return np.datetime64("2013-03-17", "ns") + (np.array(hours) * 3600e9).astype("timedelta64[ns]")


TWO = np.stack([at(1, 2, 4, 8), at(8, 10, 11, 12)])
COVERED = np.stack([at(0, 9), at(9.5, 20)])


@pytest.mark.parametrize(
    ("hour", "phase"),
    [
        *[(0, "none"), (0.999, "none"), (1, "initial"), (2, "main"), (3.999, "main"), (4, "recovery")],
        *[(8, "initial"), (9, "unknown"), (9.499, "unknown"), (9.5, "initial"), (10, "main"), (11, "recovery")],
        *[(12, "none"), (19.999, "none"), (20, "unknown"), (-1, "unknown")],
    ],
)
def test_a_phase_holds_from_its_begin_to_the_next(hour: float, phase: str) -> None:
    assert phases_at(at(hour), bounds=TWO, covered=COVERED) == [PHASES[phase]]


def test_without_stretches_all_is_known_but_a_missing_time() -> None:
    np.testing.assert_array_equal(phases_at(np.array([*at(-1, 3, 30), NAT]), bounds=TWO, covered=None), [0, 2, 0, -1])
    assert phases_at(at(1), bounds=TWO[:0], covered=None) == [PHASES["none"]]


def test_phases_reach_as_far_as_the_index_where_a_time_is_missing() -> None:
    begun, unended = TWO.copy(), TWO.copy()
    begun[0, :2], unended[1, 3], unended[1, 0] = NAT, NAT, NAT
    np.testing.assert_array_equal(phase_bounds(begun, COVERED)[0], at(0, 0, 4, 8))
    np.testing.assert_array_equal(phase_bounds(unended, COVERED)[1], at(9.5, 10, 11, 20))
    np.testing.assert_array_equal(phase_bounds(begun, None)[0], at(4, 4, 4, 8))
    np.testing.assert_array_equal(phase_bounds(unended, None)[1], at(10, 10, 11, 11))


def test_times_that_do_not_follow_one_another_are_refused() -> None:
    with pytest.raises(PadflowError, match="storm 1 do not follow one another, or it ends after the next"):
        phase_bounds(np.stack([at(1, 2, 4, 9), at(8, 10, 11, 12)]), None)
    with pytest.raises(PadflowError, match="storm 2 do not follow"):
        phase_bounds(np.stack([at(1, 2, 4, 8), at(8, 10, 9, 12)]), None)
    with pytest.raises(PadflowError, match="Storm 1 has no recovery_start"):
        phase_bounds(np.array([[*at(1, 2), NAT, *at(5)]]), None)


def storms(*, covered: bool) -> xr.Dataset:
    dataset = xr.Dataset({name: ("storm", TWO[:, column]) for column, name in enumerate(TIMES)})
    if covered:
        dataset = dataset.assign(covered_start=("covered", COVERED[:, 0]), covered_end=("covered", COVERED[:, 1]))
    return dataset


@pytest.mark.parametrize("covered", [True, False])
def test_records_gain_a_flag_lazily_where_they_are_lazy(factories: ModuleType, covered: bool) -> None:
    records = factories.records(3000)
    joined = join_storms(factories.dataset(records), storms(covered=covered))
    phase = joined["storm_phase"]
    assert phase.dtype == phase.attrs["flag_values"].dtype == np.int8
    assert dict(zip(phase.attrs["flag_meanings"].split(), phase.attrs["flag_values"], strict=True)) == PHASES
    expected = phases_at(records.time, bounds=TWO, covered=COVERED if covered else None)
    np.testing.assert_array_equal(phase, expected)
    assert set(np.unique(expected)) > {0, 1, 2}
    lazy = join_storms(factories.dataset(records, chunks=700), storms(covered=covered))
    assert isinstance(lazy["storm_phase"].data, da.Array)
    xr.testing.assert_identical(lazy.compute(), joined)


def test_what_cannot_be_joined_is_refused(factories: ModuleType) -> None:
    dataset = factories.dataset(factories.records(10))
    with pytest.raises(PadflowError, match="lack recovery_end; expected what padflow"):
        join_storms(dataset, storms(covered=True).drop_vars("recovery_end"))
    with pytest.raises(PadflowError, match="storm_phase already"):
        join_storms(join_storms(dataset, storms(covered=True)), storms(covered=True))


def test_a_list_that_was_written_comes_back(factories: ModuleType, index_factory: ModuleType, tmp_path: Path) -> None:
    """As ``docs/storms.md`` shows it."""
    (tmp_path / "sym.txt").write_text(index_factory.one_storm())
    found = find_storms(read_indices(tmp_path / "sym.txt"))
    (tmp_path / "storms.csv").write_text(storm_csv(found))
    listed = pd.read_csv(tmp_path / "storms.csv", index_col="storm", parse_dates=list(TIMES)).to_xarray()
    dataset = factories.dataset(factories.records(2000))
    phase = join_storms(dataset, listed)["storm_phase"]
    xr.testing.assert_identical(phase, join_storms(dataset, found)["storm_phase"])
    assert set(phase.values) == {PHASES["main"], PHASES["recovery"]}
