# SPDX-License-Identifier: BSD-3-Clause
"""A configuration to begin with: it is the preset with the files chosen, and explains each of its keys."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from padflow.config.presets import PRESETS, preset_path
from padflow.config.reading import load_config
from padflow.config.starting import source_setting, starting_yaml
from padflow.errors import ConfigError


@pytest.mark.parametrize("preset", PRESETS)
def test_it_is_the_preset(preset, write):
    assert load_config(write(starting_yaml(preset))) == load_config(preset)


def test_it_holds_the_keys_of_the_preset_and_of_the_files_and_explains_each():
    text = starting_yaml("recommended")
    preset = yaml.safe_load(preset_path("recommended").read_text())
    found = yaml.safe_load(text)
    chosen = {"source", "spacecraft", "start", "end"}
    assert found.keys() == preset.keys()
    for name, section in preset.items():
        assert found[name].keys() == section.keys() | (chosen if name == "archive" else set())
    lines = text.splitlines()
    assert lines[0] == preset_path("recommended").read_text().splitlines()[0]
    for above, line in pairwise(lines):
        assert line.lstrip().startswith("#") or not line or above.lstrip().startswith("# ")


@pytest.mark.parametrize(
    "name", ["cdf", "a: b #c", "Ünïcode \N{GRINNING FACE}", 'quo"ted', "tab\tand\nline", "no", "12"]
)
def test_files_are_chosen(name, write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    days = {"start": date(2013, 3, 1), "end": date(2013, 4, 30)}
    text = starting_yaml("mageis", source=Path(name), spacecraft=("RBSPB", "rbspa"), **days)
    archive = load_config(write(text)).archive
    assert archive.source == tmp_path / name
    assert (archive.instrument, archive.spacecraft) == ("mageis", ("rbspa", "rbspb"))
    assert (archive.start, archive.end) == (date(2013, 3, 1), date(2013, 4, 30))
    assert load_config("mageis", source_setting(Path(name))).archive.source == tmp_path / name


def test_days_that_do_not_go_together():
    with pytest.raises(ConfigError, match="end 2013-03-01 is before start 2013-03-02"):
        starting_yaml("hope", start=date(2013, 3, 2), end=date(2013, 3, 1))
