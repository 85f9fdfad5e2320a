# SPDX-License-Identifier: BSD-3-Clause
"""The demonstration, and what keeps runs and labels of one directory apart."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from padflow.cli.making import TROUBLES
from padflow.cli.text import next_steps
from padflow.pipeline.directory import RunDirectory
from padflow.simulation.troubles import Troubles


def test_demo_simulates_once_says_what_to_do_next_and_finds_everything_done_again(
    padflow, serial, no_report, tmp_path, small_archive, monkeypatch
):
    monkeypatch.chdir(tmp_path)
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
    steps = re.findall(r"^  (\S.*?)    ", first.out, flags=re.MULTILINE)
    assert [padflow(*shlex.split(step)[1:]).status for step in steps[-2:]] == [0, 0]
    assert (tmp_path / "my.yaml").is_file()


@pytest.mark.parametrize("active", [True, False])
def test_next_steps_can_be_copied_to_the_shell(monkeypatch, tmp_path, active):
    command = Path(sys.executable).with_name("padflow")
    monkeypatch.setenv("PATH", str(command.parent if active else tmp_path))
    run, own = tmp_path / "my run", tmp_path / "my files"
    steps = [shlex.split(line) for line in next_steps(RunDirectory(run), own)[1:]]
    here = "padflow" if active else str(command)
    assert [step[:3] for step in steps] == [[here, "status", str(run)], [here, "init", "my.yaml"]]
    assert steps[1][4] == str(own)


def test_labels_and_runs_do_not_share_a_directory(padflow, serial, no_report, tmp_path, finished_run, small_settings):
    source = ["--set", f"archive.source={finished_run.archive}", *small_settings]
    config, model = finished_run.arguments[1], finished_run.directory / "model"
    archive = [*source[:2], "--set", "archive.rows_per_part=2048"]
    own = shutil.copytree(finished_run.directory, tmp_path / "own")
    refused = padflow("label", model, config, "--workdir", own, *archive)
    assert (refused.status, "made by `padflow run`" in refused.err) == (2, True)
    labels = tmp_path / "labels"
    assert padflow("label", model, config, "--workdir", labels, *archive).status == 0
    refused = padflow("run", config, "--workdir", labels, *source)
    assert (refused.status, "made by `padflow label`" in refused.err) == (2, True)


def test_single_troubles_are_chosen_by_name(padflow, tmp_path):
    names = [field.name for field in fields(Troubles)]
    assert list(TROUBLES) == names
    wanted = ("--trouble", "truncated", "--trouble", "empty=2")
    assert padflow("simulate", tmp_path / "cdf", "--days", "4", "--workers", "1", *wanted).status == 0
    sizes = sorted(path.stat().st_size for path in (tmp_path / "cdf").rglob("*.cdf"))
    assert sizes[:2] == [0, 0]
    assert 0 < sizes[2] < sizes[3]
    refused = padflow("simulate", tmp_path / "other", "--trouble", "gremlins")
    assert (refused.status, "truncated" in refused.err) == (2, True)
