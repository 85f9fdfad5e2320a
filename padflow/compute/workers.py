# SPDX-License-Identifier: BSD-3-Clause
"""Run functions over many items: in this process, or on a Dask cluster, with a bounded number of tasks at a time."""

from __future__ import annotations

import ctypes
import logging
import resource
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from padflow.compute.settings import ALLOWED_FAILURES
from padflow.errors import PadflowError

if TYPE_CHECKING:
    from distributed import Client


LOGGER = logging.getLogger(__name__)


AHEAD = 4
"""Tasks that the scheduler has for each worker thread: enough to keep it busy, and few to hold (chosen)."""


MOST_TOGETHER = 4
"""Most items in one task. Each task costs milliseconds in driver and worker (`scripts/bench/run.py dispatch`)."""


TASK_SECONDS = 0.5
"""Longest time of a task of several items (chosen): progress shows soon, and little is lost where a worker dies."""


@dataclass(frozen=True)
class WorkerDeath:
    """Stands in place of a result: all workers that had this item, and no other, died.

    Parameters
    ----------
    message : str
        One sentence, without the item's name.
    """

    message: str


class Workers(Protocol):
    """What the stages need of a cluster."""

    def each(
        self, function: Callable[[Any], Any], items: Iterable[Any], *, tolerate_deaths: bool = False
    ) -> Iterator[tuple[Any, Any]]:
        """Yield (item, result) as they come.

        Where workers die on an item, the result is a `WorkerDeath` with `tolerate_deaths`, and an error without.
        """

    def map(
        self, function: Callable[[Any], Any], items: Iterable[Any], *, on_done: Callable[[], object] | None = None
    ) -> list[Any]:
        """Return results in the order of items; `on_done` is called as each of them comes."""

    def collections(self) -> AbstractContextManager[None]:
        """Return a context in which Dask collections compute on the cluster."""

    def rest(self) -> None:
        """Give back memory that is kept for later tasks."""


class SerialWorkers:
    """Runs everything in this process, one item after the other."""

    def each(
        self, function: Callable[[Any], Any], items: Iterable[Any], *, tolerate_deaths: bool = False
    ) -> Iterator[tuple[Any, Any]]:
        """Yield (item, result) in order."""
        for item in items:
            yield item, function(item)

    def map(
        self, function: Callable[[Any], Any], items: Iterable[Any], *, on_done: Callable[[], object] | None = None
    ) -> list[Any]:
        """Return results in order; `on_done` is called as each of them comes."""
        results = []
        for item in items:
            results.append(function(item))
            if on_done is not None:
                on_done()
        return results

    def collections(self) -> AbstractContextManager[None]:
        """Return a context in which Dask collections compute as Dask does without a cluster."""
        return nullcontext()

    def rest(self) -> None:
        """Give back memory that is kept for later tasks."""
        trim_memory()


@dataclass(frozen=True)
class _Task:
    """Runs a function over a few items, one after the other."""

    function: Callable[[Any], Any]

    def __call__(self, items: list[Any]) -> tuple[list[Any], float]:
        """Return the results, and the seconds that an item took."""
        began = time.perf_counter()
        results = [self.function(item) for item in items]
        return results, (time.perf_counter() - began) / len(items)


