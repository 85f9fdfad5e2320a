# SPDX-License-Identifier: BSD-3-Clause
"""The list of storms as rows and as CSV."""

from __future__ import annotations

import csv
from types import ModuleType

import numpy as np
import pytest
import xarray as xr

from padflow.indices.kyoto import read_minutes
from padflow.indices.reading import _dataset
from padflow.indices.storms import find_storms
from padflow.indices.table import storm_csv, storm_rows
from padflow.instruments.origin import SIMULATED

HEADER = ["storm", "initial_start", "main_start", "recovery_start", "recovery_end", "lowest_sym_h_nT"]
ROW = ["1", "2013-03-16T12:01", "2013-03-16T21:25", "2013-03-17T02:00", "2013-03-18T09:45", "-100"]


@pytest.fixture
def storms(index_factory: ModuleType) -> xr.Dataset:
    return find_storms(_dataset({"sym_h": read_minutes(index_factory.one_storm().splitlines(), "a/sym.txt")}))


def test_a_row_has_the_times_to_the_minute(storms: xr.Dataset) -> None:
    assert storm_rows(storms) == [HEADER, ROW]
    assert list(csv.reader(storm_csv(storms).splitlines())) == [HEADER, ROW]


def test_what_is_missing_is_empty(storms: xr.Dataset) -> None:
    storms["recovery_end"][:] = np.datetime64("NaT", "ns")
    assert list(csv.reader(storm_csv(storms).splitlines()))[1] == [*ROW[:4], "", "-100"]


def test_storms_of_a_simulated_index_are_called_so(storms: xr.Dataset) -> None:
    rows = storm_rows(storms.assign_attrs({SIMULATED: "no measurement"}))
    assert rows == [[*HEADER, SIMULATED], [*ROW, "no measurement"]]


def test_without_a_storm_there_is_the_header(storms: xr.Dataset) -> None:
    assert storm_rows(storms.isel(storm=slice(0))) == [HEADER]
