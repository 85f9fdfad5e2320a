# SPDX-License-Identifier: BSD-3-Clause
"""The files of one simulated day: the unit of parallel work."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from padflow.simulation import troubles as troubles_module
from padflow.simulation.belt import stream
from padflow.simulation.day import SPACECRAFT, Day, Settings, make_day
from padflow.simulation.files import Content, file_path, write_cdf, write_whole
from padflow.simulation.truth import write_part

SPOILING_STREAM = 5


@dataclass(frozen=True)
class DayTask:
    """One day of one spacecraft to write."""

    folder: Path
    spacecraft: str
    day: datetime.date
    troubles: tuple[str, ...]
    settings: Settings


@dataclass(frozen=True)
class DayResult:
    """What one task wrote: its files as JSON-ready entries, the number of good records, and where their truth is."""

    spacecraft: str
    files: list[dict[str, Any]]
    records: int
    truth: Path | None


def write_day(task: DayTask) -> DayResult:
    """Write the files of one day; return what was written and which records are good."""
    if task.troubles and task.troubles[0] in troubles_module.BAD:
        return write_bad_day(task)
    day = make_day(task.settings, task.spacecraft, task.day)
    older, version = None, troubles_module.VERSION
    if "versions" in task.troubles:
        older, version = troubles_module.VERSION_PAIRS[task.day.toordinal() % len(troubles_module.VERSION_PAIRS)]
    content, good, applied = spoil(task, day)
    entries = [write_file(task, content, version, applied)]
    if older:
        earlier = troubles_module.older_version(troubles_module.clean_content(day))
        entries.append(write_file(task, earlier, older, {"versions": f"version {version} is newer"}))
    records = entries[0]["good_records"] = int(good.sum())
    part = write_part(task.folder, task.spacecraft, task.day, day, good)
    return DayResult(task.spacecraft, entries, records, part)


def spoiler(task: DayTask) -> np.random.Generator:
    """Return the random stream of a day's troubles."""
    number = SPACECRAFT.index(task.spacecraft)
    return stream(task.settings.seed, SPOILING_STREAM, number, task.day.toordinal())


def copies_from_beside(task: DayTask, days: int, random: np.random.Generator) -> Content:
    """Return the last records of the previous day (``days`` is -1) or the first of the next (1)."""
    day = make_day(task.settings, task.spacecraft, task.day + datetime.timedelta(days))
    neighbour = troubles_module.clean_content(day)
    copies = min(int(random.integers(3, 12)), troubles_module.edge_records(len(day.time_ms)))
    return neighbour.take(slice(len(day.time_ms) - copies, None) if days < 0 else slice(0, copies))


def spoil(task: DayTask, day: Day) -> tuple[Content, np.ndarray, dict[str, str]]:
    """Apply a good file's troubles; return its content, which of the day's records are good and notes."""
    random = spoiler(task)
    content = troubles_module.clean_content(day)
    good = np.ones(len(day.time_ms), bool)
    applied: dict[str, str] = {}
    if len(good) < troubles_module.FEWEST_RECORDS:
        return content, good, applied
    if "bad_flux" in task.troubles:
        content, applied["bad_flux"] = troubles_module.spoil_flux(content, random)
    if "bad_epochs" in task.troubles:
        content, rows = troubles_module.spoil_epochs(content, random)
        good[rows] = False
        applied["bad_epochs"] = f"{len(rows)} epochs"
    if "doubled" in task.troubles:
        content, applied["doubled"] = troubles_module.double(content, random)
    for side, days in (("border before", -1), ("border after", 1)):
        if side in task.troubles:
            copies = copies_from_beside(task, days, random)
            content = Content.concatenate([copies, content] if days < 0 else [content, copies])
            applied[side] = f"{len(copies.epoch)} records of the {'previous' if days < 0 else 'next'} day"
    if "out_of_order" in task.troubles:
        content, applied["out_of_order"] = troubles_module.disorder(content, random)
    return content, good, applied


def write_file(task: DayTask, content: Content, version: str, applied: dict[str, str]) -> dict[str, Any]:
    """Write one CDF and return its entry for ``simulation.json``."""
    path = file_path(task.spacecraft, task.day, version)
    write_cdf(task.folder / path, content, spacecraft=task.spacecraft, day=task.day, version=version)
    return entry_of(task, path, version, len(content.epoch), applied)


def entry_of(task: DayTask, path: Path | None, version: str | None, records: int, applied: dict[str, str]) -> dict:
    """Return a file's entry for ``simulation.json``; a missing file has neither path nor version."""
    return {
        "spacecraft": task.spacecraft,
        "day": task.day.isoformat(),
        "path": path.as_posix() if path else None,
        "version": version,
        "records": records,
        "good_records": 0,
        "troubles": [
            {"kind": kind, "why": troubles_module.WHY[kind.partition(" ")[0]], "what": what}
            for kind, what in applied.items()
        ],
    }


def write_bad_day(task: DayTask) -> DayResult:
    """Write the one bad file of a day, or none."""
    kind = task.troubles[0]
    path = file_path(task.spacecraft, task.day, troubles_module.VERSION)
    target = task.folder / path
    records, what = 0, "nothing readable"
    if kind in ("truncated", "only_fill"):
        content = troubles_module.clean_content(make_day(task.settings, task.spacecraft, task.day))
        content = troubles_module.only_fill(content) if kind == "only_fill" else content
        records = len(content.epoch)
        write_cdf(target, content, spacecraft=task.spacecraft, day=task.day, version=troubles_module.VERSION)
        what = f"{records} records of fill"
    if kind == "truncated":
        whole = target.read_bytes()
        kept = int(len(whole) * spoiler(task).uniform(0.3, 0.9))
        write_whole(target, lambda part: part.write_bytes(whole[:kept]))
        what = f"{kept} of {len(whole)} bytes"
    elif kind in ("empty", "html"):
        write_whole(target, lambda part: part.write_bytes(troubles_module.HTML_PAGE if kind == "html" else b""))
    missing = kind == "missing"
    entry = entry_of(
        task, None if missing else path, None if missing else troubles_module.VERSION, records, {kind: what}
    )
    return DayResult(task.spacecraft, [entry], 0, None)
