# SPDX-License-Identifier: BSD-3-Clause
"""Read the text formats of the World Data Center for Geomagnetism, Kyoto.

Documentation: "Description of the Geomagnetic Dst Index, Record Format (length: 120 byte fixed)", "ASY/SYM Indices
Format" and "AE Index Format" (records of 400 bytes), all of that data centre.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from padflow.errors import BadFile, brief
from padflow.indices.series import HOUR, MINUTE, Series, in_order

MISSING_HOUR, MISSING_MINUTE = 9999, 99999
"""Values that stand for missing data."""


FIRST_TWO_DIGIT_YEAR = 57
"""Records of minutes have the last two digits of a year only. AE begins in 1957 and SYM in 1981."""


MINUTE_NAMES = {
    ("ASY", "D"): "asy_d",
    ("ASY", "H"): "asy_h",
    ("SYM", "D"): "sym_d",
    ("SYM", "H"): "sym_h",
    ("AE", "E"): "ae",
    ("AL", "L"): "al",
    ("AU", "U"): "au",
}
"""Our name by the name of the index and the component in a record. AO is left out."""


class Record(NamedTuple):
    """One line: our name, begin of its first value, the values, NaN where missing, and whether they are simulated."""

    name: str
    start: np.datetime64
    values: np.ndarray
    simulated: bool


SIMULATED_EDITION, SIMULATED_VERSION = "SIMULATED", "S"
"""What `padflow simulate` writes for the edition, columns 25-34 of minutes, and for the version of Dst, column 14."""


def is_dst(line: str) -> bool:
    """Return whether a line is a record of Dst: its name, and a star in column 8."""
    return line[:3].upper() == "DST" and line[7:8] == "*"


def is_minutes(line: str) -> bool:
    """Return whether a line is a record of one-minute values of ASY and SYM, or of AE."""
    return line[:12].rstrip() in ("ASYSYM N6E01", "AEALAOAU")


def read_dst(lines: Iterable[str], source: str) -> list[Series]:
    """Read hourly Dst, nT: one record a day.

    Columns 4-5, 6-7, 9-10 year, month, day; 15-16 the first two digits of the year, blank for 19; 17-20 a base in
    100 nT; 21-116 the values of 24 hours, nT above the base, 9999 where missing.

    Parameters
    ----------
    lines : iterable of str
        Lines of the file; blank ones are skipped.
    source : str
        Name of the file.

    Raises
    ------
    BadFile
        Names file, line, what was expected and what was found.
    """
    return _series(_records(lines, source, _Form("a record of Dst", is_dst, 116, _dst_record)), HOUR, source)


def read_minutes(lines: Iterable[str], source: str) -> list[Series]:
    """Read one-minute values of ASY and SYM or of AE, nT: one record an hour and index.

    Columns 13-14, 15-16, 17-18 year, month, day; 19 the component; 20-21 the hour; 22-24 the index; 35-394 the values
    of 60 minutes, 99999 where missing. Arguments and errors are those of `read_dst`.
    """
    form = _Form("a record of ASY, SYM or AE", is_minutes, 394, _minutes_record)
    return _series(_records(lines, source, form), MINUTE, source)


def _dst_record(line: str) -> Record | None:
    century = _number(line, 15, 16, blank=19)
    base = _number(line, 17, 20, blank=0)
    day = _day(100 * century + _number(line, 4, 5), _number(line, 6, 7), _number(line, 9, 10))
    values = 100 * base + _values(line, 21, width=4, count=24, missing=MISSING_HOUR)
    return Record("dst", day, values, line[13] == SIMULATED_VERSION)


def _minutes_record(line: str) -> Record | None:
    index, component = line[21:24].strip().upper(), line[18].upper()
    if (index, component) == ("AO", "O"):
        return None
    if (index, component) not in MINUTE_NAMES:
        raise ValueError(f"an index and its component in columns 22-24 and 19, but found {index!r} and {component!r}")
    year, hour = _number(line, 13, 14), _number(line, 20, 21)
    if not 0 <= hour < 24:
        raise ValueError(f"an hour from 00 to 23 in columns 20-21, but found {hour}")
    year += 1900 if year >= FIRST_TWO_DIGIT_YEAR else 2000
    start = _day(year, _number(line, 15, 16), _number(line, 17, 18)) + np.timedelta64(hour, "h")
    values = _values(line, 35, width=6, count=60, missing=MISSING_MINUTE)
    return Record(MINUTE_NAMES[index, component], start, values, line[24:34].strip() == SIMULATED_EDITION)


@dataclass(frozen=True)
class _Form:
    """What a record is called, how it is known, the characters that it needs, and how it is read."""

    what: str
    known: Callable[[str], bool]
    length: int
    read: Callable[[str], Record | None]


def _records(lines: Iterable[str], source: str, form: _Form) -> Iterator[Record]:
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\r\n")
        if not text.strip():
            continue
        try:
            if not form.known(text):
                raise ValueError(f"{form.what}, but found {brief(text[:24])}")
            if len(text) < form.length:
                raise ValueError(f"{form.what} with at least {form.length} characters, but found {len(text)}")
            record = form.read(text)
        except ValueError as error:
            raise BadFile("bad_line", f"{source}, line {number}: expected {error}.") from None
        if record is not None:
            yield record


def _series(records: Iterator[Record], step: int, source: str) -> list[Series]:
    by_name: dict[str, list[Record]] = {}
    for record in records:
        by_name.setdefault(record.name, []).append(record)
    return [
        in_order(name, *_joined(found, step), source, simulated=any(record.simulated for record in found))
        for name, found in by_name.items()
    ]


def _joined(records: Sequence[Record], step: int) -> tuple[np.ndarray, np.ndarray]:
    starts = np.array([record.start for record in records], "datetime64[s]")
    values = np.array([record.values for record in records])
    times = starts[:, None] + np.arange(values.shape[1]) * np.timedelta64(step, "s")
    return times.ravel(), values.ravel()


def _values(line: str, first: int, *, width: int, count: int, missing: int) -> np.ndarray:
    """Return ``count`` integers from column ``first`` on, float32 with NaN where missing."""
    places = range(first - 1, first - 1 + width * count, width)
    try:
        stored = [int(line[place : place + width]) for place in places]  # faster than a call for each
    except ValueError:
        stored = [_number(line, place + 1, place + width) for place in places]
    values = np.array(stored, np.float32)
    values[values == missing] = np.nan
    return values


def _number(line: str, first: int, last: int, *, blank: int | None = None) -> int:
    """Return the integer in columns ``first`` to ``last``, counted from 1."""
    text = line[first - 1 : last].strip()
    if not text and blank is not None:
        return blank
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"a whole number in columns {first}-{last}, but found {brief(text)}") from None


def _day(year: int, month: int, day: int) -> np.datetime64:
    try:
        return np.datetime64(f"{year:04d}-{month:02d}-{day:02d}", "s")
    except ValueError:
        raise ValueError(f"a date, but found {year:04d}-{month:02d}-{day:02d}") from None
