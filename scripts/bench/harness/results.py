# SPDX-License-Identifier: BSD-3-Clause
"""The file of measurements: written after each of them, and gone on with where it stopped."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from dask.system import CPU_COUNT

import padflow
from padflow.compute.local import machine_memory_bytes
from padflow.store.durable import write_json

PACKAGES = (
    *("cdflib", "dask", "dask-ml", "distributed", "keras", "numcodecs", "numpy", "scikit-learn", "scipy"),
    *("tensorflow", "xarray", "zarr"),
)
SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_ENABLE_ONEDNN_OPTS")
FIXED = ("versions", "padflow_sources", "cpu", "cores", "memory_bytes", "settings")
"""What must not change between two measurements in one file: else their ratio says nothing."""


def environment() -> dict[str, Any]:
    """Return what figures depend on beside the code of the harness: versions, sources of padflow, machine."""
    return {
        "versions": {"python": platform.python_version(), "padflow": padflow.__version__}
        | {name: version(name) for name in PACKAGES},
        "padflow_sources": sources_digest(),
        "cpu": cpu_name(),
        "cores": CPU_COUNT,
        "memory_bytes": machine_memory_bytes(),
        "settings": {name: os.environ[name] for name in SETTINGS if name in os.environ},
        "platform": platform.platform(),
    }


def sources_digest() -> str:
    """Return a short SHA-256 of the sources of the padflow that is imported."""
    folder = Path(padflow.__file__).parent
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()[:16]


def cpu_name() -> str:
    """Return the processor's name, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


class Results:
    """Measurements, each with the labels of what was measured, kept in a JSON file.

    Parameters
    ----------
    path : Path or None
        The file; without one, measurements are only held in memory.

    Raises
    ------
    SystemExit
        Where the file holds measurements of another machine, other versions or other sources of padflow.
    """

    def __init__(self, path: Path | None):
        self.path = path
        self.content: dict[str, Any] = {"environment": environment(), "measurements": []}
        self.failed: list[str] = []
        if path is not None and path.is_file():
            found = json.loads(path.read_text())
            differing = [key for key in FIXED if found["environment"].get(key) != self.content["environment"][key]]
            if differing:
                sys.exit(f"{path} holds measurements with other {', '.join(differing)}: give another --json FILE.")
            self.content = found

    def find(self, labels: dict[str, Any]) -> dict[str, Any] | None:
        """Return the measurement with exactly these labels, if there is one."""
        return next((found for found in self.content["measurements"] if found["of"] == labels), None)

    def measure(self, labels: dict[str, Any], function: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
        """Return the measurement with these labels, made now where there is none; None where it fails."""
        found = self.find(labels)
        if found is not None:
            return found
        print(f"{datetime.now():%H:%M:%S} {describe(labels)}", file=sys.stderr, flush=True)
        try:
            value = function()
        except Exception:
            # One figure less must not lose the others: hours of them may follow.
            traceback.print_exc()
            self.failed.append(describe(labels))
            return None
        measurement = {"of": labels, "date": datetime.now(UTC).isoformat(timespec="seconds")} | value
        self.content["measurements"].append(measurement)
        if self.path is not None:
            write_json(self.path.absolute(), self.content)
        return measurement


def describe(labels: dict[str, Any]) -> str:
    """Return labels as words."""
    return ", ".join(f"{name} {value}" for name, value in labels.items())


def select(measurements: list[dict[str, Any]], **labels: Any) -> list[dict[str, Any]]:
    """Return the measurements that have these among their labels, in the order of their repeats."""
    found = [one for one in measurements if labels.items() <= one["of"].items()]
    return sorted(found, key=lambda one: one["of"].get("repeat", 0))


def values_of(measurements: list[dict[str, Any]], label: str) -> list[Any]:
    """Return the different values of a label, ascending."""
    return sorted({one["of"][label] for one in measurements if label in one["of"]})


def median(values: list[float]) -> float:
    """Return the median, NaN of none."""
    return float(np.median(values)) if values else float("nan")
