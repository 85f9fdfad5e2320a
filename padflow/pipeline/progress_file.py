# SPDX-License-Identifier: BSD-3-Clause
"""The file ``progress.json``, which tells `padflow status` in another shell how far a run is."""

from __future__ import annotations

import time

from padflow.pipeline.directory import RunDirectory
from padflow.progress.events import Event, PartDone, StageBegan, StageEnded, Tally, WorkEnded
from padflow.store.durable import write_json

FILE_SECONDS = 2
"""Least time between two writes within a stage."""


class ProgressFile:
    """A listener that writes ``progress.json`` while a run is at work, and removes it at the end.

    Parameters
    ----------
    directory : RunDirectory
        The run directory.
    """

    def __init__(self, directory: RunDirectory):
        self._path = directory.progress_file
        self._tally, self._written = Tally(), 0.0

    def __call__(self, event: Event) -> None:
        """Write how far the stage is, but not more often than every `FILE_SECONDS`."""
        match event:
            case StageBegan():
                self._tally = Tally(event)
                self._write()
            case PartDone():
                self._tally.add(event)
                if time.monotonic() - self._written >= FILE_SECONDS:
                    self._write()
            case StageEnded():
                self._write()
            case WorkEnded():
                self._path.unlink(missing_ok=True)

    def _write(self) -> None:
        self._written = time.monotonic()
        write_json(self._path, self._tally.facts())
