# SPDX-License-Identifier: BSD-3-Clause
"""Draw the progress of a stage as a bar of tqdm, in a terminal or a notebook."""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

from padflow.errors import printable_line
from padflow.progress.events import Event, PartDone, StageBegan, StageEnded, WorkEnded

LONG = "{desc}: {percentage:3.0f}%|{bar}| {n:,}/{total:,}{unit} [{elapsed}<{remaining}, {rate_noinv_fmt}]"
"""Format of the bar where the number of units is known."""


SHORT = "{desc}: {n:,}{unit} [{elapsed}, {rate_noinv_fmt}]"
"""Format where it is not known."""


RATE, TEXT = ", {rate_noinv_fmt}", "{postfix}"
"""Where a step has a text, it takes the place of the rate. Both together are wider than a terminal."""


UPDATE_SECONDS = 0.1
"""Least time between two updates of the bar (chosen)."""


class Bars:
    """A listener that draws a bar for each stage. At the end of the stage one line takes its place.

    Nothing is drawn outside a terminal and a notebook, and where the log has level DEBUG, with lines for all parts.

    Parameters
    ----------
    stream : text stream, optional
        Standard error by default.
    """

    def __init__(self, stream: TextIO | None = None):
        self._stream = stream
        self._bar: Any = None

    def __call__(self, event: Event) -> None:
        """Draw what the event says."""
        match event:
            case StageBegan():
                self._close()
                self._open(event)
            case PartDone() if self._bar is not None:
                self._update(event)
            case StageEnded(stage, summary, seconds) if self._bar is not None:
                self._close(f"{stage}: {summary} ({seconds:.1f} s)")
            case WorkEnded():
                self._close()

    def _open(self, began: StageBegan) -> None:
        stream = self._stream or sys.stderr
        if not is_watched(stream):
            return
        from tqdm.auto import tqdm  # takes a tenth of a second, and is needed only here

        self._bar = tqdm(
            desc=printable_line(began.stage),
            total=began.total or None,
            unit=f" {began.unit}",
            bar_format=LONG if began.total else SHORT,
            file=stream,
            mininterval=UPDATE_SECONDS,
            miniters=0,  # only the time decides, for parts differ in size
            smoothing=0,  # the rate is that of the whole stage
            unit_scale=True,
            dynamic_ncols=True,
            leave=True,
        )

    def _update(self, part: PartDone) -> None:
        if part.text:
            self._bar.bar_format = self._bar.bar_format.replace(RATE, TEXT)
            # What goes on before the first unit comes right after the beginning: tqdm would leave it out.
            self._bar.set_postfix_str(printable_line(part.text), refresh=not part.amount)
        if part.reused:
            self._bar.initial += part.amount  # it took no time, so the rate leaves it out
        self._bar.update(part.amount)

    def _close(self, line: str = "") -> None:
        """Write a line in place of the bar; without a line the bar stays as it is."""
        bar, self._bar = self._bar, None
        if bar is None:
            return
        if line:
            bar.leave = False
        bar.close()
        if line:
            bar.write(printable_line(line), file=bar.fp)


def is_watched(stream: TextIO) -> bool:
    """Return whether to draw a bar: in a terminal or a notebook, unless the log has lines for all parts."""
    if logging.getLogger("padflow").isEnabledFor(logging.DEBUG):
        return False
    return stream.isatty() or "ipykernel" in sys.modules
