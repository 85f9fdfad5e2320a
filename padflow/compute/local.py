# SPDX-License-Identifier: BSD-3-Clause
"""A cluster of workers on this machine: how many, from which process they are forked, and on which core each runs."""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing import forkserver
from typing import TYPE_CHECKING

from dask.system import CPU_COUNT
from distributed import Worker, WorkerPlugin

from padflow.compute.jobs import scheduler_of
from padflow.compute.security import protocol_of, security_of
from padflow.compute.settings import dask_log_level, worker_environment
from padflow.config.cluster import ClusterConfig
from padflow.errors import ConfigError
from padflow.startup import check_semaphores, unheard_interrupts

if TYPE_CHECKING:
    from distributed import SpecCluster


USABLE_MEMORY_SHARE = 0.8
"""Share of the machine's memory for all workers together (chosen); the driver needs the rest."""


def machine_memory_bytes() -> int:
    """Return the memory of this machine, or of the container or job that bounds it."""
    from distributed.system import MEMORY_LIMIT

    return int(MEMORY_LIMIT)


def choose_workers(config: ClusterConfig) -> int:
    """Return how many workers to expect.

    On this machine it is the number in the configuration, or one for each core as far as memory allows. For jobs that
    come and go with the work it is the smallest number.

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


def start_fork_server() -> None:
    """Start the process from which workers of this machine are forked, unless there is one.

    It imports all modules once, while the driver imports its own. Without it each worker would import for seconds.
    """
    # Libraries read the environment when they are loaded, so it is set here for all forked processes. PYTHONSAFEPATH:
    # no module is taken from the folder that the user happens to be in.
    check_semaphores()
    environment = worker_environment() | {"PYTHONSAFEPATH": "1"}
    before = dict(os.environ)
    multiprocessing.set_forkserver_preload(["padflow.pipeline.preloaded"])
    os.environ.update(environment)
    try:
        with unheard_interrupts():
            forkserver.ensure_running()
    finally:
        os.environ.clear()
        os.environ.update(before)


def local_cluster(config: ClusterConfig) -> SpecCluster:
    """Start a cluster as `distributed.LocalCluster` does, but with servers that show no web pages."""
    from distributed import Nanny

    from padflow.compute import servers

    start_fork_server()
    workers = choose_workers(config)
    security = security_of(config)
    common = {"host": "127.0.0.1", "security": security, "protocol": protocol_of(security)}
    scheduler, options = scheduler_of(config)
    worker = common | {
        "worker_class": servers.Worker,
        "plugins": own_cores(workers),
        "nthreads": 1,
        "memory_limit": config.memory_limit,
        "env": os.environ | worker_environment(),  # as it is now; the fork server has an older one
        "silence_logs": dask_log_level(),
    }
    return servers.Cluster(
        scheduler={"cls": scheduler, "options": common | {"port": 0} | options},
        workers={number: {"cls": Nanny, "options": worker} for number in range(workers)},
        security=security,
        silence_logs=dask_log_level(),
    )


class OwnCore(WorkerPlugin):
    """Keeps each worker on a core of its own, where there are as many workers as cores.

    Without it the system moves workers to other cores whenever the driver or an event loop wakes up. With each move a
    worker loses the content of its core's cache (measured: docs/notes/passes.md).

    Parameters
    ----------
    cores : list of int
        Numbers that the system gives the cores.
    """

    def __init__(self, cores: list[int]):
        self._cores = cores

    def setup(self, worker: Worker) -> None:
        """Keep this thread, and the threads that it will start, on the core with the worker's number."""
        os.sched_setaffinity(0, {self._cores[worker.name]})


def own_cores(workers: int) -> list[OwnCore]:
    """Return the plugin where workers, numbered from 0, fill all cores that this process may use; otherwise none."""
    if not hasattr(os, "sched_getaffinity"):  # only Linux lets a process choose its core
        return []
    cores = sorted(os.sched_getaffinity(0))
    return [OwnCore(cores)] if workers == len(cores) else []
