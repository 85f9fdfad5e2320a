# SPDX-License-Identifier: BSD-3-Clause
"""The ``cluster`` section of the configuration: where the work runs. It changes no result."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from padflow.config.local_paths import is_url
from padflow.config.types import Bytes, PathText, Seconds, Section, Walltime

OWN_OPTIONS = {"security", "protocol", "shared_temp_directory", "scheduler_cls", "scheduler_options"}
"""Arguments of dask-jobqueue that decide who may connect: padflow sets them itself."""


WORKER_BASE_BYTES = 320 << 20
"""Memory of a worker that has imported all modules and holds no data; measured (see scripts/bench)."""


LEAST_MEMORY_BYTES = 360 << 20
"""Smallest memory limit. Dask ends a worker near its limit, so with less a worker would die at each start."""


class ClusterConfig(Section):
    """Where the work runs."""

    kind: Literal["local", "slurm", "pbs", "sge", "lsf", "htcondor", "scheduler"] = Field(
        "local",
        description="local: processes on this machine; slurm, pbs, sge, lsf, htcondor: jobs of that queueing system "
        "(Dask's own jobqueue.yaml is honoured); scheduler: a Dask cluster that somebody else started.",
    )
    workers: Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="Worker processes of one thread. local: null is one a core, as far as memory allows. Jobs: how "
        "many to ask for. scheduler: wait for this many before work begins; null is one.",
    )
    minimum_workers: Annotated[int, Field(ge=0)] | None = Field(
        None,
        description="For jobs: ask for as many as there is work for, from this many to `workers`; null: always all.",
    )
    memory_limit: Bytes = Field("2GiB", description="Memory limit of each worker.", validate_default=True)
    workers_per_job: Annotated[int, Field(ge=1)] = Field(1, description="Worker processes in one job.")
    queue: str | None = Field(None, description="Queue or partition that jobs go to.")
    account: str | None = Field(None, description="Account or project that pays for jobs.")
    walltime: Walltime | None = Field(
        None,
        description="Longest time of a worker's job, such as 2h or 02:00:00; workers end before it, and others follow.",
    )
    interface: str | None = Field(
        None,
        description="Network interface between driver and worker jobs, such as ib0 or eth0, or lo where all are on one "
        "machine. Servers listen on no other.",
    )
    prologue: tuple[str, ...] = Field(
        (),
        description="Shell lines of each job before padflow starts in it: modules, an environment, a folder for "
        "scratch files, such as [module load gcc, conda activate padflow, export TMPDIR=/scratch/$USER].",
    )
    options: dict[str, Any] = Field(
        {},
        description="Further arguments of dask-jobqueue for jobs of workers, such as {resource_spec: h_vmem=3G} or "
        "{disk: 1GB}.",
    )
    driver_cores: Annotated[int, Field(ge=1)] = Field(2, description="Cores of the driver's job (`padflow submit`).")
    driver_memory: Bytes = Field("4GiB", description="Memory of the driver's job.", validate_default=True)
    driver_walltime: Walltime | None = Field(
        None, description="Longest time of the driver's job, which lasts for all of the run; null: as `walltime`."
    )
    driver_options: dict[str, Any] = Field(
        {}, description="Further arguments of dask-jobqueue for the driver's job; those of workers do not reach it."
    )
    scheduler: str | None = Field(
        None,
        description="For kind scheduler: its address, such as tcp://10.0.0.1:8786, or the path of a scheduler file.",
    )
    security: Literal["tls", "none"] = Field(
        "tls",
        description="tls: a cluster that padflow starts has a certificate of its own, and lets in nobody without it; "
        "none: any user of these machines can run code as you. For kind scheduler, none only leaves out the warning.",
    )
    tls_ca_file: PathText | None = Field(
        None,
        description="TLS by certificates of your own: those trusted (PEM). For kind scheduler null is what Dask's "
        "configuration says.",
    )
    tls_cert: PathText | None = Field(None, description="Certificate of every process (PEM).")
    tls_key: PathText | None = Field(None, description="Its key (PEM).")
    dashboard_address: str | None = Field(
        None,
        description="Where Dask's web page is to listen (needs bokeh), such as 127.0.0.1:0, any port that is free; "
        "null: no page. It asks nobody for a password.",
    )
    performance_report: bool = Field(
        False, description="Leave Dask's account of the workers' time in report/performance.html (needs bokeh)."
    )
    stall_seconds: Seconds = Field(
        "30min",
        description="End the run where work waits and none of it is done for this long, as when no worker comes; "
        "0 waits for ever.",
        validate_default=True,
    )

    @field_validator("scheduler", mode="after")
    @classmethod
    def _expand_scheduler(cls, value: str | None) -> str | None:
        return value if value is None or is_url(value) else str(Path(value).expanduser().absolute())

    @field_validator("tls_ca_file", "tls_cert", "tls_key", mode="after")
    @classmethod
    def _expand_tls(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().absolute()

    @field_validator("memory_limit", mode="after")
    @classmethod
    def _large_enough(cls, value: int) -> int:
        if value < LEAST_MEMORY_BYTES:
            raise ValueError(
                f"expected at least {LEAST_MEMORY_BYTES >> 20}MiB, for a worker takes {WORKER_BASE_BYTES >> 20} MiB "
                "before it holds any data"
            )
        return value

    @model_validator(mode="after")
    def _belongs_together(self) -> ClusterConfig:
        if (self.kind == "scheduler") != (self.scheduler is not None):
            raise ValueError("kind: scheduler and an address or file as scheduler: go together")
        if self.by_jobs and self.workers is None:
            raise ValueError(f"kind: {self.kind} needs workers: how many to ask for")
        most = self.workers if self.by_jobs and self.workers is not None else -1
        if self.minimum_workers is not None and self.minimum_workers > most:
            raise ValueError("minimum_workers is for workers that are jobs, and at most workers")
        if len({path is None for path in (self.tls_ca_file, self.tls_cert, self.tls_key)}) > 1:
            raise ValueError("tls_ca_file, tls_cert and tls_key go together")
        for name, options in (("options", self.options), ("driver_options", self.driver_options)):
            if own := options.keys() & OWN_OPTIONS:
                raise ValueError(f"{name}: {', '.join(sorted(own))} is set by padflow; see cluster.security")
            if "job_script_prologue" in options:
                raise ValueError(f"{name}: write the lines of job_script_prologue into cluster.prologue")
        if self.security == "none" and self.tls_cert is not None:
            raise ValueError("security: none and certificates (tls_cert) do not go together")
        if self.kind == "scheduler" and self.dashboard_address is not None:
            raise ValueError("dashboard_address is for clusters that padflow starts, not for kind: scheduler")
        return self

    @property
    def by_jobs(self) -> bool:
        """Whether workers are jobs of a queueing system."""
        return self.kind not in ("local", "scheduler")
