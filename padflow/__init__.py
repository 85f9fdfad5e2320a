"""padflow: unsupervised classes of pitch-angle distributions, for every record of a mission."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from padflow.config.reading import load_config
    from padflow.config.sections import Config
    from padflow.features.dataset import preprocess
    from padflow.model.fit import fit
    from padflow.model.model import Model
    from padflow.store.opening import open_archive, open_results

__all__ = ["Config", "Model", "fit", "load_config", "open_archive", "open_results", "preprocess"]

_HOMES = {
    "Config": "padflow.config.sections",
    "Model": "padflow.model.model",
    "fit": "padflow.model.fit",
    "load_config": "padflow.config.reading",
    "open_archive": "padflow.store.opening",
    "open_results": "padflow.store.opening",
    "preprocess": "padflow.features.dataset",
}


def __getattr__(name: str) -> Any:
    # Late, so that `padflow --help` does not wait for xarray, scikit-learn and Dask.
    if name not in _HOMES:
        raise AttributeError(f"module 'padflow' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
