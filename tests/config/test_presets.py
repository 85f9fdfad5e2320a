# SPDX-License-Identifier: BSD-3-Clause
"""Presets: what stands in ``configs/`` is found by its name, beside the sources and in a wheel."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import padflow
from padflow.config.presets import PRESETS, config_file, preset_path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
CONFIGS = REPOSITORY / "configs"


def test_each_configuration_of_the_folder_is_a_preset():
    assert sorted(PRESETS) == [path.stem for path in sorted(CONFIGS.glob("*.yaml"))]
    assert [preset_path(name) for name in PRESETS] == [CONFIGS / f"{name}.yaml" for name in PRESETS]


def test_a_preset_is_loaded_by_its_name_unless_a_file_has_it(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in PRESETS:
        assert padflow.load_config(name) == padflow.load_config(CONFIGS / f"{name}.yaml")
    Path("hope").write_text("seed: 12")
    assert padflow.load_config("hope").seed == 12
    assert config_file(Path("folder/mageis")) == Path("folder/mageis")


@pytest.mark.slow
def test_a_wheel_in_an_empty_folder_finds_them(tmp_path):
    pytest.importorskip("hatchling", reason="hatchling is not installed: pip install .[test]")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert sorted(name for name in names if "/configs/" in name) == [
        f"padflow/configs/{n}.yaml" for n in sorted(PRESETS)
    ]
    assert {"padflow/model/demo/arrays.npz", "padflow/model/demo/model.json"} <= set(names)
    target = tmp_path / "target"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", target, wheel]
    subprocess.run(install, check=True, capture_output=True)
    code = (
        "import padflow; print(padflow.__file__, padflow.__version__);"
        f"print(*(padflow.load_config(name).digest() for name in {PRESETS}));"
        "from padflow.cli.main import main; main()"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, "init", "mine.yaml", "--preset", "killey2023"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(target)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    assert found[0].split() == [str(target / "padflow" / "__init__.py"), wheel.name.split("-")[1]]
    assert found[1].split() == [padflow.load_config(CONFIGS / f"{name}.yaml").digest() for name in PRESETS]
    assert padflow.load_config(tmp_path / "mine.yaml") == padflow.load_config(CONFIGS / "killey2023.yaml")
