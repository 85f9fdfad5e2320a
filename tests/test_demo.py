"""The demonstration, and what keeps runs and labels of one directory apart."""

from __future__ import annotations

import shutil


def test_demo_simulates_once_and_finds_everything_done_again(padflow, serial, no_report, tmp_path, small_archive):
    settings = ["--set", "train.epochs=2", "--set", "mean_shift.samples=1000", "--set", "mean_shift.repeats=1"]
    shutil.copytree(small_archive, tmp_path / "cdf")  # stands for the archive that it simulated before
    first = padflow("demo", "--workdir", tmp_path, *settings)
    assert first.status == 0, first.err
    assert "simulating" not in first.err
    assert f"report: {tmp_path / 'run' / 'report' / 'index.html'}" in first.out
    again = padflow("demo", "--workdir", tmp_path, *settings)
    assert again.status == 0, again.err
    assert "ingest: 0 records written" in again.err
    assert again.out.splitlines()[:3] == first.out.splitlines()[:3]


def test_labels_and_runs_do_not_share_a_directory(padflow, serial, no_report, tmp_path, finished_run, small_settings):
    source = ["--set", f"archive.source={finished_run.archive}", *small_settings]
    config, model = finished_run.arguments[1], finished_run.directory / "model"
    own = shutil.copytree(finished_run.directory, tmp_path / "own")
    refused = padflow("label", model, config, "--workdir", own, *source)
    assert (refused.status, "made by `padflow run`" in refused.err) == (2, True)
    labels = tmp_path / "labels"
    assert padflow("label", model, config, "--workdir", labels, *source).status == 0
    refused = padflow("run", config, "--workdir", labels, *source)
    assert (refused.status, "made by `padflow label`" in refused.err) == (2, True)
