# SPDX-License-Identifier: BSD-3-Clause
"""Tests mirror the package: each module has the test file of its name, and each test file in a folder its module."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
PACKAGE = TESTS.parent / "padflow"

HELD_ELSEWHERE = {
    "archive/changes.py": "pipeline/test_held.py",  # what it counts is what a run is refused for
    "autoencoder/epochs.py": "autoencoder/test_keras.py",  # epochs, early stopping and refusals as a user meets them
    "autoencoder/training.py": "autoencoder/test_keras.py",  # settings and results of what is trained there
    "blas.py": "model/test_encoder.py",  # threads are limited where blocks are encoded
    "cdf/internal_records.py": "cdf/test_layout.py",  # every record of a file is damaged there
    "cli/commands.py": "test_cli.py",  # commands as a user gives them
    "cli/looking.py": "test_cli.py",
    "cli/machines.py": "compute/test_jobs.py",  # a driver as a job, and what starts workers
    "cli/main.py": "test_cli.py",
    "cli/making.py": "test_cli.py",
    "cli/running.py": "test_cli.py",
    "cli/text.py": "test_cli.py",
    "compute/allocation.py": "compute/test_security.py",  # with a cluster that a script starts by hand
    "compute/scheduler_file.py": "compute/test_cluster.py",
    "compute/servers.py": "compute/test_security.py",
    "compute/settings.py": "test_surroundings.py",  # with settings of the user's own
    "model/description.py": "model/test_model.py",  # a model is described where it is saved
    "pipeline/driver.py": "test_end_to_end.py",
    "pipeline/preloaded.py": "pipeline/test_trainer.py",
    "pipeline/run.py": "test_end_to_end.py",
    "pipeline/stages/archive.py": "archive/test_ingest.py",
    "pipeline/stages/finish.py": "pipeline/test_summary.py",
    "pipeline/stages/fit.py": "model/test_fit.py",
    "pipeline/stages/label.py": "pipeline/test_set_aside.py",
    "pipeline/status.py": "pipeline/test_verify.py",
    "pipeline/tasks.py": "archive/test_ingest.py",  # what a change of the archive has done again
    "report/figures/model.py": "report/figures/test_contents.py",  # all figures of runs of every size
    "simulation/troubles.py": "simulation/test_archive.py",  # each trouble against the truth of its archive
    "simulation/writing.py": "simulation/test_archive.py",
    "store/run_files.py": "pipeline/test_directory.py",
    "store/paths.py": "test_untrusted_folders.py",  # paths that lead out of their folder
    "store/specs.py": "store/test_writing.py",  # arrays are written as they are declared
}
"""Modules without a test file of their name, and the one that tests them."""

WHOLE_BEHAVIOURS = {
    "cdf/test_forms.py": "forms of files, through all of cdf/",
    "cdf/test_mutated_cdfs.py": "damaged files, through all of cdf/ and archive/",
    "pipeline/test_set_aside.py": "workers that die, through all stages",
    "report/test_browser.py": "the page of the report in a browser",
}
"""Test files in a folder that are of no single module."""

MODULES = {
    path.relative_to(PACKAGE).as_posix()
    for path in PACKAGE.rglob("*.py")
    if path.name not in ("__init__.py", "__main__.py")
}
TEST_FILES = {path.relative_to(TESTS).as_posix() for path in TESTS.rglob("test_*.py")}


def file_of(module: str) -> str:
    folder, _, name = module.rpartition("/")
    return f"{folder}/test_{name}" if folder else f"test_{name}"


def test_each_module_has_its_test_file() -> None:
    missing = sorted(module for module in MODULES - HELD_ELSEWHERE.keys() if file_of(module) not in TEST_FILES)
    assert not missing


def test_each_test_file_in_a_folder_has_its_module() -> None:
    own = {file_of(module) for module in MODULES}
    strangers = sorted(file for file in TEST_FILES - own - WHOLE_BEHAVIOURS.keys() if "/" in file)
    assert not strangers


@pytest.mark.parametrize(("module", "file"), HELD_ELSEWHERE.items())
def test_an_exception_is_needed_and_true(module: str, file: str) -> None:
    assert module in MODULES, f"{module} is no more"
    assert file_of(module) not in TEST_FILES, f"{module} has a test file of its own now"
    assert file in TEST_FILES, f"{file} is no more"


@pytest.mark.parametrize("file", WHOLE_BEHAVIOURS)
def test_a_whole_behaviour_is_tested(file: str) -> None:
    assert file in TEST_FILES, f"{file} is no more"
