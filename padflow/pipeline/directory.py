"""Names of what is in a run directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from padflow.archive.catalog import Catalog
from padflow.archive.plan import GroupPlan, plan_groups
from padflow.autoencoder.split import Split
from padflow.config.reading import load_config
from padflow.config.sections import Config
from padflow.errors import PadflowError
from padflow.store.durable import read_json
from padflow.store.npz_specs import OF_FIT, Spec, read_arrays

if TYPE_CHECKING:
    from padflow.pipeline.run import Run


def run_config(directory: Path) -> Config:
    """Return the configuration a run directory was made with.

    Raises
    ------
    PadflowError
        Where the folder is not a run directory.
    """
    path = directory / "config.yaml"
    if not path.is_file():
        raise PadflowError(f"{directory} is not a run directory: it has no config.yaml. `padflow run` makes one.")
    return load_config(path)


def _catalog(directory: Path) -> Catalog:
    catalog = Catalog.load(directory / CATALOG)
    if catalog is None:
        raise PadflowError(f"{directory} has no catalogue yet; `padflow run` or `padflow ingest` makes it.")
    return catalog


def _groups(config: Config, catalog: Catalog) -> list[GroupPlan]:
    archive = config.archive
    return plan_groups(catalog, rows_per_part=archive.rows_per_part, start=archive.start, end=archive.end)


def fitted(run: Run, name: str) -> dict[str, Any] | None:
    """Return what a fit left behind, or None where it has to be done."""
    return read_json(run.directory / FIT / f"{name}.json")


def fit_folder(directory: Path) -> Path:
    """Return the folder of fitted arrays, made where it is not there."""
    folder = directory / FIT
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def fit_arrays(run_dir: str | Path, name: str) -> dict[str, np.ndarray]:
    """Return the arrays of a file of the run's ``fit`` folder."""
    return read_left(Path(run_dir) / FIT / name, OF_FIT[name], stage="train")


def read_left(path: Path, specs: Mapping[str, Spec], *, stage: str) -> dict[str, np.ndarray]:
    """Return the arrays of a file that a stage of the run has left, checked.

    Raises
    ------
    PadflowError
        Names the file, what is wrong with it, and the stage to begin anew.
    """
    try:
        return read_arrays(path, specs)
    except ValueError as error:
        raise PadflowError(
            f"{path} cannot be read: {error} It was cut short or changed: use `padflow run --from {stage}`."
        ) from None


def fit_split(run_dir: str | Path) -> Split:
    """Return the split that training dealt."""
    values = read_json(Path(run_dir) / FIT / SPLIT)
    return Split(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})


FIT, CATALOG, SPLIT = "fit", "catalog.json", "split.json"
