# SPDX-License-Identifier: BSD-3-Clause
"""Run workers and the driver as jobs of a queueing system, with dask-jobqueue and the user's ``jobqueue.yaml``."""

from __future__ import annotations

import asyncio
import importlib
import shlex
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask
from pydantic import TypeAdapter, ValidationError

from padflow.compute.job_text import check_lines, check_texts, quoting
from padflow.compute.private import private_folder
from padflow.compute.security import protocol_of, security_in, security_of
from padflow.compute.settings import ENVIRONMENT, WORKER_SETTINGS, dask_log_level
from padflow.config.cluster import ClusterConfig
from padflow.config.types import Walltime
from padflow.errors import ConfigError

if TYPE_CHECKING:
    import distributed
    from dask_jobqueue.core import Job, JobQueueCluster


CLASSES = {
    "slurm": "SLURMCluster",
    "pbs": "PBSCluster",
    "sge": "SGECluster",
    "lsf": "LSFCluster",
    "htcondor": "HTCondorCluster",
}


ACCOUNT = {"slurm": "account", "pbs": "account", "sge": "project", "lsf": "project"}
"""The name of `cluster.account` in dask-jobqueue. HTCondor has neither queues nor accounts."""


NANNY_BYTES = 256 << 20
"""Memory that a job needs besides the limit of each worker: for the process that watches it, and the shell."""


LIFETIME_SHARE, STAGGER_SHARE = 0.9, 0.05
"""A worker ends by itself after about this share of its walltime (chosen), so that it can give its work back."""


PRIVATE = ".private"
"""Folder in a run directory while workers are jobs, with certificate and scratch files; only its user can enter."""


SHARED_OPTIONS = {"python", "shebang", "log_directory", "job_directives_skip", "disk"}
"""Those `cluster.options` that hold for the driver's job too: they say where things are, and not how much it needs."""


OF_WORKERS: dict[str, list[str] | None] = {
    "job-extra-directives": [],
    "job-extra": None,
    "resource-spec": None,
    "job-cpu": None,
    "job-mem": None,
    "ncpus": None,
    "mem": None,
}
"""Keys in Dask's ``jobqueue.yaml`` that say what a worker's job needs. They do not hold for the driver's job."""


ADAPT_SECONDS = 1.0
"""Dask asks for one more worker where the submitted work would take one worker this long (chosen)."""


def walltime_text(kind: str, seconds: float) -> str:
    """Return a walltime as a queueing system reads it."""
    minutes, rest = divmod(round(seconds), 60)
    clock = f"{minutes // 60:02}:{minutes % 60:02}"
    return clock if kind == "lsf" else f"{clock}:{rest:02}"


def _walltime_seconds(config: ClusterConfig) -> float | None:
    """Return the walltime of a worker's job, from the configuration or from Dask's."""
    if config.walltime is not None:
        return config.walltime
    text = dask.config.get(f"jobqueue.{config.kind}.walltime", None)
    try:
        return None if text is None else TypeAdapter(Walltime).validate_python(text)
    except ValidationError:
        return None  # a form that only the queueing system knows


