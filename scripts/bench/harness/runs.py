# SPDX-License-Identifier: BSD-3-Clause
"""Runs of `padflow run`, as a user starts them, and what they took."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.archives import PADFLOW, Archive
from harness.processes import SAMPLE_SECONDS, watch
from harness.results import sources_digest
from padflow.config.reading import load_config
from padflow.model.model import Model
from padflow.pipeline.directory import RunDirectory
from padflow.pipeline.receipts import Labelled, receipts
from padflow.store.durable import read_json
from padflow.store.reading import ArchiveReader

REPOSITORY = Path(__file__).resolve().parents[3]
RECOMMENDED = REPOSITORY / "configs" / "recommended.yaml"
KILLEY2023 = REPOSITORY / "configs" / "killey2023.yaml"


@dataclass(frozen=True)
class RunPlan:
    """One `padflow run`: a configuration, the days of an archive, further settings."""

    config: Path
    archive: Archive
    settings: tuple[str, ...] = ()

    @property
    def labels(self) -> dict[str, Any]:
        """What tells a measurement of this plan from those of others."""
        return {"days": self.archive.days, "config": self.config.stem, "settings": " ".join(self.settings)}

    def command(self, directory: Path) -> list[str]:
        """Return the command line."""
        settings = [*self.archive.settings, *self.settings]
        words = [word for setting in settings for word in ("--set", setting)]
        return [*PADFLOW, "run", str(self.config), "--workdir", str(directory), *words]

    def directory(self, work: Path) -> Path:
        """Return where a finished run of this plan is kept; another version of padflow has another."""
        text = "\0".join([self.config.read_text(), *self.archive.settings, *self.settings, sources_digest()])
        return work.absolute() / f"run-{self.archive.days}d-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def measured_run(plan: RunPlan, directory: Path) -> dict[str, Any]:
    """Run in a directory that is made anew; return seconds, memory and stages.

    Returns
    -------
    dict
        ``seconds`` of wall clock, ``records``, ``parts``, ``workers``, ``cdf_bytes``, peak memory in bytes as
        ``all_bytes``, ``largest_bytes``, ``driver_bytes``, ``trainer_bytes`` and ``worker_bytes`` (the largest), and
        ``stages``: for each its ``seconds`` and ``records`` of ``run.json``, ``all_bytes`` and ``largest_bytes``, and
        ``outside_stages`` likewise: imports, start and end of the workers, what lies between two stages.
    """
    shutil.rmtree(directory, ignore_errors=True)
    watched = watch(plan.command(directory), log=directory.with_suffix(".log"), run_json=directory / "run.json")
    config = load_config(directory / "config.yaml")
    stages, spans = {}, []
    for name, facts in read_json(directory / "run.json")["stages"].items():
        end = watched.stage_ends[name]
        # A stage that is over in less time than lies between two samples still has one.
        spans.append((end - facts["seconds"] - SAMPLE_SECONDS, end))
        stages[name] = {"seconds": facts["seconds"], "records": facts["records"]} | watched.between(spans[-1:])
    outside = watched.seconds - sum(facts["seconds"] for facts in stages.values())
    labels = list(receipts(RunDirectory(directory), Labelled))
    return {
        "seconds": watched.seconds,
        "records": sum(receipt.rows for _, _, receipt in labels),
        "parts": len(labels),
        "rows_per_part": config.archive.rows_per_part,
        "workers": config.cluster.workers,
        "days": plan.archive.days,
        "cdf_bytes": sum(path.stat().st_size for path in plan.archive.files),
        "all_bytes": watched.all_together,
        "largest_bytes": watched.largest,
        "driver_bytes": watched.first,
        "trainer_bytes": watched.trainer,
        "worker_bytes": watched.others,
        "stages": stages,
        "outside_stages": {"seconds": outside} | watched.between(spans, inside=False),
        "model": _model_facts(directory),
    }


def _model_facts(directory: Path) -> dict[str, Any]:
    info = read_json(directory / "model" / "model.json")
    training = info["training"]
    return {
        "classes": len(info["classes"]),
        "epochs": len(training["history"]["loss"]),
        "train_rows": training["rows"],
        "train_rows_per_second": training["rows_per_second"],
        "val_loss": training["history"]["val_loss"][-1],
        "features": Model.load(directory / "model").network.features,
        "components": len(info["pca"]["explained_variance"]),
        "flux_values": _flux_values(directory),
    }


def _flux_values(directory: Path) -> int:
    """Return pitch angles times energies of a record."""
    axes = ArchiveReader(directory / "archive.zarr", "rbspa").axes
    return len(axes.pitch_angle) * len(axes.energy)


def finished_run(plan: RunPlan, work: Path) -> Path:
    """Return the directory of a finished run, finished now where it is not."""
    directory = plan.directory(work)
    directory.parent.mkdir(parents=True, exist_ok=True)
    if not RunDirectory(directory).shown_file.is_file():  # what a run writes last
        with directory.with_suffix(".log").open("w") as log:
            subprocess.run(plan.command(directory), check=True, stdout=log, stderr=subprocess.STDOUT)
    return directory
