"""Progress that is shown: by a bar, or a listener of the user's, and in the log."""

from __future__ import annotations

from padflow.progress.bars import Bars
from padflow.progress.events import OnEvent, Progress
from padflow.progress.lines import Lines


def shown(on_event: OnEvent | None = None, *more: OnEvent) -> Progress:
    """Return progress that listeners are told of.

    Parameters
    ----------
    on_event : callable, optional
        The user's listener; by default a bar is drawn in a terminal and in a notebook.
    *more : callable
        Further listeners.
    """
    return Progress(on_event or Bars(), Lines(), *more)
