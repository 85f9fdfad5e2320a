# SPDX-License-Identifier: BSD-3-Clause
"""Run a command as its user would, and see how long it takes and how much memory its processes hold."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from padflow.store.durable import read_json

SAMPLE_SECONDS = 0.1
TRAINER = "padflow.pipeline.trainer"
"""Module that is the process that trains."""
SAMPLES_PER_SEARCH = 5
"""Looking for new processes costs more than reading what each holds."""
LEAST_CHANGE, MOST_SAMPLES_APART = 0.01, 50
"""Looking for the pages that processes share stops each of them for milliseconds: only where their resident sizes
together have changed by this share since the last look, or after so many samples."""


@dataclass
class Watched:
    """What a command and all processes below it took.

    Parameters
    ----------
    seconds : float
        Wall clock from start to end, imports and all.
    samples : list of (float, int, int, int)
        Time since the start (s) and memory (bytes) of all processes together, each page once (proportional set size),
        of the largest and of the first (resident size).
    largest, first, trainer, others : int
        Largest resident size of any one process, of the command's own process, of the one that trains, and of any other
        one below it.
    stage_ends : dict of str to float
        When each stage of ``run.json`` had ended (s since the start).
    """

    seconds: float = 0.0
    samples: list[tuple[float, int, int, int]] = field(default_factory=list)
    largest: int = 0
    first: int = 0
    trainer: int = 0
    others: int = 0
    stage_ends: dict[str, float] = field(default_factory=dict)

    @property
    def all_together(self) -> int:
        """Largest memory of all processes together at one time."""
        return max((sample[1] for sample in self.samples), default=0)

    def between(self, spans: list[tuple[float, float]], *, inside: bool = True) -> dict[str, int]:
        """Return the largest memory within spans of time, or outside all of them: of all processes, of the largest."""
        chosen = [s for s in self.samples if any(begin <= s[0] <= end for begin, end in spans) == inside]
        return {
            "all_bytes": max((s[1] for s in chosen), default=0),
            "largest_bytes": max((s[2] for s in chosen), default=0),
        }


def watch(command: list[str], *, log: Path, run_json: Path | None = None) -> Watched:
    """Run a command to its end, with its output in a log file, and watch its processes.

    Raises
    ------
    RuntimeError
        Where the command fails; with the end of its output.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    watched = Watched()
    with log.open("w") as output:
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            _sample_until_end(process, watched, began=began, run_json=run_json)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if process.returncode:
        end = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise RuntimeError(f"{' '.join(command[:6])} ... ended with status {process.returncode}:\n{end}")
    return watched


def _sample_until_end(process: subprocess.Popen, watched: Watched, *, began: float, run_json: Path | None) -> None:
    known = [psutil.Process(process.pid)]
    changed = together = seen = 0
    for number in range(1 << 62):
        searched = number % SAMPLES_PER_SEARCH == 0
        if searched:
            known = _tree(known)
            trainers = {one.pid for one in known if TRAINER in _command(one)}
        memory = [_resident(one) for one in known]
        if searched and (abs(sum(memory) - seen) > LEAST_CHANGE * seen or number % MOST_SAMPLES_APART == 0):
            seen, together = sum(memory), sum(_share(one) for one in known)
        now = time.monotonic() - began
        watched.samples.append((now, together, max(memory), memory[0]))
        watched.largest = max(watched.largest, *memory)
        watched.first = max(watched.first, memory[0])
        for one, resident in zip(known[1:], memory[1:], strict=True):
            if one.pid in trainers:
                watched.trainer = max(watched.trainer, resident)
            else:
                watched.others = max(watched.others, resident)
        changed = _note_stages(watched, run_json, changed, now)
        try:
            process.wait(SAMPLE_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        watched.seconds = time.monotonic() - began
        _note_stages(watched, run_json, changed, watched.seconds)
        return


def _tree(known: list[psutil.Process]) -> list[psutil.Process]:
    try:
        return [known[0], *known[0].children(recursive=True)]
    except psutil.Error:
        return known


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.Error:
        return 0


def _share(process: psutil.Process) -> int:
    """Return the memory of a process, of pages that several have its share."""
    try:
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    except (OSError, StopIteration):  # it has just ended, or this is no Linux
        return _resident(process)


def _note_stages(watched: Watched, run_json: Path | None, changed: int, now: float) -> int:
    try:
        last = 0 if run_json is None else run_json.stat().st_mtime_ns
    except FileNotFoundError:
        return changed
    if last != changed:
        content: dict[str, Any] = read_json(run_json) or {}
        for name in content.get("stages", {}):
            watched.stage_ends.setdefault(name, now)
    return last
