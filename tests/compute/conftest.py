# SPDX-License-Identifier: BSD-3-Clause
"""A local cluster, and configurations of clusters of jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from padflow.compute.cluster import connect
from padflow.compute.workers import DaskWorkers
from padflow.config.cluster import ClusterConfig


@pytest.fixture(scope="module")
def cluster() -> Iterator[DaskWorkers]:
    """Two workers of this machine."""
    with connect(ClusterConfig(workers=2, memory_limit="1GiB")) as workers:
        yield workers


@pytest.fixture(scope="session")
def config() -> Callable[..., ClusterConfig]:
    """Make the configuration of a queueing system's cluster."""

    def make(kind: str = "slurm", **keys: object) -> ClusterConfig:
        return ClusterConfig(**{"kind": kind, "workers": 4, "interface": "lo", "walltime": "01:30:00"} | keys)

    return make
