# SPDX-License-Identifier: BSD-3-Clause
"""Commands for clusters: a run as a job of a queueing system, and a scheduler and workers that are started by hand."""

from __future__ import annotations

from pathlib import Path

import click

import padflow
from padflow.cli.group import FILE, command, removal_option, run_directory, run_options, say, set_option
from padflow.config.presets import config_file
from padflow.errors import ConfigError


@command(
    *run_options,
    removal_option,
    click.option("--dry-run", is_flag=True, help="Only print the job script of the driver, and that of a worker."),
)
def submit(path: Path, workdir: Path | None, overrides: tuple[str, ...], allow_removal: int, dry_run: bool) -> None:
    """Submit `padflow run CONFIG` to the queueing system as a job.

    That job submits one job for each worker.
    """
    from padflow.compute import jobs

    config = padflow.load_config(path, overrides)
    if not config.cluster.by_jobs:
        raise ConfigError(
            f"cluster.kind = {config.cluster.kind}: `padflow submit` is for slurm, pbs, sge, lsf and htcondor."
        )
    directory = run_directory(path, workdir).absolute()
    options = [word for text in overrides for word in ("--set", text)]
    if allow_removal:
        options += ["--allow-removal", str(allow_removal)]
    job = jobs.driver_job(
        config.cluster,
        ["run", str(config_file(path).absolute()), "--workdir", str(directory), *options],
        directory=directory,
    )
    if dry_run:
        say(f"# ---- the driver\n{job.job_script()}")
        say(f"# ---- each of up to {config.cluster.workers} workers, which the driver submits")
        say(jobs.worker_script(config.cluster, directory))
    else:
        say(f"job {jobs.submit(job)}; `padflow status {directory}` says how far it is")


server_options = (
    click.argument("path", metavar="CONFIG", type=FILE),
    click.argument("file", metavar="SCHEDULER_FILE", type=FILE),
    set_option,
)


@command(*server_options)
def scheduler(path: Path, file: Path, overrides: tuple[str, ...]) -> None:
    """Run the scheduler of a cluster that you start by hand.

    It writes its address to SCHEDULER_FILE. Workers (`padflow worker`) and the driver (`padflow run` with
    cluster.kind=scheduler and cluster.scheduler=SCHEDULER_FILE) find it, and its certificate, by that file. It uses the
    section cluster of CONFIG and no other.
    """
    from padflow.compute.allocation import run_scheduler

    run_scheduler(padflow.load_config(path, overrides).cluster, file.absolute())


@command(
    *server_options,
    click.option(
        "--processes", type=click.IntRange(1, 1024), default=1, show_default=True, help="Workers of one thread each."
    ),
)
def worker(path: Path, file: Path, overrides: tuple[str, ...], processes: int) -> None:
    """Run workers for the scheduler that wrote SCHEDULER_FILE.

    They have the memory limit of CONFIG, and end with the scheduler.
    """
    from padflow.compute.allocation import run_worker

    run_worker(padflow.load_config(path, overrides).cluster, file.absolute(), processes=processes)
