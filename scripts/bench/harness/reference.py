# SPDX-License-Identifier: BSD-3-Clause
"""padflow's paper mode against the plain restatement of the method: time, memory and truth."""

from __future__ import annotations

import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from sklearn.metrics import adjusted_rand_score

import padflow
from harness.archives import Archive
from harness.processes import watch
from harness.results import Results
from harness.runs import KILLEY2023, RunPlan, measured_run
from padflow.store.durable import read_json

PROGRAM = Path(__file__).with_name("plain_reference.py")


def measure_reference(
    results: Results, archive: Archive, *, epochs: int, repeat: int, work: Path, plan: RunPlan
) -> None:
    """Measure the restatement, padflow, and how well each finds the truth.

    Both see the same days, learn for the same number of epochs with the same batch, and are timed from the start of
    their process to its end. What they leave behind is removed once their labels are compared.
    """
    labels = plan.labels | {"table": "reference", "epochs": epochs, "repeat": repeat}
    folder = work.absolute() / f"reference-{archive.days}d-{epochs}e-{repeat}"
    plain, ours = folder / "plain", folder / "padflow"
    results.measure(labels | {"what": "reference"}, partial(measured_plain, archive, plain, epochs=epochs))
    results.measure(labels | {"what": "padflow"}, partial(measured_run, plan, ours))
    if results.measure(labels | {"what": "truth"}, partial(compare, archive, plain, ours)) is not None:
        shutil.rmtree(folder, ignore_errors=True)


def paper_plan(archive: Archive, settings: tuple[str, ...], *, epochs: int) -> RunPlan:
    """Return the run of paper mode that learns for exactly this number of epochs."""
    return RunPlan(KILLEY2023, archive, (f"train.epochs={epochs}", f"train.patience={epochs}", *settings))


def measured_plain(archive: Archive, folder: Path, *, epochs: int) -> dict[str, Any]:
    """Run the restatement as a process of its own; return seconds, memory and what it found."""
    command = [sys.executable, str(PROGRAM), str(archive.folder), str(folder)]
    watched = watch(
        [*command, "--days", str(archive.days), "--epochs", str(epochs)],
        log=folder.with_suffix(".log"),
    )
    memory = {"all_bytes": watched.all_together, "largest_bytes": watched.largest}
    return {"seconds": watched.seconds} | memory | read_json(folder / "facts.json")


def compare(archive: Archive, plain: Path, ours: Path) -> dict[str, Any]:
    """Return the adjusted Rand index of both against the truth, on the restatement's test rows.

    Rows that belong to no population (too few electrons) are left out. padflow labels all rows; its index on all
    of them, and between the two sets of labels, are there as well.
    """
    with xr.open_dataset(archive.folder / "truth_rbspa.nc", engine="h5netcdf") as truth:
        true_ns = truth["time"].values.astype("datetime64[ns]").astype(np.int64)
        population = truth["population"].values
    with np.load(plain / "labels.npz") as found:
        order = np.argsort(found["time_ms"])
        test_ns, label = found["time_ms"][order] * 1_000_000, found["label"][order]
    results = padflow.open_results(ours, spacecraft="rbspa").load()
    own_ns, pad_class = results["time"].values.astype("datetime64[ns]").astype(np.int64), results["pad_class"].values
    own_population = population[_places(true_ns, own_ns)]
    test = _places(own_ns, test_ns)
    known = own_population[test] >= 0
    all_known = own_population >= 0
    return {
        "test_records": int(known.sum()),
        "reference_ari": adjusted_rand_score(own_population[test][known], label[known]),
        "padflow_ari": adjusted_rand_score(own_population[test][known], pad_class[test][known]),
        "padflow_ari_of_all": adjusted_rand_score(own_population[all_known], pad_class[all_known]),
        "ari_of_both": adjusted_rand_score(label, pad_class[test]),
        "populations": len(np.unique(own_population[all_known])),
    }


def _places(known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return where ascending numbers hold others.

    Raises
    ------
    ValueError
        Where one is not there: then two programs did not see the same records.
    """
    places = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    if not np.array_equal(known[places], wanted):
        raise ValueError(f"{(known[places] != wanted).sum()} of {len(wanted)} records are not in both")
    return places
