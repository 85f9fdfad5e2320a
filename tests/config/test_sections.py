# SPDX-License-Identifier: BSD-3-Clause
"""The configuration file: what is accepted, what is refused and in which words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from padflow.config.reading import load_config
from padflow.config.sections import Config
from padflow.errors import ConfigError


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("train.epochs=0", ["train.epochs = 0"]),
        ("train.epochs=2.5", ["train.epochs = 2.5"]),
        ("train.train_share=1.0", ["train.train_share = 1.0"]),
        ("train.validation_share=0.5", ["more than 1"]),
        ("archive.rows_per_part=1000", ["archive.rows_per_part = 1000", "1024"]),
        ("archive.rows_per_part=0", ["archive.rows_per_part"]),
        ("archive.rows_per_part=1536", ["multiple of 1024"]),
        ("archive.spacecraft=[]", ["empty list"]),
        ("archive={start: 2013-03-02, end: 2013-03-01}", ["2013-03-01 is before start 2013-03-02"]),
        ("preprocess.l_range=[7, 2.5]", ["preprocess.l_range", "ascend"]),
        ("preprocess.l_range=[7]", ["preprocess.l_range"]),
        ("preprocess.energy_range=[2, 2]", ["ascend"]),
        ("preprocess.time_range=['2013-03-18', '2013-03-17']", ["ascend"]),
        ("preprocess.time_range=['2013-03-17T00:00:00+01:00', '2013-03-18T00:00:00+01:00']", ["UTC"]),
        ("preprocess.min_flux=.nan", ["preprocess.min_flux"]),
        ("preprocess.min_filled_share=1.1", ["preprocess.min_filled_share = 1.1", "less than or equal to 1"]),
        ("preprocess.min_filled_share=-0.1", ["preprocess.min_filled_share = -0.1"]),
        ("preprocess.average_seconds=.inf", ["preprocess.average_seconds"]),
        ("preprocess.average_seconds=-1", ["preprocess.average_seconds = -1"]),
        ("preprocess.average_seconds=soon", ["preprocess.average_seconds = 'soon'", "2min"]),
        ("preprocess.average_seconds=two min", ["preprocess.average_seconds"]),
        ("preprocess.max_gap_seconds=0", ["preprocess.max_gap_seconds"]),
        ("preprocess.normalise=minmax", ["preprocess.normalise = 'minmax'", "energy_max"]),
        ("train.target=other", ["train.target = 'other'", "other_spins"]),
        ("train.target=other_spins", ["train.target=other_spins needs preprocess.normalise=counts", "max and 0"]),
        ("preprocess.normalise=counts", ["preprocess.normalise=counts needs train.target=other_spins"]),
        ("kmeans.classes=1", ["kmeans.classes = 1", "2", "mean_shift"]),
        ("kmeans.init=random", ["kmeans.init"]),
        ("cluster.memory_limit=lots", ["cluster.memory_limit = 'lots'"]),
        ("cluster.memory_limit=0", ["cluster.memory_limit"]),
        ("cluster.workers=0", ["cluster.workers"]),
        ("method=dbscan", ["method = 'dbscan'", "agglomerative"]),
        ("seed=-1", ["seed = -1"]),
        ("kmeans.seed=-1", ["kmeans.seed = -1"]),
        ("mean_shift.seed=4294967296", ["mean_shift.seed"]),
        ("train.split_seed=-2", ["train.split_seed = -2"]),
    ],
)
def test_bad_values_are_refused_by_key(override, words, message_of):
    message = message_of(None, [override])
    for word in words:
        assert word in message, message


def test_other_spins_need_counts_of_several_spins(message_of):
    counts = ["train.target=other_spins", "preprocess.normalise=counts"]
    assert "counts and 0" in message_of(None, counts)
    assert "count_shares and 120" in message_of(
        None, [*counts[:1], "preprocess.normalise=count_shares", "preprocess.average_seconds=2min"]
    )
    assert load_config(None, [*counts, "preprocess.average_seconds=2min"]).train.target == "other_spins"


def test_spacecraft_are_lower_case_sorted_and_without_repeats():
    config = load_config(None, ["archive.spacecraft=[RBSPB, rbspa, rbspb]"])
    assert config.archive.spacecraft == ("rbspa", "rbspb")


def test_digest_ignores_where_the_work_runs_and_nothing_else():
    base = load_config(None)
    assert load_config(None, ["cluster.workers=3", "cluster.memory_limit=1GiB"]).digest() == base.digest()
    changes = ["seed=1", "method=agglomerative", "archive.start=2013-01-01", "preprocess.fold=false"]
    changes += [
        "train.epochs=3",
        "pca.components=2",
        "mean_shift.repeats=1",
        "kmeans.tol=0.1",
        "agglomerative.samples=99",
    ]
    assert {name.split("=")[0].split(".")[0] for name in changes} | {"cluster"} == set(Config.model_fields)
    assert len({base.digest(), *(load_config(None, [change]).digest() for change in changes)}) == len(changes) + 1


def test_digest_of_sections_sees_those_alone():
    base, other = load_config(None), load_config(None, ["train.epochs=3"])
    assert base.digest("preprocess", "pca") == other.digest("preprocess", "pca")
    assert base.digest("train") != other.digest("train")


def test_seeds_fall_back_to_the_general_one():
    config = load_config(None, ["seed=5", "kmeans.seed=0", "train.split_seed=4"])
    assert [config.seed_of(name) for name in ("split", "mean_shift", "kmeans")] == [4, 5, 0]


NINES = "9" * 4400
NUMBERS = [".nan", ".inf", "-.inf", "1e400", "'1e400'", NINES, f"-{NINES}", f"{NINES}.5", "0x" + "f" * 4000]
WORDS = ["''", "' '", "min", "GiB", "1e400s", "nans", "infGiB", "2e308GiB", "5 parsecs", f"{NINES}s", f"{NINES}:00"]
DATES = ["2013-02-30", "0000-00-00", "0001-01-01", "9999-12-31", "[0001-01-01, 9999-12-31]"]
ODD = ["'\\0'", '"\\ud800"', "'٣'", "1_0", "12:61", "[.nan, .nan]", "[1, 1e400]", "!!binary x", "true", "{}", "{a: 1}"]


@pytest.mark.parametrize("value", [*NUMBERS, *WORDS, *DATES, *ODD], ids=lambda value: value[:16])
def test_no_value_is_an_error_that_is_not_told(value: str) -> None:
    """In each key: a value that fits, or one line that names the key."""
    for key in keys_of(Config):
        with contextlib.suppress(ConfigError):
            load_config(None, [f"{key}={value}"])
            continue
        with pytest.raises(ConfigError) as raised:
            load_config(None, [f"{key}={value}"])
        said = str(raised.value)
        assert key.split(".")[0] in said, key
        assert len(said) < 1000
        assert "\n" not in said


def keys_of(model: type, prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from keys_of(field.annotation, f"{prefix}{name}.")


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        (
            "cluster.memory_limit=1MiB",
            "cluster.memory_limit = '1MiB': expected at least 360MiB, for a worker takes 320 MiB",
        ),
        ("cluster.memory_limit=1e400GiB", "expected bytes, or a size such as 512MiB or 2GB"),
        ("preprocess.average_seconds=''", "preprocess.average_seconds = '': expected seconds, or a time such as 90s"),
        ("preprocess.average_seconds=1e400", "expected seconds, or a time such as 90s"),
        ("preprocess.average_seconds=min", "expected seconds, or a time such as 90s"),
        ("cluster.walltime=99:99", "expected a time such as 2h or 02:00:00"),
        ("archive.start=0001-01-01", "expected a year from 1678 to 2261"),
        ("archive.start=2013-02-30", "archive.start = '2013-02-30': expected a valid date"),
        ("preprocess.time_range=[1600-01-01, 1601-01-01]", "expected a year from 1678 to 2261"),
        ("train.max_rows='9223372036854775808'", "expected at most 9007199254740992"),
        ("preprocess.min_flux=.nan", "preprocess.min_flux = nan: expected a finite number"),
    ],
)
def test_what_is_expected_is_said(setting: str, says: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_config(None, [setting])
    assert says in str(raised.value)


def test_a_configuration_is_shown_by_what_differs_from_the_defaults():
    config = load_config("recommended", ["archive.source=/data", "archive.start=2013-03-01", "seed=3"])
    text = repr(config)
    assert text == str(config)
    assert len(text) < 800
    for words in ("source: /data, start: 2013-03-01", "components: 5, scale: noise", "epochs: 14"):
        assert words in text
    assert "batch_size" not in text
    assert ["seed", "3"] in [line.split() for line in text.splitlines()]
    assert repr(Config()).split() == ["<padflow.Config>", "all", "else", "as", "by", "default"]
    assert "<th" in config._repr_html_()
    assert "2013-03-01" in config._repr_html_()
