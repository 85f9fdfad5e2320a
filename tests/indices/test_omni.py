# SPDX-License-Identifier: BSD-3-Clause
"""OMNI's CDF files of minutes and of hours, written with cdflib by the documented names, types and fills."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from padflow.errors import BadFile
from padflow.indices.omni import HOUR_VARIABLES, MINUTE_VARIABLES, read_omni

DAY = np.datetime64("2013-03-17", "ms")


def write(factory: ModuleType, path: Path, step: str, values: dict, **more) -> Path:
    """Write a file with the values of some variables; integers as CDF_INT4, others as CDF_REAL4, without FILLVAL."""
    count = max(map(len, values.values()), default=6)
    times = DAY + np.arange(count) * np.timedelta64(1, step)
    content = {"Epoch": factory.variable(factory.raw_times(times), factory.EPOCH, fill=None)}
    for name, series in values.items():
        kind = factory.INT4 if np.asarray(series).dtype.kind == "i" else factory.REAL4
        content[name] = factory.variable(np.array(series, "i4" if kind == factory.INT4 else "f4"), kind, fill=None)
    return factory.write_cdf(path, content | more)


def test_minutes_with_the_documented_fill_of_each(factory: ModuleType, tmp_path: Path) -> None:
    values = {name: np.array([1, fill, 3]) for name, (_, fill) in MINUTE_VARIABLES.items()}
    found = read_omni(write(factory, tmp_path / "omni_hro_1min.cdf", "m", values))
    assert [series.name for series in found] == [name for name, _ in MINUTE_VARIABLES.values()]
    for series in found:
        np.testing.assert_array_equal(series.time, DAY + np.arange(3) * np.timedelta64(1, "m"))
        np.testing.assert_array_equal(series.values, [1, np.nan, 3])
        assert series.source == "omni_hro_1min.cdf"


def test_hours_with_the_documented_fill_of_each(factory: ModuleType, tmp_path: Path) -> None:
    values = {n: np.array([3, fill]) for n, (ours, fill) in HOUR_VARIABLES.items() if ours not in ("kp", "ap")}
    for series in read_omni(write(factory, tmp_path / "omni2.cdf", "h", values)):
        np.testing.assert_array_equal(series.time, DAY + np.arange(2) * np.timedelta64(1, "h"))
        np.testing.assert_array_equal(series.values, [3, np.nan])


def test_kp_and_ap_of_hours_become_values_of_three_hours_in_thirds(factory: ModuleType, tmp_path: Path) -> None:
    kp = np.array([23, 23, 23, 99, 27, 27, 99, 99, 99, 30, 30, 30])
    ap = np.array([9, 9, 9, 12, 12, 12, 999, 999, 999, 15, 15, 15])
    found = {s.name: s for s in read_omni(write(factory, tmp_path / "o.cdf", "h", {"KP": kp, "AP_INDEX": ap}))}
    hours = [DAY + np.timedelta64(hour, "h") for hour in (0, 3, 9)]
    np.testing.assert_array_equal(found["kp"].time, hours)
    np.testing.assert_allclose(found["kp"].values, [7 / 3, 8 / 3, 3])
    np.testing.assert_array_equal(found["ap"].time, hours)
    np.testing.assert_array_equal(found["ap"].values, [9, 12, 15])


def test_the_fill_that_a_file_declares_counts_too(factory: ModuleType, tmp_path: Path) -> None:
    declared = factory.variable(np.array([-5.0, 77777.0, -7.0]), fill=77777.0)
    (series,) = read_omni(write(factory, tmp_path / "o.cdf", "m", {"AE_INDEX": [1, 2, 3]}, SYM_H=declared))[:1]
    np.testing.assert_array_equal(series.values, [-5, np.nan, -7])


def test_other_cadences_and_files_without_an_index_are_refused(factory: ModuleType, tmp_path: Path) -> None:
    five = write(factory, tmp_path / "five.cdf", "m", {"SYM_H": [1, 2, 3, 4, 5, 6]})
    content = {"Epoch": factory.variable(factory.raw_times(DAY + np.arange(3) * np.timedelta64(5, "m")), 31, fill=None)}
    factory.write_cdf(five, content)
    with pytest.raises(BadFile, match=r"times 300 s apart; expected 60 or 3600 s") as refused:
        read_omni(five)
    assert refused.value.reason == "wrong_cadence"
    with pytest.raises(BadFile, match=r"none of SYM_H, .*; expected a file of OMNI"):
        read_omni(write(factory, tmp_path / "other.cdf", "m", {"x": [1, 2, 3]}))
