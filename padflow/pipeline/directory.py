# SPDX-License-Identifier: BSD-3-Clause
"""The run directory: the path of each file in it, and how files of JSON, YAML and fitted arrays are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self, TypedDict

import numpy as np

from padflow.archive.catalog import Catalog
from padflow.archive.plan import GroupPlan, plan_groups
from padflow.autoencoder.split import Split
from padflow.config.local_paths import local_path
from padflow.config.reading import load_config
from padflow.config.sections import Config
from padflow.errors import PadflowError
from padflow.store import run_files
from padflow.store.durable import read_json, write_json
from padflow.store.npz_specs import OF_FIT, Spec, read_arrays

SPLIT = "split.json"
"""In the ``fit`` folder: the split that training dealt."""


ADOPTED = "adopted.json"
"""In the ``fit`` folder of a directory of labels: which model they are by."""


@dataclass(frozen=True)
class Fit:
    """The content of ``fit/train.json``, ``fit/pca.json`` or ``fit/classes.json``.

    Parameters
    ----------
    key : str
        Digest of the arrays that the fit left. It goes into the keys of all parts that are made with these arrays.
    info : dict
        Facts for the description of the model.
    """

    key: str
    info: dict[str, Any]


@dataclass(frozen=True)
class Fixed:
    """The content of ``fit/fixed.json``: facts that the first summary after a fit finds, and later ones never change.

    Parameters
    ----------
    names : tuple of str
        Names of the classes.
    fitted_to : dict
        Records, first and last day of each spacecraft.
    settings : dict
        The sections of the configuration that decide a fit.
    simulated : str
        In words, that the archive is simulated; empty where no file says so.
    """

    names: tuple[str, ...]
    fitted_to: dict[str, Any]
    settings: dict[str, Any]
    simulated: str = ""


@dataclass(frozen=True)
class Shown:
    """The content of ``fit/summary.json``: what the last summary and the last report were made from.

    Parameters
    ----------
    key : str
        Digest of all that decides the summary; empty where there is none.
    shown : str
        Digest of all that decides the report; empty where it is not drawn.
    """

    key: str = ""
    shown: str = ""


class StageFacts(TypedDict):
    """What ``run.json`` says about a stage that did something."""

    seconds: float
    records: int
    peak_memory_bytes: int


class Provenance(TypedDict, total=False):
    """The content of ``run.json``; empty where there is no such file."""

    padflow: str
    created: str
    command: str
    config_hash: str
    versions: dict[str, str]
    host: dict[str, Any]
    flags: dict[str, Any]
    stages: dict[str, StageFacts]


@dataclass(frozen=True)
class RunDirectory:
    """A run directory.

    Parameters
    ----------
    path : Path
        The directory itself.
    """

    path: Path

    @classmethod
    def at(cls, path: str | Path) -> Self:
        """Return the run directory that a user names.

        Raises
        ------
        ConfigError
            For a URL.
        """
        return cls(local_path(path, "run_dir"))

    def __str__(self) -> str:
        return str(self.path)

    @property
    def archive(self) -> Path:
        """The store of the records."""
        return self.path / run_files.ARCHIVE

    @property
    def results(self) -> Path:
        """The store of scores and labels."""
        return self.path / run_files.RESULTS

    @property
    def config_file(self) -> Path:
        """The configuration that the run was made with."""
        return self.path / run_files.CONFIG

    @property
    def catalog_file(self) -> Path:
        """The catalogue of the CDF files."""
        return self.path / run_files.CATALOG

    @property
    def provenance_file(self) -> Path:
        """Versions, machine, and time and memory of the stages."""
        return self.path / run_files.PROVENANCE

    @property
    def summary_file(self) -> Path:
        """The numbers that the report draws."""
        return self.path / run_files.SUMMARY

    @property
    def superposed_file(self) -> Path:
        """Occurrence in storms, as the report draws it."""
        return self.path / run_files.SUPERPOSED

    @property
    def progress_file(self) -> Path:
        """How far a run at work is."""
        return self.path / run_files.PROGRESS

    @property
    def lock_file(self) -> Path:
        """Who is at work."""
        return self.path / run_files.LOCK

    @property
    def model(self) -> Path:
        """The folder of the model."""
        return self.path / run_files.MODEL

    @property
    def model_facts_file(self) -> Path:
        """The file that describes the model."""
        return self.model / run_files.MODEL_FACTS

    @property
    def report(self) -> Path:
        """The folder of the report."""
        return self.path / run_files.REPORT

    @property
    def page(self) -> Path:
        """The page of the report."""
        return self.report / run_files.PAGE

    @property
    def fit_folder(self) -> Path:
        """The folder of what the fits leave."""
        return self.path / run_files.FIT

    @property
    def receipts_folder(self) -> Path:
        """The folder of receipts. It has a folder for each stage, and that has a folder for each spacecraft."""
        return self.path / run_files.RECEIPTS

    @property
    def split_file(self) -> Path:
        """The split that training dealt."""
        return self.fit_folder / SPLIT

    @property
    def adopted_file(self) -> Path:
        """The file that names the model, where `padflow label` made the labels."""
        return self.fit_folder / ADOPTED

    @property
    def fixed_file(self) -> Path:
        """Names of the classes, and what they were fitted to."""
        return self.fit_file("fixed")

    @property
    def shown_file(self) -> Path:
        """The file that says what summary and report were made from."""
        return self.fit_file("summary")

    def fit_file(self, name: str) -> Path:
        """Return the file that says that a fit (``train``, ``pca``, ``classes``) is done."""
        return self.fit_folder / f"{name}.json"

    def config(self) -> Config:
        """Read the configuration that the run was made with.

        Raises
        ------
        PadflowError
            Where the folder is not a run directory.
        """
        if not self.config_file.is_file():
            raise PadflowError(f"{self} is not a run directory: it has no {run_files.CONFIG}. `padflow run` makes one.")
        return load_config(self.config_file)

    def catalog(self) -> Catalog:
        """Read the catalogue.

        Raises
        ------
        PadflowError
            Where there is none.
        """
        catalog = self.known_catalog()
        if catalog is None:
            raise PadflowError(f"{self} has no catalogue yet; `padflow run` or `padflow ingest` makes it.")
        return catalog

    def known_catalog(self) -> Catalog | None:
        """Read the catalogue; None where there is none."""
        return Catalog.load(self.catalog_file)

    def provenance(self) -> Provenance:
        """Read ``run.json``; return an empty dict where there is none."""
        values: Provenance | None = read_json(self.provenance_file)
        return values or {}

    def note(self, changes: Provenance) -> None:
        """Set keys of ``run.json``; its other keys stay."""
        write_json(self.provenance_file, self.provenance() | changes)

    def progress(self) -> dict[str, Any] | None:
        """Read how far a run at work is; None where there is no such file."""
        found: dict[str, Any] | None = read_json(self.progress_file)
        return found

    def model_facts(self) -> dict[str, Any]:
        """Read the description of the model.

        Raises
        ------
        PadflowError
            Where there is no model.
        """
        return self._read_known(self.model_facts_file)

    def fitted(self, name: str) -> Fit | None:
        """Read the file of a fit; None where the fit has to be done."""
        values = read_json(self.fit_file(name))
        try:
            return Fit(values["key"], values["info"])
        except (KeyError, TypeError):
            return None

    def fit(self, name: str) -> Fit:
        """Read the file of a fit that is done.

        Raises
        ------
        PadflowError
            Where it is not done.
        """
        found = self.fitted(name)
        if found is None:
            raise PadflowError(f"{self.fit_file(name)} is missing or cut short: `padflow run` makes it.")
        return found

    def write_fit(self, name: str, fit: Fit) -> None:
        """Write the file that says that a fit is done. Its arrays must be there already."""
        write_json(self.fit_file(name), asdict(fit))

    def fixed(self) -> Fixed | None:
        """Read what the first summary after the fit has fixed; None before that."""
        values = read_json(self.fixed_file)
        if not values:
            return None
        return Fixed(tuple(values["names"]), values["fitted_to"], values["settings"], values.get("simulated", ""))

    def write_fixed(self, fixed: Fixed) -> None:
        """Write what is fixed from now on."""
        write_json(self.fixed_file, asdict(fixed))

    def shown(self) -> Shown:
        """Read what summary and report were made from."""
        values = read_json(self.shown_file) or {}
        return Shown(values.get("key", ""), values.get("shown", ""))

    def write_shown(self, shown: Shown) -> None:
        """Write what summary and report were made from."""
        write_json(self.shown_file, {name: value for name, value in asdict(shown).items() if value})

    def adopted(self) -> str | None:
        """Read the digest of the model that made the labels; None where this is no directory of labels."""
        values = read_json(self.adopted_file) or {}
        return values.get("model")

    def write_adopted(self, digest: str) -> None:
        """Make this a directory of labels, by the model with this digest."""
        write_json(self.adopted_file, {"model": digest})

    def split(self) -> Split:
        """Read the split that training dealt.

        Raises
        ------
        PadflowError
            Where it is missing.
        """
        values = self._read_known(self.split_file)
        return Split(
            by=values["by"],
            seed=values["seed"],
            train_share=values["train_share"],
            validation_share=values["validation_share"],
            days=tuple(values["days"]),
            parts=tuple(values["parts"]),
        )

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """Read the arrays of a file of the ``fit`` folder, such as `padflow.store.npz_specs.ENCODER`."""
        return read_left(self.fit_folder / name, OF_FIT[name], stage="train")

    def _read_known(self, path: Path) -> dict[str, Any]:
        values = read_json(path)
        if not isinstance(values, dict):
            raise PadflowError(f"{path} is missing or cut short: `padflow run` makes it.")
        return values


def groups_of(config: Config, catalog: Catalog) -> list[GroupPlan]:
    """Return the parts of each spacecraft in a catalogue, with the rows per part of a configuration."""
    archive = config.archive
    return plan_groups(catalog, rows_per_part=archive.rows_per_part, start=archive.start, end=archive.end)


def read_left(path: Path, specs: Mapping[str, Spec], *, stage: str) -> dict[str, np.ndarray]:
    """Read the arrays of a file that a stage of the run has left, and check them.

    Raises
    ------
    PadflowError
        Names the file, what is wrong with it, and the stage to start again from.
    """
    try:
        return read_arrays(path, specs)
    except ValueError as error:
        raise PadflowError(
            f"{path} cannot be read: {error} It was cut short or changed: use `padflow run --from {stage}`."
        ) from None
