"""A run directory belongs to one configuration: refuse another, or redo what it touches when asked to."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from padflow.config.reading import load_config
from padflow.config.sections import Config
from padflow.errors import ConfigError, brief
from padflow.pipeline.directory import FIT
from padflow.pipeline.held import not_chosen_in_words
from padflow.pipeline.receipts import RECEIPTS
from padflow.store.durable import sync_folder
from padflow.store.specs import ARCHIVE, RESULTS
from padflow.store.states import forget_state

STAGES = ("ingest", "train", "pca", "score", "cluster", "label", "report")


LEAVES = {
    "ingest": (ARCHIVE,),
    "train": (f"{FIT}/train.json",),
    "pca": (RESULTS, f"{RECEIPTS}/moments", f"{FIT}/moments", f"{FIT}/pca.json"),
    "score": (),
    "cluster": ("model/model.json", f"{FIT}/fixed.json", f"{FIT}/cluster.json"),
    "label": (),
    "report": (f"{RECEIPTS}/summary", f"{FIT}/summary.json"),
}
"""What each stage leaves beside its receipts; a fit's last file says that it is done."""


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
    return (directory / LEAVES[stage][-1]).exists()


def guard_settings(config: Config, directory: Path, *, restart_from: str | None) -> None:
    """Refuse a directory made with another configuration, unless everything it touches is to be redone.

    Raises
    ------
    ConfigError
        Lists the keys that differ, the stages that each touches, and the stage to restart from.
    """
    path = directory / "config.yaml"
    if path.is_file():
        before = load_config(path).model_dump(mode="json")
        found = differing_keys(before, config)
        differing = {key: values for key, values in found.items() if is_begun(directory, values[2])}
        first = min((STAGES.index(stage) for _, _, stage in differing.values()), default=len(STAGES))
        if differing and (restart_from is None or STAGES.index(restart_from) > first):
            words = "; ".join(
                f"{key} was {brief(old)}, is {brief(new)}, which touches {', '.join(STAGES[STAGES.index(stage) :])}"
                for key, (old, new, stage) in differing.items()
            )
            raise ConfigError(
                f"{directory} was made with another configuration: {words}. Choose another --workdir, put the values "
                f"back, or redo what they touch with --from {STAGES[first]}.{not_chosen_in_words(directory, config)}"
            )


def left_from(directory: Path, stage: str) -> list[Path]:
    """Return what a stage and those after it have left, in the order in which it is to be removed.

    The last stage comes first and the mark of each stage last, so that a removal that is cut short leaves nothing
    that seems done and is made from what is gone.
    """
    stages = reversed(STAGES[STAGES.index(stage) :])
    paths = [directory / name for later in stages for name in (*LEAVES[later], f"{RECEIPTS}/{later}")]
    # The receipts of ingest are its mark; those of the others follow a mark in the fit folder.
    return [path for path in paths if path.exists()]


def clear_from(directory: Path, stage: str) -> None:
    """Forget what a stage and those after it have done."""
    for path in left_from(directory, stage):
        if path.name in (ARCHIVE, RESULTS):
            forget_state(path)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        sync_folder(path.parent)
