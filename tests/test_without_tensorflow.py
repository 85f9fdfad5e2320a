# SPDX-License-Identifier: BSD-3-Clause
"""Where TensorFlow cannot be imported, all but training works: labels, results, report."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from padflow.simulation.archive import simulate_archive
from padflow.store.opening import open_results


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which TensorFlow and Keras are not there, in no process."""
    folder = tmp_path_factory.mktemp("blocked")
    for name in ("tensorflow", "keras"):
        (folder / f"{name}.py").write_text(f'raise ModuleNotFoundError("No module named {name!r}")\n')
    return os.environ | {"PYTHONPATH": str(folder)}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cdf")
    simulate_archive(folder, family="continuum", days=1)
    return folder


def python(code: str, *arguments: object, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *code.split(), *map(str, arguments)]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_public_names_are_imported(without: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "names.py").write_text("import padflow\nfor name in padflow.__all__:\n    getattr(padflow, name)\n")
    done = python("-W error", tmp_path / "names.py", env=without)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_labels_are_made_by_workers_and_reported(without: dict[str, str], source: Path, tmp_path: Path) -> None:
    command = ["label", "demo", "recommended", "--source", source, "--workdir", tmp_path / "run"]
    done = python("-m padflow", *command, "--set", "cluster.workers=1", env=without)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "report" / "index.html").is_file()
    assert int((open_results(tmp_path / "run")["pad_class"] >= 0).sum()) > 1000


def test_training_says_what_it_needs(without: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "from padflow.autoencoder.tensorflow import load_tensorflow\n"
        "from padflow.errors import PadflowError\n"
        "try:\n    load_tensorflow()\nexcept PadflowError as error:\n    print(error)\n"
    )
    done = python("-W error", tmp_path / "train.py", env=without)
    assert done.stdout.startswith("Training needs TensorFlow, which cannot be imported (No module named 'keras')"), done
    assert "`padflow label` needs no TensorFlow" in done.stdout
