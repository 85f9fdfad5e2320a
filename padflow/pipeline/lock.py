# SPDX-License-Identifier: BSD-3-Clause
"""Let one process write at a time: a lock file in the run directory names its holder, and shows that it is alive.

Two libraries were tried with ``tests/pipeline/test_lock.py``. flufl.lock 10.0 waits for the end of its lifetime, even
where the holder on this machine is dead: `test_that_of_a_dead_process_is_taken_over` fails. filelock 4.3 takes over a
lease of another machine only after it has watched it for its whole length, even where the holder has been silent for
long: `test_another_machine_is_believed_while_its_heart_beats` fails. A rerun after the death of a node would wait.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from padflow.errors import PadflowError
from padflow.pipeline.directory import RunDirectory
from padflow.startup import hold
from padflow.store.durable import explain_os_error, naming
from padflow.store.run_files import LOCK

BEAT_SECONDS = 10


STALE_SECONDS = 120
"""A holder on another machine counts as dead after this time without a beat (chosen): shared folders may lag."""


SAME_START_SECONDS = 2
"""The start of a process may seem to move by this much (chosen), when the clock of the system is set."""


WAKE = signal.SIGURG
"""Signal that a holder sends itself when it has lost the lock. SIGINT does not do: background processes ignore it."""


@contextmanager
def locked(directory: RunDirectory) -> Iterator[None]:
    """Hold the lock of a run directory. Only the main thread may call this.

    Raises
    ------
    PadflowError
        Where another process holds the lock, or has taken it over because this process seemed dead; names the process
        and its machine.
    ValueError
        In another thread, for no signal can interrupt that.
    """
    hold()
    done, lost = threading.Event(), threading.Event()
    with _interrupted(lambda: lost.is_set() and not done.is_set()):
        path = directory.lock_file
        mine = _take(path)
        beating = threading.Thread(target=_beat, args=(path, mine, done, lost), name="padflow-lock", daemon=True)
        beating.start()
        try:
            yield
        except KeyboardInterrupt:
            if lost.is_set():
                raise PadflowError(
                    f"{directory} was taken over by {_name(_text(path))} while this process did not run for "
                    f"{STALE_SECONDS} s or more, or its {LOCK} was removed. What is written is whole."
                ) from None
            raise
        finally:
            done.set()
            beating.join()
            with suppress(OSError):  # where the folder is read-only now; the lock then becomes stale
                if _text(path) == mine:
                    path.unlink(missing_ok=True)


@contextmanager
def _interrupted(wanted: Callable[[], bool]) -> Iterator[None]:
    """Let `WAKE` interrupt the main thread as Ctrl-C does, as long as that is wanted."""

    def interrupt(*_: object) -> None:
        if wanted():
            raise KeyboardInterrupt

    before = signal.signal(WAKE, interrupt)
    try:
        yield
    finally:
        signal.signal(WAKE, before)


def _take(path: Path) -> str:
    """Make the lock file and return its content, which is unique."""
    pid = os.getpid()
    holder = {"host": socket.gethostname(), "pid": pid, "process": _started(pid), "space": _space()}
    mine = json.dumps(holder | {"id": uuid.uuid4().hex})
    with naming(path), _in_turn(path.parent):
        for _ in range(3):
            try:
                handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
            except FileExistsError:
                found = _text(path)
                if not _is_stale(path, found):
                    break
                _remove_stale(path, found)
                continue
            try:
                with os.fdopen(handle, "w") as file:
                    file.write(mine)
            except OSError:  # a full disk; an empty lock would look like one of another machine
                path.unlink(missing_ok=True)
                raise
            return mine
    raise PadflowError(
        f"{path.parent} is in use by {_name(_text(path))}. Wait for it to end, or choose another --workdir. If it is "
        f"dead, this goes away in {STALE_SECONDS} s."
    )


def holder_of(directory: RunDirectory) -> dict[str, Any] | None:
    """Return host and process (``pid``) at work in a run directory; None where nobody is."""
    path = directory.lock_file
    text = _text(path)
    return None if not text or _is_stale(path, text) else _holder(text)


@contextmanager
def _in_turn(folder: Path) -> Iterator[None]:
    """Let processes look at the lock file one after the other, for two may find the same lock stale."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some file servers cannot do it; then the beats notice
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _remove_stale(path: Path, found: str) -> None:
    """Remove the lock with this content, and no other: another process may have taken it over already."""
    aside = path.with_name(f"{LOCK}.{uuid.uuid4().hex}.stale")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return
    if _text(aside) != found:
        with suppress(OSError):
            os.link(aside, path)
    aside.unlink()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise explain_os_error(error, path) from error


def _holder(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _name(text: str) -> str:
    holder = _holder(text)
    return f"process {holder.get('pid', '(unknown)')} on {holder.get('host', '(unknown)')}"


def _is_stale(path: Path, text: str) -> bool:
    holder = _holder(text)
    if (holder.get("host"), holder.get("space")) == (socket.gethostname(), _space()):
        started = _started(int(holder["pid"]))
        return started is None or abs(started - float(holder["process"])) > SAME_START_SECONDS
    try:
        # Compare with the time of a new file, for the clock of a file server may differ from that of this machine.
        with TemporaryFile(dir=path.parent) as probe:
            now = os.fstat(probe.fileno()).st_mtime
        return now - path.stat().st_mtime > STALE_SECONDS
    except FileNotFoundError:
        return True


def _space() -> str:
    """Return the space in which process numbers count: containers may have the same host name and other processes."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:  # not on Linux
        return ""


def _started(pid: int) -> float | None:
    """Return when a process began, for a later one may have the same number; None where it is dead."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


def _beat(path: Path, mine: str, done: threading.Event, lost: threading.Event) -> None:
    while not done.wait(BEAT_SECONDS):
        with suppress(OSError):  # the next beat may do better
            # Look twice: a process that tries to take the lock over may hold it for a moment and give it back.
            if _text(path) != mine and not done.wait(1) and _text(path) != mine:
                lost.set()
                if (main := threading.main_thread().ident) is not None:
                    signal.pthread_kill(main, WAKE)
                return
            os.utime(path)
