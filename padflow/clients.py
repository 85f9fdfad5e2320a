"""Who does the work: this process, or the workers of a Dask cluster, a bounded number of tasks at a time."""

from __future__ import annotations

import ctypes
import resource
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from padflow.errors import PadflowError

if TYPE_CHECKING:
    from distributed import Client

AHEAD = 4
"""Tasks handed to the scheduler for each worker thread: enough to keep it busy, few enough to stay small."""
ALLOWED_FAILURES = 2
"""Deaths of workers that had a task after which it is still given to another."""


@dataclass(frozen=True)
class Died:
    """In the place of a result: each worker that had the item, and nothing else to do, died of it.

    Parameters
    ----------
    message : str
        One sentence, without the item's name.
    """

    message: str


class Workers(Protocol):
    """What the stages need of a cluster."""

    def each(
        self, function: Callable[[Any], Any], items: Iterable[Any], *, spare: bool = False
    ) -> Iterator[tuple[Any, Any]]:
        """Yield (item, result) as they come; with `spare`, a result is `Died` where workers die of the item."""

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        """Return results in the order of items."""

    def collections(self) -> AbstractContextManager[None]:
        """Return a context in which Dask collections compute on the cluster."""

    def rest(self) -> None:
        """Give memory back that is kept for tasks to come."""


class SerialWorkers:
    """Runs everything here and now."""

    def each(
        self, function: Callable[[Any], Any], items: Iterable[Any], *, spare: bool = False
    ) -> Iterator[tuple[Any, Any]]:
        """Yield (item, result) in order."""
        for item in items:
            yield item, function(item)

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        """Return results in order."""
        return [function(item) for item in items]

    def collections(self) -> AbstractContextManager[None]:
        """Return a context in which Dask collections compute as Dask does without a cluster."""
        return nullcontext()

    def rest(self) -> None:
        """Give memory back that is kept for tasks to come."""
        trim_memory()


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
        self, function: Callable[[Any], Any], items: Iterable[Any], *, spare: bool = False
    ) -> Iterator[tuple[Any, Any]]:
        """Yield (item, result) as they come; an error in one ends all, and what runs is cancelled.

        Dask blames the death of a worker on all that it had been given: what it blames too often is tried once
        more on its own, after all others, and only then taken for the cause.
        """
        for _, item, result in self._each_numbered(function, items, spare=spare):
            yield item, result

    def _each_numbered(
        self, function: Callable[[Any], Any], items: Iterable[Any], *, spare: bool
    ) -> Iterator[tuple[int, Any, Any]]:
        """Yield (number, item, result) as they come."""
        with losses_explained():
            suspects: list[tuple[int, Any]] = []
            done = yield from self._each_innocent(function, enumerate(items), suspects)
            for number, item in suspects:
                guilty = [(number, item)]
                if done or len(suspects) > 1:
                    guilty.clear()
                    yield from self._each_innocent(function, [(number, item)], guilty)
                if guilty and not spare:
                    raise PadflowError(_deaths(item))
                if guilty:
                    yield number, item, Died(f"{ALLOWED_FAILURES + 1} workers died of it, one after the other")

    def _each_innocent(
        self, function: Callable[[Any], Any], numbered: Iterable[tuple[int, Any]], suspects: list[tuple[int, Any]]
    ) -> Generator[tuple[int, Any, Any], None, int]:
        """Yield what is done, put the rest among the suspects, and return how many items were done."""
        from distributed import as_completed
        from distributed.scheduler import KilledWorker

        pending = iter(numbered)
        # Dask would take the whole text of an object with its settings for the name of its tasks, each time.
        name = getattr(function, "__name__", type(function).__name__)
        completed = as_completed(loop=self.client.loop)
        running: dict[Any, Any] = {}
        done = 0

        def fill() -> None:
            room = AHEAD * max(1, self._threads()) - len(running)
            following = list(islice(pending, max(0, room)))  # there may be fewer threads than a moment ago
            if following:
                futures = self.client.map(function, [item for _, item in following], pure=False, key=name)
                new = dict(zip(futures, following, strict=True))
                running.update(new)
                completed.update(new)

        try:
            fill()
            for batch in completed.batches():
                results = self._finished(batch)
                for future in batch:
                    number, item = running.pop(future)
                    try:
                        result = results[future] if future in results else future.result()
                    except KilledWorker:
                        suspects.append((number, item))
                    else:
                        done += 1
                        yield number, item, result
                    future.release()
                fill()
        finally:
            self.client.cancel(list(running))
        return done

    def _finished(self, futures: list[Any]) -> dict[Any, Any]:
        """Fetch results in one message; a worker that died just now leaves them to be waited for one by one."""
        finished = [future for future in futures if future.status == "finished"]
        try:
            return dict(zip(finished, self.client.gather(finished), strict=True))
        except Exception:
            return {}

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        """Return results in the order of items."""
        results = {number: result for number, _, result in self._each_numbered(function, items, spare=False)}
        return [results[number] for number in sorted(results)]

    def collections(self) -> AbstractContextManager[None]:
        """Return a context in which Dask collections compute on the cluster."""
        return self._collections()

    def rest(self) -> None:
        """Give memory back that is kept for tasks to come, on each worker that there is."""
        with losses_explained():
            self.client.run(trim_memory, on_error="ignore")

    @contextmanager
    def _collections(self) -> Iterator[None]:
        with losses_explained(), self.client.as_current():
            yield


@contextmanager
def losses_explained() -> Iterator[None]:
    """Say in plain words that scheduler or data are gone, or that workers died of a collection."""
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
            "The Dask scheduler is gone, or began anew, or cannot be reached any more. Do it again; `padflow run` goes "
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
    """Give the system what glibc keeps of freed memory, as Dask's documentation has it; other C libraries nothing."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def peak_memory_bytes() -> int:
    """Return the largest memory this process has had resident."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
