# SPDX-License-Identifier: BSD-3-Clause
"""The environment and the Dask settings with which drivers and workers start; the packages that they must share."""

from __future__ import annotations

import logging
import os
from typing import Any

import dask
from dask.config import collect, merge

from padflow.config.cluster import ClusterConfig

PACKAGES = (
    *("dask", "distributed", "cloudpickle", "msgpack"),  # for messages and tasks
    *("cdflib", "numpy", "scipy", "numba", "numcodecs", "zarr", "xarray", "scikit-learn", "dask-ml"),
)
"""Packages that decide results, or how processes talk.

All processes of a run need the same versions of them (`padflow.compute.watch`). `run.json` holds the versions.
"""


ENVIRONMENT = {
    # One thread for each worker, in all libraries that would start more.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "ZARR_THREADING__MAX_WORKERS": "1",
    # Bytes of freed memory that glibc keeps for the next block of records. With 64 KiB, as Dask sets it, each temporary
    # array goes back to the system and comes again page by page. A pass then takes twice the time.
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
    "MALLOC_MMAP_THRESHOLD_": str(16 << 20),
    # With more arenas, glibc does not return their memory when it is asked to (`Workers.rest`).
    "MALLOC_ARENA_MAX": "1",
}
"""Environment of worker processes."""


WORKER_SETTINGS = {
    # A worker near its limit must not write arrays to disk, nor pause: parts are planned to fit into memory.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": 0.95,
    "distributed.worker.memory.terminate": 0.98,
    # Parts take tenths of a second. With 10 and 20 ms, as Dask has them, the driver and two idle workers use 0.23 of a
    # core for their own profiles (measured). Workers that fill all cores need it.
    "distributed.worker.profile.interval": "100ms",
    "distributed.admin.tick.interval": "200ms",
    # Scratch folders are removed as a whole at the end, and some file systems have no locks.
    "distributed.worker.use-file-locking": False,
}


def worker_environment() -> dict[str, Any]:
    """Return the environment of worker processes: that of Dask, and that of padflow over it."""
    # All variables that Dask sets by default are in padflow's, so that `distributed` need not be imported for them.
    return dask.config.get("distributed.nanny.pre-spawn-environ", {}) | ENVIRONMENT


def server_settings(config: ClusterConfig) -> dict[str, Any]:
    """Return Dask's settings for schedulers, nannies and workers that padflow starts."""
    return WORKER_SETTINGS | {
        "distributed.scheduler.allowed-failures": ALLOWED_FAILURES,
        "distributed.nanny.pre-spawn-environ": worker_environment(),
        "distributed.scheduler.no-workers-timeout": config.stall_seconds or None,
    }


def dask_log_level() -> str:
    """Return the log level of Dask's servers: warnings where padflow's log is at level DEBUG, otherwise nothing.

    Errors of tasks come back with their results. Messages about a worker's last heartbeat help nobody.
    """
    return "WARNING" if logging.getLogger("padflow").isEnabledFor(logging.DEBUG) else "CRITICAL"


ALLOWED_FAILURES = 2
"""Number of workers that may die while they have a task, before Dask gives up the task."""


SECTIONS = ("distributed", "scheduler", "temporary-directory")
"""Sections of Dask's settings that decide how the processes of a cluster start and talk."""


def own_dask_settings() -> dict[str, Any]:
    """Return Dask's defaults for all keys that the user's YAML files and ``DASK_`` variables change.

    Such changes are made for other clusters: a folder for scratch files that is not on this machine, another protocol,
    modules to import, timeouts. Keys that a program has set by `dask.config.set` stay as they are.
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
