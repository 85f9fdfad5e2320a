# SPDX-License-Identifier: BSD-3-Clause
"""The configuration file: how it is read, where its paths lead, and what overrides it."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path

import pytest

from padflow.config.reading import load_config
from padflow.config.sections import Config


def test_defaults_need_no_file():
    assert load_config(None) == Config()


def test_an_empty_file_is_the_defaults(write):
    assert load_config(write("# nothing\n")) == Config()


def test_values_land_under_their_keys(write):
    config = load_config(
        write(
            "seed: 7\n"
            "archive: {start: 2013-03-01, end: 2013-03-31, spacecraft: RBSPA}\n"
            "preprocess: {l_range: [2.5, 7], time_range: ['2013-03-17T06:00:00', '2013-03-18']}\n"
        )
    )
    assert config.seed == 7
    assert config.archive.start == date(2013, 3, 1)
    assert config.archive.end == date(2013, 3, 31)
    assert config.archive.spacecraft == ("rbspa",)
    assert config.preprocess.l_range == (2.5, 7.0)
    assert config.preprocess.time_range == (datetime(2013, 3, 17, 6), datetime(2013, 3, 18))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tran: {epochs: 3}", ["unknown key tran", "train", "kmeans"]),
        ("train: {epoch: 3}", ["unknown key train.epoch", "epochs", "patience"]),
        ("{a: 1, train: {b: 2}}", ["unknown key a", "unknown key train.b"]),
        ("{1: 2}", ["1"]),
        ("- 1\n- 2", ["list", "archive:"]),
        ("train: [", ["not valid YAML"]),
        ("train: 3", ["train = 3"]),
        ("seed: many", ["seed = 'many'", "integer"]),
    ],
)
def test_what_does_not_fit_is_refused_with_file_and_key(write, text, words, message_of):
    path = write(text)
    message = message_of(path)
    for word in [str(path), *words]:
        assert word in message


def test_overrides_are_applied_in_order_over_the_file(write):
    path = write("train: {epochs: 3, patience: 2}\nseed: 1\n")
    config = load_config(
        path, ["train.epochs=4", "train.epochs=5", "seed=2", "kmeans.classes=6", "cluster={workers: 3}"]
    )
    assert (config.train.epochs, config.train.patience, config.seed) == (5, 2, 2)
    assert (config.kmeans.classes, config.cluster.workers) == (6, 3)


def test_an_override_can_take_a_value_back_to_null(write):
    path = write("preprocess: {l_range: [3, 6]}")
    assert load_config(path, ["preprocess.l_range=null"]).preprocess.l_range is None


@pytest.mark.parametrize("text", ["train.epochs", "=3", "train.=3", ".epochs=3", "train.epochs=[", "seed.x=1"])
def test_malformed_overrides_are_refused(write, text, message_of):
    assert repr(text) in message_of(write("seed: 3"), [text])


def test_missing_and_unreadable_files(tmp_path, message_of):
    assert "no configuration file" in message_of(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    assert "bytes.yaml" in message_of(tmp_path / "bytes.yaml")
    assert str(tmp_path) in message_of(tmp_path)


def test_yaml_cannot_make_objects(write, tmp_path, message_of):
    trace = tmp_path / "trace"
    message = message_of(write(f"seed: !!python/object/apply:os.mkdir ['{trace}']"))
    assert "not valid YAML" in message
    assert not trace.exists()


def test_paths_in_a_file_are_relative_to_it(write, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    path = write("archive: {source: data/rept, instrument: mine.yaml}")
    monkeypatch.chdir(tmp_path / "elsewhere")
    archive = load_config(path).archive
    assert archive.source == tmp_path / "data/rept"
    assert archive.instrument == str(tmp_path / "mine.yaml")
    assert load_config(Path("..") / path.name).archive.source.resolve() == tmp_path / "data/rept"


def test_paths_in_overrides_are_relative_to_the_working_directory(write, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    archive = load_config(write("seed: 1"), ["archive.source=data", "archive.instrument=mine.yml"]).archive
    assert archive.source == tmp_path / "elsewhere/data"
    assert archive.instrument == str(tmp_path / "elsewhere/mine.yml")


def test_home_and_absolute_paths_and_instrument_names_stay(write, monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    assert load_config(write("archive: {source: ~/data}")).archive.source == Path("/home/somebody/data")
    archive = load_config(write("archive: {source: /data, instrument: hope}")).archive
    assert (archive.source, archive.instrument) == (Path("/data"), "hope")


def test_a_file_that_is_included_is_overridden_key_by_key(tmp_path: Path, write):
    site = tmp_path / "site" / "cluster.yaml"
    site.parent.mkdir()
    site.write_text(
        "archive: {source: data}\n"
        "cluster: {kind: slurm, workers: 16, interface: ib0, prologue: [module load gcc], options: {a: 1, b: 2}}\n"
    )
    config = load_config(write("include: site/cluster.yaml\nseed: 3\ncluster: {workers: 4, options: {c: 3}}\n"))
    assert (config.seed, config.cluster.kind, config.cluster.workers) == (3, "slurm", 4)
    assert config.cluster.prologue == ("module load gcc",)
    assert config.cluster.options == {"c": 3}
    assert config.archive.source == site.parent / "data"  # relative to the file that says it
    assert "include:" not in config.to_yaml()
    assert load_config(write("include: site/cluster.yaml"), ["cluster.workers=2"]).cluster.workers == 2


def test_a_file_that_is_included_may_include_another(tmp_path: Path, write):
    (tmp_path / "a.yaml").write_text("include: b.yaml\nseed: 1")
    (tmp_path / "b.yaml").write_text("seed: 2\ntrain: {epochs: 7}")
    config = load_config(write(f"include: {tmp_path / 'a.yaml'}"))
    assert (config.seed, config.train.epochs) == (1, 7)


def test_a_preset_is_included_by_its_name_where_no_file_has_it(tmp_path: Path, write):
    including = write("include: killey2023\ntrain:\n  epochs: 7\n")
    expected = load_config("killey2023", ["train.epochs=7"])
    assert load_config(including) == expected
    (tmp_path / "killey2023").write_text("seed: 5")
    assert load_config(including).seed == 5


def test_files_that_include_each_other_are_named(tmp_path: Path, write, message_of):
    first = write("include: b.yaml")
    (tmp_path / "b.yaml").write_text(f"include: {first}")
    says = message_of(first)
    assert f"{first} includes {tmp_path / 'b.yaml'} includes {first}" in says


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("nowhere.yaml", "include = 'nowhere.yaml': there is no file .*nowhere.yaml"),
        ("[a, b]", r"include = \['a', 'b'\]: expected the path"),
        ("''", "include = '': expected the path"),
        ("https://site/x.yaml", "include https://site/x.yaml: this is a URL"),
    ],
)
def test_what_cannot_be_included_is_named(value: str, says: str, write, message_of):
    assert re.search(says, message_of(write(f"include: {value}")))


def test_an_included_file_is_read_by_the_same_rules(tmp_path: Path, write, message_of):
    (tmp_path / "site.yaml").write_text("cluster:\n  workers: 1\n  workers: 2\n")
    assert "site.yaml" in message_of(write("include: site.yaml"))
    assert "workers" in message_of(write("include: site.yaml"))
    assert "include" in message_of(None, ["include=site.yaml"])  # it is a key of files