def job_arguments(config: ClusterConfig, directory: Path | None) -> dict[str, Any]:
    """Return the arguments of dask-jobqueue for a worker's job.

    Parameters
    ----------
    directory : Path, optional
        Run directory; logs of jobs go into its ``logs`` folder.

    Raises
    ------
    ConfigError
        Where keys do not fit the queueing system, or no network interface is named.
    """
    kind = config.kind

    def known(key: str, default: Any = None) -> Any:
        return config.options.get(key.replace("-", "_"), dask.config.get(f"jobqueue.{kind}.{key}", default))

    exported = ENVIRONMENT | {
        f"DASK_{key.upper().replace('.', '__')}": str(value) for key, value in WORKER_SETTINGS.items()
    }
    seconds = _walltime_seconds(config)
    count = config.workers_per_job
    arguments: dict[str, Any] = {
        "cores": count,
        "processes": count,
        "memory": str(count * (config.memory_limit + NANNY_BYTES)),
        "interface": _interface(config, known("interface")),
        "job_name": "padflow-worker",
        # dask-jobqueue writes the limit of the job before it. The last of two memory limits holds.
        "worker_extra_args": [
            *("--memory-limit", str(config.memory_limit), "--worker-class", "padflow.compute.servers.Worker"),
            *_lifetime(seconds),
            *(known("worker-extra-args") or []),
        ],
        "job_script_prologue": [
            *_prologue(config),
            *(f"export {name}={shlex.quote(value)}" for name, value in exported.items()),
        ],
    }
    if directory is not None and known("log-directory") is None:
        arguments["log_directory"] = str(directory / "logs")
    if directory is not None and known("local-directory") is None:
        arguments["local_directory"] = shlex.quote(str(directory / PRIVATE))
    if seconds and kind != "htcondor":
        arguments["walltime"] = walltime_text(kind, config.walltime) if config.walltime else known("walltime")
    names = {} if kind == "htcondor" else {"queue": "queue", "account": ACCOUNT[kind]}
    for key, value in (("queue", config.queue), ("account", config.account)):
        if value is not None and key not in names:
            raise ConfigError(f"cluster.{key} = {value}: HTCondor has none; put what you need into cluster.options.")
        if value is not None:
            arguments[names[key]] = value
    if kind == "htcondor" and known("disk") is None:
        raise ConfigError(
            "cluster.options has no disk: HTCondor must be told how much a worker's job takes, such as {disk: 1GB}."
        )
    arguments |= {name: value for name, value in config.options.items() if name != "worker_extra_args"}
    check_texts(kind, arguments, config.options)
    return arguments


def _lifetime(walltime_seconds: float | None) -> list[str]:
    """Return the arguments that let a worker end before the queueing system ends its job."""
    if not walltime_seconds:
        return []
    life, stagger = (f"{share * walltime_seconds:.0f}s" for share in (LIFETIME_SHARE, STAGGER_SHARE))
    return ["--lifetime", life, "--lifetime-stagger", stagger]


def _prologue(config: ClusterConfig) -> list[str]:
    return [*(dask.config.get(f"jobqueue.{config.kind}.job-script-prologue", None) or []), *config.prologue]


def _interface(config: ClusterConfig, elsewhere: str | None) -> str:
    name = config.interface or elsewhere
    if name is None:
        raise ConfigError(
            f"cluster.interface is not set: name the network interface that driver and workers share "
            f"({', '.join(interfaces())} are on this machine), or lo where all are on this machine. Nothing listens on "
            "others."
        )
    return name


def interfaces() -> list[str]:
    """Return the names of this machine's network interfaces."""
    import psutil

    return sorted(psutil.net_if_addrs())


def check_interface(name: str) -> None:
    """Refuse an interface that this machine does not have, for a server will listen on it.

    Raises
    ------
    ConfigError
        Names the interfaces of this machine.
    """
    if name not in interfaces():
        raise ConfigError(f"cluster.interface = {name} is not on this machine; there are {', '.join(interfaces())}.")


def _job_class(config: ClusterConfig) -> type[Job]:
    kind: Any = _cluster_class(config)  # dask-jobqueue's types say that only an instance has it
    return kind.job_cls


def _cluster_class(config: ClusterConfig) -> type[JobQueueCluster]:
    interrupt = signal.getsignal(signal.SIGINT)
    try:
        module = importlib.import_module("dask_jobqueue")
    except ModuleNotFoundError:
        raise ConfigError(
            f"cluster.kind = {config.kind} needs dask-jobqueue: pip install dask-jobqueue, or use cluster.kind = local."
        ) from None
    finally:
        # Its import changes Ctrl-C: the process would end with status 0 (dask_jobqueue/runner.py of 0.9.0).
        signal.signal(signal.SIGINT, interrupt)
    return getattr(module, CLASSES[config.kind])


def _check_commands(config: ClusterConfig) -> None:
    job: Any = _job_class(config)
    missing = [name for name in (job.submit_command, job.cancel_command) if shutil.which(name) is None]
    if missing:
        raise ConfigError(
            f"cluster.kind = {config.kind}, but this machine has no {' and no '.join(missing)}: start padflow "
            "where jobs can be submitted from, or set cluster.kind."
        )


