"""Where the work runs: a Dask cluster here, of jobs, or of somebody else, and bounded submission of work to it."""

from __future__ import annotations

import importlib.util
import resource
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dask.system import CPU_COUNT

from padflow.config import ClusterConfig
from padflow.durable import read_json
from padflow.errors import ConfigError, PadflowError
from padflow.jobs import ENVIRONMENT, WORKER_SETTINGS, job_cluster, security_of
from padflow.watch import Watch, stall_message

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

AHEAD = 4
"""Tasks handed to the scheduler for each worker thread: enough to keep it busy, few enough to stay small."""
ALLOWED_FAILURES = 2
"""Deaths of workers that had a task after which it is still given to another."""
CONNECT_SECONDS = 10
"""A scheduler that does not answer for this long is taken for absent."""
FILE_SECONDS = 60
"""Longest wait for a scheduler file, which comes when the scheduler started beside this process is up."""
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
    watch : Watch
    """

    def __init__(self, client: Client, *, expected: int, watch: Watch):
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
        completed = as_completed(loop=self.client.loop)
        running: dict[Any, Any] = {}
        done = 0

        def fill() -> None:
            following = list(islice(pending, AHEAD * max(self._expected, self._watch.threads) - len(running)))
            if following:
                new = dict(zip(self.client.map(function, following, pure=False), following, strict=True))
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


def machine_memory_bytes() -> int:
    """Return the memory of this machine, or of the container or job that bounds it."""
    from distributed.system import MEMORY_LIMIT

    return int(MEMORY_LIMIT)


def choose_workers(config: ClusterConfig) -> int:
    """Return how many workers to count on: as configured, or one a core of this machine as far as memory allows.

    Of jobs that come and go with the work, these are the fewest.

    Raises
    ------
    ConfigError
        Where the memory limits of the workers add up to more than the machine has.
    """
    if config.kind != "local":
        least = config.workers if config.minimum_workers is None else config.minimum_workers
        return max(1, least or 1)
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
    """Return the environment that worker processes start with: Dask's, and padflow's."""
    import dask
    import distributed  # noqa: F401  (it brings its settings)

    return dask.config.get("distributed.nanny.pre-spawn-environ") | ENVIRONMENT


@contextmanager
def connect(config: ClusterConfig, directory: Path | None = None) -> Iterator[DaskWorkers]:
    """Start or join the cluster of a configuration, and stop what was started at the end, whatever happens.

    Servers listen on the loopback interface only, but for those of jobs, which listen on `cluster.interface`.
    Workers have one thread each, for NumPy holds the GIL in much of the work and one BLAS thread keeps the bits of
    results the same everywhere.

    Parameters
    ----------
    directory : Path, optional
        Run directory; logs of worker jobs go into its ``logs`` folder.

    Raises
    ------
    PadflowError
        Where there is no cluster, its workers do not fit the plan, or work waits and none of it is done.
    """
    import dask

    if config.performance_report and importlib.util.find_spec("bokeh") is None:
        raise ConfigError("cluster.performance_report needs bokeh: pip install padflow[dashboard], or leave it out.")
    refusals: list[str] = []
    settings = WORKER_SETTINGS | {
        "distributed.scheduler.allowed-failures": ALLOWED_FAILURES,
        "distributed.nanny.pre-spawn-environ": worker_environment(),
        "distributed.scheduler.no-workers-timeout": config.stall_seconds or None,
        "distributed.deploy.lost-worker-timeout": "5s",
    }
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(settings))
        if config.kind == "scheduler":
            target: Any = _scheduler_address(config.scheduler)
            hint = f"Look at the scheduler at {target} and at the logs of its workers."
        elif config.by_jobs:
            target = stack.enter_context(job_cluster(config, directory, refusals))
            hint = f"Look at the queue, and at the logs of jobs in {_log_folder(config, directory)}."
        else:
            target, hint = stack.enter_context(_local_cluster(config)), "Is the machine or the disk overloaded?"
        client = stack.enter_context(_client(config, target))
        print(f"dashboard: {client.dashboard_link}", file=sys.stderr, flush=True)
        watch = stack.enter_context(Watch(client, config, refusals=refusals, hint=hint))
        with _explained(client, config, watch=watch, hint=hint):
            _await_workers(client, config, watch)
            with _reported(client, directory) if config.performance_report and directory else nullcontext():
                yield DaskWorkers(client, expected=config.workers or choose_workers(config), watch=watch)


def _client(config: ClusterConfig, target: Any) -> Client:
    from distributed import Client

    foreign = config.kind == "scheduler"
    # Not the default client: xarray would take its locks for writing files from the scheduler.
    options = {"timeout": CONNECT_SECONDS, "security": security_of(config)} if foreign else {}
    try:
        return Client(target, set_as_default=False, **options)
    except OSError as error:
        if not foreign:
            raise
        raise PadflowError(
            f"Nobody answers at cluster.scheduler = {config.scheduler} ({target}): {error}. Is the scheduler "
            "running, and does its address hold here?"
        ) from error


@contextmanager
def _explained(client: Client, config: ClusterConfig, *, watch: Watch, hint: str) -> Iterator[None]:
    """Say why a cluster failed, where waiting for its results only showed that it did."""
    from distributed.scheduler import NoValidWorkerError, NoWorkerError

    address = client.scheduler.address
    try:
        yield
    except (NoWorkerError, NoValidWorkerError) as error:
        raise PadflowError(stall_message(config.stall_seconds, 0, hint)) from error
    except Exception as error:
        if reason := watch.reason or watch.look():
            raise PadflowError(reason) from error
        if client.status != "running":
            raise PadflowError(
                f"The connection to the scheduler at {address} was lost. {hint} What is done stands: give the same "
                "command again to go on from here."
            ) from error
        raise


@contextmanager
def _reported(client: Client, directory: Path) -> Iterator[None]:
    """Leave Dask's report of what the workers did, also where the work fails."""
    from distributed import performance_report

    path = directory / "report" / "performance.html"
    path.parent.mkdir(exist_ok=True)
    report = performance_report(filename=str(path))
    # It takes the client that is current, at its beginning and end only: in between xarray must not find one.
    with client.as_current():
        report.__enter__()
    try:
        yield
    finally:
        with client.as_current():
            report.__exit__(None, None, None)


