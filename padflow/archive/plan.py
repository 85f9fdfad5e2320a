"""From a catalogue of files to days, and from days to aligned parts of equal numbers of rows.

Days are the unit of content: a day's records are those of its own files, sorted and once each, and those that
the files of the neighbouring days hold beyond midnight and its own files lack. Parts are the unit of writing:
rows [i n, (i + 1) n) of the whole sequence of days.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from pathlib import Path

import numpy as np
from dask.utils import format_bytes

from padflow.archive.catalog import Catalog, FileEntry
from padflow.config_cluster import WORKER_BASE_BYTES
from padflow.errors import PadflowError


@dataclass(frozen=True)
class Source:
    """A file that gives rows to a day.

    Parameters
    ----------
    strays_ns : tuple of int, optional
        Times of the rows that the file of another day gives; by default it gives all rows of its own day.
    doubled_ns : tuple of int
        Times of rows of its own day that it does not give, for an earlier file of the day does.
    """

    path: str
    size_bytes: int
    mtime_ns: int
    strays_ns: tuple[int, ...] | None = None
    doubled_ns: tuple[int, ...] = ()

    def facts(self) -> list:
        """Return all that decides which rows it gives and what they hold."""
        facts = [self.path, self.size_bytes, self.mtime_ns, self.strays_ns]
        return [*facts, self.doubled_ns] if self.doubled_ns else facts  # as it was before there were several files


@dataclass(frozen=True)
class Day:
    """The records of one UTC day of one spacecraft."""

    day: str
    rows: int
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class PartSpan:
    """One part of one group: its rows, and which rows of which days they are."""

    group: str
    index: int
    start: int
    stop: int
    pieces: tuple[tuple[Day, int, int], ...]

    def key(self, *context: str) -> str:
        """Return a digest of everything that decides the part's bytes."""
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
    """Plan the parts of every spacecraft in a catalogue, in the order of their names.

    Parameters
    ----------
    start, end : date, optional
        First and last day of the archive: records that files hold beyond them are left out.
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
    """Return number of rows, sources, and times close to the ends of files, by day, without strays.

    Several files of a day come in time order; a time that two of them hold is taken from the first.
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


@dataclass(frozen=True)
class Budget:
    """What a run will need, before any of it begins.

    Parameters
    ----------
    records, files, parts, tasks : int
    archive_bytes, results_bytes : int
        Upper bounds on disk: what the arrays take without compression.
    part_bytes : int
        One part's flux in memory.
    worker_bytes : int
        Peak memory of a worker process.
    driver_bytes : int
        Peak memory of the driver, which holds the rows that are trained on.
    """

    records: int
    files: int
    parts: int
    tasks: int
    archive_bytes: int
    results_bytes: int
    part_bytes: int
    worker_bytes: int
    driver_bytes: int


DRIVER_BASE_BYTES = 900 << 20
"""The driver with TensorFlow loaded and the scheduler running; measured likewise."""
PART_COPIES = 6
"""Flux arrays of a part alive at once at the peak of ingest: days as read, joined, and encoded; measured."""
SCORE_COPIES = 2
"""Copies of its share of the scores that a worker holds while k-means iterates: as stored, and centred."""
REPORT_BYTES = 16 << 20
"""Disk for all that does not grow with the archive: model, summary, figures, page and receipts; 5 MB were measured."""
PASSES = 5
"""Passes over parts in a run: ingest, moments, scores, labels, summary."""


def estimate(
    groups: list[GroupPlan],
    *,
    bins: int,
    ephemeris_values: int,
    components: int,
    train_rows: int,
    sampled_scores: int,
    workers: int,
) -> Budget:
    """Estimate what a run over the planned groups takes.

    Parameters
    ----------
    bins : int
        Pitch angles times energies of a record.
    ephemeris_values : int
        float32 values beside the flux of a record.
    components : int
        Length of a score.
    train_rows : int
        Rows of features that training holds in memory.
    sampled_scores : int
        Scores that mean shift and the start of k-means hold in the driver.
    workers : int
        They share the scores of all records while k-means iterates.
    """
    records = sum(group.rows for group in groups)
    parts = sum(-(-group.rows // group.rows_per_part) for group in groups)
    largest = max((min(group.rows, group.rows_per_part) for group in groups), default=0)
    part_bytes = largest * bins * 4
    score_bytes = records * components * 8
    return Budget(
        records=records,
        files=sum(len({s.path for day in group.days for s in day.sources}) for group in groups),
        parts=parts,
        tasks=parts * PASSES,
        archive_bytes=records * (4 * (bins + ephemeris_values) + 8),
        results_bytes=records * (8 + 2 + 1 + 4 * (components + 3)),
        part_bytes=part_bytes,
        worker_bytes=WORKER_BASE_BYTES + max(PART_COPIES * part_bytes, SCORE_COPIES * score_bytes // workers),
        driver_bytes=DRIVER_BASE_BYTES + max(3 * train_rows * bins * 4, 4 * sampled_scores * components * 8),
    )


def disk_bytes_left(budget: Budget, *, compression: float, ingested: int, labelled: int) -> int:
    """Return how much more a run will write at most, after some of its records are ingested and labelled.

    Parameters
    ----------
    compression : float
        How many times smaller the archive is expected to be on disk.
    ingested, labelled : int
        Records in parts that are done.
    """
    to_ingest = max(0, budget.records - ingested) / budget.records
    to_label = max(0, budget.records - labelled) / budget.records
    return int(to_ingest * budget.archive_bytes / compression + to_label * budget.results_bytes) + REPORT_BYTES


def check_budget(
    budget: Budget,
    *,
    memory_limit: int,
    machine_bytes: int,
    free_disk_bytes: int,
    needed_disk_bytes: int,
    workdir: Path,
) -> None:
    """Refuse a run that cannot fit.

    Parameters
    ----------
    machine_bytes : int
        Memory of the machine the driver runs on.
    needed_disk_bytes : int
        What the run will write still (`disk_bytes_left`).

    Raises
    ------
    PadflowError
        Names what does not fit, the need and what to change.
    """
    if not budget.records:
        raise PadflowError("No file holds a record that can be used.")
    usable = int(0.9 * memory_limit)
    if budget.worker_bytes > usable:
        raise PadflowError(
            f"A worker would need {budget.worker_bytes / 2**30:.2f} GiB, which is more than 90 % of "
            f"cluster.memory_limit ({memory_limit / 2**30:.2f} GiB). Raise it, or lower archive.rows_per_part "
            f"(one part's flux takes {budget.part_bytes / 2**20:.0f} MiB), or use more cluster.workers: they share the "
            "scores of all records."
        )
    if budget.driver_bytes > machine_bytes:
        raise PadflowError(
            f"The driver would need {budget.driver_bytes / 2**30:.2f} GiB, but this machine has "
            f"{machine_bytes / 2**30:.2f} GiB. Lower train.max_rows, mean_shift.samples or mean_shift.repeats."
        )
    if needed_disk_bytes > free_disk_bytes:
        raise PadflowError(
            f"The run needs about {format_bytes(needed_disk_bytes)} more on disk, but {workdir} has "
            f"{format_bytes(free_disk_bytes)} free. Free some, choose another --workdir, or a shorter archive.start "
            "to archive.end."
        )
