# SPDX-License-Identifier: BSD-3-Clause
"""What is measured for each table; every figure goes to the results as soon as it is known."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from harness.archives import archive_of
from harness.passes import FLOORS, PASSES, FinishedRun, warm_workers
from harness.reference import measure_reference, paper_plan
from harness.results import Results
from harness.runs import RECOMMENDED, RunPlan, finished_run, measured_run
from harness.startup import STARTS, started

TRAINING = Path(__file__).resolve().parents[1] / "bench_training.py"


class Measuring:
    """Measures tables.

    Parameters
    ----------
    results : Results
    data, work : Path
        Folders of simulated archives, and of run directories.
    workers : int
        Of all runs and passes but those that compare numbers of workers.
    settings : tuple of str
        Further settings of every run.
    """

    def __init__(self, results: Results, *, data: Path, work: Path, workers: int, settings: tuple[str, ...] = ()):
        self.results, self.data, self.work = results, data, work
        self.workers = workers
        self.settings = (f"cluster.workers={workers}", *settings)

    def plan(self, days: int) -> RunPlan:
        """Return the run of the recommended configuration over some days."""
        return RunPlan(RECOMMENDED, archive_of(self.data, days), self.settings)

    def reference(self, days: list[int], *, repeats: int, epochs: int) -> None:
        """Measure paper mode and the plain restatement, in turns."""
        for repeat in range(repeats):
            for number in days:
                archive = archive_of(self.data, number)
                plan = paper_plan(archive, self.settings, epochs=epochs)
                measure_reference(self.results, archive, epochs=epochs, repeat=repeat, work=self.work, plan=plan)

    def training(self, *, repeats: int, rows: int) -> None:
        """Measure training, Keras ``fit`` and matrix products alone, which take turns in a program of their own."""

        def measured() -> dict[str, Any]:
            with TemporaryDirectory() as folder:
                path = Path(folder) / "training.json"
                options = ["--rows", str(rows), "--repeats", str(repeats), "--json", str(path)]
                subprocess.run([sys.executable, str(TRAINING), *options], check=True, stdout=subprocess.DEVNULL)
                return json.loads(path.read_text())

        self.results.measure({"table": "training", "rows": rows, "repeats": repeats}, measured)

    def floors(self, days: int, *, repeats: int) -> None:
        """Measure floors in one process and on the workers, in turns."""
        plan = self.plan(days)
        names = ("read", "decode", "decode by cdflib", "encode")
        self._in_turns("floors", plan, names=names, numbers=[0, self.workers], repeats=repeats)

    def stages(self, days: int, *, repeats: int) -> None:
        """Measure whole runs, then passes and floors in turns on the workers."""
        plan = self.plan(days)
        self._runs("stages", [plan], repeats=repeats)
        self._in_turns("stages", plan, names=(*FLOORS, *PASSES), numbers=[self.workers], repeats=repeats)

    def scale_workers(self, days: int, *, repeats: int) -> None:
        """Measure passes and encoding alone with one worker and with two, in turns."""
        self._in_turns("workers", self.plan(days), names=(*PASSES, "encode"), numbers=[1, 2], repeats=repeats)

    def scale_records(self, days: list[int], *, repeats: int) -> None:
        """Measure whole runs over archives of growing length, in turns."""
        self._runs("records", [self.plan(number) for number in days], repeats=repeats, keep=False)

    def dispatch(self, days: int, *, repeats: int, parts: int) -> None:
        """Measure tiny parts on four workers, and real parts in one process."""
        from harness.dispatch import tiny_parts, with_receipts

        for repeat in range(repeats):
            labels = {"table": "dispatch", "parts": parts, "repeat": repeat}
            self.results.measure(labels | {"what": "each"}, partial(tiny_parts, parts))
            self.results.measure(labels | {"what": "receipts"}, partial(with_receipts, parts, work=self.work))
        self._in_turns("dispatch", self.plan(days), names=("score", "label"), numbers=[0], repeats=repeats)

    def startup(self, *, repeats: int) -> None:
        """Measure the starts of commands, in turns, once they have all been started."""
        for name in STARTS:
            started(name)
        for repeat in range(repeats):
            for name in STARTS:
                self.results.measure({"table": "startup", "what": name, "repeat": repeat}, partial(started, name))

    def _runs(self, table: str, plans: list[RunPlan], *, repeats: int, keep: bool = True) -> None:
        for repeat in range(repeats):
            for plan in plans:
                labels = plan.labels | {"table": table, "what": "run", "repeat": repeat}
                directory = plan.directory(self.work)
                self.results.measure(labels, partial(measured_run, plan, directory))
                if not keep:
                    shutil.rmtree(directory, ignore_errors=True)

    def _in_turns(self, table: str, plan: RunPlan, *, names: tuple[str, ...], numbers: list[int], repeats: int) -> None:
        turns = [
            (name, number, plan.labels | {"table": table, "what": name, "workers": number, "repeat": repeat})
            for repeat in range(repeats)
            for name in names
            for number in numbers
        ]
        if all(self.results.find(labels) for *_, labels in turns):
            return
        run = FinishedRun(finished_run(plan, self.work))
        with warm_workers(run, numbers, names) as classes:
            for name, number, labels in turns:
                self.results.measure(labels, partial(run.timed, name, classes[number]))
