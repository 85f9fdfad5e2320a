"""What the stages of a run share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from padflow.archive.catalog import Catalog
from padflow.archive.plan import GroupPlan
from padflow.clients import Workers, peak_memory_bytes
from padflow.config import Config
from padflow.durable import read_json, write_json
from padflow.instruments import Instrument
from padflow.run.ledger import PartTask, digest, run_parts
from padflow.run.progress import Progress


@dataclass
class Stage:
    """Tally of one stage while it runs."""

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
    """

    config: Config
    directory: Path
    instrument: Instrument
    progress: Progress = field(default_factory=Progress)
    restart_from: str | None = None
    command: str = ""
    workers: Workers | None = None
    catalog: Catalog | None = None
    groups: list[GroupPlan] = field(default_factory=list)
    ingest_keys: dict[tuple[str, int], str] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, *, total: int = 0, unit: str = "records", parts: int = 0) -> Iterator[Stage]:
        """Time a stage, show it, and put it into ``run.json`` where it did something."""
        self.progress.begin(name, total=total, unit=unit, parts=parts)
        began = time.monotonic()
        stage = Stage()
        yield stage
        if stage.records:
            peak = max(stage.peak_memory_bytes, peak_memory_bytes())
            seconds = round(time.monotonic() - began, 3)
            known = (read_json(self.directory / "run.json") or {}).get("stages", {})
            facts = {"seconds": seconds, "records": stage.records, "peak_memory_bytes": peak}
            self.note("stages", known | {name: facts})
        self.progress.end(stage.summary or f"{stage.records:,} {unit}")

    def note(self, key: str, value: Any) -> None:
        """Put a value into ``run.json``."""
        path = self.directory / "run.json"
        values: dict[str, Any] = read_json(path) or {}
        write_json(path, values | {key: value})

    def part_tasks(self, *context: str, halo: bool) -> list[PartTask]:
        """Return the parts of all groups with keys made of `context` and the archive parts that they read.

        With `halo`, a part depends on its neighbours too: averages reach across its borders.
        """
        tasks = []
        for plan in self.groups:
            count = -(-plan.rows // plan.rows_per_part)
            for index in range(count):
                near = range(max(0, index - 1), min(count, index + 2)) if halo else [index]
                keys = [self.ingest_keys[plan.group, i] for i in near]
                start = index * plan.rows_per_part
                stop = min(plan.rows, start + plan.rows_per_part)
                tasks.append(PartTask(plan.group, index, start, stop, digest(list(context), keys)))
        return tasks


def run_pass(run: Run, name: str, tasks: list[PartTask], function: Callable[[PartTask], dict[str, Any]]) -> None:
    """Run a pass over all parts as a stage of its own."""
    with run.stage(name, total=sum(t.stop - t.start for t in tasks), parts=len(tasks)) as stage:
        for task, result, peak in run_parts(run.directory, name, tasks=tasks, function=function, workers=run.workers):
            run.progress.advance(task.stop - task.start, stood=result is None)
            if result is not None:
                stage.count(task.stop - task.start, peak)
        stage.summary = f"{stage.records:,} records" + ("" if stage.records else ", all were done")
