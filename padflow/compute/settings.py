"""What drivers and workers start with: environment, and Dask's settings."""

from __future__ import annotations

import logging
import os
from typing import Any

import dask
from dask.config import collect, merge

from padflow.config.cluster import ClusterConfig

PACKAGES = (
    *("dask", "distributed", "cloudpickle", "msgpack"),  # they carry messages and tasks
    *("cdflib", "numpy", "scipy", "numba", "numcodecs", "zarr", "xarray", "scikit-learn", "dask-ml"),
)
"""Packages that decide results, or how processes talk.

All processes of a run need the same versions of them (`padflow.compute.watch`), and `run.json` records these.
"""


ENVIRONMENT = {
    # One thread a worker, in every library that would start its own.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "ZARR_THREADING__MAX_WORKERS": "1",
    # Bytes that glibc keeps for the next block of records. With Dask's own 64 KiB every temporary array of a block
    # goes back to the system and comes again a page at a time, which doubles the time of a pass.
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
    "MALLOC_MMAP_THRESHOLD_": str(16 << 20),
    # Of memory of its own for each thread, glibc gives back none when it is asked to (`Workers.rest`).
    "MALLOC_ARENA_MAX": "1",
}
"""What worker processes start with."""


WORKER_SETTINGS = {
    # A worker near its limit must neither spill numpy arrays to disk nor pause: parts are planned to fit.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": 0.95,
    "distributed.worker.memory.terminate": 0.98,
    # Parts take tenths of a second. At Dask's own 10 and 20 ms the driver and two idle workers take 0.23 of a core for
    # looking at themselves (measured), which workers that fill all cores have to spare.
    "distributed.worker.profile.interval": "100ms",
    "distributed.admin.tick.interval": "200ms",
    # Scratch folders are removed whole at the end, and some file systems have no locks.
    "distributed.worker.use-file-locking": False,
}


def worker_environment() -> dict[str, Any]:
    """Return the environment that worker processes start with: Dask's, and padflow's."""
    # Those that Dask has by default are in padflow's, so that `distributed` need not be imported for them.
    return dask.config.get("distributed.nanny.pre-spawn-environ", {}) | ENVIRONMENT


def server_settings(config: ClusterConfig) -> dict[str, Any]:
    """Return Dask's settings for schedulers, nannies and workers that padflow starts."""
    return WORKER_SETTINGS | {
        "distributed.scheduler.allowed-failures": ALLOWED_FAILURES,
        "distributed.nanny.pre-spawn-environ": worker_environment(),
        "distributed.scheduler.no-workers-timeout": config.stall_seconds or None,
    }


def dask_log_level() -> str:
    """Return the level from which Dask's servers log: warnings where padflow's log is at level DEBUG, else nothing.

    Errors of tasks come back with their results; what a worker says of its last heartbeat helps nobody.
    """
    return "WARNING" if logging.getLogger("padflow").isEnabledFor(logging.DEBUG) else "CRITICAL"


ALLOWED_FAILURES = 2
"""Deaths of workers that had a task after which it is still given to another."""


SECTIONS = ("distributed", "scheduler", "temporary-directory")
"""What decides how processes of a cluster start and talk; other sections are of collections, or of jobs."""


def own_dask_settings() -> dict[str, Any]:
    """Return Dask's defaults for what the user's YAML files and ``DASK_`` variables set otherwise.

    They are made for other clusters: a folder for scratch files that this machine does not have, another protocol,
    modules to import, timeouts. What a program has set by `dask.config.set` stands.
    """
    defaults = merge(*dask.config.defaults)
    own = {}
    for key, value in _flat(collect(paths=dask.config.paths, env=os.environ)):
        standard = dask.config.get(key, None, config=defaults)
        if key.replace("_", "-").split(".")[0] in SECTIONS and dask.config.get(key, None) == value != standard:
            own[key] = standard
    return own


def _flat(settings: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs = []
    for key, value in settings.items():
        name = f"{prefix}{key}"
        pairs += _flat(value, f"{name}.") if isinstance(value, dict) and value else [(name, value)]
    return pairs
