# SPDX-License-Identifier: BSD-3-Clause
"""What is compared: the recommended mode, the same without autoencoder, and three baselines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import xarray as xr
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline, make_pipeline

import padflow
from harness.truth import AT, ENERGIES_MEV
from padflow.autoencoder.network import Network
from padflow.config.sections import Config
from padflow.errors import ConfigError, PadflowError
from padflow.model.fit import fit, fit_encoded
from padflow.model.model import Model
from padflow.records import Reason
from padflow.shapes.names import SHAPES, UNCLEAR, name_shapes
from padflow.simulation.day import ENERGIES


class Fitted(Protocol):
    """What a fit gives: a `padflow.Model`, or a baseline that looks like one."""

    @property
    def info(self) -> dict[str, Any]:
        """Facts; ``classes`` has the names of each class's shapes by energy, if the model gives them."""

    def label(self, dataset: xr.Dataset) -> xr.Dataset:
        """Return ``pad_class`` and, where it is known, ``probability`` and ``shape`` along time."""


Mode = Callable[[xr.Dataset, int], Fitted]
"""Fit to records with a seed."""


WITHOUT_SEED = ("rule",)
"""Modes that nothing is drawn in or fitted for: one fit says all."""


COMPONENTS, CLUSTERS_OF_CONTINUUM = 5, 6
"""Of the baseline "PCA + k-means"; the number of clusters where there are no populations."""


def modes(recommended: Config, paper: Config, *, populations: int) -> dict[str, Mode]:
    """Return all modes.

    Parameters
    ----------
    populations : int
        True number of populations, which k-means is told; 0: a continuum.
    """
    clusters = populations or CLUSTERS_OF_CONTINUUM
    return {
        "recommended": lambda records, seed: fit(records, with_seed(recommended, seed)),
        "no autoencoder": lambda records, seed: without_autoencoder(records, with_seed(recommended, seed)),
        "rule": lambda records, seed: Rule(recommended),
        "PCA + k-means": lambda records, seed: fit_kmeans(records, recommended, clusters=clusters, seed=seed),
        "paper": lambda records, seed: fit(records, with_seed(paper, seed)),
    }


def with_seed(config: Config, seed: int) -> Config:
    """Return a configuration with another general seed."""
    return config.model_copy(update={"seed": seed})


def fit_or_one_class(mode: Mode, records: xr.Dataset, *, seed: int, config: Config) -> Fitted:
    """Fit, or leave all records in one class where padflow finds no classes."""
    try:
        return mode(records, seed)
    except ConfigError:
        raise
    except PadflowError as error:
        return OneClass(config, {"error": str(error)})


def without_autoencoder(records: xr.Dataset, config: Config) -> Model:
    """Fit components to root shares themselves."""
    config = of_root_shares(config)
    features = padflow.preprocess(records.isel(time=slice(2)), config).sizes["feature"]
    same = np.eye(features, dtype=np.float32)
    zero = np.zeros(features, np.float32)
    # Features are not negative, so that a unit matrix and ReLU leave them as they are. What they decode to matters only
    # as slopes, which are nearly the same for all.
    return fit_encoded(records, config, network=Network(same, zero, same, zero), training={})


def of_root_shares(config: Config) -> Config:
    """Return a configuration whose features are root shares, whatever its autoencoder takes."""
    shares = config.preprocess.model_copy(update={"normalise": "count_shares"})
    itself = config.train.model_copy(update={"target": "itself"})
    return config.model_copy(update={"preprocess": shares, "train": itself})


def mean_pads(records: xr.Dataset, config: Config) -> xr.Dataset:
    """Return two-minute means over the largest value of a record, and ``reason``, as the recommended mode selects.

    Returns
    -------
    xarray.Dataset
        As `padflow.preprocess` makes it.
    """
    divided = config.preprocess.model_copy(update={"normalise": "max"})
    return padflow.preprocess(records, divided)


def names_of_means(made: xr.Dataset, energy: float) -> np.ndarray:
    """Name the shapes of `mean_pads` at the channel nearest to an energy, int8 of shape (records,)."""
    energies = made["feature_energy"].values
    features = np.abs(energies - energy) == np.abs(energies - energy).min()
    return name_shapes(made["feature_pitch_angle"].values[features], made["features"].values[:, features])


@dataclass(frozen=True)
class Rule:
    """The name of each record's two-minute mean at 2.1 MeV is its class."""

    config: Config

    @property
    def info(self) -> dict[str, Any]:
        """Every class has its name at all energies."""
        return {"classes": [{"shapes": [shape] * len(ENERGIES)} for shape in SHAPES]}

    def label(self, dataset: xr.Dataset) -> xr.Dataset:
        """Return ``pad_class``: the code of a name."""
        made = mean_pads(dataset, self.config)
        code = names_of_means(made, ENERGIES_MEV[AT])
        return _labels(np.where((made["reason"].values == Reason.SELECTED) & (code != UNCLEAR), code, -1))


@dataclass(frozen=True)
class OneClass:
    """All selected records in a single class."""

    config: Config
    info: dict[str, Any]

    def label(self, dataset: xr.Dataset) -> xr.Dataset:
        """Return ``pad_class``: 0."""
        reason = padflow.preprocess(dataset, self.config)["reason"].values
        return _labels(np.where(reason == Reason.SELECTED, 0, -1))


@dataclass(frozen=True)
class KMeansOfMeans:
    """Principal components and k-means of two-minute means."""

    config: Config
    pipeline: Pipeline
    info: dict[str, Any] = field(default_factory=dict)

    def label(self, dataset: xr.Dataset) -> xr.Dataset:
        """Return ``pad_class``: the nearest centre."""
        made = mean_pads(dataset, self.config)
        selected = made["reason"].values == Reason.SELECTED
        pad_class = np.full(len(selected), -1)
        pad_class[selected] = self.pipeline.predict(made["features"].values[selected])
        return _labels(pad_class)


def fit_kmeans(records: xr.Dataset, config: Config, *, clusters: int, seed: int) -> KMeansOfMeans:
    """Fit `KMeansOfMeans`."""
    made = mean_pads(records, config)
    pipeline = make_pipeline(PCA(COMPONENTS, random_state=seed), KMeans(clusters, n_init=10, random_state=seed))
    return KMeansOfMeans(config, pipeline.fit(made["features"].values[made["reason"].values == Reason.SELECTED]))


def _labels(pad_class: np.ndarray) -> xr.Dataset:
    return xr.Dataset({"pad_class": ("time", pad_class.astype(np.int16))})
