# SPDX-License-Identifier: BSD-3-Clause
"""Indices at the times of records: the interval that a record lies in, and nothing beyond it."""

from __future__ import annotations

from types import ModuleType

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from padflow.errors import PadflowError
from padflow.indices.joining import join_indices, latest
from padflow.indices.kyoto import read_minutes
from padflow.indices.reading import _dataset

HOUR = np.timedelta64(1, "h")
BEGINS = np.array(["2013-03-17T01", "2013-03-17T02", "2013-03-17T05"], "datetime64[ns]")
VALUES = np.array([1, np.nan, 3], np.float32)
INTERVALS = {"begins": BEGINS, "values": VALUES, "cadence": HOUR}


@pytest.mark.parametrize(
    ("time", "value"),
    [
        ("2013-03-17T00:59:59.999999999", np.nan),
        ("2013-03-17T01:00", 1),
        ("2013-03-17T01:59:59.999999999", 1),
        ("2013-03-17T02:00", np.nan),
        ("2013-03-17T03:00", np.nan),
        ("2013-03-17T05:30", 3),
        ("2013-03-17T06:00", np.nan),
        ("NaT", np.nan),
    ],
)
def test_a_value_holds_for_its_interval(time: str, value: float) -> None:
    np.testing.assert_array_equal(latest(np.array([time], "datetime64[ns]"), **INTERVALS), [value])


def test_many_times_agree_with_a_loop() -> None:
    random = np.random.default_rng(0)
    time = BEGINS[0] + random.integers(-(10**13), 3 * 10**13, 500).astype("timedelta64[ns]")
    expected = [next((v for b, v in zip(BEGINS, VALUES, strict=True) if b <= t < b + HOUR), np.nan) for t in time]
    np.testing.assert_array_equal(latest(time, **INTERVALS), np.float32(expected))


def test_no_value_at_all() -> None:
    assert np.isnan(latest(BEGINS, begins=BEGINS[:0], values=VALUES[:0], cadence=HOUR)).all()


@pytest.fixture
def indices(index_factory: ModuleType) -> xr.Dataset:
    lines = [index_factory.minutes_line(f"2013-03-17T{hour:02d}", list(range(60))) for hour in range(3)]
    return _dataset({"sym_h": read_minutes(lines, "sym.txt")})


def test_records_keep_what_they_have_and_gain_indices(factories: ModuleType, indices: xr.Dataset) -> None:
    dataset = factories.dataset(factories.records(1500))
    joined = join_indices(dataset, indices)
    xr.testing.assert_identical(joined.drop_vars("sym_h"), dataset)
    assert joined["sym_h"].attrs == indices["sym_h"].attrs
    time = dataset["time"].values
    minute = time.astype("datetime64[m]").astype(int) % 60
    inside = (time >= np.datetime64("2013-03-17")) & (time < np.datetime64("2013-03-17T03"))
    assert inside.any()
    assert not inside.all()
    np.testing.assert_array_equal(joined["sym_h"], np.where(inside, minute, np.nan))


def test_lazy_records_stay_lazy_and_give_the_same(factories: ModuleType, indices: xr.Dataset) -> None:
    records = factories.records(1500)
    lazy = join_indices(factories.dataset(records, chunks=400), indices)
    assert isinstance(lazy["sym_h"].data, da.Array)
    assert lazy["sym_h"].chunks == lazy["flux"].chunks[:1]
    xr.testing.assert_identical(lazy.compute(), join_indices(factories.dataset(records), indices))


def test_what_cannot_be_joined_is_refused(factories: ModuleType, indices: xr.Dataset) -> None:
    dataset = factories.dataset(factories.records(10))
    with pytest.raises(PadflowError, match="has a variable sym_h already"):
        join_indices(join_indices(dataset, indices), indices)
    with pytest.raises(PadflowError, match="needs a coordinate time"):
        join_indices(indices, indices)
    with pytest.raises(PadflowError, match="'flux' is no index along a time axis"):
        join_indices(xr.Dataset(coords={"time": dataset["time"]}), dataset)
