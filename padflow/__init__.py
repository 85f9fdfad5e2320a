"""padflow: unsupervised classes of pitch-angle distributions, for every record of a mission."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from padflow.config import Config, load_config
    from padflow.fit_dataset import fit
    from padflow.model import Model
    from padflow.opening import open_archive, open_results
    from padflow.preprocessing import preprocess

__all__ = ["Config", "Model", "fit", "load_config", "open_archive", "open_results", "preprocess"]

_HOMES = {
    "Config": "padflow.config",
    "Model": "padflow.model",
    "fit": "padflow.fit_dataset",
    "load_config": "padflow.config",
    "open_archive": "padflow.opening",
    "open_results": "padflow.opening",
    "preprocess": "padflow.preprocessing",
}


def __getattr__(name: str) -> Any:
    # Late, so that `padflow --help` does not wait for xarray, scikit-learn and Dask.
    if name not in _HOMES:
        raise AttributeError(f"module 'padflow' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
