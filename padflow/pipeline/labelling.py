"""The configuration of a directory of labels: the user says which archive and where to compute, the model the rest."""

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
"""The one key of these sections that is not about a fit."""


def config_for_labels(path: Path, overrides: Iterable[str], model: Model) -> tuple[Config, str]:
    """Return the configuration with which a model labels an archive.

    Keys of the sections that decide a fit come from the model. Given by ``--set`` they are refused: somebody means
    them, now. A file may hold them, for it is often the one that the model was fitted with; where it differs from the
    model, a warning says so.

    Parameters
    ----------
    path, overrides
        As for `padflow.config.reading.load_config`.

    Returns
    -------
    Config
    str
        The warning, empty where the file does not differ.

    Raises
    ------
    ConfigError
        Names the override that the model decides.
    """
    overrides = list(overrides)
    config = load_config(path, overrides)
    for text in overrides:
        key = text.partition("=")[0].strip()
        if key.partition(".")[0] in OF_THE_MODEL and key != OWN_KEY:
            raise ConfigError(
                f"--set {brief(text)}: `padflow label` fits nothing; the model decides {one_line(key)}. Leave it out, "
                "or fit a model with `padflow run`."
            )
    sections = _sections_of(model)
    differing = [f"{key} = {brief(now)}, not {brief(said)}" for key, said, now in _differing(config, sections)]
    kmeans, pca = sections.get("kmeans", config.kmeans), sections.get("pca", config.pca)
    sections["kmeans"] = kmeans.model_copy(update={"silhouette_samples": config.kmeans.silhouette_samples})
    sections["pca"] = pca.model_copy(update={"components": model.projection.components, "rows": "all"})
    warning = f"The model decides, and not {path}: {listed(differing)}." if differing else ""
    return config.model_copy(update=sections), warning


def _sections_of(model: Model) -> dict[str, Any]:
    """Return the sections that the model decides; those of a fit only where the model says what it was fitted with."""
    sections: dict[str, Any] = {"preprocess": model.preprocess}
    if settings := model.info.get("settings"):
        fit = Config.model_validate(settings)
        sections |= {name: getattr(fit, name) for name in FIT_SECTIONS}
    return sections


def _differing(config: Config, sections: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield the keys that the file sets to something else than the model: key, the file's value, the model's."""
    for name in sorted(sections.keys() & config.model_fields_set):
        said, now = getattr(config, name), sections[name]
        if not isinstance(said, Section):
            pairs = [(name, said, now)]
        else:
            pairs = [(f"{name}.{key}", getattr(said, key), getattr(now, key)) for key in sorted(said.model_fields_set)]
        yield from ((key, before, after) for key, before, after in pairs if before != after and key != OWN_KEY)
