# SPDX-License-Identifier: BSD-3-Clause
"""Watch a Dask cluster while it works. Where the work cannot go on, end it and say why."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from padflow.compute.settings import PACKAGES
from padflow.config.cluster import ClusterConfig

if TYPE_CHECKING:
    from distributed import Client


LOGGER = logging.getLogger(__name__)


LOOK_SECONDS = 1.0


LIMIT_TOLERANCE = 0.99
"""Tolerance of memory limits, for Dask rounds them to three digits."""


class Watch:
    """A thread that looks at a cluster every second.

    Parameters
    ----------
    client : distributed.Client
    config : ClusterConfig
    refusals : list of str
        Messages of the queueing system about jobs that it refused. The list grows while jobs are submitted.
    hint : str
        Where to look for the cause, for messages.

    Attributes
    ----------
    reason : str or None
        Why the work was ended. The client is closed then, so that waiting for results raises an error.
    threads : int
        Number of threads of all workers.
    """

    def __init__(self, client: Client, config: ClusterConfig, *, refusals: list[str], hint: str = ""):
        self.reason: str | None = None
        self.threads = 0
        self._client, self._config, self._refusals, self._hint = client, config, refusals, hint
        self._known: set[str] = set()
        self._warned = False
        self._pending: set[Any] = set()
        self._since = time.monotonic()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="padflow-watch", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> Literal[False]:
        self._done.set()
        self._thread.join()
        return False

    def _run(self) -> None:
        while not self._done.wait(LOOK_SECONDS):
            if self.look() is not None:
                self._client.close(timeout=2)
                return

    def look(self) -> str | None:
        """Look once; return the reason to end the work, or None."""
        try:
            # This asks the scheduler for its workers, without their tasks.
            workers = self._client.scheduler_info(n_workers=-1)["workers"]
        except Exception:  # the connection is lost or closed; waiting for results raises an error then
            return self.reason
        self.threads = sum(facts["nthreads"] for facts in workers.values())
        checks: tuple[Callable[[dict[str, Any]], str | None], ...] = (self._refused, self._unfit, self._stalled)
        for check in checks:
            self.reason = self.reason or check(workers)
        return self.reason

    def _refused(self, workers: dict[str, Any]) -> str | None:
        if not self._refusals or self._warned:
            return None
        self._warned = True
        said = self._refusals[0]
        if workers:
            LOGGER.warning("the queue refused a worker: %s", said)
            return None
        return (
            f"The queue refused a worker's job: {said}. Check cluster.queue, account, walltime, memory_limit and "
            "options; `padflow submit --dry-run` prints the job."
        )

    def _unfit(self, workers: dict[str, Any]) -> str | None:
        new = workers.keys() - self._known
        if not new:
            return None
        self._known |= new
        limit = self._config.memory_limit
        for address in sorted(new):
            has = workers[address]["memory_limit"]
            if has and has < LIMIT_TOLERANCE * limit:
                return (
                    f"Worker {address} has a memory limit of {has / 2**30:.2f} GiB, less than cluster.memory_limit "
                    f"({limit / 2**30:.2f} GiB), which the plan rests on. Start it with --memory-limit {limit}, or "
                    "lower cluster.memory_limit: `padflow plan` says whether the work fits."
                )
        try:
            versions: Any = self._client.get_versions(packages=["padflow", *PACKAGES])
        except Exception:
            self._known -= new
            return None
        return versions_differ(versions)

    def _stalled(self, workers: dict[str, Any]) -> str | None:
        pending = {key for key, state in list(self._client.futures.items()) if state.status == "pending"}
        now = time.monotonic()
        if not pending or pending != self._pending:
            self._pending, self._since = pending, now
        limit = self._config.stall_seconds
        if not limit or now - self._since < limit:
            return None
        return stall_message(limit, len(workers), self._hint)


def stall_message(limit_seconds: float, workers: int, hint: str) -> str:
    """Return the message where no work was done for too long."""
    there = f"though there are {workers} workers" if workers else "and there is no worker"
    return (
        f"Work has waited for {limit_seconds:.0f} s (cluster.stall_seconds) and none was done, {there}. {hint} "
        "What is done stands: give the same command again to go on from here."
    )


def versions_differ(versions: dict[str, Any]) -> str | None:
    """Return a message where the scheduler or a worker has other versions than this process; None where none has."""
    here = _relevant(versions["client"])
    there = {f"worker {address}": facts for address, facts in sorted(versions["workers"].items())}
    for who, facts in ({"the scheduler": versions["scheduler"]} | there).items():
        found = _relevant(facts)
        differing = [
            f"{name} {found.get(name) or 'missing'} there, {here[name] or 'missing'} here"
            for name in here
            if found.get(name) != here[name]
        ]
        if differing:
            return (
                f"{who[0].upper()}{who[1:]} has other versions than the driver: {'; '.join(differing)}. Results could "
                "differ: start all of them from the same environment (for jobs, cluster.options python: or prologue:)."
            )
    return None


def _relevant(facts: dict[str, Any]) -> dict[str, str | None]:
    python = ".".join(str(facts["host"]["python"]).split(".")[:2])
    return {"python": python} | {name: facts["packages"].get(name) for name in ("padflow", *PACKAGES)}