def _local_cluster(config: ClusterConfig) -> LocalCluster:
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=choose_workers(config),
        threads_per_worker=1,
        memory_limit=config.memory_limit,
        host="127.0.0.1",
        dashboard_address=config.dashboard_address,
        silence_logs="ERROR",
        security=security_of(config),
    )


def _log_folder(config: ClusterConfig, directory: Path | None) -> str:
    return str(config.options.get("log_directory") or (directory / "logs" if directory else "the folder of the job"))


def _scheduler_address(where: str) -> str:
    """Return an address, or what a scheduler file says; the file may come a little later than its reader."""
    if "://" in where:
        return where
    end = time.monotonic() + FILE_SECONDS
    while not (content := read_json(Path(where))):
        if time.monotonic() > end:
            raise PadflowError(
                f"cluster.scheduler = {where}: no scheduler file came there within {FILE_SECONDS} s. Start `dask "
                "scheduler --scheduler-file` with this path, in a folder that this machine sees."
            )
        time.sleep(0.2)
    return str(content["address"])


def _await_workers(client: Client, config: ClusterConfig, watch: Watch) -> None:
    """Wait for the first worker, and look at what there is before any work begins."""
    if config.kind == "local":
        return
    print(f"waiting for workers ({config.kind})", file=sys.stderr, flush=True)
    if config.kind == "scheduler":
        wanted = config.workers or 1
        try:
            client.wait_for_workers(wanted, timeout=config.stall_seconds or None)
        except TimeoutError as error:
            there = len(client.nthreads())
            raise PadflowError(
                f"{there} of {wanted} workers came to the scheduler at {client.scheduler.address} within "
                f"{config.stall_seconds:.0f} s (cluster.stall_seconds). Start workers, or lower cluster.workers."
            ) from error
    else:
        client.submit(int, pure=False).result()  # work, so that an adaptive cluster asks for a worker
    if reason := watch.look():
        raise PadflowError(reason)
