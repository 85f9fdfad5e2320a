# SPDX-License-Identifier: BSD-3-Clause
"""What a run needs of memory and disk, and what is refused before it begins."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from padflow.archive.catalog import Catalog, FileEntry
from padflow.archive.plan import GroupPlan, plan_groups
from padflow.errors import PadflowError
from padflow.pipeline.budget import REPORT_BYTES, Budget, check_budget, disk_bytes_left, estimate


def planned(rows: list[int], rows_per_part: int) -> GroupPlan:
    """Plan a spacecraft of one file a day."""
    entries = []
    for number, count in enumerate(rows):
        day = (date(2013, 3, 1) + timedelta(days=number)).isoformat()
        file = {"path": f"rbspa/{day}.cdf", "spacecraft": "rbspa", "day": day, "version": "1"}
        entries.append(FileEntry(**file, size_bytes=100 * count, mtime_ns=7, records=count, rows=count, axes="a"))
    catalog = Catalog("/data", "rept", tuple(entries), {"a": {"pitch_angle": [90.0], "energy": [2.0]}})
    (plan,) = plan_groups(catalog, rows_per_part=rows_per_part)
    return plan


def budget_for(rows: list[int], rows_per_part: int, *, workers: int = 2) -> Budget:
    groups = [planned(rows, rows_per_part)]
    sizes = {"bins": 204, "ephemeris_values": 9, "components": 3, "train_rows": 1000, "sampled_scores": 500}
    return estimate(groups, **sizes, workers=workers)


def test_budget_counts_what_the_plan_holds() -> None:
    budget = budget_for([100, 150, 50], 64)
    assert (budget.records, budget.files, budget.parts) == (300, 3, 5)
    assert budget.archive_bytes == 300 * (204 * 4 + 9 * 4 + 8)
    assert budget.part_bytes == 64 * 204 * 4
    # Memory of a worker knows the size of a part, not the length of the archive, until its scores are more.
    longer = budget_for([100, 150, 50] * 10, 64)
    assert longer.worker_bytes == budget.worker_bytes
    assert longer.driver_bytes == budget.driver_bytes
    assert budget_for([100, 150, 50], 128).worker_bytes > budget.worker_bytes
    mission = [budget_for([10**7], 64, workers=workers).worker_bytes for workers in (1, 2, 4)]
    assert mission[0] > mission[1] > mission[2] > 10**7 * 3 * 8 / 4


def test_budget_that_does_not_fit_is_refused_with_what_to_change() -> None:
    budget = budget_for([100], 64)

    def check(**more) -> None:
        enough = {"memory_limit": 2 * budget.worker_bytes, "machine_bytes": 1 << 40}
        disk = {"free_disk_bytes": 1 << 30, "needed_disk_bytes": 0, "workdir": Path("/somewhere")}
        check_budget(more.pop("budget", budget), **(enough | disk | more))

    check()
    with pytest.raises(PadflowError, match=r"(?s)cluster\.memory_limit.*archive\.rows_per_part"):
        check(memory_limit=budget.worker_bytes)
    check(free_disk_bytes=5000, needed_disk_bytes=5000)
    with pytest.raises(PadflowError, match=r"needs about 4\.88 kiB more .* /somewhere has 4\.88 kiB free"):
        check(free_disk_bytes=4999, needed_disk_bytes=5000)
    with pytest.raises(PadflowError, match=r"(?s)driver would need.*train\.max_rows"):
        check(machine_bytes=budget.driver_bytes - 1)
    with pytest.raises(PadflowError, match="No file holds a record"):
        check(budget=replace(budget, records=0))


def test_what_is_done_is_not_needed_again():
    budget = estimate(
        [planned([1000], 1024)],
        bins=204,
        ephemeris_values=9,
        components=3,
        train_rows=10,
        sampled_scores=10,
        workers=2,
    )

    def left(ingested: int, labelled: int) -> int:
        return disk_bytes_left(budget, compression=2.0, ingested=ingested, labelled=labelled) - REPORT_BYTES

    assert left(0, 0) == budget.archive_bytes / 2 + budget.results_bytes
    assert left(500, 0) == budget.archive_bytes / 4 + budget.results_bytes
    assert left(1000, 250) == 0.75 * budget.results_bytes
    assert left(2000, 1000) == 0  # a longer archive before
