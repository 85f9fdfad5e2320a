"""Say how far a run is: one line a stage, renewed in place in a terminal and now and then in a log file."""

from __future__ import annotations

import sys
import time
from typing import TextIO

LOG_SECONDS = 15
TERMINAL_SECONDS = 0.2


class Progress:
    """Progress of one stage after the other.

    Parameters
    ----------
    stream : text stream, optional
        Standard error by default.
    """

    def __init__(self, stream: TextIO | None = None):
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._stage, self._unit, self._total, self._done = "", "", 0, 0
        self._began = self._last = 0.0
        self._width = 0

    def begin(self, stage: str, *, total: int = 0, unit: str = "records") -> None:
        """Begin a stage that will deal with `total` units."""
        self._stage, self._total, self._unit, self._done = stage, total, unit, 0
        self._began = self._last = time.monotonic()
        self._show(f"{stage}: begins" if not total else f"{stage}: {total:,} {unit}", last=not self._terminal)

    def advance(self, amount: int, *, text: str | None = None) -> None:
        """Say that `amount` more is done."""
        self._done += amount
        now = time.monotonic()
        if now - self._last < (TERMINAL_SECONDS if self._terminal else LOG_SECONDS):
            return
        self._last = now
        rate = self._done / max(now - self._began, 1e-9)
        left = (self._total - self._done) / rate if rate and self._total else 0.0
        counted = f"{self._done:,} of {self._total:,} {self._unit}, {rate:,.0f}/s, {left:.0f} s left"
        self._show(f"{self._stage}: {text or counted}")

    def say(self, text: str) -> None:
        """Say something that belongs to no stage."""
        self._show(text, last=True)

    def end(self, summary: str) -> None:
        """End the stage with what came out of it."""
        seconds = time.monotonic() - self._began
        self._show(f"{self._stage}: {summary} ({seconds:.1f} s)", last=True)

    def _show(self, text: str, *, last: bool = False) -> None:
        if not self._terminal:
            print(text, file=self._stream, flush=True)
            return
        padding = " " * max(0, self._width - len(text))
        self._width = 0 if last else len(text)
        print(f"\r{text}{padding}", end="\n" if last else "", file=self._stream, flush=True)
