"""How a process starts and ends: imports that take seconds, Ctrl-C and SIGTERM, semaphores."""

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
"""An interrupt that cannot be raised now, or was lost, comes again after this long."""


GRACE_SECONDS = 30.0
"""What is not put in order this long after an interrupt is left as a kill would leave it, which loses nothing whole."""


LAST_SECONDS = 1.0
"""Processes that were started have this long to end before this one does."""


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pause the search for garbage while modules are imported.

    Imports make many objects, none of which is garbage; the search would take a quarter of their time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Interrupts:
    """Hears Ctrl-C and SIGTERM in the main thread, and lets the first of them end the command.

    Queueing systems end jobs with SIGTERM, and jobs of workers must not be left behind: what is held is put in order by
    `KeyboardInterrupt`, as after Ctrl-C.

    Attributes
    ----------
    received : bool
        Whether one has come. Whatever error follows comes of it.
    at_once : bool
        Whether nothing is held yet (`hold`), so that nothing needs to be put in order.
    verbose : bool
        Whether libraries may say what an interrupt does to them (`let_libraries_speak`).
    """

    def __init__(self) -> None:
        self.received = self.verbose = False
        self.at_once = True
        self._said = self._due = False
        self._process = os.getpid()

    def hear(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        if os.getpid() != self._process:  # a fork that never asked for this
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
        elif self._due or number == signal.SIGINT:  # a second SIGTERM says nothing new; a second Ctrl-C is impatient
            self._due = False
            self._raise(frame)

    def _raise(self, frame: FrameType | None) -> None:
        """Interrupt the main thread, but not amid an import: libraries take that for the absence of a module."""
        if _is_importing(frame):
            _after(AGAIN_SECONDS, self._again)
        else:
            raise KeyboardInterrupt

    def _again(self) -> None:
        self._due = True
        if (main := threading.main_thread().ident) is not None:
            signal.pthread_kill(main, signal.SIGTERM)

    def _lost(self, unraisable: sys.UnraisableHookArgs) -> None:
        """Come again where Python could not pass the interrupt on, as from ``__del__``."""
        if unraisable.exc_type is KeyboardInterrupt:
            _after(AGAIN_SECONDS, self._again)

    def say(self) -> None:
        """Say that the command was interrupted, once."""
        if not self._said:
            self._said = True
            with suppress(OSError):  # nobody listens any more
                os.write(
                    2, f"padflow: {INTERRUPTED}\n".encode()
                )  # which may come amid another line that is being written

    def end(self) -> NoReturn:
        """End here and now, with all processes that were started, and without what libraries do at exit."""
        self.say()
        if not self.at_once:
            _after(LAST_SECONDS, lambda: os._exit(FAILED))
            with suppress(Exception):
                sys.stdout.flush()
                _end_children()
        os._exit(FAILED)


def _after(seconds: float, function: Callable[[], object]) -> None:
    """Call a function later; a `threading.Timer` takes a lock that the code that was interrupted may hold."""

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
    """Keep what libraries say of being interrupted off the terminal."""
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
    """Say that from now on something is held that is to be put in order when the command is interrupted.

    Before, and that is while modules are imported for seconds, the command just ends.
    """
    if _here is not None:
        _here.at_once = False


def let_libraries_speak() -> None:
    """Leave what libraries say of being interrupted on the terminal."""
    if _here is not None:
        _here.verbose = True


def interrupted() -> bool:
    """Return whether an interrupt has come, of which any error may be a consequence."""
    return _here is not None and _here.received


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the process with one line; to be entered by the main thread."""
    global _here
    _here = interrupts = Interrupts()
    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, interrupts.hear)}
    # What a shell starts in the background ignores Ctrl-C, which stays so.
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
        gc.freeze()  # else Python looks through all modules for garbage before it ends, for half a second


@contextmanager
def unheard_interrupts() -> Iterator[None]:
    """Let processes that are started here never hear Ctrl-C, which reaches every process of a terminal.

    It is the affair of the process that started them: they would each say so.
    """
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # which unblocks the signal, where it has to start (Python 3.11)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def check_semaphores() -> None:
    """Refuse to start processes where the locks that they share cannot be made.

    Raises
    ------
    PadflowError
        Names ``/dev/shm``, where Linux keeps them.
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
