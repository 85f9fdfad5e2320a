"""Workers that fill a machine keep to one core each."""

from __future__ import annotations

import os

from distributed import Worker, WorkerPlugin


class OwnCore(WorkerPlugin):
    """Keeps each of as many workers as there are cores on a core of its own.

    The system else moves them about whenever the driver or an event loop wakes up, and with each move a worker loses
    what its core's cache held (measured: scripts/bench/README.md).

    Parameters
    ----------
    cores : list of int
        Numbers of the cores, as the system has them.
    """

    def __init__(self, cores: list[int]):
        self._cores = cores

    def setup(self, worker: Worker) -> None:
        """Keep the worker's event loop, and the threads that it will start, on the core of the worker's number."""
        os.sched_setaffinity(0, {self._cores[worker.name]})


def own_cores(workers: int) -> list[OwnCore]:
    """Return the plugin where so many workers, numbered from 0, fill the cores that this process may use, else none."""
    if not hasattr(os, "sched_getaffinity"):  # only Linux lets processes choose
        return []
    cores = sorted(os.sched_getaffinity(0))
    return [OwnCore(cores)] if workers == len(cores) else []
