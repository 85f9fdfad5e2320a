# SPDX-License-Identifier: BSD-3-Clause
"""padflow: unsupervised classes of pitch-angle distributions, for every record of a mission."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from padflow.components.pca import IncrementalPCA
    from padflow.config.reading import load_config
    from padflow.config.sections import Config
    from padflow.errors import BadFile, ConfigError, PadflowError
    from padflow.features.dataset import preprocess
    from padflow.features.shapes import measure_shapes
    from padflow.indices.joining import join_indices
    from padflow.indices.phases import join_storms
    from padflow.indices.reading import read_indices
    from padflow.indices.storms import find_storms
    from padflow.instruments.instrument import Instrument, load_instrument
    from padflow.maps.occurrence import occurrence
    from padflow.maps.superposed import superpose
    from padflow.model.estimator import PadClasses
    from padflow.model.fit import fit
    from padflow.model.model import Model
    from padflow.pipeline.driver import label, plan, run
    from padflow.pipeline.status import status
    from padflow.pipeline.verify import verify
    from padflow.records import Reason
    from padflow.report.export import export_labels as export
    from padflow.report.plot import plot
    from padflow.report.view import view, view_class
    from padflow.shapes.names import name_shape
    from padflow.simulation.archive import simulate_archive as simulate
    from padflow.store.opening import open_archive, open_results

    __version__: str

__all__ = [
    "BadFile",
    "Config",
    "ConfigError",
    "IncrementalPCA",
    "Instrument",
    "Model",
    "PadClasses",
    "PadflowError",
    "Reason",
    "export",
    "find_storms",
    "fit",
    "join_indices",
    "join_storms",
    "label",
    "load_config",
    "load_instrument",
    "measure_shapes",
    "name_shape",
    "occurrence",
    "open_archive",
    "open_results",
    "plan",
    "plot",
    "preprocess",
    "read_indices",
    "run",
    "simulate",
    "status",
    "superpose",
    "verify",
    "view",
    "view_class",
]

_HOMES = {
    "BadFile": "padflow.errors:BadFile",
    "Config": "padflow.config.sections:Config",
    "ConfigError": "padflow.errors:ConfigError",
    "IncrementalPCA": "padflow.components.pca:IncrementalPCA",
    "Instrument": "padflow.instruments.instrument:Instrument",
    "Model": "padflow.model.model:Model",
    "PadClasses": "padflow.model.estimator:PadClasses",
    "PadflowError": "padflow.errors:PadflowError",
    "Reason": "padflow.records:Reason",
    "export": "padflow.report.export:export_labels",
    "find_storms": "padflow.indices.storms:find_storms",
    "fit": "padflow.model.fit:fit",
    "join_indices": "padflow.indices.joining:join_indices",
    "join_storms": "padflow.indices.phases:join_storms",
    "label": "padflow.pipeline.driver:label",
    "load_config": "padflow.config.reading:load_config",
    "load_instrument": "padflow.instruments.instrument:load_instrument",
    "measure_shapes": "padflow.features.shapes:measure_shapes",
    "name_shape": "padflow.shapes.names:name_shape",
    "occurrence": "padflow.maps.occurrence:occurrence",
    "open_archive": "padflow.store.opening:open_archive",
    "open_results": "padflow.store.opening:open_results",
    "plan": "padflow.pipeline.driver:plan",
    "plot": "padflow.report.plot:plot",
    "preprocess": "padflow.features.dataset:preprocess",
    "read_indices": "padflow.indices.reading:read_indices",
    "run": "padflow.pipeline.driver:run",
    "simulate": "padflow.simulation.archive:simulate_archive",
    "status": "padflow.pipeline.status:status",
    "superpose": "padflow.maps.superposed:superpose",
    "verify": "padflow.pipeline.verify:verify",
    "view": "padflow.report.view:view",
    "view_class": "padflow.report.view:view_class",
}


def __getattr__(name: str) -> Any:
    # Late, so that `padflow --help` does not wait for xarray, scikit-learn and Dask.
    if name == "__version__":
        from importlib.metadata import version

        return version("padflow")
    if name not in _HOMES:
        raise AttributeError(f"module 'padflow' has no attribute {name!r}")
    return resolve_name(_HOMES[name])


def __dir__() -> list[str]:
    return sorted([*__all__, "__doc__", "__file__", "__name__", "__path__", "__version__"])
