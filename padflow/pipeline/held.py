"""What an archive holds already, and that none of it is taken away without a word."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from padflow.archive.catalog import RecordsByDay
from padflow.archive.changes import day_ranges, fewer, in_words, records_by_day, total
from padflow.config.sections import ArchiveConfig, Config
from padflow.errors import ConfigError, PadflowError
from padflow.pipeline.directory import RunDirectory, groups_of
from padflow.pipeline.receipts import Ingested, receipts
from padflow.store.reading import DAMAGES, ArchiveReader

if TYPE_CHECKING:
    from padflow.pipeline.run import Run


def held_records(directory: RunDirectory, config: Config) -> RecordsByDay:
    """Return the records that the archive of a run directory holds, by spacecraft and day.

    A day counts when all its parts are written, and also when it was in the archive before these parts were begun to
    be written again (`Catalog.kept`).

    Parameters
    ----------
    config : Config
        Used where the directory has none of its own.
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
        # A part that is damaged gives no records to lose.
        with suppress(OSError, PadflowError, *DAMAGES):
            found = ArchiveReader(directory.archive, group).times(receipt.start, receipt.stop)
            times.setdefault(group, []).append(found[~np.isnat(found)])
    held = {}
    for group, parts in times.items():
        days, counts = np.unique(np.unique(np.concatenate(parts)).astype("datetime64[D]"), return_counts=True)
        held[group] = dict(zip(days.astype(str).tolist(), counts.tolist(), strict=True))
    return held


def guard_records(run: Run) -> None:
    """Refuse a plan that takes more records out of the archive than was said they may be.

    Raises
    ------
    ConfigError
        Names the days with the number of records and the cause, and what to do.
    """
    removed = fewer(run.held, records_by_day(run.groups))
    count = total(removed)
    if count <= run.allow_removal:
        if count:
            run.progress.say(f"{count:,} records are taken out of the archive: {in_words(_removals(run, removed))}")
        return
    raise ConfigError(
        f"{run.directory}: {count:,} of the {total(run.held):,} records in the archive would be taken out: "
        f"{in_words(_removals(run, removed))}. None was. Put back what is missing (is a disk not mounted, or "
        f"archive.source = {run.config.archive.source} wrong?) and give the same command again, or let them go with "
        f"--allow-removal {count}."
    )


def _removals(run: Run, removed: RecordsByDay) -> list:
    planned = records_by_day(run.groups)
    aside = {(entry.spacecraft, entry.day): entry for entry in run.catalog.set_aside()}

    def cause(group: str, day: str) -> str:
        if why := _not_chosen(run.config.archive, group, day):
            return why
        if (group, day) in aside:
            return f"{aside[group, day].path} is set aside: {aside[group, day].reason}"
        return "its files hold fewer" if day in planned.get(group, {}) else "no file"

    return day_ranges(removed, run.held, cause=cause)


def _not_chosen(config: ArchiveConfig, group: str, day: str) -> str:
    if config.spacecraft and group not in config.spacecraft:
        return "not in archive.spacecraft"
    if config.start and day < str(config.start):
        return f"before archive.start = {config.start}"
    if config.end and day > str(config.end):
        return f"after archive.end = {config.end}"
    return ""


def not_chosen_in_words(directory: RunDirectory, config: Config) -> str:
    """Say how many records of the archive a configuration does not choose; nothing where it chooses all."""
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
        f" It takes {count:,} of the {total(held):,} records in the archive out of it: {in_words(ranges)}; to let them "
        f"go, add --allow-removal {count}, too."
    )


def changes_of(run: Run) -> dict[str, Any]:
    """Return what a planned run adds to, rewrites in and removes from the archive.

    Returns
    -------
    dict
        ``added`` and ``removed``: ``records`` and ``days``, a list of ranges. ``parts``: how many there are
        ``unchanged``, are ``rewritten``, ``new``, or ``removed`` as a whole. ``rewritten_records``: in parts that
        are rewritten.
    """
    planned = records_by_day(run.groups)
    added, removed = fewer(planned, run.held), fewer(run.held, planned)
    before = {(group, index): receipt.key for group, index, receipt in receipts(run.directory, Ingested)}
    parts = dict.fromkeys(("unchanged", "rewritten", "new"), 0)
    rewritten_records = 0
    for group in run.groups:
        for span in group.parts():
            key = before.get((group.group, span.index))
            state = "new" if key is None else "rewritten"
            if key == run.ingest_keys[group.group, span.index]:
                state = "unchanged"
            parts[state] += 1
            rewritten_records += span.stop - span.start if state == "rewritten" else 0
    parts["removed"] = len(before.keys() - run.ingest_keys.keys())
    return {
        "added": _as_facts(added, planned),
        "removed": _as_facts(removed, run.held),
        "parts": parts,
        "rewritten_records": rewritten_records,
    }


def _as_facts(records: RecordsByDay, among: RecordsByDay) -> dict[str, Any]:
    return {"records": total(records), "days": [asdict(one) for one in day_ranges(records, among)]}
