# SPDX-License-Identifier: BSD-3-Clause
"""Show progress: by a bar or by the user's own listener, and in the log."""

from __future__ import annotations

from padflow.progress.bars import Bars
from padflow.progress.events import OnEvent, Progress
from padflow.progress.lines import Lines


def shown(on_event: OnEvent | None = None, *more: OnEvent) -> Progress:
    """Return a `Progress` with the listeners of a command.

    Parameters
    ----------
    on_event : callable, optional
        Listener of the user. By default a bar is drawn in a terminal and in a notebook.
    *more : callable
        Further listeners.
    """
    return Progress(on_event or Bars(), Lines(), *more)
