"""A run directory belongs to one configuration: refuse another, or redo what it touches when asked to."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from padflow.config import Config, load_config
from padflow.errors import ConfigError
from padflow.run.ledger import RECEIPTS
from padflow.run.passes import ARCHIVE, FIT, RESULTS

STAGES = ("ingest", "train", "pca", "score", "cluster", "label", "report")
FILES_OF = {"train": ("train.json",), "pca": ("pca.json", "moments"), "cluster": ("cluster.json",)}
"""What a stage leaves in the run's ``fit`` folder that says it is done."""
STAGE_OF = {
    "archive.instrument": "ingest",
    "archive.rows_per_part": "ingest",
    "archive.spacecraft": "ingest",
    "archive.start": "ingest",
    "preprocess": "train",
    "train": "train",
    "seed": "train",
    "pca": "pca",
    "mean_shift": "cluster",
    "kmeans": "cluster",
    "agglomerative": "cluster",
    "method": "cluster",
}
"""The first stage that a key touches. The rest of `archive` only says which files there are: parts whose content it
changes are found by their keys; `cluster` changes no result."""


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested sections as ``section.key``."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        flat |= flatten(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return flat


def differing_keys(before: dict[str, Any], config: Config) -> dict[str, tuple[Any, Any, str]]:
    """Return the keys whose values differ and touch a result: (before, now, first stage touched) by key."""
    old, new = flatten(before), flatten(config.model_dump(mode="json"))
    differing = {}
    for key in sorted(old.keys() | new.keys()):
        stage = STAGE_OF.get(key) or STAGE_OF.get(key.partition(".")[0])
        if stage and old.get(key) != new.get(key):
            differing[key] = (old.get(key), new.get(key), stage)
    return differing


def is_begun(directory: Path, stage: str) -> bool:
    """Return whether a stage has left anything that another configuration would contradict."""
    if stage == "ingest":
        return any((directory / RECEIPTS / stage).glob("*/*.json"))
    return any((directory / FIT / file).exists() for file in FILES_OF[stage])


def guard_settings(config: Config, directory: Path, *, restart_from: str | None) -> None:
    """Refuse a directory made with another configuration, unless everything it touches is to be redone.

    Raises
    ------
    ConfigError
        Lists the keys that differ, and the stage to restart from.
    """
    path = directory / "config.yaml"
    if path.is_file():
        before = load_config(path).model_dump(mode="json")
        found = differing_keys(before, config)
        differing = {key: values for key, values in found.items() if is_begun(directory, values[2])}
        first = min((STAGES.index(stage) for _, _, stage in differing.values()), default=len(STAGES))
        if differing and (restart_from is None or STAGES.index(restart_from) > first):
            words = "; ".join(f"{key} was {old!r}, is {new!r}" for key, (old, new, _) in differing.items())
            raise ConfigError(
                f"{directory} was made with another configuration: {words}. Choose another --workdir, put the values "
                f"back, or redo what they touch with --from {STAGES[first]}."
            )


def clear_from(directory: Path, stage: str) -> None:
    """Forget what a stage and those after it have done."""
    first = STAGES.index(stage)
    for name in STAGES[first:]:
        shutil.rmtree(directory / RECEIPTS / name, ignore_errors=True)
        for file in FILES_OF.get(name, ()):
            target = directory / FIT / file
            if target.is_dir():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=True)
    (directory / FIT / "summary.json").unlink(missing_ok=True)
    if first <= STAGES.index("cluster"):
        (directory / "model" / "model.json").unlink(missing_ok=True)
    if stage == "ingest":
        shutil.rmtree(directory / ARCHIVE, ignore_errors=True)
    if first <= STAGES.index("pca"):
        shutil.rmtree(directory / RESULTS, ignore_errors=True)
