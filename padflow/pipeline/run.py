"""What the stages of a run share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from padflow import faults
from padflow.archive.catalog import Catalog, RecordsByDay
from padflow.archive.plan import GroupPlan
from padflow.compute.workers import Workers, peak_memory_bytes
from padflow.config.sections import Config
from padflow.instruments.instrument import Instrument
from padflow.pipeline.budget import Budget
from padflow.pipeline.receipts import PartTask, is_done, run_parts
from padflow.pipeline.trainer import Trainer
from padflow.progress.events import Progress
from padflow.progress.shown import shown
from padflow.store.durable import read_json, write_json
from padflow.store.states import begin_change, commit_change, state_of


@dataclass
class Stage:
    """Tally of one stage while it runs."""

    name: str
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
    directory : Path
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
    directory: Path
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
    timings: dict[str, dict[str, float]] = field(default_factory=dict)
    """Of the stages done, for ``run.json``."""

    @contextmanager
    def stage(
        self, name: str, *, total: int = 0, unit: str = "records", parts: int = 0, noted: bool = True
    ) -> Iterator[Stage]:
        """Time a stage, show it, and put it into ``run.json`` where it did something.

        One that is not `noted` comes before the first word is written; its facts wait in `timings`.
        """
        self.progress.begin(name, total=total, unit=unit, parts=parts)
        stage = Stage(name)
        faults.visit(name)
        yield stage
        if stage.records:
            peak = max(stage.peak_memory_bytes, peak_memory_bytes())
            seconds = round(time.monotonic() - stage.began, 3)
            self.timings[name] = {"seconds": seconds, "records": stage.records, "peak_memory_bytes": peak}
            if noted:
                known = (read_json(self.directory / "run.json") or {}).get("stages", {})
                self.note("stages", known | self.timings)
        self.progress.end(stage.summary or f"{stage.records:,} {unit}")

    def note(self, key: str, value: Any) -> None:
        """Put a value into ``run.json``."""
        path = self.directory / "run.json"
        values: dict[str, Any] = read_json(path) or {}
        write_json(path, values | {key: value})


def begin_parts(run: Run, store: str, stage: str, tasks: list[PartTask]) -> None:
    """Begin a change of a store where a stage has parts of it to do, or their number is another."""
    known, path = rows_of(run), run.directory / store
    parts = [(task.group, task.index) for task in tasks if not is_done(run.directory, stage, task)]
    state = state_of(path)
    if parts or state is None or {name: (state.rows or {}).get(name) for name in known} != known:
        begin_change(path, parts)


def commit_parts(run: Run, store: str) -> None:
    """Let readers see a store whose parts are all whole."""
    commit_change(run.directory / store, rows_of(run))


def rows_of(run: Run) -> dict[str, int]:
    """Return the records of each group."""
    return {group.group: group.rows for group in run.groups}


def run_pass(
    run: Run,
    name: str,
    tasks: list[PartTask],
    function: Callable[[PartTask], dict[str, Any]],
    *,
    stand_in: Callable[[PartTask], dict[str, Any]] | None = None,
) -> list[PartTask]:
    """Run a pass over all parts as a stage of its own; return the parts that workers died of."""
    died = []
    parts = run_parts(run.directory, name, tasks=tasks, function=function, workers=run.workers, stand_in=stand_in)
    with run.stage(name, total=sum(t.stop - t.start for t in tasks), parts=len(tasks)) as stage:
        for task, result, peak in parts:
            run.progress.advance(task.stop - task.start, reused=result is None)
            if result is not None:
                stage.count(task.stop - task.start, peak)
                died += [task] if "died" in result else []
        stage.summary = f"{stage.records:,} records" + ("" if stage.records else ", all were done")
        if died:
            stage.summary += f"; {len(died)} parts set aside"
    return died
