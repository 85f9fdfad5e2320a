# SPDX-License-Identifier: BSD-3-Clause
"""Configurations as text: each key with its meaning, and read back as what was written."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path

import pytest
import yaml

from padflow.config.reading import load_config
from padflow.config.sections import Config
from padflow.config.text import documented_yaml

CONFIGS = sorted((Path(__file__).resolve().parent.parent.parent / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", [None, *CONFIGS], ids=lambda path: path.name if path else "defaults")
def test_configurations_load_and_survive_being_written(path, write, tmp_path):
    overrides = ["archive.source=/data", "archive.start=2013-03-01", "archive.spacecraft=[rbspa, rbspb]"]
    overrides += ["preprocess.time_range=['2013-03-17T06:00:00', '2013-03-18T00:00:00']"]
    config = load_config(path, overrides)
    assert load_config(write(documented_yaml(config))) == config
    assert load_config(write(config.to_yaml())) == config
    assert yaml.safe_load(documented_yaml(config)) == yaml.safe_load(config.to_yaml())


def test_there_are_configurations():
    assert {"killey2023.yaml", "recommended.yaml"} <= {path.name for path in CONFIGS}


def test_documented_yaml_explains_every_key():
    lines = documented_yaml(Config()).splitlines()
    keys = [number for number, line in enumerate(lines) if line and not line.lstrip().startswith("#")]
    assert len(keys) > 50
    for number in keys:
        above = list(takewhile(lambda line: line.lstrip().startswith("# "), reversed(lines[:number])))
        assert len(" ".join(above).strip()) > 10, lines[number]
    assert max(len(line) for line in lines if "#" in line) <= 110
