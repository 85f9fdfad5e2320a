# SPDX-License-Identifier: BSD-3-Clause
"""Time the stages of a run, show their progress, and write time and memory into ``run.json``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from padflow import faults
from padflow.compute.workers import peak_memory_bytes
from padflow.pipeline.directory import RunDirectory, StageFacts
from padflow.progress.events import Progress


@dataclass
class StageCost:
    """What one stage has done so far, and the time and memory that it took."""

    began: float = field(default_factory=time.monotonic)
    records: int = 0
    peak_memory_bytes: int = 0
    summary: str = ""

    def count(self, records: int, peak: int = 0) -> None:
        """Add records that are done, and the peak memory of the worker."""
        self.records += records
        self.peak_memory_bytes = max(self.peak_memory_bytes, peak)

    def facts(self) -> StageFacts:
        """Return what ``run.json`` says about the stage."""
        peak = max(self.peak_memory_bytes, peak_memory_bytes())
        seconds = round(time.monotonic() - self.began, 3)
        return {"seconds": seconds, "records": self.records, "peak_memory_bytes": peak}


class StageTimes:
    """Times the stages of a command, one after the other.

    Parameters
    ----------
    directory : RunDirectory
    progress : Progress
        Shows the progress of the stage.

    Attributes
    ----------
    facts : dict of str to StageFacts
        Facts about the stages that did something, for ``run.json``.
    """

    def __init__(self, directory: RunDirectory, progress: Progress):
        self.directory, self.progress = directory, progress
        self.facts: dict[str, StageFacts] = {}

    @contextmanager
    def stage(
        self, name: str, *, total: int = 0, unit: str = "records", parts: int = 0, noted: bool = True
    ) -> Iterator[StageCost]:
        """Time a stage, show it, and put it into ``run.json`` where it did something.

        A stage that is not `noted` comes before anything is written. Its facts are written with the next stage.
        """
        self.progress.begin(name, total=total, unit=unit, parts=parts)
        cost = StageCost()
        faults.fault_point(name)
        yield cost
        if cost.records:
            self.facts[name] = cost.facts()
            if noted:
                known = self.directory.provenance().get("stages", {})
                self.directory.note({"stages": known | self.facts})
        self.progress.end(cost.summary or f"{cost.records:,} {unit}")
