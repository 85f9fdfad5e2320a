# SPDX-License-Identifier: BSD-3-Clause
"""Variables of one number a record: values, fills, times, and what is refused."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from padflow.cdf.series import read_series
from padflow.errors import BadFile

TIMES = np.datetime64("2013-03-17", "ms") + np.arange(4) * np.timedelta64(1, "m")


@pytest.fixture
def path(factory: ModuleType, tmp_path: Path) -> Path:
    raw = factory.raw_times(TIMES)
    raw[3] = -1e31
    content = {
        "Epoch": factory.variable(raw, factory.EPOCH, fill=None),
        "Index": factory.variable(np.array([1, 99, 98, 4], "i4"), factory.INT4, fill=98),
        "Pair": factory.variable(np.zeros((4, 2))),
        "Fixed": factory.variable(np.array(1.0), varies=False),
    }
    return factory.write_cdf(tmp_path / "file.cdf", content)


def test_values_and_times_with_fills_missing(path: Path) -> None:
    times, found = read_series(path, {"INDEX": (99,), "Absent": ()})
    np.testing.assert_array_equal(times, [*TIMES[:3], np.datetime64("NaT")])
    assert list(found) == ["INDEX"]
    np.testing.assert_array_equal(found["INDEX"], [1, np.nan, np.nan, 4])


def test_what_has_not_one_number_a_record_is_refused(path: Path) -> None:
    for name, shape in (("Pair", "(4, 2)"), ("Fixed", "(1,)")):
        with pytest.raises(BadFile) as refused:
            read_series(path, {name: ()})
        assert str(refused.value) == f"{name} in {path} has shape {shape}; expected (4)."
    with pytest.raises(BadFile, match="CDF type 31"):
        read_series(path, {"Epoch": ()})
    with pytest.raises(BadFile, match="no time variable 'Epoch_1800'"):
        read_series(path, {}, time="Epoch_1800")


def test_a_damaged_file_is_refused_by_name(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BadFile, match=r"file\.cdf"):
        read_series(path, {"Index": ()})
