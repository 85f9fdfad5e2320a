# SPDX-License-Identifier: BSD-3-Clause
"""A run at work, and what all its stages use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from padflow.archive.catalog import Catalog
from padflow.archive.plan import GroupPlan
from padflow.compute.workers import Workers
from padflow.config.sections import Config
from padflow.instruments.instrument import Instrument
from padflow.pipeline.directory import RunDirectory
from padflow.pipeline.parts import PartTask, run_parts
from padflow.pipeline.plan import Plan
from padflow.pipeline.receipts import Receipt, is_done
from padflow.pipeline.timing import StageCost, StageTimes
from padflow.pipeline.trainer import Trainer
from padflow.progress.events import Progress
from padflow.store.states import begin_change, commit_change, state_of

R = TypeVar("R", bound=Receipt)


@dataclass
class Run:
    """A run at work. Each stage gets it.

    Parameters
    ----------
    plan : Plan
        What is to be done. Where a file is found bad while it is read, a new plan takes its place.
    workers : Workers
    trainer : Trainer, optional
        Given where the autoencoder has to be trained.
    times : StageTimes
    """

    plan: Plan
    workers: Workers
    trainer: Trainer | None
    times: StageTimes

    @property
    def config(self) -> Config:
        """The configuration."""
        return self.plan.config

    @property
    def directory(self) -> RunDirectory:
        """The run directory."""
        return self.plan.directory

    @property
    def instrument(self) -> Instrument:
        """The instrument."""
        return self.plan.instrument

    @property
    def catalog(self) -> Catalog:
        """The catalogue of the CDF files."""
        return self.plan.catalog

    @property
    def groups(self) -> tuple[GroupPlan, ...]:
        """Days and parts of each spacecraft."""
        return self.plan.groups

    @property
    def progress(self) -> Progress:
        """Shows the progress of the stage."""
        return self.times.progress

    def stage(
        self, name: str, *, total: int = 0, unit: str = "records", parts: int = 0
    ) -> AbstractContextManager[StageCost]:
        """Time a stage, show it, and put it into ``run.json`` where it did something."""
        return self.times.stage(name, total=total, unit=unit, parts=parts)


def begin_parts(run: Run, store: Path, kind: type[Receipt], tasks: Sequence[PartTask]) -> None:
    """Begin a change of a store, where a stage has parts to do or their number has changed."""
    known = run.plan.rows
    parts = [(task.group, task.index) for task in tasks if not is_done(run.directory, kind, task, task.key)]
    state = state_of(store)
    if parts or state is None or {name: (state.rows or {}).get(name) for name in known} != known:
        begin_change(store, parts)


def commit_parts(run: Run, store: Path) -> None:
    """Let readers see a store when all its parts are whole."""
    commit_change(store, run.plan.rows)


def run_pass(
    run: Run,
    kind: type[R],
    tasks: list[PartTask],
    function: Callable[[PartTask], R],
    *,
    placeholder: Callable[[PartTask], R] | None = None,
) -> list[PartTask]:
    """Run a pass over all parts as a stage; return the parts on which workers died."""
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
