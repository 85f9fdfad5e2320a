"""The configuration file: what is accepted, what is refused and in which words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from padflow.config.reading import load_config
from padflow.config.sections import Config
from padflow.config.text import documented_yaml
from padflow.errors import ConfigError

CONFIGS = sorted((Path(__file__).resolve().parent.parent.parent / "configs").glob("*.yaml"))


@pytest.fixture
def write(tmp_path):
    def _write(text: str, name: str = "run.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return _write


def message_of(*arguments) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(*arguments)
    return str(caught.value)


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
def test_what_does_not_fit_is_refused_with_file_and_key(write, text, words):
    path = write(text)
    message = message_of(path)
    for word in [str(path), *words]:
        assert word in message


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
        ("preprocess.average_seconds=.inf", ["preprocess.average_seconds"]),
        ("preprocess.average_seconds=-1", ["preprocess.average_seconds = -1"]),
        ("preprocess.average_seconds=soon", ["preprocess.average_seconds = 'soon'", "2min"]),
        ("preprocess.average_seconds=two min", ["preprocess.average_seconds"]),
        ("preprocess.max_gap_seconds=0", ["preprocess.max_gap_seconds"]),
        ("preprocess.normalise=minmax", ["preprocess.normalise = 'minmax'", "energy_max"]),
        ("kmeans.clusters=1", ["kmeans.clusters = 1", "2", "mean_shift"]),
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
def test_bad_values_are_refused_by_key(override, words):
    message = message_of(None, [override])
    for word in words:
        assert word in message, message


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GiB", 2 << 30), ("'1.5 GB'", 1_500_000_000), ("512MB", 512_000_000), ("4096000000", 4_096_000_000)],
)
def test_sizes_may_be_words(text, size):
    assert load_config(None, [f"cluster.memory_limit={text}"]).cluster.memory_limit == size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *[("2min", 120), ("'2 min'", 120), ("3 mins", 180), ("2 minutes", 120), ("90s", 90), ("90 s", 90)],
        *[("1.5h", 5400), ("500ms", 0.5), ("120", 120), ("'120'", 120), ("0", 0)],
    ],
)
def test_times_may_be_words(text, seconds):
    assert load_config(None, [f"preprocess.average_seconds={text}"]).preprocess.average_seconds == seconds


def test_overrides_are_applied_in_order_over_the_file(write):
    path = write("train: {epochs: 3, patience: 2}\nseed: 1\n")
    config = load_config(
        path, ["train.epochs=4", "train.epochs=5", "seed=2", "kmeans.clusters=6", "cluster={workers: 3}"]
    )
    assert (config.train.epochs, config.train.patience, config.seed) == (5, 2, 2)
    assert (config.kmeans.clusters, config.cluster.workers) == (6, 3)


def test_an_override_can_take_a_value_back_to_null(write):
    path = write("preprocess: {l_range: [3, 6]}")
    assert load_config(path, ["preprocess.l_range=null"]).preprocess.l_range is None


@pytest.mark.parametrize("text", ["train.epochs", "=3", "train.=3", ".epochs=3", "train.epochs=[", "seed.x=1"])
def test_malformed_overrides_are_refused(write, text):
    assert repr(text) in message_of(write("seed: 3"), [text])


def test_missing_and_unreadable_files(tmp_path):
    assert "no configuration file" in message_of(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    assert "bytes.yaml" in message_of(tmp_path / "bytes.yaml")
    assert str(tmp_path) in message_of(tmp_path)


def test_yaml_cannot_make_objects(write, tmp_path):
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
        assert lines[number - 1].lstrip().startswith("# "), lines[number]
        assert len(lines[number - 1].strip()) > 10


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
