# SPDX-License-Identifier: BSD-3-Clause
"""Averages and commonest values in columns of time, against loops."""

from __future__ import annotations

import numpy as np

from padflow.report.figures.columns import Columns

START = np.datetime64("2013-03-01", "ns")


def columns_of(seconds: list[float], *, columns: int = 4) -> Columns:
    time = START + (np.array(seconds) * 1e9).astype("m8[ns]")
    return Columns.of_times(time, START, START + np.timedelta64(40, "s"), columns=columns)


def test_means_leave_out_what_is_missing() -> None:
    columns = columns_of([0, 9.9, 10, 12, 35])
    values = np.array([[1, np.nan], [3, np.nan], [5, 6], [np.nan, 8], [7, np.inf]])
    np.testing.assert_array_equal(columns.mean(values), [[2, np.nan], [5, 7], [np.nan] * 2, [7, np.nan]])
    np.testing.assert_array_equal(columns.total(values[:, 0]), [4, 5, 0, 7])


def test_the_commonest_code_of_two_that_are_as_common_is_the_lower() -> None:
    columns = columns_of([0, 1, 2, 3, 10, 11, 30])
    codes = np.array([2, 2, 1, 0, 1, 0, -1])
    np.testing.assert_array_equal(columns.commonest(codes, kinds=3), [2, 0, -1, -1])


def test_columns_are_those_of_a_loop() -> None:
    random = np.random.default_rng(0)
    seconds = np.sort(random.uniform(0, 40, 500))
    values, codes = random.normal(size=500).astype("f4"), random.integers(0, 5, (500, 2))
    columns = columns_of(seconds.tolist(), columns=13)
    own = np.searchsorted(columns.edges, START + (seconds * 1e9).astype("m8[ns]"), side="right") - 1
    expected = [values[own == column].astype(float).mean() for column in range(13)]
    np.testing.assert_allclose(columns.mean(values), expected)
    counted = [[np.bincount(codes[own == column, i]).argmax() for i in range(2)] for column in range(13)]
    np.testing.assert_array_equal(columns.commonest(codes, kinds=5), counted)


def test_no_records() -> None:
    columns = columns_of([])
    assert np.isnan(columns.mean(np.zeros((0, 2)))).all()
    assert (columns.commonest(np.zeros(0, int), kinds=2) == -1).all()
