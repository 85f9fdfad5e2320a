"""Where the work runs: a Dask cluster on this machine, and the bounded submission of work to it."""

from __future__ import annotations

import importlib
import resource
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from dask.system import CPU_COUNT

from padflow.config import ClusterConfig
from padflow.errors import ConfigError, PadflowError

if TYPE_CHECKING:
    from distributed import Client

AHEAD = 4
"""Tasks handed to the scheduler for each worker thread: enough to keep it busy, few enough to stay small."""
WORKER_ENVIRONMENT = {"MALLOC_TRIM_THRESHOLD_": 64 << 20, "MALLOC_MMAP_THRESHOLD_": 16 << 20}
"""Bytes up to which glibc keeps freed memory for the next block of records; arrays of a whole part go back to the
system. With Dask's own 64 KiB every temporary array of a block goes back and comes again a page at a time, which
nearly doubles the time of preprocessing."""
ALLOWED_FAILURES = 2
"""Deaths of workers that had a task after which it is still given to another."""
USABLE_MEMORY_SHARE = 0.8
"""Share of the machine's memory that workers may be given together; the driver needs the rest."""


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

    def prepare(self) -> None:
        """Load what the passes need, while there is nothing to do."""


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

    def prepare(self) -> None:
        """Do nothing: what is needed is loaded when it is."""


class DaskWorkers:
    """Runs everything on a Dask cluster, a bounded number of tasks at a time.

    Parameters
    ----------
    client : distributed.Client
    """

    def __init__(self, client: Client):
        self.client = client

    def each(
        self, function: Callable[[Any], Any], items: Iterable[Any], *, spare: bool = False
    ) -> Iterator[tuple[Any, Any]]:
        """Yield (item, result) as they come; an error in one ends all, and what runs is cancelled.

        Dask blames the death of a worker on all that it had been given: what it blames too often is tried once
        more on its own, after all others, and only then taken for the cause.
        """
        with _explained():
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
        threads = max(1, sum(self.client.nthreads().values()))
        running = {self._submit(function, item): item for item in islice(pending, AHEAD * threads)}
        completed = as_completed(running, loop=self.client.loop)
        done = 0
        try:
            for future in completed:
                item = running.pop(future)
                try:
                    result = future.result()
                except KilledWorker:
                    suspects.append(item)
                else:
                    done += 1
                    yield item, result
                future.release()
                for following in islice(pending, 1):
                    new = self._submit(function, following)
                    running[new] = following
                    completed.add(new)
        finally:
            self.client.cancel(list(running))
        return done

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
        with _explained(), self.client.as_current():
            yield

    def prepare(self) -> None:
        """Import on every worker what the passes need: seconds that fall into the time of training."""
        self._ahead = [
            self.client.submit(_import_ahead, workers=[address], pure=False) for address in self.client.nthreads()
        ]

    def _submit(self, function: Callable[[Any], Any], item: Any) -> Any:
        return self.client.submit(function, item, pure=False)


@contextmanager
def _explained() -> Iterator[None]:
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


def _import_ahead() -> None:
    for name in ("padflow.run.passes", "dask_ml.cluster"):
        importlib.import_module(name)


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


def machine_memory_bytes() -> int:
    """Return the memory of this machine, or of the container or job that bounds it."""
    from distributed.system import MEMORY_LIMIT

    return int(MEMORY_LIMIT)


def choose_workers(config: ClusterConfig) -> int:
    """Return the number of local worker processes: as configured, or one a core as far as memory allows.

    Raises
    ------
    ConfigError
        Where the memory limits of the workers add up to more than the machine has.
    """
    memory = USABLE_MEMORY_SHARE * machine_memory_bytes()
    fitting = int(memory // config.memory_limit)
    wanted = config.workers or max(1, min(CPU_COUNT, fitting))
    if wanted > fitting:
        raise ConfigError(
            f"{wanted} workers of {config.memory_limit / 2**30:.2f} GiB need more than {USABLE_MEMORY_SHARE:.0%} of "
            f"this machine's {machine_memory_bytes() / 2**30:.1f} GiB. Lower cluster.workers or cluster.memory_limit."
        )
    return wanted


def worker_environment() -> dict[str, Any]:
    """Return the environment that worker processes start with: Dask's, and `WORKER_ENVIRONMENT`."""
    import dask
    import distributed  # noqa: F401  (it brings its settings)

    return dask.config.get("distributed.nanny.pre-spawn-environ") | WORKER_ENVIRONMENT


@contextmanager
def connect(config: ClusterConfig) -> Iterator[DaskWorkers]:
    """Start the cluster of a configuration, and stop it at the end, whatever happens.

    Servers listen on the loopback interface only. Workers have one thread each, for NumPy holds the GIL in
    much of the work and one BLAS thread keeps the bits of results the same everywhere.
    """
    import dask
    from distributed import Client, LocalCluster

    settings = {
        "distributed.scheduler.allowed-failures": ALLOWED_FAILURES,
        "distributed.nanny.pre-spawn-environ": worker_environment(),
        # A worker near its limit must neither spill numpy arrays to disk nor pause: parts are planned to fit.
        "distributed.worker.memory.target": False,
        "distributed.worker.memory.spill": False,
        "distributed.worker.memory.pause": 0.95,
        "distributed.worker.memory.terminate": 0.98,
    }
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=choose_workers(config),
            threads_per_worker=1,
            memory_limit=config.memory_limit,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs="ERROR",
        ) as cluster,
        # Not the default client: xarray would take its locks for writing files from the scheduler.
        Client(cluster, set_as_default=False) as client,
    ):
        yield DaskWorkers(client)
