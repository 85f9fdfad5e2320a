# SPDX-License-Identifier: BSD-3-Clause
"""Dask's cluster, scheduler and worker, without web pages: everybody who reaches the port could read them."""

from __future__ import annotations

from typing import Any

import distributed


class _WithoutPages:
    """Opens no HTTP port. Dask has no setting for that, and its pages ask for no password."""

    def start_http_server(self, *_: object, **__: object) -> None:
        """Open nothing."""


class Scheduler(_WithoutPages, distributed.Scheduler):
    """A scheduler that shows no pages."""


class Worker(_WithoutPages, distributed.Worker):
    """A worker that shows no pages."""


class Cluster(distributed.SpecCluster):
    """A cluster that closes without an error where a worker has died while it joined."""

    def _update_worker_status(self, op: str, msg: Any) -> None:
        # Dask looks up the name of a worker that has gone. A worker that dies while it joins is in no list. The
        # KeyError would be raised when the cluster closes, at the end of a good run.
        if op == "add" or msg in self.scheduler_info["workers"]:
            super()._update_worker_status(op, msg)