@contextmanager
def job_cluster(config: ClusterConfig, directory: Path | None, refusals: list[str]) -> Iterator[JobQueueCluster]:
    """Start a scheduler here, and workers as jobs. At the end all jobs are removed, also after an error.

    While there is work, a new job replaces each job that ends.

    Parameters
    ----------
    refusals : list of str
        Gets what the queueing system said to each job that it did not take.
    """
    from distributed.core import Status

    kind: Any = _cluster_class(config)  # its type asks for a job where it takes a class of jobs
    _check_commands(config)
    quoted: Any = quoting(_job_class(config))  # a base class that is known only here

    class WatchedJob(quoted):
        async def start(self) -> None:
            try:
                await super().start()
            except (RuntimeError, OSError, ValueError) as error:
                # If it were raised, the loop that submits would only log it, with a traceback.
                refusals.append(" ".join(str(error).rpartition("stderr:")[2].split()))
                self.status = Status.running

        async def close(self) -> None:
            await super().close()
            self.status = Status.closed

    arguments = job_arguments(config, directory)
    check_interface(arguments["interface"])  # the scheduler listens on it, here
    with private_folder((directory or Path.cwd()) / PRIVATE) as folder:
        security = security_of(config, folder)
        secure = {"security": security, "protocol": protocol_of(security)}
        scheduler, options = scheduler_of(config)
        elsewhere = dask.config.get(f"jobqueue.{config.kind}.scheduler-options", {})
        with kind(
            job_cls=WatchedJob,
            scheduler_cls=scheduler,
            scheduler_options=options | elsewhere | secure,
            silence_logs=dask_log_level(),
            **secure,
            **arguments,
        ) as cluster:
            least = config.workers if config.minimum_workers is None else config.minimum_workers
            cluster.adapt(minimum=least, maximum=config.workers, target_duration=ADAPT_SECONDS)
            yield cluster


def scheduler_of(config: ClusterConfig) -> tuple[type[distributed.Scheduler], dict[str, Any]]:
    """Return the class of a scheduler and its options, with Dask's web page where the configuration asks for it."""
    import distributed

    from padflow.compute import servers

    if config.dashboard_address is None:
        return servers.Scheduler, {"dashboard": False}
    return distributed.Scheduler, {"dashboard": True, "dashboard_address": config.dashboard_address}


def worker_script(config: ClusterConfig, directory: Path) -> str:
    """Return the job script of a worker. It lacks only the address of the scheduler."""
    made_later = config.security == "tls" and config.tls_cert is None
    security = security_in(directory / PRIVATE) if made_later else security_of(config)
    secure = {"security": security, "protocol": protocol_of(security)}
    job = quoting(_job_class(config))
    return job("SCHEDULER-ADDRESS", name="NAME", **job_arguments(config, directory), **secure).job_script()


def driver_job(config: ClusterConfig, command: list[str], *, directory: Path) -> Job:
    """Return the job that runs a padflow command and asks for workers.

    It has the queue, account, prologue, Python and logs of the workers' jobs, unless `cluster.driver_options` change
    them. The ``driver_`` keys say how much of the machine it needs.

    Parameters
    ----------
    command : list of str
        Arguments of ``padflow``.

    Raises
    ------
    ConfigError
        As `job_arguments`.
    """
    check_lines("a path or setting of the command", command)
    kind = quoting(_job_class(config))
    own = {
        "cores": config.driver_cores,
        "processes": 1,
        "memory": str(config.driver_memory),
        "job_name": "padflow",
        "job_script_prologue": _prologue(config),
    }
    shared = config.model_copy(
        update={
            "options": {name: value for name, value in config.options.items() if name in SHARED_OPTIONS},
            "walltime": config.driver_walltime or config.walltime,
        }
    )
    # Dask's jobqueue.yaml may say how much a worker's job needs. The driver does not take that.
    with dask.config.set({f"jobqueue.{config.kind}": {**dask.config.get(f"jobqueue.{config.kind}"), **OF_WORKERS}}):
        arguments = job_arguments(shared, directory) | own | config.driver_options
        check_texts(config.kind, arguments, config.driver_options, section="cluster.driver_options")
        job = kind("", name="padflow", **arguments)
    job._command_template = shlex.join([arguments.get("python", sys.executable), "-m", "padflow", *command])
    return job


def submit(job: Job) -> str:
    """Submit a job to the queueing system; return its number.

    Raises
    ------
    ConfigError
        Where the queueing system refuses it: repeats its words.
    """

    async def start() -> None:
        await job.start()

    try:
        asyncio.run(start())
    except (RuntimeError, OSError, ValueError) as error:
        raise ConfigError(f"The job was refused: {' '.join(str(error).rpartition('stderr:')[2].split())}") from error
    return str(job.job_id)
