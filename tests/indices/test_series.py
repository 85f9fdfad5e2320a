# SPDX-License-Identifier: BSD-3-Clause
"""Series of indices: order, times that are missing or doubled, and a unit and a cadence for each index."""

from __future__ import annotations

import numpy as np
import pytest

from padflow.errors import BadFile
from padflow.indices.series import DIMENSIONS, INDICES, in_order

TIMES = np.array(["2013-03-17T02", "NaT", "2013-03-17T01"], "datetime64[s]")


def test_values_are_in_the_order_of_time_and_those_without_a_time_left_out() -> None:
    series = in_order("dst", TIMES, np.array([1.0, 2.0, np.nan]), "file")
    assert series.time.dtype == np.dtype("datetime64[ns]")
    assert series.values.dtype == np.float32
    np.testing.assert_array_equal(series.time, TIMES[[2, 0]])
    np.testing.assert_array_equal(series.values, [np.nan, 1])


def test_a_time_that_is_there_twice_is_refused() -> None:
    with pytest.raises(BadFile, match=r"^file: dst at 2013-03-17T02:00:00\.\d+ is there twice") as refused:
        in_order("dst", TIMES[[0, 2, 0]], np.zeros(3), "file")
    assert refused.value.reason == "doubled_time"


def test_every_index_has_a_cadence_with_a_time_axis_and_words() -> None:
    for index in INDICES.values():
        assert index.cadence in DIMENSIONS
        assert index.units
        assert index.long_name
