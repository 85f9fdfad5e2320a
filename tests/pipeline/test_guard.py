# SPDX-License-Identifier: BSD-3-Clause
"""A run directory belongs to one configuration."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from padflow.config.sections import Config
from padflow.errors import ConfigError
from padflow.pipeline import guard
from padflow.pipeline.directory import RunDirectory
from padflow.pipeline.guard import clear_from, differing_keys, flatten, guard_settings, is_begun, left_from
from padflow.pipeline.stage_order import STAGE_NAMES


def config(**sections) -> Config:
    return Config.model_validate(sections)


BEFORE = config(archive={"source": "/data"})


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with something of every stage."""
    (tmp_path / "config.yaml").write_text(BEFORE.to_yaml())
    for stage in STAGE_NAMES:
        (tmp_path / "receipts" / stage / "rbspa").mkdir(parents=True)
        (tmp_path / "receipts" / stage / "rbspa" / "000000.json").write_text("{}")
    for name in ("train.json", "pca.json", "classes.json", "summary.json", "moments/rbspa-000000.npz"):
        (tmp_path / "fit" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "fit" / name).write_text("{}")
    for name in ("archive.zarr", "results.zarr", "model"):
        (tmp_path / name).mkdir()
    (tmp_path / "model" / "model.json").write_text("{}")
    return tmp_path


def test_flatten_names_keys_by_section() -> None:
    assert flatten({"a": {"b": 1, "c": {"d": [2]}}, "e": None}) == {"a.b": 1, "a.c.d": [2], "e": None}


@pytest.mark.parametrize(
    ("sections", "key", "stage"),
    [
        ({"archive": {"instrument": "mageis"}}, "archive.instrument", "ingest"),
        ({"archive": {"rows_per_part": 2048}}, "archive.rows_per_part", "ingest"),
        ({"archive": {"spacecraft": "rbspa"}}, "archive.spacecraft", "ingest"),
        ({"archive": {"start": "2013-03-01"}}, "archive.start", "ingest"),
        ({"preprocess": {"fold": False}}, "preprocess.fold", "train"),
        ({"preprocess": {"min_filled_share": 0.5}}, "preprocess.min_filled_share", "train"),
        ({"train": {"epochs": 3}}, "train.epochs", "train"),
        ({"seed": 5}, "seed", "train"),
        ({"pca": {"components": 2}}, "pca.components", "pca"),
        ({"mean_shift": {"quantile": 0.2}}, "mean_shift.quantile", "classes"),
        ({"kmeans": {"classes": 4}}, "kmeans.classes", "classes"),
        ({"agglomerative": {"samples": 50}}, "agglomerative.samples", "classes"),
        ({"method": "agglomerative"}, "method", "classes"),
    ],
)
def test_another_value_is_refused_and_allowed_from_its_stage_on(
    sections: dict, key: str, stage: str, directory: Path
) -> None:
    sections = {"archive": {"source": "/data"}} | {
        name: ({"source": "/data"} | values if name == "archive" else values) for name, values in sections.items()
    }
    other = config(**sections)
    assert {name: first for name, (_, _, first) in differing_keys(BEFORE.model_dump(mode="json"), other).items()} == {
        key: stage
    }
    place = STAGE_NAMES.index(stage)
    for too_late in (None, *STAGE_NAMES[place + 1 :]):
        with pytest.raises(ConfigError, match=f"{key} was .*, is .*--from {stage}"):
            guard_settings(other, RunDirectory(directory), restart_from=too_late)
    guard_settings(other, RunDirectory(directory), restart_from=stage)
    assert (directory / "fit" / "summary.json").exists()  # nothing is removed before the lock is held


def test_every_section_is_known_to_touch_a_stage_or_none() -> None:
    keys = flatten(BEFORE.model_dump(mode="json"))
    untouched = {key for key in keys if not differing_keys({**keys, key: "other"}, BEFORE).get(key)}
    allowed = {"archive.source", "archive.end"}
    assert {key for key in untouched if not key.startswith("cluster.")} == allowed


