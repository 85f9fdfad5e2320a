"""What the stages of a run share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from padflow import faults
from padflow.archive.catalog import Catalog, RecordsByDay
from padflow.archive.plan import GroupPlan
from padflow.compute.workers import Workers, peak_memory_bytes
from padflow.config.sections import Config
from padflow.instruments.instrument import Instrument
from padflow.pipeline.budget import Budget
from padflow.pipeline.directory import RunDirectory, StageFacts
from padflow.pipeline.parts import PartTask, run_parts
from padflow.pipeline.receipts import Receipt, is_done
from padflow.pipeline.trainer import Trainer
from padflow.progress.events import Progress
from padflow.progress.shown import shown
from padflow.store.states import begin_change, commit_change, state_of

R = TypeVar("R", bound=Receipt)


@dataclass
class Tally:
    """What one stage has done so far."""

    began: float = field(default_factory=time.monotonic)
    records: int = 0
    peak_memory_bytes: int = 0
    summary: str = ""

    def count(self, records: int, peak: int = 0) -> None:
        """Add records done, and note a worker's peak memory."""
        self.records += records
        self.peak_memory_bytes = max(self.peak_memory_bytes, peak)


@dataclass
class Run:
    """A run directory with its configuration, and what earlier stages found.

    Parameters
    ----------
    config : Config
    directory : RunDirectory
    instrument : Instrument
    progress : Progress
    restart_from : str, optional
        Stage from which all is done anew.
    command : str
        For ``run.json``.
    workers : Workers
        Set while a cluster is up.
    trainer : Trainer
        Set while a cluster is up, where there is something to train.
    """

    config: Config
    directory: RunDirectory
    instrument: Instrument
    progress: Progress = field(default_factory=shown)
    restart_from: str | None = None
    command: str = ""
    workers: Workers | None = None
    trainer: Trainer | None = None
    catalog: Catalog | None = None
    groups: list[GroupPlan] = field(default_factory=list)
    budget: Budget | None = None
    ingest_keys: dict[tuple[str, int], str] = field(default_factory=dict)
    """Of the parts of the archive, by group and number: what they are to be made from."""
    allow_removal: int = 0
    """Records that may be taken out of the archive."""
    held: RecordsByDay = field(default_factory=dict)
    """What the archive held when the run began."""
    begun: bool = False
    """Whether the run directory is one of this configuration and these files now."""
    timings: dict[str, StageFacts] = field(default_factory=dict)
    """Of the stages done, for ``run.json``."""

    @contextmanager
    def stage(
        self, name: str, *, total: int = 0, unit: str = "records", parts: int = 0, noted: bool = True
    ) -> Iterator[Tally]:
        """Time a stage, show it, and put it into ``run.json`` where it did something.

        One that is not `noted` comes before the first word is written; its facts wait in `timings`.
        """
        self.progress.begin(name, total=total, unit=unit, parts=parts)
        stage = Tally()
        faults.fault_point(name)
        yield stage
        if stage.records:
            peak = max(stage.peak_memory_bytes, peak_memory_bytes())
            seconds = round(time.monotonic() - stage.began, 3)
            self.timings[name] = {"seconds": seconds, "records": stage.records, "peak_memory_bytes": peak}
            if noted:
                known = self.directory.provenance().get("stages", {})
                self.directory.note({"stages": known | self.timings})
        self.progress.end(stage.summary or f"{stage.records:,} {unit}")


def begin_parts(run: Run, store: Path, kind: type[Receipt], tasks: Sequence[PartTask]) -> None:
    """Begin a change of a store where a stage has parts of it to do, or their number is another."""
    known = rows_of(run)
    parts = [(task.group, task.index) for task in tasks if not is_done(run.directory, kind, task, task.key)]
    state = state_of(store)
    if parts or state is None or {name: (state.rows or {}).get(name) for name in known} != known:
        begin_change(store, parts)


def commit_parts(run: Run, store: Path) -> None:
    """Let readers see a store whose parts are all whole."""
    commit_change(store, rows_of(run))


def rows_of(run: Run) -> dict[str, int]:
    """Return the records of each group."""
    return {group.group: group.rows for group in run.groups}


def run_pass(
    run: Run,
    kind: type[R],
    tasks: list[PartTask],
    function: Callable[[PartTask], R],
    *,
    placeholder: Callable[[PartTask], R] | None = None,
) -> list[PartTask]:
    """Run a pass over all parts as a stage of its own; return the parts that workers died of."""
    died = []
    parts = run_parts(run.directory, kind, tasks=tasks, function=function, workers=run.workers, placeholder=placeholder)
    with run.stage(kind.stage, total=sum(task.rows for task in tasks), parts=len(tasks)) as stage:
        for part in parts:
            run.progress.advance(part.task.rows, reused=part.reused)
            if not part.reused:
                stage.count(part.task.rows, part.peak_memory_bytes)
            if part.death is not None:
                died.append(part.task)
        stage.summary = f"{stage.records:,} records" + ("" if stage.records else ", all were done")
        if died:
            stage.summary += f"; {len(died)} parts set aside"
    return died
