# SPDX-License-Identifier: BSD-3-Clause
"""How long a longer archive would take with other numbers of workers, from what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PASSES_OF_RUN = ("scan", "ingest", "pca", "score", "kmeans", "label", "summary")
"""Stages whose work grows with the archive and is shared by workers; the others work on samples of bounded size."""


@dataclass(frozen=True)
class Costs:
    """Measured costs of a run.

    Parameters
    ----------
    fixed_seconds : float
        Wall clock of what does not grow with the archive: start, training, mean shift, report.
    part_seconds : dict of str to float
        For each pass, worker seconds a task.
    tasks_per_part : dict of str to float
        For each pass, tasks for each part: 1, but for the scan, which has one a file.
    dispatch_seconds : float
        Time in which the driver hands out a part and takes its result, one after the other.
    rows_per_part : int
    """

    fixed_seconds: float
    part_seconds: dict[str, float]
    tasks_per_part: dict[str, float]
    dispatch_seconds: float
    rows_per_part: int

    @staticmethod
    def of_run(run: dict[str, Any], dispatch_seconds: float) -> Costs:
        """Take the costs from a measured run (see `harness.runs.measured_run`)."""
        stages = {name: run["stages"][name] for name in PASSES_OF_RUN if name in run["stages"]}
        tasks = dict.fromkeys(stages, run["parts"]) | ({"scan": run["days"]} if "scan" in stages else {})
        return Costs(
            run["seconds"] - sum(facts["seconds"] for facts in stages.values()),
            {name: facts["seconds"] * run["workers"] / tasks[name] for name, facts in stages.items()},
            {name: number / run["parts"] for name, number in tasks.items()},
            dispatch_seconds,
            run["rows_per_part"],
        )

    def seconds(self, records: int, workers: int) -> float:
        """Return fixed + sum over passes of tasks x max(cost of a task / workers, cost of dispatch).

        The driver hands out parts one after the other while workers work, so that the slower of the two decides. At
        least as many rounds are needed as there are tasks for each worker.
        """
        parts = -(-records // self.rows_per_part)
        total = self.fixed_seconds
        for name, cost in self.part_seconds.items():
            tasks = parts * self.tasks_per_part[name]
            rounds = max(tasks / workers, 1.0)
            total += max(rounds * cost, tasks * self.dispatch_seconds)
        return total
