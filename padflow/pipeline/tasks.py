"""One task for each part of each pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from padflow.archive.plan import GroupPlan
from padflow.config.sections import Config
from padflow.pipeline.directory import RunDirectory
from padflow.pipeline.parts import PartTask
from padflow.pipeline.receipts import Ingested, Part, Scored, digest, receipts

UNKNOWN = ""
"""Key of a part while what it reads is not there."""


def parts_of(groups: Iterable[GroupPlan]) -> list[Part]:
    """Return the parts of all groups, in order."""
    return [
        Part(plan.group, index, start, min(plan.rows, start + plan.rows_per_part))
        for plan in groups
        for index, start in enumerate(range(0, plan.rows, plan.rows_per_part))
    ]


def part_tasks(directory: RunDirectory, groups: Iterable[GroupPlan], *context: str, halo: bool) -> list[PartTask]:
    """Return the parts of all groups with keys made of `context` and the bytes of the archive parts that they read.

    With `halo`, a part depends on its neighbours too: averages reach across its borders. Bytes and not the files
    they came from: where a file was only touched, or gave the same values again, all that is made from it stands.
    """
    contents = {(group, index): receipt.content for group, index, receipt in receipts(directory, Ingested)}
    parts = parts_of(groups)
    counts = Counter(part.group for part in parts)
    tasks = []
    for part in parts:
        near = range(max(0, part.index - 1), min(counts[part.group], part.index + 2)) if halo else [part.index]
        read = [contents.get((part.group, index)) for index in near]
        key = digest(list(context), part.start, part.stop, read) if None not in read else UNKNOWN
        tasks.append(PartTask(**vars(part), key=key))
    return tasks


def score_tasks(
    directory: RunDirectory, groups: Iterable[GroupPlan], config: Config, *, components: str
) -> list[PartTask]:
    """Return the parts with keys made of the components' key, the preprocessing and the archive.

    The rows that are fitted to decide a count in the receipt: hence the section ``pca``.
    """
    halo = bool(config.preprocess.average_seconds)
    return part_tasks(directory, groups, "score", components, config.digest("preprocess", "pca"), halo=halo)


def label_tasks(directory: RunDirectory, groups: Iterable[GroupPlan], *, classes: str) -> list[PartTask]:
    """Return the parts with keys made of the classes' key and the bytes of the scores."""
    contents = {(group, index): receipt.content for group, index, receipt in receipts(directory, Scored)}
    tasks = []
    for part in parts_of(groups):
        read = contents.get((part.group, part.index))
        key = digest("label", classes, part.start, part.stop, read) if read else UNKNOWN
        tasks.append(PartTask(**vars(part), key=key))
    return tasks
