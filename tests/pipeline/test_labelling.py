# SPDX-License-Identifier: BSD-3-Clause
"""What `padflow label` takes from the configuration, and what from the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from padflow.clustering.classes import NearestCentre
from padflow.components.projection import Projection
from padflow.config.reading import load_config
from padflow.config.sections import Config, PreprocessConfig
from padflow.errors import ConfigError
from padflow.model.model import Model
from padflow.pipeline.labelling import config_for_labels

FITTED = Config.model_validate(
    {
        "preprocess": {"l_range": [2.5, 7], "average_seconds": 60},
        "train": {"epochs": 7},
        "pca": {"components": 3, "rows": "test"},
        "kmeans": {"classes": 4, "silhouette_samples": 50},
        "method": "agglomerative",
    }
)


def model_of(factories, info: dict) -> Model:
    parts = (
        FITTED.preprocess,
        factories.UNCOUNTED,
        factories.network(108),
        Projection(np.zeros(20), np.ones((3, 20))),
        NearestCentre(np.eye(3)),
    )
    return Model(*parts, info)


@pytest.fixture
def model(factories) -> Model:
    return model_of(factories, {"settings": FITTED.fit_settings()})


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def _write(text: str) -> Path:
        (tmp_path / "my.yaml").write_text(text)
        return tmp_path / "my.yaml"

    return _write


@pytest.mark.parametrize(
    "key",
    [
        *("preprocess.l_range", "preprocess", "train.epochs", "pca.components", "mean_shift.quantile"),
        *("kmeans.classes", "kmeans", "agglomerative.samples", "method", " preprocess.fold "),
    ],
)
def test_an_override_of_what_the_model_decides_is_refused(model: Model, write, key: str) -> None:
    value = {"preprocess": "{}", "kmeans": "{}", "method": "kmeans", "preprocess.l_range": "[3, 6]"}.get(key, "true")
    value = value if value != "true" or "fold" in key else {"mean_shift.quantile": "0.2"}.get(key, "11")
    with pytest.raises(ConfigError, match=rf"the model decides {key.strip()}\. .*padflow run"):
        config_for_labels(write(""), [f"{key}={value}"], model)


def test_overrides_of_the_archive_and_the_cluster_are_taken(model: Model, write) -> None:
    overrides = ["archive.rows_per_part=1024", "cluster.workers=3", "seed=5", "kmeans.silhouette_samples=9"]
    config, warning = config_for_labels(write("archive: {spacecraft: rbspb}"), overrides, model)
    assert warning == ""
    assert (config.archive.rows_per_part, config.archive.spacecraft) == (1024, ("rbspb",))
    assert (config.cluster.workers, config.seed, config.kmeans.silhouette_samples) == (3, 5, 9)


def test_an_unknown_key_is_said_to_be_unknown(model: Model, write) -> None:
    with pytest.raises(ConfigError, match=r"unknown key preprocess\.l_rang:"):
        config_for_labels(write(""), ["preprocess.l_rang=3"], model)


def test_keys_of_the_file_come_from_the_model_and_those_that_differ_are_named(model: Model, write) -> None:
    path = write(
        "preprocess: {l_range: [3, 6], average_seconds: 60}\n"
        "train: {epochs: 7, patience: 9}\nmethod: kmeans\nkmeans: {classes: 4}\n"
    )
    config, warning = config_for_labels(path, [], model)
    assert warning == (
        f"The model decides, and not {path}: method = 'agglomerative', not 'kmeans'; preprocess.l_range = (2.5, 7.0), "
        "not (3.0, 6.0); train.patience = 5, not 9."
    )
    assert config.preprocess == FITTED.preprocess
    assert config.train == FITTED.train
    assert config.method == "agglomerative"
    assert config.kmeans.classes == 4


def test_the_file_that_the_model_was_fitted_with_gives_no_warning(model: Model, write) -> None:
    path = write(FITTED.to_yaml())
    config, warning = config_for_labels(path, [], model)
    assert warning == ""
    assert config.pca.rows == "all"  # every record is scored, and there is no split
    assert config_for_labels(write(load_config(None).to_yaml()), [], model)[1]


def test_settings_that_need_some_of_the_preprocessing_come_with_it(model: Model, write) -> None:
    preprocess = PreprocessConfig(normalise="counts", average_seconds=120)
    settings = FITTED.fit_settings() | {"train": {"target": "other_spins"}}
    fitted_to_counts = replace(model, preprocess=preprocess, info={"settings": settings})
    config, warning = config_for_labels(write("archive: {source: here}"), [], fitted_to_counts)
    assert (config.train.target, config.preprocess, warning) == ("other_spins", preprocess, "")


def test_a_model_that_does_not_say_what_it_was_fitted_with(factories, write) -> None:
    config, warning = config_for_labels(write("train: {epochs: 9}"), [], model_of(factories, {}))
    assert (config.train.epochs, warning) == (9, "")
    assert config.preprocess == FITTED.preprocess
