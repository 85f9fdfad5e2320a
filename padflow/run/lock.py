"""One writer at a time: a lock file in the run directory that says who holds it, and shows that they live."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from padflow.durable import read_json
from padflow.errors import PadflowError

LOCK = ".lock"
BEAT_SECONDS = 10
STALE_SECONDS = 120
"""Without a beat for this long a holder on another machine is taken for dead; shared folders may lag."""


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the lock of a run directory.

    Raises
    ------
    PadflowError
        Where somebody holds it; names the machine and process.
    """
    path = directory / LOCK
    _take(path)
    done = threading.Event()
    beating = threading.Thread(target=_beat, args=(path, done), name="padflow-lock", daemon=True)
    beating.start()
    try:
        yield
    finally:
        done.set()
        beating.join()
        path.unlink(missing_ok=True)


def _take(path: Path) -> None:
    holder = json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "process": _started(os.getpid())})
    for _ in range(2):
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            if not _is_stale(path):
                break
            path.unlink(missing_ok=True)
            continue
        with os.fdopen(handle, "w") as file:
            file.write(holder)
        return
    known = read_json(path) or {}
    raise PadflowError(
        f"{path.parent} is in use by process {known.get('pid', '(unknown)')} on {known.get('host', '(unknown)')}. Wait "
        f"for it to end, or choose another --workdir. If it is dead, this goes away in {STALE_SECONDS} s."
    )


def holder_of(directory: Path) -> dict[str, Any] | None:
    """Return host and process (``pid``) at work in a run directory; None where nobody is."""
    path = directory / LOCK
    return None if _is_stale(path) else read_json(path)


def _is_stale(path: Path) -> bool:
    try:
        silent = time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return True
    holder = read_json(path)
    if isinstance(holder, dict) and holder.get("host") == socket.gethostname():
        return _started(holder["pid"]) != holder.get("process")
    return silent > STALE_SECONDS


def _started(pid: int) -> float | None:
    """Return when a process began, which tells it from a later one of the same number; None where it is dead."""
    import psutil

    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None


def _beat(path: Path, done: threading.Event) -> None:
    while not done.wait(BEAT_SECONDS):
        os.utime(path)
