"""Say how far a run is: one line a stage, renewed in place in a terminal and now and then in a log file.

The same goes into a file of the run directory, for `padflow status` from another shell.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any, TextIO

from padflow.errors import printable_line
from padflow.store.durable import write_json

LOG_SECONDS = 15


TERMINAL_SECONDS = 0.2


FILE_SECONDS = 2


FILE = "progress.json"


class Progress:
    """Progress of one stage after the other.

    Parameters
    ----------
    directory : Path, optional
        Run directory that gets ``progress.json``.
    stream : text stream, optional
        Standard error by default.
    """

    def __init__(self, directory: Path | None = None, stream: TextIO | None = None):
        self._path = None if directory is None else directory / FILE
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._stage, self._unit, self._total, self._done = "", "", 0, 0
        self._parts, self._parts_done = 0, 0
        self._began = self._last = self._written = 0.0
        self._stood = 0
        self._width = 0

    def begin(self, stage: str, *, total: int = 0, unit: str = "records", parts: int = 0) -> None:
        """Begin a stage that will deal with `total` units, in so many parts."""
        self._stage, self._total, self._unit, self._done = stage, total, unit, 0
        self._parts, self._parts_done, self._stood = parts, 0, 0
        self._began = self._last = time.monotonic()
        size = f"{total:,} {unit}" + (f" in {parts:,} parts" if parts else "")
        self._show(f"{stage}: {size if total else 'begins'}", last=not self._terminal)
        self._write()

    def advance(self, amount: int, *, text: str | None = None, stood: bool = False) -> None:
        """Say that a part, or `amount` more, is done; or that it `stood` from an earlier run, which took no time."""
        self._done += amount
        self._parts_done += 1
        if stood:
            self._stood += amount
        now = time.monotonic()
        if now - self._written >= FILE_SECONDS:
            self._write()
        if now - self._last < (TERMINAL_SECONDS if self._terminal else LOG_SECONDS):
            return
        self._last = now
        self._show(f"{self._stage}: {text or describe(self.facts())}")

    def say(self, text: str) -> None:
        """Say something that belongs to no stage."""
        self._show(text, last=True)

    def end(self, summary: str) -> None:
        """End the stage with what came out of it."""
        seconds = time.monotonic() - self._began
        self._show(f"{self._stage}: {summary} ({seconds:.1f} s)", last=True)
        self._write()

    def remove(self) -> None:
        """Remove the file: it is of a run at work."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def facts(self) -> dict[str, Any]:
        """Return the stage, what is done of it, the rate in units per second, and the seconds left, if known."""
        rate = (self._done - self._stood) / max(time.monotonic() - self._began, 1e-9)
        left = (self._total - self._done) / rate if rate and self._total else None
        facts = {"stage": self._stage, "done": self._done, "total": self._total, "unit": self._unit}
        if self._parts:
            facts |= {"parts_done": self._parts_done, "parts": self._parts}
        return facts | {"per_second": round(rate, 1), "seconds_left": None if left is None else round(left, 1)}

    def _write(self) -> None:
        if self._path is not None:
            self._written = time.monotonic()
            write_json(self._path, self.facts())

    def _show(self, text: str, *, last: bool = False) -> None:
        text = printable_line(text)
        if not self._terminal:
            print(text, file=self._stream, flush=True)
            return
        padding = " " * max(0, self._width - len(text))
        self._width = 0 if last else len(text)
        print(f"\r{text}{padding}", end="\n" if last else "", file=self._stream, flush=True)


def describe(facts: dict[str, Any]) -> str:
    """Put what `Progress.facts` returns into words."""
    words = [f"{facts['parts_done']:,} of {facts['parts']:,} parts"] if facts.get("parts") else []
    of = f" of {facts['total']:,}" if facts["total"] else ""
    words.append(f"{facts['done']:,}{of} {facts['unit']}")
    if facts["per_second"]:
        words.append(f"{facts['per_second']:,.{0 if facts['per_second'] >= 10 else 1}f}/s")
    if facts["seconds_left"] is not None:
        words.append(f"{_clock(facts['seconds_left'])} left")
    return ", ".join(words)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
