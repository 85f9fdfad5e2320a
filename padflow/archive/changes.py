# SPDX-License-Identifier: BSD-3-Clause
"""What a plan changes in an archive, counted in days and records."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from padflow.archive.catalog import RecordsByDay
from padflow.archive.plan import GroupPlan

MOST_RANGES = 8
"""Most ranges of days that a sentence names; it counts the others."""


@dataclass(frozen=True)
class DayRange:
    """Days that follow one another in an archive and change for the same cause."""

    spacecraft: str
    first: str
    last: str
    days: int
    records: int
    cause: str = ""

    def __str__(self) -> str:
        days = self.first if self.days == 1 else f"{self.first} to {self.last}"
        cause = f", {self.cause}" if self.cause else ""
        return f"{self.spacecraft} {days} ({self.records:,} records{cause})"


def records_by_day(groups: Iterable[GroupPlan]) -> RecordsByDay:
    """Return the records of planned groups by spacecraft and day."""
    return {group.group: {day.day: day.rows for day in group.days} for group in groups}


def fewer(before: RecordsByDay, after: RecordsByDay) -> RecordsByDay:
    """Return how many records each day loses from `before` to `after`; days that lose none are left out."""
    less: RecordsByDay = {}
    for group, days in before.items():
        now = after.get(group, {})
        lost = {day: count - now.get(day, 0) for day, count in days.items() if count > now.get(day, 0)}
        if lost:
            less[group] = lost
    return less


def smaller(one: RecordsByDay, other: RecordsByDay) -> RecordsByDay:
    """Return the smaller of two counts for each day that has both."""
    return {
        group: {day: min(count, other[group][day]) for day, count in days.items() if day in other[group]}
        for group, days in one.items()
        if group in other
    }


def total(records: RecordsByDay) -> int:
    """Return the number of all records."""
    return sum(count for days in records.values() for count in days.values())


def day_ranges(
    records: RecordsByDay, among: RecordsByDay, *, cause: Callable[[str, str], str] = lambda *_: ""
) -> list[DayRange]:
    """Join days into ranges.

    Two days are joined where they follow one another in the archive and have the same cause.

    Parameters
    ----------
    records : dict of str to dict
        Records by spacecraft and day.
    among : dict of str to dict
        The same for all days of the archive.
    cause : callable
        ``cause(spacecraft, day)`` says in words why the day changes.
    """
    ranges: list[DayRange] = []
    for group in sorted(records):
        numbers = {day: number for number, day in enumerate(sorted(among[group]))}
        for day in sorted(records[group]):
            count, why = records[group][day], cause(group, day)
            last = ranges[-1] if ranges else None
            if last and (last.spacecraft, last.cause) == (group, why) and numbers[day] == numbers[last.last] + 1:
                ranges[-1] = DayRange(group, last.first, day, last.days + 1, last.records + count, why)
            else:
                ranges.append(DayRange(group, day, day, 1, count, why))
    return ranges


def in_words(ranges: list[DayRange]) -> str:
    """Return the first `MOST_RANGES` ranges in words, and how many more there are."""
    shown = [str(one) for one in ranges[:MOST_RANGES]]
    if left := ranges[MOST_RANGES:]:
        shown.append(f"and {sum(one.records for one in left):,} records in {len(left)} more ranges of days")
    return "; ".join(shown)
