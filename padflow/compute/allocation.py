# SPDX-License-Identifier: BSD-3-Clause
"""A scheduler and workers that are started by hand, in one allocation: `padflow scheduler` and `padflow worker`.

Workers and the driver find the scheduler by a scheduler file. While the scheduler runs, there is a folder beside this
file that only this user can enter. It holds the certificate of the cluster, and nobody connects without it.

dask-jobqueue's ``SLURMRunner`` is not enough. It uses two tasks of an allocation for scheduler and driver. It starts
workers without a nanny, which would hold their memory limit, and after the C library has read its environment.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import dask

from padflow.compute.jobs import check_interface, scheduler_of
from padflow.compute.private import check_temporary_folder, private_folder
from padflow.compute.scheduler_file import private_beside, scheduler_address
from padflow.compute.security import protocol_of, security_in, security_of
from padflow.compute.settings import server_settings
from padflow.config.cluster import ClusterConfig
from padflow.errors import PadflowError

if TYPE_CHECKING:
    from distributed import Nanny
    from distributed.core import Server


LOG_LEVEL = "WARNING"
"""At lower levels Dask writes more to the log of a job than what went wrong."""


DEATH_SECONDS = 60
"""A worker ends when the scheduler has not answered for this time (chosen)."""


def run_scheduler(config: ClusterConfig, file: Path) -> None:
    """Run a scheduler until a signal ends it.

    Parameters
    ----------
    config : ClusterConfig
        Says where it listens: on `cluster.interface`, by default on the loopback interface only.
    file : Path
        Gets the scheduler's address when the scheduler listens. The file, and the private folder beside it, are removed
        at the end.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)  # a scheduler that was killed may have left one
    with private_folder(private_beside(file)) as folder, dask.config.set(_settings(config, str(folder))):
        security = security_of(config, folder)
        kind, options = scheduler_of(config)
        common: dict[str, Any] = {
            "port": 0,
            "protocol": protocol_of(security),
            "security": security,
            "scheduler_file": str(file),
        }
        try:
            asyncio.run(_serve(lambda: [kind(**common, **_place(config), **options)]))
        finally:
            file.unlink(missing_ok=True)


def run_worker(config: ClusterConfig, file: Path, *, processes: int = 1) -> None:
    """Run workers of one thread each until the scheduler, or a signal, ends them.

    Parameters
    ----------
    config : ClusterConfig
        Gives their memory limit, `cluster.memory_limit`, and where they listen.
    file : Path
        The scheduler file. It may appear a little later.
    processes : int
        How many workers.

    Raises
    ------
    PadflowError
        Where there is no scheduler.
    """
    address = scheduler_address(file)
    folder = private_beside(file)
    own = config.security == "none" or config.tls_cert is not None
    security = security_of(config) if own else security_in(folder)
    check_temporary_folder()
    with (
        TemporaryDirectory(prefix="padflow-", ignore_cleanup_errors=True) as scratch,
        dask.config.set(_settings(config, scratch)),
    ):
        options = {"security": security, "memory_limit": config.memory_limit} | _place(config)
        try:
            asyncio.run(_serve(lambda: [_nanny(address, options, scratch) for _ in range(processes)]))
        except (OSError, RuntimeError, TimeoutError) as error:
            raise PadflowError(
                f"No worker can be started: the scheduler at {address}, of {file}, does not answer or does not let it "
                f"in ({error}). Is it running, and is this its file?"
            ) from error


def _settings(config: ClusterConfig, folder: str) -> dict[str, Any]:
    return server_settings(config) | {"temporary-directory": folder}


def _place(config: ClusterConfig) -> dict[str, Any]:
    """Return the host or the interface on which a server listens."""
    if config.interface is None:
        return {"host": "127.0.0.1"}
    check_interface(config.interface)
    return {"interface": config.interface}


def _nanny(address: str, options: dict[str, Any], scratch: str) -> Nanny:
    from distributed import Nanny

    from padflow.compute import servers

    return Nanny(
        address,
        nthreads=1,
        worker_class=servers.Worker,
        death_timeout=DEATH_SECONDS,
        local_directory=scratch,
        dashboard=False,
        silence_logs=LOG_LEVEL,
        **options,
    )


async def _serve(make: Callable[[], Sequence[Server]]) -> None:
    """Run servers until all have finished, or until a signal ends them."""
    logging.getLogger("distributed").setLevel(LOG_LEVEL)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    work, stopped = asyncio.create_task(_until_finished(make())), asyncio.create_task(_set(stop))
    await asyncio.wait([work, stopped], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not work.done():
        work.cancel()
    with suppress(asyncio.CancelledError):
        await work


async def _until_finished(servers: Sequence[Server]) -> None:
    async with AsyncExitStack() as stack:
        await asyncio.gather(*map(stack.enter_async_context, servers))
        for server in servers:
            await server.finished()


async def _set(stop: asyncio.Event) -> None:
    await stop.wait()
