# SPDX-License-Identifier: BSD-3-Clause
"""Connect to the Dask cluster that does the work: of this machine, of jobs, or one that somebody else started."""

from __future__ import annotations

import gc
import importlib.util
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from padflow.compute.jobs import job_cluster
from padflow.compute.local import choose_workers, local_cluster
from padflow.compute.private import check_temporary_folder
from padflow.compute.scheduler_file import scheduler_address
from padflow.compute.security import joined_security
from padflow.compute.settings import own_dask_settings, server_settings
from padflow.compute.watch import Watch, stall_message
from padflow.compute.workers import DaskWorkers, address_of, warn_of_plain
from padflow.config.cluster import ClusterConfig
from padflow.config.local_paths import is_url
from padflow.errors import ConfigError, PadflowError
from padflow.store.run_files import PERFORMANCE, REPORT

if TYPE_CHECKING:
    from distributed import Client


LOGGER = logging.getLogger(__name__)


CONNECT_SECONDS = 10
"""Time in which a scheduler has to answer (chosen)."""


@contextmanager
def connect(config: ClusterConfig, directory: Path | None = None) -> Iterator[DaskWorkers]:
    """Start or join the cluster of a configuration. What was started here is stopped at the end, also after an error.

    Servers listen on the loopback interface only; those of jobs listen on `cluster.interface`. A process that connects
    needs the certificate of the run.
    Workers have one thread each, for NumPy holds the GIL in much of the work, and one BLAS thread gives the same bits
    everywhere.

    Parameters
    ----------
    directory : Path, optional
        Run directory. Logs of worker jobs go into its folder ``logs``. While jobs run, it holds a folder that only this
        user can enter.

    Raises
    ------
    PadflowError
        Where there is no cluster, where its workers do not fit the plan, or where work waits and nothing is done.
    """
    import dask

    importlib.import_module("distributed")  # adds its settings to Dask's; later they would be undone below
    _check_bokeh(config)
    check_temporary_folder()
    refusals: list[str] = []
    settings = server_settings(config)
    if config.kind == "local":
        settings = own_dask_settings() | settings
        settings["distributed.worker.multiprocessing-method"] = "forkserver"
        # Dask gives up a worker that is missing this long after an earlier death. A worker that dies on its part again
        # and again may just be starting at that moment. Its nanny always starts it again, so it is never given up.
        settings["distributed.deploy.lost-worker-timeout"] = "1000d"
    with ExitStack() as stack:
        # Dask would take a folder with a fixed name and import modules from it. Another user may have made that folder.
        scratch = stack.enter_context(TemporaryDirectory(prefix="padflow-", ignore_cleanup_errors=True))
        stack.enter_context(dask.config.set(settings | {"temporary-directory": scratch}))
        if config.scheduler is not None:
            target: Any = _address_of(config.scheduler)
            hint = f"Look at the scheduler at {target} and at the logs of its workers."
        elif config.by_jobs:
            target = stack.enter_context(job_cluster(config, directory, refusals))
            hint = f"Look at the queue, and at the logs of jobs in {_log_folder(config, directory)}."
        else:
            target, hint = stack.enter_context(local_cluster(config)), "Is the machine or the disk overloaded?"
        client = stack.enter_context(_client(config, target))
        if config.dashboard_address is not None:
            LOGGER.info("dashboard, open to everybody who can reach it: %s", client.dashboard_link)
        if config.security != "none":
            warn_of_plain(client)
        watch = stack.enter_context(Watch(client, config, refusals=refusals, hint=hint))
        gc.freeze()  # modules stay: a search for garbage in them stops the scheduler for 0.2 s
        with _explained(client, config, watch=watch, hint=hint):
            _await_workers(client, config, watch)
            with _reported(client, directory) if config.performance_report and directory else nullcontext():
                expected = config.workers or choose_workers(config)
                yield DaskWorkers(client, threads=lambda: max(expected, watch.threads))


def _address_of(where: str) -> str:
    """Return the address of a scheduler that somebody else started, from the address itself or from its file."""
    return where if is_url(where) else scheduler_address(Path(where))


def _check_bokeh(config: ClusterConfig) -> None:
    asked = {
        "cluster.performance_report": config.performance_report,
        "cluster.dashboard_address": config.dashboard_address is not None,
    }
    for key in (key for key, wanted in asked.items() if wanted):
        if importlib.util.find_spec("bokeh") is None:
            raise ConfigError(f"{key} needs bokeh: pip install bokeh, or leave it out.")


def _client(config: ClusterConfig, target: Any) -> Client:
    from distributed import Client

    foreign = config.kind == "scheduler"
    # It is not the default client, for xarray would then ask the scheduler for locks when it writes files.
    options = {"timeout": CONNECT_SECONDS, "security": joined_security(config)} if foreign else {}
    try:
        return Client(target, set_as_default=False, **options)
    except OSError as error:
        if not foreign:
            raise
        raise PadflowError(
            f"Nobody answers at cluster.scheduler = {config.scheduler} ({target}): {error}. Is the scheduler "
            "running, and does its address hold here?"
        ) from error


@contextmanager
def _explained(client: Client, config: ClusterConfig, *, watch: Watch, hint: str) -> Iterator[None]:
    """Turn errors of a cluster into its reason: who waits for results only sees that it failed."""
    from distributed.scheduler import NoValidWorkerError, NoWorkerError

    address = address_of(client)
    try:
        yield
    except (NoWorkerError, NoValidWorkerError) as error:
        raise PadflowError(stall_message(config.stall_seconds, 0, hint)) from error
    except Exception as error:
        if reason := watch.reason or watch.look():
            raise PadflowError(reason) from error
        if client.status != "running":
            raise PadflowError(
                f"The connection to the scheduler at {address} was lost. {hint} What is done stands: give the same "
                "command again to go on from here."
            ) from error
        raise


@contextmanager
def _reported(client: Client, directory: Path) -> Iterator[None]:
    """Write Dask's report of what the workers did, also where the work fails."""
    from distributed import performance_report

    path = directory / REPORT / PERFORMANCE
    path.parent.mkdir(exist_ok=True)
    report = performance_report(filename=str(path))
    # The report needs a current client at its beginning and its end. In between xarray must not find one.
    with client.as_current():
        report.__enter__()
    try:
        yield
    finally:
        with client.as_current():
            report.__exit__(None, None, None)


def _log_folder(config: ClusterConfig, directory: Path | None) -> str:
    return str(config.options.get("log_directory") or (directory / "logs" if directory else "the folder of the job"))


def _await_workers(client: Client, config: ClusterConfig, watch: Watch) -> None:
    """Wait for the first worker, and check all workers before any work begins."""
    if config.kind == "local":
        return
    LOGGER.info("waiting for workers (%s)", config.kind)
    if config.kind == "scheduler":
        wanted = config.workers or 1
        try:
            client.wait_for_workers(wanted, timeout=config.stall_seconds or None)
        except TimeoutError as error:
            there = len(client.nthreads())
            raise PadflowError(
                f"{there} of {wanted} workers came to the scheduler at {address_of(client)} within "
                f"{config.stall_seconds:.0f} s (cluster.stall_seconds). Start workers, or lower cluster.workers."
            ) from error
    else:
        client.submit(int, pure=False).result()  # an adaptive cluster asks for a worker only when there is work
    if reason := watch.look():
        raise PadflowError(reason)
