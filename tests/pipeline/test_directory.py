# SPDX-License-Identifier: BSD-3-Clause
"""`RunDirectory`: the names of the files of a run, and what their readers give."""

from __future__ import annotations

import json

import pytest

from padflow.autoencoder.split import Split
from padflow.errors import ConfigError, PadflowError
from padflow.pipeline.directory import Fit, Fixed, RunDirectory, Shown
from padflow.store.durable import read_json, write_json


def test_every_file_of_a_finished_run_has_its_property(finished_run) -> None:
    run = RunDirectory(finished_run.directory)
    files = (run.config_file, run.catalog_file, run.provenance_file, run.summary_file, run.model_facts_file, run.page)
    files += (run.split_file, run.fixed_file, run.shown_file, *map(run.fit_file, ("train", "pca", "classes")))
    assert [path for path in files if not path.is_file()] == []
    folders = (run.archive, run.results, run.model, run.report, run.fit_folder, run.receipts_folder)
    assert [path for path in folders if not path.is_dir()] == []
    known = {*files, *folders, finished_run.directory / "states.json"}
    left = {path.name for path in finished_run.directory.iterdir()} - {path.name for path in known}
    assert not [name for name in left if name.endswith(".json")]
    assert not run.lock_file.exists()
    assert not run.progress_file.exists()


def test_readers_of_a_finished_run(finished_run) -> None:
    run = RunDirectory(finished_run.directory)
    assert run.config().archive.rows_per_part == 2048
    assert len(run.catalog().used()) == 8
    assert run.provenance()["stages"]["ingest"]["records"] == run.provenance()["stages"]["score"]["records"]
    assert isinstance(run.split(), Split)
    classes = run.model_facts()["classes"]
    assert [one["name"] for one in classes] == list(run.fixed().names)
    assert run.shown().key
    assert run.shown().shown
    assert run.adopted() is None
    assert run.progress() is None


def test_what_is_not_there_yet(directory: RunDirectory) -> None:
    assert directory.known_catalog() is None
    assert directory.provenance() == {}
    assert directory.fitted("pca") is None
    assert directory.fixed() is None
    assert directory.shown() == Shown("", "")
    for read in (directory.config, directory.catalog, directory.split, directory.model_facts):
        with pytest.raises(PadflowError, match=str(directory)):
            read()
    with pytest.raises(PadflowError, match=r"pca\.json is missing or cut short"):
        directory.fit("pca")


@pytest.mark.parametrize("content", ["{}", "[]", '{"key": "k"}', '{"key": "k", "inf'])
def test_a_fit_that_does_not_say_all_of_itself_has_to_be_done(content: str, directory: RunDirectory) -> None:
    directory.fit_folder.mkdir()
    directory.fit_file("pca").write_text(content)
    assert directory.fitted("pca") is None


def test_what_is_written_is_read_and_stands_in_the_file_as_runs_before_wrote_it(directory: RunDirectory) -> None:
    directory.write_fit("pca", Fit("k", {"explained_variance": [1.0]}))
    assert read_json(directory.fit_file("pca")) == {"key": "k", "info": {"explained_variance": [1.0]}}
    assert directory.fit("pca") == Fit("k", {"explained_variance": [1.0]})

    fixed = Fixed(("pancake", "butterfly"), {"rbspa": {"records": 3}}, {"seed": 1}, "no measurement")
    directory.write_fixed(fixed)
    assert list(json.loads(directory.fixed_file.read_text())) == ["names", "fitted_to", "settings", "simulated"]
    assert directory.fixed() == fixed

    directory.write_shown(Shown("summary"))
    assert read_json(directory.shown_file) == {"key": "summary"}
    directory.write_shown(Shown("summary", "report"))
    assert read_json(directory.shown_file) == {"key": "summary", "shown": "report"}
    assert directory.shown() == Shown("summary", "report")

    directory.write_adopted("digest")
    assert read_json(directory.adopted_file) == {"model": "digest"}
    assert directory.adopted() == "digest"


def test_a_note_leaves_the_rest_of_the_provenance(directory: RunDirectory) -> None:
    write_json(directory.provenance_file, {"padflow": "0", "flags": {}})
    directory.note({"flags": {"x": 1}})
    assert directory.provenance() == {"padflow": "0", "flags": {"x": 1}}


def test_a_url_is_no_run_directory() -> None:
    with pytest.raises(ConfigError, match="run_dir"):
        RunDirectory.at("s3://bucket/run")
