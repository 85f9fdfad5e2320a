# SPDX-License-Identifier: BSD-3-Clause
"""Which records an archive holds, and which of them a run would add, rewrite or remove."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from padflow.archive.catalog import Catalog, RecordsByDay
from padflow.archive.changes import DayRange, day_ranges, fewer, in_words, records_by_day, total
from padflow.archive.plan import GroupPlan
from padflow.config.sections import ArchiveConfig, Config
from padflow.errors import PadflowError
from padflow.pipeline.directory import RunDirectory, groups_of
from padflow.pipeline.receipts import Ingested, receipts
from padflow.pipeline.tasks import parts_of
from padflow.store.reading import DAMAGES, ArchiveReader


def held_records(directory: RunDirectory, config: Config) -> RecordsByDay:
    """Return the records that the archive of a run directory holds, by spacecraft and day.

    A day counts when all its parts are written. It also counts while its parts are written again, if it was in the
    archive before (`Catalog.kept`).

    Parameters
    ----------
    config : Config
        Used where the directory holds no configuration.
    """
    catalog = directory.known_catalog()
    if catalog is None:
        return _counted(directory)
    groups = groups_of(directory.config() if directory.config_file.is_file() else config, catalog)
    written = {(group, index): receipt.key for group, index, receipt in receipts(directory, Ingested)}
    held = {group: dict(days) for group, days in catalog.kept.items()}
    for plan in groups:
        unfinished = {
            day.day
            for span in plan.parts()
            if written.get((plan.group, span.index)) != span.key(catalog.instrument)
            for day, _, _ in span.pieces
        }
        days = held.setdefault(plan.group, {})
        for day in plan.days:
            if day.day not in unfinished:
                days[day.day] = max(day.rows, days.get(day.day, 0))
    return held


def _counted(directory: RunDirectory) -> RecordsByDay:
    """Count the records in the arrays, where there is no catalogue."""
    times: dict[str, list[np.ndarray]] = {}
    for group, _, receipt in receipts(directory, Ingested):
        # A damaged part has no records that could be lost.
        with suppress(OSError, PadflowError, *DAMAGES):
            found = ArchiveReader(directory.archive, group).times(receipt.start, receipt.stop)
            times.setdefault(group, []).append(found[~np.isnat(found)])
    held = {}
    for group, parts in times.items():
        days, counts = np.unique(np.unique(np.concatenate(parts)).astype("datetime64[D]"), return_counts=True)
        held[group] = dict(zip(days.astype(str).tolist(), counts.tolist(), strict=True))
    return held


@dataclass(frozen=True)
class Removal:
    """Records that a plan takes out of the archive.

    Parameters
    ----------
    records : int
        Number of these records.
    held : int
        Number of all records in the archive.
    days : tuple of DayRange
        Their days, with the cause.
    """

    records: int
    held: int
    days: tuple[DayRange, ...]

    def __str__(self) -> str:
        return in_words(list(self.days))


def removal_of(config: ArchiveConfig, catalog: Catalog, groups: Sequence[GroupPlan], held: RecordsByDay) -> Removal:
    """Return the records that planned groups take out of an archive with these records."""
    planned = records_by_day(groups)
    removed = fewer(held, planned)
    aside = {(entry.spacecraft, entry.day): entry for entry in catalog.set_aside()}

    def cause(group: str, day: str) -> str:
        if why := _not_chosen(config, group, day):
            return why
        if (group, day) in aside:
            return f"{aside[group, day].path} is set aside: {aside[group, day].reason}"
        return "its files hold fewer" if day in planned.get(group, {}) else "no file"

    return Removal(total(removed), total(held), tuple(day_ranges(removed, held, cause=cause)))


def _not_chosen(config: ArchiveConfig, group: str, day: str) -> str:
    if config.spacecraft and group not in config.spacecraft:
        return "not in archive.spacecraft"
    if config.start and day < str(config.start):
        return f"before archive.start = {config.start}"
    if config.end and day > str(config.end):
        return f"after archive.end = {config.end}"
    return ""


def not_chosen_in_words(directory: RunDirectory, config: Config) -> str:
    """Return a sentence on the records of the archive that a configuration leaves out; empty where there are none."""
    held = held_records(directory, config)
    chosen = {
        group: {day: count for day, count in days.items() if not _not_chosen(config.archive, group, day)}
        for group, days in held.items()
    }
    removed = fewer(held, chosen)
    if not removed:
        return ""
    ranges = day_ranges(removed, held, cause=lambda group, day: _not_chosen(config.archive, group, day))
    count = total(removed)
    return (
        f" This would take {count:,} of the {total(held):,} records out of the archive: {in_words(ranges)}. To let "
        f"them go, add --allow-removal {count}, too."
    )


@dataclass(frozen=True)
class DayCounts:
    """A number of records, and their days.

    Parameters
    ----------
    records : int
    days : list of DayRange
    """

    records: int
    days: list[DayRange]


@dataclass(frozen=True)
class Changes:
    """What a run adds to, rewrites in and removes from the archive.

    Parameters
    ----------
    added, removed : DayCounts
    parts : dict of str to int
        Numbers of parts that are ``unchanged``, ``rewritten``, ``new`` or ``removed``.
    rewritten_records : int
        Records of the parts that are rewritten.
    """

    added: DayCounts
    removed: DayCounts
    parts: dict[str, int]
    rewritten_records: int


def changes_between(
    before: Mapping[tuple[str, int], str],
    after: Mapping[tuple[str, int], str],
    groups: Sequence[GroupPlan],
    held: RecordsByDay,
) -> Changes:
    """Return what planned groups change in an archive.

    Parameters
    ----------
    before, after : mapping
        Keys of the parts by group and number: of those in the archive, and of those that are planned.
    groups : sequence of GroupPlan
    held : dict of str to dict
        Records in the archive.
    """
    planned = records_by_day(groups)
    parts = dict.fromkeys(("unchanged", "rewritten", "new"), 0)
    rewritten_records = 0
    for part in parts_of(groups):
        key = before.get((part.group, part.index))
        state = "new" if key is None else "rewritten"
        if key == after[part.group, part.index]:
            state = "unchanged"
        parts[state] += 1
        rewritten_records += part.rows if state == "rewritten" else 0
    parts["removed"] = len(before.keys() - after.keys())
    return Changes(
        _counted_by_days(fewer(planned, held), planned),
        _counted_by_days(fewer(held, planned), held),
        parts,
        rewritten_records,
    )


def _counted_by_days(records: RecordsByDay, among: RecordsByDay) -> DayCounts:
    return DayCounts(total(records), day_ranges(records, among))