def items_together(left: int, *, threads: int, seconds_each: float | None) -> int:
    """Return how many of the items left the next task holds.

    It is one until it is known how long an item takes. Later it falls with the number of items that are left for each
    thread, so that all threads end together (guided self-scheduling, Polychronopoulos and Kuck 1987,
    10.1109/TC.1987.5009495).
    """
    if seconds_each is None:
        return 1
    return max(1, min(MOST_TOGETHER, int(TASK_SECONDS / max(seconds_each, 1e-6)), left // (2 * threads)))


class DaskWorkers:
    """Runs everything on a Dask cluster, a bounded number of tasks at a time.

    Parameters
    ----------
    client : distributed.Client
    threads : callable
        ``threads()`` returns how many threads its workers have, or will have, now.
    """

    def __init__(self, client: Client, *, threads: Callable[[], int]):
        self.client, self._threads = client, threads

    def each(
        self, function: Callable[[Any], Any], items: Iterable[Any], *, tolerate_deaths: bool = False
    ) -> Iterator[tuple[Any, Any]]:
        """Yield (item, result) as they come. An error in one item cancels all others.

        Where a worker dies, Dask blames all items that the worker had. Items that Dask blames too often are suspects.
        They are tried once more after all others, each on its own, and count as the cause if workers die again.
        """
        for _, item, result in self._each_numbered(function, items, tolerate_deaths=tolerate_deaths):
            yield item, result

    def _each_numbered(
        self, function: Callable[[Any], Any], items: Iterable[Any], *, tolerate_deaths: bool
    ) -> Iterator[tuple[int, Any, Any]]:
        """Yield (number, item, result) as they come."""
        with explain_dask_errors():
            suspects: list[tuple[int, Any]] = []
            done = yield from self._each_unblamed(function, enumerate(items), suspects)
            for number, item in suspects:
                guilty = [(number, item)]
                if done or len(suspects) > 1:
                    guilty.clear()
                    yield from self._each_unblamed(function, [(number, item)], guilty)
                if guilty and not tolerate_deaths:
                    raise PadflowError(_deaths(item))
                if guilty:
                    yield number, item, WorkerDeath(f"{ALLOWED_FAILURES + 1} workers died of it, one after the other")

    def _each_unblamed(
        self, function: Callable[[Any], Any], numbered: Iterable[tuple[int, Any]], suspects: list[tuple[int, Any]]
    ) -> Generator[tuple[int, Any, Any], None, int]:
        """Yield what is done, add the rest to the suspects, and return how many items were done."""
        from distributed import as_completed
        from distributed.scheduler import KilledWorker

        pending = deque(numbered)
        # Without a name Dask would name the tasks by the text of the object with all its settings.
        name = getattr(function, "__name__", type(function).__name__)
        completed = as_completed(loop=self.client.loop)
        running: dict[Any, list[tuple[int, Any]]] = {}
        done, seconds_each = 0, None

        def fill() -> None:
            threads = max(1, self._threads())  # there may be fewer than a moment ago
            following: list[list[tuple[int, Any]]] = []
            while pending and len(running) + len(following) < AHEAD * threads:
                together = items_together(len(pending), threads=threads, seconds_each=seconds_each)
                following.append([pending.popleft() for _ in range(together)])
            if following:
                items = [[item for _, item in some] for some in following]
                futures = self.client.map(_Task(function), items, pure=False, key=name)
                new = dict(zip(futures, following, strict=True))
                running.update(new)
                completed.update(new)

        try:
            fill()
            for batch in completed.batches():
                finished = self._finished(batch)
                for future in batch:
                    some = running.pop(future)
                    try:
                        results, seconds_each = finished[future] if future in finished else future.result()
                    except KilledWorker:
                        suspects += some
                    else:
                        done += len(some)
                        for (number, item), result in zip(some, results, strict=True):
                            yield number, item, result
                    future.release()
                fill()
        finally:
            self.client.cancel(list(running))
        return done

    def _finished(self, futures: list[Any]) -> dict[Any, Any]:
        """Fetch results in one message; where a worker died just now, return none: they are fetched one by one then."""
        finished = [future for future in futures if future.status == "finished"]
        try:
            return dict(zip(finished, self.client.gather(finished), strict=True))
        except Exception:
            return {}

    def map(
        self, function: Callable[[Any], Any], items: Iterable[Any], *, on_done: Callable[[], object] | None = None
    ) -> list[Any]:
        """Return results in the order of items; `on_done` is called as each of them comes."""
        results = {}
        for number, _, result in self._each_numbered(function, items, tolerate_deaths=False):
            results[number] = result
            if on_done is not None:
                on_done()
        return [results[number] for number in sorted(results)]

    def collections(self) -> AbstractContextManager[None]:
        """Return a context in which Dask collections compute on the cluster."""
        return self._collections()

    def rest(self) -> None:
        """Give back memory that is kept for later tasks, on each worker."""
        with explain_dask_errors():
            self.client.run(trim_memory, on_error="ignore")

    @contextmanager
    def _collections(self) -> Iterator[None]:
        with explain_dask_errors(), self.client.as_current():
            yield


def address_of(client: Client) -> str:
    """Return the address of a client's scheduler, for messages."""
    return "(closed)" if client.scheduler is None else str(client.scheduler.address)


def warn_of_plain(client: Client) -> None:
    """Warn in a line where a cluster has no TLS, so that anybody who reaches it may use it."""
    address = address_of(client)
    if not address.startswith(("tls://", "wss://", "inproc://")):
        LOGGER.warning(
            "the Dask cluster at %s has no TLS: whoever reaches it can run code as its user and read what you send "
            "(docs/security.md)",
            address,
        )


@contextmanager
def explain_dask_errors() -> Iterator[None]:
    """Say in plain words that the scheduler or data are gone, or that workers died on a Dask collection."""
    from distributed.client import FutureCancelledError
    from distributed.comm import CommClosedError
    from distributed.scheduler import KilledWorker

    try:
        yield
    except (FutureCancelledError, CommClosedError) as error:
        if isinstance(error, FutureCancelledError) and not error.reason.startswith("scheduler"):
            raise PadflowError(
                "The Dask cluster lost what it was given to work on, perhaps with the workers that held it "
                f"({error.reason}). Do it again, on workers that stay; `padflow run` goes on from what is done."
            ) from error
        raise PadflowError(
            "The Dask scheduler has ended or restarted, or cannot be reached any more. Do it again; `padflow run` goes "
            "on from what is done."
        ) from error
    except KilledWorker as error:
        raise PadflowError(_deaths(error.task)) from error


def _deaths(item: Any) -> str:
    return (
        f"Workers died on {item}, one after the other. They may lack memory: give each more (cluster.memory_limit) or "
        "less to do at a time (archive.rows_per_part)."
    )


def trim_memory() -> None:
    """Let glibc return freed memory to the system, as Dask's documentation advises; other C libraries do nothing."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def peak_memory_bytes() -> int:
    """Return the largest memory this process has had resident."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
