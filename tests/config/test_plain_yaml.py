# SPDX-License-Identifier: BSD-3-Clause
"""YAML from anybody: each key once, bounded in size, depth and aliases, and in what a message repeats of it."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest
import yaml

from padflow.config.plain_yaml import LARGEST_BITS, MOST_BYTES, MOST_LEVELS, MOST_VALUES, parse_yaml, read_yaml
from padflow.config.reading import load_config
from padflow.config.sections import Config
from padflow.errors import ConfigError, one_line
from padflow.instruments.instrument import load_instrument

A_MESSAGE = 2000
"""Longest message, with a path in it."""
BOMB = "\n".join(
    ["a0: &a0 [lol, lol]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)), "archive: *a9"]
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("archive: {source: a}\nseed: 1\narchive:\n  source: b\n", ["'archive' is there twice", "line 1 ", "line 3,"]),
        ("train:\n  epochs: 3\n  patience: 2\n  epochs: 4\n", ["'epochs' is there twice", "line 2 ", "line 4,"]),
        ("a: {'b': 1, b: 2}", ["'b' is there twice"]),
        ("x: [{a: {b: 1, b: 1}}]", ["'b' is there twice"]),
        ("<<: {a: 1}\n<<: {b: 1}", ["'<<' is there twice"]),
    ],
)
def test_a_key_that_is_there_twice_is_refused_by_name_and_line(write, text: str, words: list[str]) -> None:
    path = write(text)
    for read in (load_config, load_instrument):
        with pytest.raises(ConfigError) as caught:
            read(path)
        for word in [str(path), *words]:
            assert word in str(caught.value)


def test_what_is_merged_in_may_be_put_otherwise() -> None:
    assert parse_yaml("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}")["b"] == {"x": 3, "y": 2}


def many_values(number: int) -> str:
    return f"a: [{'1,' * (number - 3)}]"  # the section, its key and the list are values too


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOMB, "more than 5,000 values"),
        (many_values(MOST_VALUES + 1), "more than 5,000 values"),
        ("\n".join(f"k{i}: &k{i} 1" for i in range(MOST_VALUES)), "more than 5,000 values"),
        ("[" * (MOST_BYTES // 2), "within each other"),
        ("- " * 1000, "within each other"),
        ("\n".join([f"{' ' * i}a:" for i in range(100)]), "within each other"),
        ("\n".join(["a0: &a0 [1]", *(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 99))]), "within each other"),
        ("a: &a [*a]", "an alias stands within what it names"),
        ("a: &a {b: {c: *a}}", "an alias stands within what it names"),
        ("a: *" + "b" * 100_000, "undefined alias"),
        ("&a &b [", "not valid YAML"),
        ("%YAML 1.1\n---\n---\n", "another document"),
    ],
    ids=lambda text: one_line(text, 30),
)
def test_what_grows_without_bounds_is_refused_in_a_line(write, text: str, words: str) -> None:
    path = write(text)
    for read in (load_config, load_instrument):
        with pytest.raises(ConfigError, match=words) as caught:
            read(path)
        assert len(str(caught.value)) < A_MESSAGE
    with pytest.raises(ConfigError):
        load_config(None, [f"archive={text}"])


def test_bounds_are_reached_and_not_passed() -> None:
    assert len(parse_yaml(many_values(MOST_VALUES))["a"]) == MOST_VALUES - 3
    levels = "[" * (MOST_LEVELS - 1) + "1" + "]" * (MOST_LEVELS - 1)
    assert parse_yaml(levels)
    with pytest.raises(ValueError, match="within each other"):
        parse_yaml(f"[{levels}]")


def test_large_files_are_refused_before_they_are_read(write) -> None:
    path = write("#" * MOST_BYTES)
    assert read_yaml(path, what="file") is None
    with path.open("a") as file:
        file.truncate(1 << 40)  # sparse; to read it would end the process
    for read in (load_config, load_instrument):
        with pytest.raises(ConfigError, match=r"my\.yaml is larger than 128 KiB"):
            read(path)


def test_a_file_without_end_is_refused() -> None:
    with pytest.raises(ConfigError, match="larger than"):
        read_yaml(Path("/dev/zero"), what="configuration file")


def test_a_letter_cut_by_the_bound_is_no_error_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "long.yaml").write_text("# " + "é" * MOST_BYTES, encoding="utf-8")
    with pytest.raises(ConfigError, match="larger than"):
        read_yaml(tmp_path / "long.yaml", what="file")


@pytest.mark.parametrize("name", ["my.yaml", "run/config.yaml", "instrument.yaml"])
def test_commands_end_at_once_with_status_2(padflow, tmp_path: Path, name: str) -> None:
    """The configuration, that of a run directory, and the file of an instrument."""
    (tmp_path / "run").mkdir()
    (tmp_path / "cdf").mkdir()
    path = tmp_path / name
    path.write_text(BOMB)
    good = tmp_path / "good.yaml"
    good.write_text("archive: {source: cdf, instrument: instrument.yaml}\n")
    commands = {
        "my.yaml": ["plan", path],
        "run/config.yaml": ["status", path.parent],
        "instrument.yaml": ["plan", good, "--workdir", tmp_path / "new"],
    }
    ended = padflow(*commands[name])
    assert ended.status == 2
    assert "more than 5,000 values" in ended.err
    assert len(ended.err) < A_MESSAGE


LONG = "y" * 50_000


@pytest.mark.parametrize(
    "text",
    [
        f"seed: {LONG}",
        f"{LONG}: 1",
        f"train: {{{LONG}: 1}}",
        f"archive: {{spacecraft: [1, {LONG}, {LONG[:40_000]}]}}",
        f"cluster: {{memory_limit: {LONG}, walltime: {LONG}}}",
        f"train: [{', '.join([LONG[:1000]] * 100)}]",
        f"preprocess: {{l_range: [{', '.join(map(str, range(4000)))}]}}",
        f"train: {{{', '.join(f'k{i}: {i}' for i in range(2000))}}}",
        f"train: {{epochs: 0x{'f' * 9000}}}",
        f"train: {{epochs: {'9' * 9000}}}",
        f"kmeans: {{classes: {{a: {{b: {{c: {{d: [[[{LONG}]]]}}}}}}}}}}",
        f"seed: !!binary {'AAAA' * 20_000}",
        f"seed: !{LONG} 1",
        f"flux: [{LONG}]",
        f"file_pattern: '{LONG}('",
    ],
    ids=lambda text: text[:30],
)
def test_messages_repeat_at_most_a_line_of_a_value(write, text: str) -> None:
    path = write(text)
    for read in (load_config, load_instrument):
        with pytest.raises(ConfigError) as caught:
            read(path)
        assert len(str(caught.value)) < A_MESSAGE


def test_more_findings_than_can_be_listed_are_counted(write) -> None:
    with pytest.raises(ConfigError, match="and 92 more"):
        load_config(write("\n".join(f"key{i}: 1" for i in range(100))))


@pytest.mark.parametrize("override", [f"seed={LONG}", LONG, f"{LONG}=1", f"a.{LONG}.b=[", f"seed=[{LONG}"])
def test_overrides_are_repeated_as_a_line(override: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(None, [override])
    assert len(str(caught.value)) < A_MESSAGE


def test_what_is_no_value_of_its_kind_stays_text_and_its_key_is_named(write) -> None:
    with pytest.raises(ConfigError, match=r"archive\.start = '2013-02-30'"):
        load_config(write("archive: {start: 2013-02-30}"))
    assert parse_yaml("[2013-02-30, 12:00, 1:30.5, !!int x, !!int '', !!timestamp x, !!bool x]") == [
        *("2013-02-30", "12:00", "1:30.5", "x", "", "x", "x")
    ]
    edge = 2**LARGEST_BITS - 1
    assert parse_yaml(f"[{edge}, {edge + 1}, 0x{edge:x}, 017, 1_000, -5, 1.5, yes, 2013-02-28, null, ~]") == [
        *(edge, str(edge + 1), edge, 15, 1000, -5, 1.5, True, date(2013, 2, 28), None, None)
    ]


def test_a_walltime_of_hours_and_minutes_needs_no_quotes(write) -> None:
    """PyYAML reads 12:00 as 720, to the base of 60."""
    config = load_config(write("cluster: {walltime: 12:00}"))
    assert config.cluster.walltime == 12 * 3600


def test_what_padflow_writes_is_read() -> None:
    config = load_config(None, ["archive.start=2013-03-01", "preprocess.time_range=[2013-03-01, 2013-03-02]"])
    assert Config.model_validate(parse_yaml(config.to_yaml())) == config
    text = yaml.safe_dump(load_instrument("hope").model_dump(mode="json"))
    assert parse_yaml(text) == yaml.safe_load(text)


def test_no_other_loader_reads_yaml() -> None:
    package = Path(__file__).resolve().parent.parent.parent / "padflow"
    users = {path.name for path in package.rglob("*.py") if "yaml.load(" in path.read_text()}
    assert users == {"plain_yaml.py"}
    assert not [path for path in package.rglob("*.py") if "safe_load" in path.read_text()]


def test_the_bomb_of_the_public_reports(real_data: Path, padflow) -> None:
    path = real_data.parent / "cases" / "yaml_bomb" / "bomb.yaml"
    if not path.is_file():
        pytest.skip(f"there is no {path}")
    ended = padflow("plan", path, "--workdir", os.devnull)
    assert ended.status == 2
    assert len(ended.err) < 400
