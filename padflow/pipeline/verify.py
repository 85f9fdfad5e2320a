# SPDX-License-Identifier: BSD-3-Clause
"""Check that all of a run is whole: count its records, and compare its files with their receipts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from padflow.archive.plan import GroupPlan, PartSpan
from padflow.archive.scan import instrument_digest
from padflow.config.sections import Config
from padflow.errors import PadflowError
from padflow.instruments.instrument import load_instrument
from padflow.model.model import Model
from padflow.pipeline.directory import RunDirectory, groups_of
from padflow.pipeline.held import held_records
from padflow.pipeline.parts import PartTask
from padflow.pipeline.passes import labels_reason_agree
from padflow.pipeline.receipts import (
    PART_KINDS,
    Labelled,
    Receipt,
    Scored,
    broken_files,
    parts_set_aside,
    receipt_path,
    receipts,
)
from padflow.pipeline.status import refuse_first_scan
from padflow.pipeline.tasks import UNKNOWN, label_tasks, score_tasks
from padflow.records import Axes
from padflow.store.reading import DAMAGES, ArchiveReader, ResultsReader


@dataclass(frozen=True)
class Verdict:
    """What `verify` found.

    Parameters
    ----------
    records, labelled, parts : int
        Numbers that were counted in the stores.
    problems : list of str
        One sentence for each problem.
    broken : list of (stage, group, index)
        Parts with a problem.
    """

    records: int
    labelled: int
    parts: int
    problems: list[str]
    broken: list[tuple[str, str, int]]


def repair(run_dir: str | Path, broken: list[tuple[str, str, int]]) -> None:
    """Remove the receipts of broken parts, so that the next run does these parts again, and no others.

    The catalogue then says how many records the archive held, for these parts no longer do.
    """
    directory = RunDirectory.at(run_dir)
    catalog = replace(directory.catalog(), kept=held_records(directory, directory.config()))
    catalog.save(directory.catalog_file)
    for stage, group, index in broken:
        receipt_path(directory, stage, group, index).unlink(missing_ok=True)


def verify(run_dir: str | Path) -> Verdict:
    """Count the records of a run and compare them with its catalogue; compare all files with their checksums.

    Records are counted in the arrays, not in receipts. Each must be there once, in time order, with a class or reason.

    Examples
    --------
    >>> import padflow
    >>> archive = padflow.simulate("cdf", days=2, records_per_day=1000)
    >>> config = padflow.load_config("recommended.yaml", ["archive.source=cdf", "cluster.workers=1"])
    >>> outcome = padflow.run(config, "march", until="ingest")
    >>> verdict = padflow.verify("march")
    >>> verdict.records == archive.records
    True
    >>> verdict.problems
    []
    """
    directory = RunDirectory.at(run_dir)
    refuse_first_scan(directory)
    config = directory.config()
    catalog = directory.catalog()
    groups = groups_of(config, catalog)
    labelling = any(True for _ in receipts(directory, Labelled))
    check = _Check(directory, instrument_digest(load_instrument(config.archive.instrument)), labelling=labelling)
    for plan in groups:
        whole = check.parts(plan)
        if (reader := check.archive(plan, catalog.archive_axes())) is not None:
            check.records(plan, reader, whole)
    problems = [*check.problems, *(_model_problems(directory, config, groups) if labelling else [])]
    parts = sum(len(list(plan.parts())) for plan in groups)
    return Verdict(check.counted, check.labelled, parts, problems, check.broken)


class _Check:
    """Looks at one spacecraft after the other, and keeps what it finds and counts.

    Parameters
    ----------
    directory : RunDirectory
    instrument : str
        Digest of the instrument's definition.
    labelling : bool
        Whether the run has begun to label.

    Attributes
    ----------
    problems, broken
        As `Verdict` has them.
    counted, labelled : int
        Records, and records with a class.
    """

    def __init__(self, directory: RunDirectory, instrument: str, *, labelling: bool):
        self._directory, self._instrument, self._labelling = directory, instrument, labelling
        self.problems: list[str] = []
        self.broken: list[tuple[str, str, int]] = []
        self.counted = self.labelled = 0

    def parts(self, plan: GroupPlan) -> set[int]:
        """Check the files of all parts against their receipts; return the numbers of the parts that are whole."""
        keys = {span.index: span.key(self._instrument) for span in plan.parts()}
        whole = set(keys)
        for kind in PART_KINDS:
            stage = kind.stage
            found = {index: receipt for _, index, receipt in receipts(self._directory, kind, plan.group)}
            for index, key in keys.items():
                if index not in found and stage != "ingest" and not self._labelling:
                    continue  # it is not its turn yet
                made_from = key if stage == "ingest" else None
                problems = _part_problems(self._directory, made_from, found.get(index))
                if self._keep((stage,), plan.group, index, problems):
                    whole.discard(index)
        return whole

    def archive(self, plan: GroupPlan, axes: dict[str, list[float]]) -> ArchiveReader | None:
        """Check axes and rows of the archive; return its reader, or None where it cannot be read."""
        try:
            reader = ArchiveReader(self._directory.archive, plan.group)
            self.problems += _axes_problems(plan.group, reader.axes, axes)
            if reader.rows != plan.rows:
                self.problems.append(f"{plan.group}: the archive has {reader.rows} rows, the catalogue {plan.rows}")
        except (OSError, *DAMAGES):  # `parts` has named the parts that are not there; the next run makes the rest again
            self.problems.append(f"{plan.group}: the archive has no such group, or not all of its arrays are whole")
            return None
        return reader

    def records(self, plan: GroupPlan, reader: ArchiveReader, whole: set[int]) -> None:
        """Count the records of the parts that are whole, and check that times ascend and all are labelled."""
        last = np.datetime64("NaT", "ns")
        for span in plan.parts():
            if span.index not in whole:
                last = np.datetime64("NaT", "ns")
                continue
            time = reader.times(span.start, span.stop)
            steps = np.diff(np.concatenate([[last] if not np.isnat(last) else time[:0], time]))
            if np.isnat(time).any() or (steps <= np.timedelta64(0, "ns")).any():
                self._keep(("ingest",), plan.group, span.index, ["times do not ascend"])
            last = time[-1]
            self.counted += len(time)
            if self._labelling:
                problems, labelled = _label_problems(self._directory, span, time)
                self._keep(("label", "score"), plan.group, span.index, problems)
                self.labelled += labelled

    def _keep(self, stages: tuple[str, ...], group: str, index: int, problems: Iterable[str]) -> bool:
        """Keep problems of a part, which is to be done again by these stages; return whether there are any."""
        said = [f"{stages[0]}, {group} part {index}: {problem}" for problem in problems]
        self.problems += said
        self.broken += [(stage, group, index) for stage in stages if said]
        return bool(said)


def _axes_problems(group: str, found: Axes, expected: dict[str, list[float]]) -> Iterator[str]:
    for name, values in expected.items():
        if not np.array_equal(getattr(found, name), values):
            yield f"{group}: the archive's {name} axis is not that of the files"


def _model_problems(directory: RunDirectory, config: Config, groups: list[GroupPlan]) -> Iterator[str]:
    try:
        Model.load(directory.model)
    except PadflowError as error:
        yield str(error)
    components, classes = directory.fitted("pca"), directory.fitted("classes")
    scored = score_tasks(directory, groups, config, components=components.key if components else "")
    labelled = label_tasks(directory, groups, classes=classes.key if classes else "")
    aside = {(note.stage, note.part.name): note.message for note in parts_set_aside(directory)}
    kinds: tuple[tuple[type[Receipt], list[PartTask], str], ...] = (
        (Scored, scored, "with other components or from another archive"),
        (Labelled, labelled, "with another model or other scores"),
    )
    for kind, tasks, made in kinds:
        stage = kind.stage
        found = {(group, index): receipt.key for group, index, receipt in receipts(directory, kind)}
        for task in tasks:
            key = found.get((task.group, task.index))
            if (stage, task.name) in aside:
                yield f"{stage}, {task.group} part {task.index}: was set aside: {aside[stage, task.name]}"
            elif key is not None and task.key not in (UNKNOWN, key):  # what is missing has been named
                yield f"{stage}, {task.group} part {task.index}: was made {made}"


def _part_problems(directory: RunDirectory, key: str | None, receipt: Receipt | None) -> Iterator[str]:
    if receipt is None:
        yield "there is no receipt; it was not done, or not to the end"
        return
    if key is not None and receipt.key != key:
        yield "was made from other files than the catalogue names"
    yield from broken_files(directory, receipt)


def _label_problems(directory: RunDirectory, span: PartSpan, time: np.ndarray) -> tuple[list[str], int]:
    try:
        results = ResultsReader(directory.results, span.group)
        pad_class, reason, found = (
            results.read(name, span.start, span.stop) for name in ("pad_class", "reason", "time")
        )
    except (OSError, PadflowError, *DAMAGES):
        return ["its arrays are not whole"], 0
    problems = []
    if not np.array_equal(found, time.astype(np.int64)):
        problems.append("its times are not those of the archive")
    wrong = int((~labels_reason_agree(pad_class, reason)).sum())
    if wrong:
        problems.append(f"{wrong} records have neither a class nor a reason, or both")
    return problems, int((pad_class >= 0).sum())
