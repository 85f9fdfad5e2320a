"""One task for each part of each pass."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from padflow.archive.plan import GroupPlan
from padflow.config.sections import Config
from padflow.pipeline.receipts import PartTask, content_of, digest, receipts

UNKNOWN = ""
"""Key of a part while what it reads is not there."""


def part_tasks(directory: Path, groups: list[GroupPlan], *context: str, halo: bool) -> list[PartTask]:
    """Return the parts of all groups with keys made of `context` and the bytes of the archive parts that they read.

    With `halo`, a part depends on its neighbours too: averages reach across its borders. Bytes and not the files
    they came from: where a file was only touched, or gave the same values again, all that is made from it stands.
    """
    contents = {(group, index): content_of(receipt) for group, index, receipt in receipts(directory, "ingest")}
    tasks = []
    for plan in groups:
        count = -(-plan.rows // plan.rows_per_part)
        for index in range(count):
            near = range(max(0, index - 1), min(count, index + 2)) if halo else [index]
            read = [contents.get((plan.group, i)) for i in near]
            start = index * plan.rows_per_part
            stop = min(plan.rows, start + plan.rows_per_part)
            key = digest(list(context), start, stop, read) if None not in read else UNKNOWN
            tasks.append(PartTask(plan.group, index, start, stop, key))
    return tasks


def score_tasks(directory: Path, groups: list[GroupPlan], config: Config, *, components: str) -> list[PartTask]:
    """Return the parts with keys made of the components' key, the preprocessing and the archive.

    The rows that are fitted to decide a count in the receipt: hence the section ``pca``.
    """
    halo = bool(config.preprocess.average_seconds)
    return part_tasks(directory, groups, "score", components, config.digest("preprocess", "pca"), halo=halo)


def label_tasks(directory: Path, scored: list[PartTask], *, classes: str) -> list[PartTask]:
    """Return the parts with keys made of the classes' key and the bytes of the scores."""
    contents = {(group, index): content_of(receipt) for group, index, receipt in receipts(directory, "score")}
    tasks = []
    for task in scored:
        read = contents.get((task.group, task.index))
        key = digest("label", classes, task.start, task.stop, read) if read else UNKNOWN
        tasks.append(replace(task, key=key))
    return tasks
