# SPDX-License-Identifier: BSD-3-Clause
"""The model that comes with padflow: fitted to a simulated archive, to try things out at once.

``scripts/make_demo_model.py`` makes it.
"""

from __future__ import annotations

from pathlib import Path

from padflow.store.run_files import MODEL_FACTS

DEMO = "demo"
"""Name of the model, where the folder of a model is asked for."""


def model_folder(path: Path) -> Path:
    """Return the folder of the model that comes with padflow where `path` is its name; else `path`.

    A folder of this name that holds a model comes first.
    """
    if str(path) == DEMO and not (path / MODEL_FACTS).exists():
        return Path(__file__).parent / DEMO
    return path
