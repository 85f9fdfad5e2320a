"""Dask's cluster, scheduler and worker, without the pages that servers show to anybody who asks."""

from __future__ import annotations

from typing import Any

import distributed


class _WithoutPages:
    """Opens no HTTP port: Dask has no other way to say so, and asks for no password there."""

    def start_http_server(self, *_: object, **__: object) -> None:
        """Open nothing."""


class Scheduler(_WithoutPages, distributed.Scheduler):
    """A scheduler that shows no pages."""


class Worker(_WithoutPages, distributed.Worker):
    """A worker that shows no pages."""


class Cluster(distributed.SpecCluster):
    """A cluster that closes well after a worker died while it joined."""

    def _update_worker_status(self, op: str, msg: Any) -> None:
        # Dask looks up the name of a worker that is gone. One that dies while it joins was never listed: the KeyError
        # would come out when the cluster closes, at the end of a run that is whole.
        if op == "add" or msg in self.scheduler_info["workers"]:
            super()._update_worker_status(op, msg)
