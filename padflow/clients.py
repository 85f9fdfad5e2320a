"""Who does the work: this process, or the workers of a Dask cluster, a bounded number of tasks at a time."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from padflow.errors import PadflowError
from padflow.watch import Watch

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


class DaskWorkers:
    """Runs everything on a Dask cluster, a bounded number of tasks at a time.

    Parameters
    ----------
    client : distributed.Client
    expected : int
        Threads that there will be; more is seen by the watch.
    watch : Watch, optional
    """

    def __init__(self, client: Client, *, expected: int, watch: Watch | None = None):
        self.client = client
        self._expected, self._watch = expected, watch

    def each(
        self, function: Callable[[Any], Any], items: Iterable[Any], *, spare: bool = False
    ) -> Iterator[tuple[Any, Any]]:
        """Yield (item, result) as they come; an error in one ends all, and what runs is cancelled.

        Dask blames the death of a worker on all that it had been given: what it blames too often is tried once
        more on its own, after all others, and only then taken for the cause.
        """
        with _losses_explained():
            yield from self._each_spared(function, items, spare)

    def _each_spared(
        self, function: Callable[[Any], Any], items: Iterable[Any], spare: bool
    ) -> Iterator[tuple[Any, Any]]:
        suspects: list[Any] = []
        done = yield from self._each(function, items, suspects)
        for item in suspects:
            guilty = [item]
            if done or len(suspects) > 1:
                guilty.clear()
                yield from self._each(function, [item], guilty)
            if guilty and not spare:
                raise PadflowError(_deaths(item))
            if guilty:
                yield item, Died(f"{ALLOWED_FAILURES + 1} workers died of it, one after the other")

    def _each(
        self, function: Callable[[Any], Any], items: Iterable[Any], suspects: list[Any]
    ) -> Generator[tuple[Any, Any], None, int]:
        """Yield what is done, put the rest among the suspects, and return how many items were done."""
        from distributed import as_completed
        from distributed.scheduler import KilledWorker

        pending = iter(items)
        # Dask would take the whole text of an object with its settings for the name of its tasks, each time.
        name = getattr(function, "__name__", type(function).__name__)
        completed = as_completed(loop=self.client.loop)
        running: dict[Any, Any] = {}
        done = 0

        def fill() -> None:
            threads = max(self._expected, self._watch.threads if self._watch else 0)
            following = list(islice(pending, AHEAD * threads - len(running)))
            if following:
                futures = self.client.map(function, following, pure=False, key=name)
                new = dict(zip(futures, following, strict=True))
                running.update(new)
                completed.update(new)

        try:
            fill()
            for batch in completed.batches():
                results = self._finished(batch)
                for future in batch:
                    item = running.pop(future)
                    try:
                        result = results[future] if future in results else future.result()
                    except KilledWorker:
                        suspects.append(item)
                    else:
                        done += 1
                        yield item, result
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
        numbered = list(enumerate(items))
        results = {number: result for (number, _), result in self.each(_Second(function), numbered)}
        return [results[number] for number, _ in numbered]

    def collections(self) -> AbstractContextManager[None]:
        """Return a context in which Dask collections compute on the cluster."""
        return self._collections()

    @contextmanager
    def _collections(self) -> Iterator[None]:
        with _losses_explained(), self.client.as_current():
            yield


@contextmanager
def _losses_explained() -> Iterator[None]:
    """Say in plain words that the scheduler is gone, or that workers died of a collection."""
    from distributed.client import FutureCancelledError
    from distributed.comm import CommClosedError
    from distributed.scheduler import KilledWorker

    try:
        yield
    except (FutureCancelledError, CommClosedError) as error:
        raise PadflowError(
            "The Dask scheduler is gone, or cannot be reached any more. What is done is whole: run the same command "
            "again to go on from here."
        ) from error
    except KilledWorker as error:
        raise PadflowError(_deaths(error.task)) from error


def _deaths(item: Any) -> str:
    return (
        f"Workers died {ALLOWED_FAILURES + 1} times on {item}. They may lack memory: raise cluster.memory_limit or "
        "lower archive.rows_per_part; workers' logs say more with -v."
    )


class _Second:
    """Calls a function with the second of a pair."""

    def __init__(self, function: Callable[[Any], Any]):
        self._function = function

    def __call__(self, pair: tuple[int, Any]) -> Any:
        return self._function(pair[1])


def peak_memory_bytes() -> int:
    """Return the largest memory this process has had resident."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
