# SPDX-License-Identifier: BSD-3-Clause
"""The tasks of each pass: one for each part, with a key that says what the part is made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from padflow.archive.plan import GroupPlan
from padflow.config.sections import Config
from padflow.pipeline.directory import RunDirectory
from padflow.pipeline.parts import PartTask
from padflow.pipeline.receipts import Ingested, Part, Scored, digest, receipts

UNKNOWN = ""
"""Key of a part whose input is not there yet."""


def parts_of(groups: Iterable[GroupPlan]) -> list[Part]:
    """Return the parts of all groups, in order."""
    return [
        Part(plan.group, index, start, min(plan.rows, start + plan.rows_per_part))
        for plan in groups
        for index, start in enumerate(range(0, plan.rows, plan.rows_per_part))
    ]


def part_tasks(directory: RunDirectory, groups: Iterable[GroupPlan], *context: str, halo: bool) -> list[PartTask]:
    """Return the parts of all groups, each with a key.

    The key is made of `context` and of the bytes of the archive parts that are read. With `halo`, a part also reads its
    neighbours, for averages reach across its borders. The key does not depend on the CDF files: where a file has a new
    date but gives the same values, nothing is made again.
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
    """Return the parts, with keys made of the components' key, the preprocessing and the archive.

    The section ``pca`` is in the key, too. It says which rows are fitted to, and the receipt counts them.
    """
    halo = bool(config.preprocess.average_seconds)
    return part_tasks(directory, groups, "score", components, config.digest("preprocess", "pca"), halo=halo)


def label_tasks(directory: RunDirectory, groups: Iterable[GroupPlan], *, classes: str) -> list[PartTask]:
    """Return the parts, with keys made of the classes' key and the bytes of the scores."""
    contents = {(group, index): receipt.content for group, index, receipt in receipts(directory, Scored)}
    tasks = []
    for part in parts_of(groups):
        read = contents.get((part.group, part.index))
        key = digest("label", classes, part.start, part.stop, read) if read else UNKNOWN
        tasks.append(PartTask(**vars(part), key=key))
    return tasks
