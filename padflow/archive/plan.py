# SPDX-License-Identifier: BSD-3-Clause
"""Plan the days of an archive from its catalogue, and cut the days into parts of equal numbers of rows.

A day holds the records of its own files, sorted and each time once. It also holds records that files of neighbouring
days have beyond midnight, if its own files do not have them. A part is what is written at once: rows
[i n, (i + 1) n) of all days in order.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import accumulate

import numpy as np

from padflow.archive.catalog import Catalog, FileEntry


@dataclass(frozen=True)
class Source:
    """A file from which rows of a day are read.

    Parameters
    ----------
    strays_ns : tuple of int, optional
        Times of the rows that are read, for a file of another day. By default all rows of the file's own day are read.
    doubled_ns : tuple of int
        Times of rows of its own day that are not read, for an earlier file of the day holds them too.
    """

    path: str
    size_bytes: int
    mtime_ns: int
    strays_ns: tuple[int, ...] | None = None
    doubled_ns: tuple[int, ...] = ()

    def facts(self) -> list:
        """Return all that decides which rows are read and what they hold."""
        facts = [self.path, self.size_bytes, self.mtime_ns, self.strays_ns]
        return [*facts, self.doubled_ns] if self.doubled_ns else facts  # keys of days with one file stay the same


@dataclass(frozen=True)
class Day:
    """The records of one UTC day of one spacecraft."""

    day: str
    rows: int
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class PartSpan:
    """One part of a group: its rows, and from which days they come."""

    group: str
    index: int
    start: int
    stop: int
    pieces: tuple[tuple[Day, int, int], ...]

    def key(self, *context: str) -> str:
        """Return a digest of all that decides the bytes of the part."""
        content = [list(context), self.group, self.start, self.stop]
        for day, first, end in self.pieces:
            content.append([day.day, first, end, [source.facts() for source in day.sources]])
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class GroupPlan:
    """The days and rows of one spacecraft."""

    group: str
    days: tuple[Day, ...]
    rows_per_part: int

    @property
    def rows(self) -> int:
        """Number of records."""
        return sum(day.rows for day in self.days)

    def parts(self) -> Iterator[PartSpan]:
        """Yield the parts in order."""
        ends = list(accumulate(day.rows for day in self.days))
        for index, start in enumerate(range(0, self.rows, self.rows_per_part)):
            stop = min(self.rows, start + self.rows_per_part)
            pieces = []
            place = bisect_right(ends, start)
            while place < len(ends) and ends[place] - self.days[place].rows < stop:
                first = ends[place] - self.days[place].rows
                pieces.append((self.days[place], max(start - first, 0), min(stop - first, self.days[place].rows)))
                place += 1
            yield PartSpan(self.group, index, start, stop, tuple(pieces))


def plan_groups(
    catalog: Catalog, *, rows_per_part: int, start: date | None = None, end: date | None = None
) -> list[GroupPlan]:
    """Plan the parts of each spacecraft in a catalogue, in the order of names.

    Parameters
    ----------
    start, end : date, optional
        First and last day of the archive. Records of other days are left out.
    """
    first, last = str(start or date.min), str(end or date.max)
    groups = []
    for spacecraft in sorted({entry.spacecraft for entry in catalog.used()}):
        entries = [entry for entry in catalog.used() if entry.spacecraft == spacecraft]
        days = tuple(day for day in _days(entries) if first <= day.day <= last)
        if days:
            groups.append(GroupPlan(spacecraft, days, rows_per_part))
    return groups


def _days(entries: list[FileEntry]) -> Iterator[Day]:
    rows, sources, taken = _own_days(entries)
    for entry in entries:
        by_day: dict[str, list[int]] = {}
        for time in entry.stray_ns:
            day = day_of(time)
            if time not in taken.setdefault(day, set()):
                taken[day].add(time)
                by_day.setdefault(day, []).append(time)
        for day, times in by_day.items():
            source = Source(entry.path, entry.size_bytes, entry.mtime_ns, tuple(times))
            sources.setdefault(day, []).append(source)
            rows[day] = rows.get(day, 0) + len(times)
    for day in sorted(rows):
        yield Day(day, rows[day], tuple(sources[day]))


def _own_days(entries: list[FileEntry]) -> tuple[dict[str, int], dict[str, list[Source]], dict[str, set[int]]]:
    """Return the number of rows, the sources, and times close to the ends of files, by day and without strays.

    Several files of a day follow in time order. A time that two of them hold is read from the first.
    """
    rows: dict[str, int] = {}
    sources: dict[str, list[Source]] = {}
    taken: dict[str, set[int]] = {}
    for entry in sorted((entry for entry in entries if entry.rows), key=lambda entry: entry.edge_ns[:1]):
        held = taken.setdefault(entry.day, set())
        doubled = tuple(time for time in entry.edge_ns if time in held)
        held.update(entry.edge_ns)
        rows[entry.day] = rows.get(entry.day, 0) + entry.rows - len(doubled)
        source = Source(entry.path, entry.size_bytes, entry.mtime_ns, doubled_ns=doubled)
        sources.setdefault(entry.day, []).append(source)
    return rows, sources, taken


def day_of(time_ns: int) -> str:
    """Return the UTC day, YYYY-MM-DD, of a time in ns since 1970."""
    return str(np.datetime64(time_ns, "ns").astype("datetime64[D]"))
