# SPDX-License-Identifier: BSD-3-Clause
"""Kyoto's text formats: values, years, what is missing, and what is wrong with a line."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from padflow.errors import BadFile
from padflow.indices.kyoto import is_dst, is_minutes, read_dst, read_minutes

HOURS = [-10 * i for i in range(24)]
MINUTES = list(range(-30, 30))


def test_dst_of_two_days_with_base_and_missing_hours(index_factory: ModuleType) -> None:
    lines = [
        index_factory.dst_line("2013-03-18", HOURS, base=-1),
        "",
        index_factory.dst_line("2013-03-17", [*HOURS[:23], 9999]),
    ]
    assert all(is_dst(line) for line in lines if line)
    (series,) = read_dst(lines, "dst.txt")
    assert (series.name, series.source) == ("dst", "dst.txt")
    hours = np.arange("2013-03-17", "2013-03-19", dtype="datetime64[h]")
    np.testing.assert_array_equal(series.time, hours)
    np.testing.assert_array_equal(series.values, [*HOURS[:23], np.nan, *HOURS])


@pytest.mark.parametrize("day", ["1957-01-01", "1989-03-14", "2003-10-30"])
def test_the_century_of_dst(index_factory: ModuleType, day: str) -> None:
    (series,) = read_dst([index_factory.dst_line(day, HOURS)], "dst.txt")
    assert series.time[0] == np.datetime64(day)


def test_a_record_of_dst_without_its_daily_mean_is_read(index_factory: ModuleType) -> None:
    (series,) = read_dst([index_factory.dst_line("2013-03-17", HOURS)[:116]], "dst.txt")
    np.testing.assert_array_equal(series.values, HOURS)


def test_minutes_of_all_indices(index_factory: ModuleType) -> None:
    kinds = [("SYM", "H"), ("SYM", "D"), ("ASY", "H"), ("ASY", "D")]
    hours = {f"2015-03-17T0{hour}": [*(v + 100 * hour for v in MINUTES[:-1]), 99999] for hour in (4, 5)}
    lines = [
        index_factory.minutes_line(hour, values, index=index, component=component)
        for index, component in kinds
        for hour, values in hours.items()
    ]
    assert all(is_minutes(line) for line in lines)
    found = read_minutes(lines, "sym.txt")
    assert [series.name for series in found] == ["sym_h", "sym_d", "asy_h", "asy_d"]
    for series in found:
        np.testing.assert_array_equal(
            series.time, np.arange("2015-03-17T04:00", "2015-03-17T06:00", dtype="datetime64[m]")
        )
        expected = [v + 100 * hour for hour in (4, 5) for v in [*MINUTES[:-1], np.nan]]
        np.testing.assert_array_equal(series.values, expected)


def test_ao_is_left_out_of_auroral_indices(index_factory: ModuleType) -> None:
    kinds = [("AE", "E"), ("AL", "L"), ("AO", "O"), ("AU", "U")]
    lines = [index_factory.minutes_line("2015-03-17T04", MINUTES, index=i, component=c) for i, c in kinds]
    assert [series.name for series in read_minutes(lines, "ae.txt")] == ["ae", "al", "au"]


@pytest.mark.parametrize(("hour", "year"), [("1981-01-01T00", 1981), ("2056-01-01T00", 2056), ("1957-01-01T00", 1957)])
def test_two_digits_of_a_year(index_factory: ModuleType, hour: str, year: int) -> None:
    (series,) = read_minutes([index_factory.minutes_line(hour, MINUTES)], "sym.txt")
    assert series.time[0] == np.datetime64(f"{year}-01-01")


def spoilt(line: str, first: int, text: str) -> str:
    return line[: first - 1] + text + line[first - 1 + len(text) :]


@pytest.mark.parametrize(
    ("first", "text", "message"),
    [
        (1, "<html>", "expected a record of Dst, but found '<html>3"),
        (6, "13", "expected a date, but found 2013-13-17"),
        (25, " -1x", "expected a whole number in columns 25-28, but found '-1x'"),
        (25, "    ", "expected a whole number in columns 25-28, but found ''"),
    ],
)
def test_a_wrong_record_of_dst_is_named(index_factory: ModuleType, first: int, text: str, message: str) -> None:
    good = index_factory.dst_line("2013-03-17", HOURS)
    with pytest.raises(BadFile) as refused:
        read_dst([index_factory.dst_line("2013-03-16", HOURS), spoilt(good, first, text)], "a/dst.txt")
    assert str(refused.value).startswith(f"a/dst.txt, line 2: {message}")
    assert refused.value.reason == "bad_line"


@pytest.mark.parametrize(
    ("first", "text", "message"),
    [
        (20, "24", "expected an hour from 00 to 23 in columns 20-21, but found 24"),
        (22, "SYX", "expected an index and its component in columns 22-24 and 19, but found 'SYX' and 'H'"),
        (17, "32", "expected a date, but found 2013-03-32"),
    ],
)
def test_a_wrong_record_of_minutes_is_named(index_factory: ModuleType, first: int, text: str, message: str) -> None:
    with pytest.raises(BadFile) as refused:
        read_minutes([spoilt(index_factory.minutes_line("2013-03-17T04", MINUTES), first, text)], "sym.txt")
    assert str(refused.value) == f"sym.txt, line 1: {message}."


def test_a_record_that_is_cut_off_is_named(index_factory: ModuleType) -> None:
    line = index_factory.minutes_line("2013-03-17T04", MINUTES)[:200]
    with pytest.raises(BadFile, match=r"at least 394 characters, but found 200"):
        read_minutes([line], "sym.txt")
