# SPDX-License-Identifier: BSD-3-Clause
"""Estimate what a run needs in memory and on disk, and refuse a run that does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dask.utils import format_bytes

from padflow.archive.plan import GroupPlan
from padflow.config.cluster import WORKER_BASE_BYTES
from padflow.errors import PadflowError

DRIVER_BASE_BYTES = 900 << 20
"""Memory of the driver, with TensorFlow loaded and the scheduler running; measured in the same way."""


PART_COPIES = 6
"""Copies of the flux of a part in memory at the peak of ingest: as read, joined, and encoded; measured."""


SCORE_COPIES = 2
"""Copies of its share of the scores in a worker while k-means iterates: as stored, and centred."""


REPORT_BYTES = 16 << 20
"""Disk space for model, summary, figures, page and receipts, which do not grow with the archive (measured: 5 MB)."""


PASSES = 5
"""Passes over parts in a run: ingest, moments, scores, labels, summary."""


@dataclass(frozen=True)
class Budget:
    """What a run will need.

    Parameters
    ----------
    records, files, parts, tasks : int
    archive_bytes, results_bytes : int
        Largest sizes on disk: those of the arrays without compression.
    part_bytes : int
        The flux of one part in memory.
    worker_bytes : int
        Peak memory of a worker process.
    driver_bytes : int
        Peak memory of the driver. It holds the rows of training.
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


def estimate(
    groups: Sequence[GroupPlan],
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
        Values of float32 that a record has besides its flux.
    components : int
        Length of a score.
    train_rows : int
        Rows of features that training holds in memory.
    sampled_scores : int
        Scores that mean shift and the start of k-means hold in the driver.
    workers : int
        Number of workers. They share the scores of all records while k-means iterates.
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
    """Return how many bytes a run will still write at most, after some records are ingested and labelled.

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
    """Refuse a run that does not fit into memory or on the disk.

    Parameters
    ----------
    machine_bytes : int
        Memory of the machine on which the driver runs.
    needed_disk_bytes : int
        Bytes that the run will still write (`disk_bytes_left`).

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
