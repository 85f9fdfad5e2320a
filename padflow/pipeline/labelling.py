# SPDX-License-Identifier: BSD-3-Clause
"""The configuration for labels: archive and cluster come from the user, all other sections from the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from padflow.config.reading import load_config
from padflow.config.sections import FIT_SECTIONS, Config
from padflow.config.text import listed
from padflow.config.types import Section
from padflow.errors import ConfigError, brief, one_line
from padflow.model.model import Model

OF_THE_MODEL = ("preprocess", *FIT_SECTIONS)


OWN_KEY = "kmeans.silhouette_samples"
"""The only key of these sections that has nothing to do with a fit."""


def config_for_labels(path: Path, overrides: Iterable[str], model: Model) -> tuple[Config, str]:
    """Return the configuration with which a model labels an archive, from a file and overrides.

    Parameters
    ----------
    path, overrides
        As for `padflow.config.reading.load_config`. An override of a key that the model decides is refused, for the
        user wants something that is not done. A file may hold such keys, for it is often the one that the model was
        fitted with.

    Returns
    -------
    Config
    str
        A warning that names what differs from the model; empty where nothing does.

    Raises
    ------
    ConfigError
        Names the override of a key that the model decides.
    """
    overrides = list(overrides)
    given = load_config(path, overrides)
    _refuse_decided(overrides)
    config, differing = decided_by(model, given)
    return config, f"The model decides, and not {path}: {listed(differing)}." if differing else ""


def _refuse_decided(overrides: Iterable[str]) -> None:
    for text in overrides:
        key = text.partition("=")[0].strip()
        if key.partition(".")[0] in OF_THE_MODEL and key != OWN_KEY:
            raise ConfigError(
                f"--set {brief(text)}: `padflow label` fits nothing; the model decides {one_line(key)}. Leave it out, "
                "or fit a model with `padflow run`."
            )


def decided_by(model: Model, config: Config) -> tuple[Config, list[str]]:
    """Return the configuration with which a model labels an archive.

    Keys of the sections that decide a fit come from the model. A configuration may hold them, for it is often the one
    that the model was fitted with.

    Returns
    -------
    Config
    list of str
        In words, each key that has another value in the configuration than in the model.
    """
    sections = _sections_of(model)
    differing = [f"{key} = {brief(now)}, not {brief(said)}" for key, said, now in _differing(config, sections)]
    kmeans, pca = sections.get("kmeans", config.kmeans), sections.get("pca", config.pca)
    sections["kmeans"] = kmeans.model_copy(update={"silhouette_samples": config.kmeans.silhouette_samples})
    sections["pca"] = pca.model_copy(update={"components": model.projection.components, "rows": "all"})
    return config.model_copy(update=sections), differing


def _sections_of(model: Model) -> dict[str, Any]:
    """Return the sections that the model decides. Those of a fit are there only where the model knows them."""
    sections: dict[str, Any] = {"preprocess": model.preprocess}
    if settings := model.info.get("settings"):
        fit = Config.model_validate(settings | {"preprocess": model.preprocess})  # some settings need each other
        sections |= {name: getattr(fit, name) for name in FIT_SECTIONS}
    return sections


def _differing(config: Config, sections: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield the keys that differ between file and model: key, value in the file, value in the model."""
    for name in sorted(sections.keys() & config.model_fields_set):
        said, now = getattr(config, name), sections[name]
        if not isinstance(said, Section):
            pairs = [(name, said, now)]
        else:
            pairs = [(f"{name}.{key}", getattr(said, key), getattr(now, key)) for key in sorted(said.model_fields_set)]
        yield from ((key, before, after) for key, before, after in pairs if before != after and key != OWN_KEY)
