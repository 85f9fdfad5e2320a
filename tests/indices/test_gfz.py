# SPDX-License-Identifier: BSD-3-Clause
"""GFZ's text files of Kp: lines of three hours and of days, what is missing, and what is wrong with a line."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from padflow.errors import BadFile
from padflow.indices.gfz import is_gfz, read_kp

KP = [3.333, 2.667, 2.0, 8.667, 9.0, 0.0, -1.0, 0.333]
AP = [18, 12, 7, 236, 400, 0, -1, 2]
EXPECTED = {"kp": [*KP[:6], np.nan, KP[7]], "ap": [*AP[:6], np.nan, AP[7]]}


def check(lines: list[str]) -> None:
    assert all(is_gfz(line) for line in lines)
    for series in read_kp([*lines, ""], "kp.txt"):
        np.testing.assert_array_equal(series.time, np.arange("2013-03-17", "2013-03-18", 3, dtype="datetime64[h]"))
        np.testing.assert_array_equal(series.values, np.float32(EXPECTED[series.name]))


def test_lines_of_three_hours(index_factory: ModuleType) -> None:
    lines = [index_factory.kp_line(f"2013-03-17T{3 * i:02d}", KP[i], AP[i]) for i in range(8)]
    check([*index_factory.GFZ_HEAD.splitlines(), *lines])


def test_lines_of_days(index_factory: ModuleType) -> None:
    check([index_factory.kp_day_line("2013-03-17", KP, AP)])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2013 03 17 00.0 01.50 29661.0 29661.1 3.3 18", "expected 10 or 28 columns, but found 9"),
        ("2013 03 17 00.0 01.50 29661.0 29661.1 x 18 1", "expected numbers, but found '2013 03 17 00.0"),
        ("2013 13 17 00.0 01.50 29661.0 29661.1 3.3 18 1", "expected a date in the first three columns"),
        ("2013 03 17 01.0 02.50 29661.0 29661.1 3.3 18 1", "expected an hour of 0, 3, ... 21 in the fourth column"),
    ],
)
def test_a_wrong_line_is_named(line: str, message: str) -> None:
    with pytest.raises(BadFile) as refused:
        read_kp(["# comment", line], "kp.txt")
    assert str(refused.value).startswith(f"kp.txt, line 2: {message}")
