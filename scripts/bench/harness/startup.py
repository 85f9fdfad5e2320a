# SPDX-License-Identifier: BSD-3-Clause
"""How long commands take until they do something, beside the import of the libraries that padflow stands on."""

from __future__ import annotations

import subprocess
import sys
import time
from tempfile import TemporaryDirectory
from typing import Any

LIBRARIES = "import numpy, xarray, dask, zarr"
"""What others are compared with."""

PADFLOW = [sys.executable, "-m", "padflow"]

STARTS: dict[str, list[str]] = {
    LIBRARIES: [sys.executable, "-c", LIBRARIES],
    "import padflow": [sys.executable, "-c", "import padflow"],
    "padflow --help": [*PADFLOW, "--help"],
    "padflow status --help": [*PADFLOW, "status", "--help"],
    "padflow label demo": [*PADFLOW, "label", "demo", "recommended", "--source", "."],
}
"""By name. The last one loads the model, finds no file in its empty folder, and says so."""


def started(name: str) -> dict[str, Any]:
    """Run one of `STARTS` to its end in an empty folder, and return its seconds.

    Raises
    ------
    RuntimeError
        Where it ends otherwise than it should.
    """
    with TemporaryDirectory() as folder:
        began = time.perf_counter()
        done = subprocess.run(STARTS[name], cwd=folder, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - began
        refused = "no file" in done.stderr.lower()
        if refused != (name == "padflow label demo") or (done.returncode and not refused):
            raise RuntimeError(f"{name} ended with status {done.returncode}:\n{done.stderr}")
    return {"seconds": seconds}
