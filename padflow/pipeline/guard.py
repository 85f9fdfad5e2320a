# SPDX-License-Identifier: BSD-3-Clause
"""A run directory belongs to one configuration: refuse another one, unless the stages that it changes start again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from padflow.config.sections import Config
from padflow.errors import ConfigError, brief
from padflow.pipeline.directory import RunDirectory
from padflow.pipeline.held import not_chosen_in_words
from padflow.pipeline.stage_order import STAGE_NAMES, STAGES, stages_from
from padflow.store.durable import sync_folder
from padflow.store.run_files import ARCHIVE, RECEIPTS, RESULTS
from padflow.store.states import forget_state

FIRST_STAGE = {key: stage.name for stage in STAGES for key in stage.keys}
"""The first stage that uses a key or a section of the configuration."""


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested sections as ``section.key``."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        flat |= flatten(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return flat


def differing_keys(before: dict[str, Any], config: Config) -> dict[str, tuple[Any, Any, str]]:
    """Return the keys that have another value now and change a result.

    Returns
    -------
    dict
        By key: the value before, the value now, and the first stage that uses it.
    """
    old, new = flatten(before), flatten(config.model_dump(mode="json"))
    differing = {}
    for key in sorted(old.keys() | new.keys()):
        stage = FIRST_STAGE.get(key) or FIRST_STAGE.get(key.partition(".")[0])
        if stage and old.get(key) != new.get(key):
            differing[key] = (old.get(key), new.get(key), stage)
    return differing


def is_begun(directory: RunDirectory, stage: str) -> bool:
    """Return whether a stage has written anything that depends on the configuration."""
    declared = stages_from(stage)[0]
    if declared.kind == "parts":
        return any((directory.receipts_folder / stage).glob("*/*.json"))
    return (directory.path / declared.leaves[-1]).exists()


def guard_settings(config: Config, directory: RunDirectory, *, restart_from: str | None) -> None:
    """Refuse a directory that was made with another configuration, unless all stages that differ start again.

    Raises
    ------
    ConfigError
        Lists the keys that differ, the stages that use each, and the stage to restart from.
    """
    if directory.config_file.is_file():
        before = directory.config().model_dump(mode="json")
        found = differing_keys(before, config)
        differing = {key: values for key, values in found.items() if is_begun(directory, values[2])}
        first = min((STAGE_NAMES.index(stage) for _, _, stage in differing.values()), default=len(STAGES))
        if differing and (restart_from is None or STAGE_NAMES.index(restart_from) > first):
            words = "; ".join(
                f"{key} was {brief(old)}, is {brief(new)}, which touches "
                f"{', '.join(later.name for later in stages_from(stage))}"
                for key, (old, new, stage) in differing.items()
            )
            raise ConfigError(
                f"{directory} was made with another configuration: {words}. Choose another --workdir, put the values "
                f"back, or redo what they touch with --from {STAGE_NAMES[first]}."
                f"{not_chosen_in_words(directory, config)}"
            )


def left_from(directory: RunDirectory, stage: str) -> list[Path]:
    """Return the files and folders of a stage and of those after it, in the order in which they are to be removed.

    The last stage comes first, and of each stage the file that says that it is done comes last. A removal may be cut
    short: no stage then seems done whose input is gone.
    """
    later = reversed(stages_from(stage))
    paths = [directory.path / name for one in later for name in (*one.leaves, f"{RECEIPTS}/{one.name}")]
    # Receipts say that ingest is done. Those of other stages count only with a file of the fit folder.
    return [path for path in paths if path.exists()]


def clear_from(directory: RunDirectory, stage: str) -> None:
    """Remove what a stage and those after it have left."""
    for path in left_from(directory, stage):
        if path.name in (ARCHIVE, RESULTS):
            forget_state(path)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        sync_folder(path.parent)