def test_what_changes_no_result_is_allowed(directory: Path) -> None:
    other = config(archive={"source": "/elsewhere", "end": "2013-04-01"}, cluster={"workers": 7})
    guard_settings(other, RunDirectory(directory), restart_from=None)
    guard_settings(BEFORE, RunDirectory(directory), restart_from=None)
    assert (directory / "fit" / "summary.json").exists()


def test_values_that_nothing_was_made_with_may_change(directory: Path) -> None:
    other = config(archive={"source": "/data"}, kmeans={"classes": 4}, mean_shift={"quantile": 0.2})
    (directory / "fit" / "classes.json").unlink()
    guard_settings(other, RunDirectory(directory), restart_from=None)
    both = config(archive={"source": "/data"}, kmeans={"classes": 4}, pca={"components": 2})
    with pytest.raises(ConfigError, match="--from pca"):
        guard_settings(both, RunDirectory(directory), restart_from=None)


def test_all_differing_keys_are_listed_with_the_earliest_stage(directory: Path) -> None:
    other = config(archive={"source": "/data"}, kmeans={"classes": 4}, preprocess={"fold": False})
    with pytest.raises(ConfigError) as caught:
        guard_settings(other, RunDirectory(directory), restart_from=None)
    for text in (
        "kmeans.classes was 'mean_shift', is 4, which touches classes, label, report;",
        "preprocess.fold was True, is False, which touches train, pca, score, classes, label, report.",
        "--from train",
    ):
        assert text in str(caught.value)


@pytest.mark.parametrize("stage", STAGE_NAMES)
def test_a_stage_and_all_after_it_are_forgotten(stage: str, directory: Path) -> None:
    clear_from(RunDirectory(directory), stage)
    place = STAGE_NAMES.index(stage)
    for number, name in enumerate(STAGE_NAMES):
        assert (directory / "receipts" / name).exists() == (number < place), name
    for name, file in (("train", "train.json"), ("pca", "pca.json"), ("pca", "moments"), ("classes", "classes.json")):
        assert (directory / "fit" / file).exists() == (STAGE_NAMES.index(name) < place), file
    assert not (directory / "fit" / "summary.json").exists()
    assert (directory / "archive.zarr").exists() == (place > 0)
    assert (directory / "results.zarr").exists() == (place > STAGE_NAMES.index("pca"))
    assert (directory / "model" / "model.json").exists() == (place > STAGE_NAMES.index("classes"))


@pytest.mark.parametrize("stage", ["train", "pca", "classes"])
def test_a_removal_that_is_cut_short_leaves_nothing_that_seems_done_from_what_is_gone(
    stage: str, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = STAGE_NAMES[STAGE_NAMES.index(stage) :]
    fits = [name for name in later if name in ("train", "pca", "classes")]
    for _ in range(len(left_from(RunDirectory(directory), stage))):
        calls = 0

        def once(folder: Path) -> None:
            nonlocal calls
            calls += 1
            if calls > 1:
                raise KeyboardInterrupt

        monkeypatch.setattr(guard, "sync_folder", once)
        with contextlib.suppress(KeyboardInterrupt):
            clear_from(RunDirectory(directory), stage)
        begun = [is_begun(RunDirectory(directory), name) for name in fits]
        assert begun == sorted(begun, reverse=True)  # a later fit is never there without those before it
        scored = (directory / "receipts" / "score").exists()
        assert not scored or stage == "classes" or (directory / "fit" / "pca.json").exists()
    assert left_from(RunDirectory(directory), stage) == []


def test_what_will_be_removed_is_told_in_full(directory: Path) -> None:
    before = {path for path in directory.rglob("*") if path.is_file()}
    told = left_from(RunDirectory(directory), "pca")
    folders = {path for path in directory.rglob("*") if path.is_dir()}
    clear_from(RunDirectory(directory), "pca")
    gone = before - {path for path in directory.rglob("*") if path.is_file()}
    gone |= folders - {path for path in directory.rglob("*") if path.is_dir()}
    assert gone
    assert all(any(path == root or root in path.parents for root in told) for path in gone)
    assert not any(root.exists() for root in told)
