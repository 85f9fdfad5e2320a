"""Dask's scheduler and worker, without the pages that each of them shows to anybody who asks."""

from __future__ import annotations

import distributed


class _WithoutPages:
    """Opens no HTTP port: Dask has no other way to say so, and asks for no password there."""

    def start_http_server(self, *_: object, **__: object) -> None:
        """Open nothing."""


class Scheduler(_WithoutPages, distributed.Scheduler):
    """A scheduler that shows no pages."""


class Worker(_WithoutPages, distributed.Worker):
    """A worker that shows no pages."""
