# SPDX-License-Identifier: BSD-3-Clause
"""The file by which workers and driver find a scheduler, and the private folder beside it."""

from __future__ import annotations

import time
from pathlib import Path

from padflow.errors import PadflowError
from padflow.store.durable import read_json

FILE_SECONDS = 60
"""Longest wait for a scheduler file (chosen): the scheduler may start at the same time as this process."""


def private_beside(file: Path) -> Path:
    """Return the folder that `padflow scheduler` makes, and that only its user can enter."""
    return file.with_name(f".private-{file.stem}")


def scheduler_address(file: Path) -> str:
    """Return the address in a scheduler file; wait for the file if it is not there yet.

    Raises
    ------
    PadflowError
        Where no file came.
    """
    end = time.monotonic() + FILE_SECONDS
    while not (content := read_json(file)):
        if time.monotonic() > end:
            raise PadflowError(
                f"cluster.scheduler = {file}: no scheduler file came there within {FILE_SECONDS} s. Start `padflow "
                "scheduler CONFIG` with this path, in a folder that this machine sees."
            )
        time.sleep(0.2)
    return str(content["address"])
