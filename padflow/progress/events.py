# SPDX-License-Identifier: BSD-3-Clause
"""Events of work: a stage begins, a part of it is done, the stage ends. Listeners get them.

A listener is any function of one event. `padflow.progress.bars.Bars` draws a bar, `padflow.progress.lines.Lines`
writes log lines, `padflow.pipeline.progress_file.ProgressFile` keeps ``progress.json``. A user may add one as
``on_event``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class StageBegan:
    """A stage begins.

    Parameters
    ----------
    stage : str
    total : int
        Units in the stage; 0 where their number is not known.
    unit : str
        What is counted, such as ``"records"``.
    parts : int
        Number of parts in which the units are done; 0 where they are done one by one.
    """

    stage: str
    total: int = 0
    unit: str = "records"
    parts: int = 0


@dataclass(frozen=True)
class PartDone:
    """A part of the stage, or one step of it, is done.

    Parameters
    ----------
    stage : str
    amount : int
        Units that are done by it; 0 where `text` says what is done before the first unit.
    reused : bool
        Whether an earlier run has done the part, so that it took no time.
    text : str
        A text about this step, such as the loss of an epoch.
    """

    stage: str
    amount: int
    reused: bool = False
    text: str = ""


@dataclass(frozen=True)
class Said:
    """A message that belongs to no stage.

    Parameters
    ----------
    text : str
    """

    text: str


@dataclass(frozen=True)
class StageEnded:
    """A stage is done.

    Parameters
    ----------
    stage : str
    summary : str
        Its result, in words.
    seconds : float
        Time that it took.
    """

    stage: str
    summary: str
    seconds: float


@dataclass(frozen=True)
class WorkEnded:
    """The last event: all is done, or an error or Ctrl-C has ended the work, perhaps within a stage."""


Event = StageBegan | PartDone | Said | StageEnded | WorkEnded


OnEvent = Callable[[Event], object]
"""A listener."""


class Progress:
    """Sends events of one stage after the other to its listeners.

    Parameters
    ----------
    *listeners : callable
        Functions that get each event, in the thread that does the work.
    """

    def __init__(self, *listeners: OnEvent):
        self._listeners = listeners
        self._stage, self._began = "", 0.0

    def _emit(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)

    def begin(self, stage: str, *, total: int = 0, unit: str = "records", parts: int = 0) -> None:
        """Begin a stage with `total` units in so many parts."""
        self._stage, self._began = stage, time.monotonic()
        self._emit(StageBegan(stage, total, unit, parts))

    def advance(self, amount: int, *, text: str = "", reused: bool = False) -> None:
        """Say that a part, or `amount` more, is done; or that it is `reused` from an earlier run."""
        self._emit(PartDone(self._stage, amount, reused, text))

    def step(self) -> None:
        """Say that one more is done."""
        self.advance(1)

    def say(self, text: str) -> None:
        """Send a message that belongs to no stage."""
        self._emit(Said(text))

    def end(self, summary: str) -> None:
        """End the stage, with its result in words."""
        self._emit(StageEnded(self._stage, summary, time.monotonic() - self._began))

    def close(self) -> None:
        """Send the last event."""
        self._emit(WorkEnded())

    @contextmanager
    def stage(self, name: str, *, total: int = 0, unit: str = "records", parts: int = 0) -> Iterator[Ending]:
        """Begin a stage, and end it with the summary that `Ending` has by then."""
        self.begin(name, total=total, unit=unit, parts=parts)
        ending = Ending()
        yield ending
        self.end(ending.summary)


@dataclass
class Ending:
    """What a stage will say at its end.

    Parameters
    ----------
    summary : str
    """

    summary: str = "done"


class Tally:
    """Counts what is done of a stage, for listeners that show it.

    Attributes
    ----------
    stage : str
    done, total : int
        Units.
    parts_done, parts : int
    """

    def __init__(self, began: StageBegan | None = None):
        began = began or StageBegan("")
        self.stage, self.total, self.unit, self.parts = began.stage, began.total, began.unit, began.parts
        self.done = self.parts_done = self._reused = 0
        self._began = time.monotonic()

    def add(self, part: PartDone) -> None:
        """Count a part that is done."""
        self.done += part.amount
        self.parts_done += 1
        self._reused += part.amount if part.reused else 0

    def facts(self) -> dict[str, str | int | float | None]:
        """Return the stage, what is done of it, the rate in units per second, and the seconds left, if known."""
        rate = (self.done - self._reused) / max(time.monotonic() - self._began, 1e-9)
        left = (self.total - self.done) / rate if rate and self.total else None
        facts: dict[str, str | int | float | None]
        facts = {"stage": self.stage, "done": self.done, "total": self.total, "unit": self.unit}
        if self.parts:
            facts |= {"parts_done": self.parts_done, "parts": self.parts}
        return facts | {"per_second": round(rate, 1), "seconds_left": None if left is None else round(left, 1)}
