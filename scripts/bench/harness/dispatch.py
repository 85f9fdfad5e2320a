# SPDX-License-Identifier: BSD-3-Clause
"""What it costs to hand out a part, whatever it holds: tiny parts through the part driver."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import psutil

from padflow.compute.cluster import connect
from padflow.compute.workers import DaskWorkers
from padflow.config.cluster import ClusterConfig
from padflow.pipeline.directory import RunDirectory
from padflow.pipeline.parts import PartTask, run_parts
from padflow.pipeline.receipts import Receipt

WORKERS = 4
WARM_PARTS = 500


class Nothing(Receipt):
    """That nothing was done with a part."""

    stage = "dispatch"


def nothing(task: PartTask) -> Nothing:
    """Do nothing with a part, and say so as the passes do."""
    return Nothing(task.key, task.start, task.stop, {})


def _tasks(parts: int) -> list[PartTask]:
    return [PartTask("rbspa", index, index, index + 1, f"{index:032x}") for index in range(parts)]


def _cluster() -> Any:
    return connect(ClusterConfig(workers=WORKERS, memory_limit="512MiB"))


def tiny_parts(parts: int) -> dict[str, Any]:
    """Send parts that do nothing through `DaskWorkers.each`; return seconds and growth of this process's memory."""
    with _cluster() as workers:
        return _timed(lambda some: workers.each(nothing, some), parts)


def with_receipts(parts: int, *, work: Path) -> dict[str, Any]:
    """Send parts that do nothing but leave a receipt, durably, as those of every pass do."""
    folder = work.absolute() / "dispatch"

    def each(some: list[PartTask], workers: DaskWorkers) -> Any:
        return run_parts(RunDirectory(folder), Nothing, tasks=some, function=nothing, workers=workers)

    try:
        with _cluster() as workers:
            return _timed(lambda some: each(some, workers), parts)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _timed(each: Any, parts: int) -> dict[str, Any]:
    for _ in each(_tasks(min(parts, WARM_PARTS))):
        pass
    process = psutil.Process()
    tasks = _tasks(parts)
    before = highest = process.memory_info().rss
    done = 0
    began = time.perf_counter()
    for done, _ in enumerate(each(tasks), start=1):
        if done % 100 == 0:
            highest = max(highest, process.memory_info().rss)
    seconds = time.perf_counter() - began
    after = process.memory_info().rss
    return {
        "seconds": seconds,
        "parts": done,
        "workers": WORKERS,
        "driver_before_bytes": before,
        "driver_growth_bytes": max(highest, after) - before,
    }
