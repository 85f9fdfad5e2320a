# SPDX-License-Identifier: BSD-3-Clause
"""Write progress as log lines: at the beginning and the end of a stage, and now and then in between."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from padflow.progress.events import Event, PartDone, Said, StageBegan, StageEnded, Tally

LOGGER = logging.getLogger("padflow.progress")
"""Logger of stages. Where a bar is drawn, its level is WARNING, for the bar shows the same."""


SAID = logging.getLogger("padflow")
"""Logger of messages that belong to no stage."""


LINE_SECONDS = 15
"""Least time between two lines of level INFO in a stage (chosen). All other lines have level DEBUG."""


class Lines:
    """A listener that writes log lines."""

    def __init__(self) -> None:
        self._tally, self._last = Tally(), 0.0

    def __call__(self, event: Event) -> None:
        """Write a line about the event. Soon after another line it has level DEBUG."""
        match event:
            case StageBegan(stage, total, unit, parts):
                self._tally, self._last = Tally(event), time.monotonic()
                size = f"{total:,} {unit}" + (f" in {parts:,} parts" if parts else "")
                LOGGER.info("%s: %s", stage, size if total else "begins")
            case PartDone(stage, text=text):
                self._tally.add(event)
                LOGGER.log(self._level(), "%s: %s", stage, self._words(text))
            case StageEnded(stage, summary, seconds):
                LOGGER.info("%s: %s (%.1f s)", stage, summary, seconds)
            case Said(text):
                SAID.info("%s", text)

    def _words(self, text: str) -> str:
        if not text:
            return describe(self._tally.facts())
        of = f" of at most {self._tally.total:,}" if self._tally.total else ""
        return f"{self._tally.done:,}{of} {self._tally.unit}, {text}"

    def _level(self) -> int:
        now = time.monotonic()
        if now - self._last < LINE_SECONDS:
            return logging.DEBUG
        self._last = now
        return logging.INFO


def describe(facts: Mapping[str, Any]) -> str:
    """Put what `Tally.facts` returns into words."""
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
