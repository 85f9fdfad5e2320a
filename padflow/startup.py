# SPDX-License-Identifier: BSD-3-Clause
"""How a process starts and ends: garbage collection during imports, Ctrl-C and SIGTERM, locks between processes."""

from __future__ import annotations

import _thread
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

FAILED, USAGE = 1, 2


INTERRUPTED = "Interrupted. Run the same command again to go on from here."


AGAIN_SECONDS = 0.05
"""An interrupt that cannot be raised now, or was lost, is raised again after this time."""


GRACE_SECONDS = 30.0
"""Time to put things in order after an interrupt. Then the process ends as if killed, and no whole file is lost."""


LAST_SECONDS = 1.0
"""Time for the processes that were started to end before this process ends."""


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pause the search for garbage while modules are imported.

    Imports make many objects, and none of them is garbage. The search takes a quarter of the time of an import.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Interrupts:
    """Hears Ctrl-C and SIGTERM in the main thread, and lets the first of them end the command.

    Queueing systems end jobs with SIGTERM. The driver must then end the jobs of its workers and give back its lock. So
    SIGTERM raises `KeyboardInterrupt`, as Ctrl-C does.

    Attributes
    ----------
    received : bool
        Whether one has come. Any error after it may be a consequence.
    at_once : bool
        Whether nothing is held yet (`hold`): there is nothing to put in order, and the process can end at once.
    verbose : bool
        Whether libraries may write about an interrupt (`let_libraries_speak`).
    """

    def __init__(self) -> None:
        self.received = self.verbose = False
        self.at_once = True
        self._said = self._due = False
        self._process = os.getpid()

    def hear(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        if os.getpid() != self._process:  # a forked process, which has inherited this handler
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        elif self.at_once:
            self.end()
        elif not self.received:
            self.received = True
            _after(GRACE_SECONDS, self.end)
            if not self.verbose:
                _silence()
            sys.unraisablehook = self._lost
            self._raise(frame)
        elif self._due or number == signal.SIGINT:  # a second SIGTERM is ignored, a second Ctrl-C is not
            self._due = False
            self._raise(frame)

    def _raise(self, frame: FrameType | None) -> None:
        """Interrupt the main thread, but not during an import: libraries would believe that a module is missing."""
        if _is_importing(frame):
            _after(AGAIN_SECONDS, self._again)
        else:
            raise KeyboardInterrupt

    def _again(self) -> None:
        self._due = True
        if (main := threading.main_thread().ident) is not None:
            signal.pthread_kill(main, signal.SIGTERM)

    def _lost(self, unraisable: sys.UnraisableHookArgs) -> None:
        """Raise the interrupt again where Python dropped it, as it does in ``__del__``."""
        if unraisable.exc_type is KeyboardInterrupt:
            _after(AGAIN_SECONDS, self._again)

    def say(self) -> None:
        """Say that the command was interrupted, once."""
        if not self._said:
            self._said = True
            with suppress(OSError):  # standard error is closed
                # Not by `sys.stderr`, which the code that was interrupted may be writing to.
                os.write(2, f"padflow: {INTERRUPTED}\n".encode())

    def end(self) -> NoReturn:
        """End at once, with all processes that were started, and without the exit functions of libraries."""
        self.say()
        if not self.at_once:
            _after(LAST_SECONDS, lambda: os._exit(FAILED))
            with suppress(Exception):
                sys.stdout.flush()
                _end_children()
        os._exit(FAILED)


def _after(seconds: float, function: Callable[[], object]) -> None:
    """Call a function later. `threading.Timer` would wait for a lock that the interrupted code may hold."""

    def wait() -> None:
        time.sleep(seconds)
        function()

    _thread.start_new_thread(wait, ())


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _silence() -> None:
    """Keep messages of libraries about the interrupt off the terminal."""
    import logging
    import warnings

    logging.disable()
    warnings.simplefilter("ignore")
    threading.excepthook = lambda _: None


def _end_children() -> None:
    import psutil

    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            child.terminate()


_here: Interrupts | None = None


def hold() -> None:
    """Say that from now on there is something to put in order when the command is interrupted, such as a lock.

    Before that, while modules are imported, the command ends at once.
    """
    if _here is not None:
        _here.at_once = False


def let_libraries_speak() -> None:
    """Show messages of libraries about an interrupt."""
    if _here is not None:
        _here.verbose = True


def interrupted() -> bool:
    """Return whether an interrupt has come. Any error after it may be a consequence."""
    return _here is not None and _here.received


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the process with one line of text. Only the main thread may enter this."""
    global _here
    _here = interrupts = Interrupts()
    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, interrupts.hear)}
    # A process that a shell starts in the background ignores Ctrl-C. It goes on doing so.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        before[signal.SIGINT] = signal.signal(signal.SIGINT, interrupts.hear)
    try:
        yield
    finally:
        if interrupts.received:
            interrupts.end()
        _here = None
        for number, handler in before.items():
            signal.signal(number, handler)
        gc.freeze()  # saves half a second, in which Python would search all modules for garbage


@contextmanager
def unheard_interrupts() -> Iterator[None]:
    """Let processes that are started here never hear Ctrl-C, which reaches all processes of a terminal.

    This process hears it and ends them. Each of them would otherwise report it.
    """
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # its start unblocks the signal (Python 3.11)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def check_semaphores() -> None:
    """Check that the locks that processes share can be made.

    Raises
    ------
    PadflowError
        Where they cannot: names ``/dev/shm``, the folder in which Linux keeps them.
    """
    import multiprocessing

    from padflow.errors import PadflowError

    try:
        multiprocessing.Lock()
    except (OSError, ImportError) as error:
        raise PadflowError(
            f"No processes can be started: locks that they share cannot be made ({error}). On Linux they are files in "
            "/dev/shm, which has to be there and writable: mount a tmpfs there (mount -t tmpfs tmpfs /dev/shm), or let "
            "the container have one (docker --shm-size=1g, apptainer without --no-mount dev)."
        ) from error
