# SPDX-License-Identifier: BSD-3-Clause
"""What a user sees: results on stdout, one paragraph on stderr for an error, and the right exit status."""

from __future__ import annotations

import csv
import json
import logging
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import xarray as xr
import yaml
from packaging.version import Version

import padflow as package
from padflow.cli.group import say
from padflow.cli.logs import logged
from padflow.config.sections import Config
from padflow.simulation.archive import simulate_archive
from padflow.simulation.troubles import Troubles

REPOSITORY = Path(__file__).resolve().parent.parent
RECOMMENDED = REPOSITORY / "configs" / "recommended.yaml"


@pytest.fixture
def config(tmp_path: Path, small_archive: Path) -> Path:
    """The recommended configuration, made small, for the small archive."""
    values = yaml.safe_load(RECOMMENDED.read_text())
    values["archive"] |= {"source": str(small_archive), "rows_per_part": 2048}
    values["preprocess"] |= {"min_counts": 50}
    values["train"] |= {"epochs": 2}
    values["mean_shift"] |= {"samples": 1000, "repeats": 2}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def assert_refused(ended, status: int, *says: str) -> None:
    """Check for an error of one paragraph, without a traceback."""
    assert ended.status == status, ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""
    lines = [line for line in ended.err.splitlines() if line.startswith("padflow: ")]
    assert len(lines) == 1
    assert ended.err.endswith(lines[0] + "\n")  # and nothing after it
    for text in says:
        assert text in lines[0]


def test_wrong_key(padflow: Callable, config: Path) -> None:
    ended = padflow("run", config, "--set", "train.epoch=3")
    assert_refused(ended, 2, "unknown key train.epoch", "epochs", str(config))


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("kmeans.classes=1", "kmeans.classes = 1"),
        ("train.epochs=many", "train.epochs = 'many'"),
        ("preprocess.l_range=[7,2]", "must ascend"),
        ("archive.rows_per_part=1000", "archive.rows_per_part = 1000"),
        ("epochs", "expected section.key=value"),
        ("archive.instrument=repd", "repd"),
    ],
)
def test_wrong_value(setting: str, says: str, padflow: Callable, config: Path, tmp_path: Path) -> None:
    assert_refused(padflow("plan", config, "--workdir", tmp_path / "run", "--set", setting), 2, says)


def test_more_components_than_the_code_has_values(padflow: Callable, config: Path, serial, tmp_path: Path) -> None:
    ended = padflow("run", config, "--workdir", tmp_path / "run", "--set", "pca.components=80")
    assert_refused(ended, 2, "pca.components = 80", "train.code_size")


def test_missing_folder(padflow: Callable, config: Path, serial, tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    ended = padflow("run", config, "--workdir", tmp_path / "run", "--set", f"archive.source={missing}")
    assert_refused(ended, 2, str(missing), "is not a folder")


def test_folder_not_named(padflow: Callable, tmp_path: Path) -> None:
    assert_refused(padflow("run", RECOMMENDED, "--workdir", tmp_path / "run"), 2, "archive.source")


def test_folder_without_cdf_files(padflow: Callable, config: Path, serial, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    ended = padflow("run", config, "--workdir", tmp_path / "run", "--set", f"archive.source={tmp_path / 'empty'}")
    assert_refused(ended, 2, str(tmp_path / "empty"), "no .cdf file")


def test_files_of_another_product(padflow: Callable, config: Path, small_archive: Path, serial, tmp_path) -> None:
    # By their names, and by what is in them.
    ended = padflow("run", config, "--workdir", tmp_path / "run", "--set", "archive.instrument=mageis")
    assert_refused(ended, 2, "mageis", "rept")
    other = tmp_path / "other"
    other.mkdir()
    source = next(small_archive.rglob("*.cdf"))
    name = source.name.replace("_v5.6.0", "_v9.0.0").replace("ect-rept-sci-l3", "ect-mageis-l3")
    shutil.copyfile(source, other / name)
    settings = ["--set", f"archive.source={other}", "--set", "archive.instrument=mageis"]
    ended = padflow("run", config, "--workdir", tmp_path / "run2", *settings)
    assert_refused(ended, 1, "No file in", "The first: ", name)
    assert not (tmp_path / "run2").exists()


def test_all_records_filtered_out(padflow: Callable, config: Path, serial, no_report, tmp_path: Path) -> None:
    ended = padflow("run", config, "--workdir", tmp_path / "run", "--set", "preprocess.l_range=[90,99]")
    assert_refused(ended, 1, "l_range")


def test_memory_limit_too_small(padflow: Callable, config: Path, serial, tmp_path: Path) -> None:
    ended = padflow("run", config, "--workdir", tmp_path / "run", "--set", "cluster.memory_limit=360MiB")
    assert_refused(ended, 1, "cluster.memory_limit", "archive.rows_per_part")


def test_memory_limit_in_which_no_worker_can_start(padflow: Callable, config: Path, tmp_path: Path) -> None:
    """No cluster is started, whose workers would die and come back for minutes."""
    for command in ("run", "ingest", "plan"):
        ended = padflow(command, config, "--workdir", tmp_path / "run", "--set", "cluster.memory_limit=1MiB")
        assert_refused(ended, 2, "cluster.memory_limit = '1MiB'", "at least 360MiB")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", [("run",), ("plan",), ("ingest",), ("config",)])
def test_wrong_path_of_the_configuration(command: tuple, padflow: Callable, tmp_path: Path) -> None:
    assert_refused(padflow(*command, tmp_path / "none.yaml"), 2, str(tmp_path / "none.yaml"))


def test_configuration_that_is_no_yaml(padflow: Callable, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("archive: [1, 2\nx: }")
    assert_refused(padflow("config", tmp_path / "bad.yaml"), 2, "bad.yaml is not valid YAML")


def test_model_that_is_none(padflow: Callable, config: Path, tmp_path: Path) -> None:
    ended = padflow("label", tmp_path, config, "--workdir", tmp_path / "run")
    assert_refused(ended, 1, f"{tmp_path} is not a model")


def test_unwritable_workdir(padflow: Callable, config: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = padflow("run", config, "--workdir", tmp_path / "file" / "run")
    assert_refused(ended, 1, str(tmp_path / "file"))


@pytest.mark.parametrize("arguments", [["walk"], ["run", "--speed"], ["run"], ["run", "x.yaml", "--from", "lunch"]])
def test_unknown_command_or_flag(arguments: list[str], padflow: Callable) -> None:
    ended = padflow(*arguments)
    assert ended.status == 2
    assert "Error:" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("place", [0, 1, 2])
def test_traceback_only_when_asked_for(place: int, padflow: Callable, tmp_path: Path) -> None:
    words = ["config", tmp_path / "none.yaml"]
    assert "Traceback" not in padflow(*words).err
    words.insert(place, "-v")
    ended = padflow(*words)
    assert ended.status == 2
    assert "Traceback" in ended.err
    assert ended.err.splitlines()[-1].startswith("padflow: ")


def test_run_directory_of_another_configuration(
    padflow: Callable, finished_run, serial, no_report, tmp_path: Path
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(finished_run.directory, copy)
    arguments = [str(copy) if word == str(finished_run.directory) else word for word in finished_run.arguments]
    changed = ["--set", "kmeans.max_iter=50", "--set", "mean_shift.quantile=0.08"]
    before = (copy / "config.yaml").read_bytes()
    ended = padflow(*arguments, *changed)
    assert_refused(
        ended, 2, "kmeans.max_iter was 300, is 50", "mean_shift.quantile was 0.02, is 0.08", "--from classes"
    )
    assert (copy / "config.yaml").read_bytes() == before
    ended = padflow(*arguments, *changed, "--from", "label")
    assert_refused(ended, 2, "--from classes")
    ended = padflow(*arguments, *changed, "--from", "classes")
    assert ended.status == 0, ended.err
    assert "kmeans: " in ended.err
    assert "train: " not in ended.err
    assert padflow("verify", copy).status == 0


@pytest.fixture
def troubled_config(config: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A configuration for an archive with bad files, and the archive."""
    folder = tmp_path / "cdf"
    simulate_archive(folder, days=8, records_per_day=600, troubles=Troubles(truncated=1, html=1, versions=1))
    values = yaml.safe_load(config.read_text())
    values["archive"]["source"] = str(folder)
    config.write_text(yaml.safe_dump(values))
    return config, folder


def test_bad_files_are_named_and_change_the_exit_status(
    troubled_config: tuple[Path, Path], padflow: Callable, serial, no_report, tmp_path: Path
) -> None:
    config, folder = troubled_config
    made = json.loads((folder / "simulation.json").read_text())["files"]
    bad = {
        trouble["kind"]: file["path"]
        for file in made
        for trouble in file["troubles"]
        if trouble["kind"] in ("truncated", "html")
    }
    assert len(bad) == 2
    directory = tmp_path / "run"
    for command in ("plan", "ingest", "run", "run"):
        ended = padflow(command, config, "--workdir", directory)
        assert ended.status == 3, ended.err
        assert ended.out
        if command != "plan":
            said = [line for line in ended.err.splitlines() if line.startswith("set aside")]
            assert len(said) == 2
            assert any("(truncated)" in line and bad["truncated"] in line for line in said)
            assert any("(not_cdf)" in line and bad["html"] in line for line in said)
    assert padflow("verify", directory).status == 0
    facts = json.loads(padflow("status", directory, "--json").out)
    assert facts["files"] == {"used": 6, "superseded": 1, "set_aside": 2}
    # It is done once they are fixed.
    for path in bad.values():
        (folder / path).unlink()
    assert padflow("run", config, "--workdir", directory).status == 0


def test_plan(padflow: Callable, config: Path, serial, tmp_path: Path) -> None:
    ended = padflow("plan", config, "--workdir", tmp_path / "run", "--json")
    assert ended.status == 0, ended.err
    facts = json.loads(ended.out)
    assert facts["files"] == 8
    assert facts["parts"] == -(-facts["records"] // 2048)
    assert facts["groups"] == {"rbspa": facts["records"]}
    ended = padflow("plan", config, "--workdir", tmp_path / "run")
    for text in (
        f"{facts['records']:,} of rbspa",
        f"parts     {facts['parts']}",
        "of 2.00 GiB in each worker",
        f"added     {facts['records']:,} records: rbspa 2013-03-01 to 2013-03-08 (",
        "removed   0 records\n",
        f"changes   parts: {facts['parts']} new, 0 rewritten (0 records), 0 removed, 0 unchanged",
    ):
        assert text in ended.out
    assert not (tmp_path / "run").exists()
    tutorial = (REPOSITORY / "docs" / "tutorial.md").read_text()
    shown = re.search(r"^```text\n(files .*?)^```", tutorial, flags=re.DOTALL | re.MULTILINE)[1]
    assert [line.split()[0] for line in shown.splitlines()] == [line.split()[0] for line in ended.out.splitlines()]


def test_ingest_then_status_and_verify(padflow: Callable, config: Path, serial, tmp_path: Path) -> None:
    directory = tmp_path / "run"
    assert_refused(padflow("status", directory), 1, "is not a run directory")
    assert_refused(padflow("verify", tmp_path), 1, "is not a run directory")
    ended = padflow("ingest", config, "--workdir", directory)
    assert ended.status == 0, ended.err
    records = package.open_archive(directory).sizes["time"]
    assert ended.out == f"SIMULATED: no measurement\n{records:,} records in {directory / 'archive.zarr'}\n"
    ended = padflow("status", directory)
    assert "data      SIMULATED: no measurement" in ended.out
    parts = -(-records // 2048)
    assert f"ingest    {parts} of {parts} parts" in ended.out
    assert f"label     0 of {parts} parts" in ended.out
    assert "train     not yet" in ended.out
    ended = padflow("verify", directory)
    assert ended.status == 0
    assert f"{parts} parts, {records:,} records, 0 labelled: no problems" in ended.out
    assert_refused(padflow("export", directory, tmp_path / "x.nc"), 1, "no Zarr store")
    assert_refused(padflow("report", directory), 1, "padflow")


def test_status_of_a_finished_run(padflow: Callable, finished_run) -> None:
    ended = padflow("status", finished_run.directory)
    assert ended.status == 0
    for text in ("files     8 used", "classes   fitted", "report    " + str(finished_run.directory)):
        assert text in ended.out
    facts = json.loads(padflow("status", finished_run.directory, "--json").out)
    assert {stage["parts_done"] for stage in facts["stages"].values()} == {facts["stages"]["label"]["parts"]}
    assert facts["fits"] == {"train": True, "pca": True, "classes": True}


@pytest.mark.parametrize("harm", ["delete", "alter", "shorten"])
def test_verify_finds_what_was_harmed(harm: str, padflow: Callable, finished_run, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(finished_run.directory, copy)
    part = copy / "archive.zarr/rbspa/flux/c/2/0/0"
    content = part.read_bytes()
    part.unlink()
    if harm != "delete":
        middle = len(content) // 2
        part.write_bytes(
            content[:middle]
            if harm == "shorten"
            else content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        )
    ended = padflow("verify", copy)
    assert ended.status == 1
    assert "Traceback" not in ended.err
    assert "archive.zarr/rbspa/flux/c/2/0/0" in ended.out
    assert "padflow run" in ended.err
    problems = json.loads(padflow("verify", copy, "--json").out)["problems"]
    assert len(problems) == 1
    assert ("missing" if harm == "delete" else "altered") in problems[0]


def test_an_altered_part_is_repaired(padflow: Callable, finished_run, serial, no_report, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(finished_run.directory, copy)
    name = "archive.zarr/rbspa/flux/c/2/0/0"
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(bytes(len(content)))
    assert "--repair" in padflow("verify", copy).err
    assert padflow("verify", copy, "--repair").status == 1
    arguments = [str(copy) if word == str(finished_run.directory) else word for word in finished_run.arguments]
    ended = padflow(*arguments)
    assert ended.status == 0, ended.err
    assert "ingest: 2,048 records written" in ended.err
    assert (copy / name).read_bytes() == content
    assert padflow("verify", copy).status == 0


def test_running_again_mends_a_deleted_part(padflow: Callable, finished_run, serial, no_report, tmp_path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(finished_run.directory, copy)
    names = ["archive.zarr/rbspa/flux/c/2/0/0", "results.zarr/rbspa/pad_class/c/1"]
    for name in names:
        (copy / name).unlink()
    arguments = [str(copy) if word == str(finished_run.directory) else word for word in finished_run.arguments]
    ended = padflow(*arguments)
    assert ended.status == 0, ended.err
    for name in names:
        assert (copy / name).read_bytes() == (finished_run.directory / name).read_bytes()
    assert padflow("verify", copy).status == 0


def test_config_prints_every_key_with_its_meaning(padflow: Callable, config: Path) -> None:
    ended = padflow("config", config, "--set", "seed=7")
    assert ended.status == 0
    assert Config.model_validate(yaml.safe_load(ended.out)).seed == 7
    assert "# Largest" in ended.out or "# Number of components kept as scores." in ended.out
    assert yaml.safe_load(padflow("config").out) == Config().model_dump(mode="json")


def test_init_writes_a_configuration_once_and_says_what_is_next(
    padflow: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = padflow("init")
    assert (ended.status, ended.err) == (0, "")
    assert "padflow plan padflow.yaml --source FOLDER" in ended.out
    assert "padflow run padflow.yaml --source FOLDER" in ended.out
    written = Path("padflow.yaml").read_text()
    assert_refused(padflow("init", "--preset", "hope"), 2, "padflow.yaml exists")
    assert Path("padflow.yaml").read_text() == written
    chosen = ["--preset", "killey2023", "--source", "cdf", "--spacecraft", "rbspb", "--start", "2013-03-01"]
    ended = padflow("init", "my files.yaml", *chosen, "--end", "2013-03-09")
    assert "padflow run 'my files.yaml' " in ended.out
    assert "--source" not in ended.out
    found, preset = package.load_config("my files.yaml"), package.load_config("killey2023")
    files = found.archive
    assert found.model_copy(update={"archive": preset.archive}) == preset
    assert (files.source, files.spacecraft) == (tmp_path / "cdf", ("rbspb",))
    assert (str(files.start), str(files.end)) == ("2013-03-01", "2013-03-09")
    assert padflow("init", "-").out.strip() == written.strip()
    assert_refused(padflow("init", "hope"), 2, "hope is the name of a preset", "--preset hope")
    assert padflow("init", "x.yaml", "--preset", "rbsp").status == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my files.yaml", "padflow.yaml"]


def test_the_folder_of_files_as_an_option(
    padflow: Callable, small_archive: Path, serial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(small_archive.parent)
    name = small_archive.name
    by_option = padflow("plan", "recommended", "--json", "--workdir", tmp_path / "run", "--source", name)
    by_key = padflow("plan", RECOMMENDED, "--json", "--workdir", tmp_path / "run", "--set", f"archive.source={name}")
    assert by_option.status == by_key.status == 0, by_option.err
    assert by_option.out == by_key.out
    both = ["--set", "archive.source=/nowhere", "--source", name]
    assert_refused(padflow("plan", "recommended", *both), 2, "archive.source = /nowhere is not a folder")
    assert_refused(padflow("plan", "recommended", "--source", "s3://bucket"), 2, "--source s3://bucket")
    jobs = ["--set", "cluster.kind=slurm", "--set", "cluster.workers=2", "--set", "cluster.interface=lo"]
    script = padflow("submit", "recommended", "--dry-run", "--workdir", tmp_path / "run", "--source", name, *jobs).out
    assert f"run {RECOMMENDED} " in script
    assert str(small_archive) in script


def test_schema_describes_every_key(padflow: Callable) -> None:
    schema = json.loads(padflow("config", "--schema").out)
    sections = schema["$defs"]
    assert set(Config.model_fields) == set(schema["properties"])
    described = 0
    for name, section in sections.items():
        for key, facts in section["properties"].items():
            assert facts.get("description"), f"{name}.{key}"
            described += 1
    for key, facts in schema["properties"].items():
        assert facts.get("description") or "$ref" in facts, key
    assert described > 40


def test_export(padflow: Callable, finished_run, tmp_path: Path) -> None:
    chosen = ["--start", "2013-03-02T06:00", "--end", "2013-03-03"]
    results = package.open_results(finished_run.directory).load().sel(time="2013-03-02")
    results = results.isel(time=results["time"].values >= np.datetime64("2013-03-02T06:00"))
    for name in ("labels.nc", "labels.csv"):
        ended = padflow("export", finished_run.directory, tmp_path / name, *chosen)
        assert ended.status == 0, ended.err
        assert f"{results.sizes['time']:,} records" in ended.out
    with xr.open_dataset(tmp_path / "labels.nc", engine="h5netcdf") as found:
        np.testing.assert_array_equal(found["pad_class"].values, results["pad_class"].values)
    with (tmp_path / "labels.csv").open(newline="") as file:
        assert [int(row["pad_class"]) for row in csv.DictReader(file)] == results["pad_class"].values.tolist()
    assert padflow("export", finished_run.directory, tmp_path / "daily", *chosen).status == 0
    release = Version(package.__version__).base_version
    assert [path.name for path in (tmp_path / "daily").iterdir()] == [f"rbspa_l4_rept-pad_20130302_v{release}.cdf"]
    assert_refused(padflow("export", finished_run.directory, tmp_path / "x.nc", "--start", "noon"), 2, "--start noon")
    assert_refused(padflow("export", finished_run.directory, tmp_path / "x.txt"), 2, ".nc", ".csv")


def test_view(
    padflow: Callable, finished_run, tmp_path: Path, index_factory: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("padflow.report.figures.style.DOTS_PER_INCH", 30)
    monkeypatch.chdir(tmp_path)
    Path("sym.txt").write_text(index_factory.one_storm())
    run = finished_run.directory
    for arguments, name in (
        (["2013-03-02", "--index", "sym.txt", "--energy", "2.1"], "2013-03-02.png"),
        (["2013-03-02T12:00", "--orbit"], "2013-03-02T1200.png"),
        (["--class", "0"], "class_0.png"),
        (["2013-03-02T06:00", "--end", "2013-03-02T09:00", "--output", "hours.pdf"], "hours.pdf"),
    ):
        ended = padflow("view", run, *arguments)
        assert (ended.status, ended.out.strip()) == (0, name), ended.err
        assert Path(name).stat().st_size > 10_000
    assert_refused(padflow("view", run), 2, "Give a TIME such as 2013-03-17, or --class")
    assert_refused(padflow("view", run, "2013-03-02", "--class", "0"), 2, "Give a TIME")
    assert_refused(padflow("view", run, "2013-03-02", "--output", "x.gif"), 2, ".png or .pdf")
    assert_refused(padflow("view", run, "noon"), 2, "TIME noon")
    assert_refused(padflow("view", run, "2014-01-01"), 2, "the nearest day that has some is 2013-03-0")


def test_simulate(padflow: Callable, tmp_path: Path) -> None:
    folder = tmp_path / "cdf"
    ended = padflow("simulate", folder, "--days", "1", "--workers", "1", "--start", "2014-05-06", "--seed", "3")
    assert ended.status == 0, ended.err
    assert ended.out.startswith("1 files, ")
    assert [path.name for path in folder.rglob("*.cdf")] == ["rbspa_rel03_ect-rept-sci-l3_20140506_v5.6.0.cdf"]
    assert_refused(padflow("simulate", folder, "--days", "2", "--workers", "1"), 2, str(folder))
    assert_refused(padflow("simulate", tmp_path / "x", "--spacecraft", "rbspc", "--days", "1"), 2, "rbspc")
    one_day = ("--days", "1", "--workers", "1", "--family")
    assert padflow("simulate", tmp_path / "continuum", *one_day, "continuum").status == 0
    made = json.loads((tmp_path / "continuum" / "simulation.json").read_text())
    assert made["parameters"]["family"] == {"name": "continuum"}
    assert "'separated', 'continuum', 'wide', 'single'" in padflow("simulate", tmp_path / "x", *one_day, "narrow").err
    assert_refused(padflow("simulate", tmp_path / "x", *one_day, "wide", "--populations", "4"), 2, "separated")


def test_storms(padflow: Callable, tmp_path: Path, index_factory: ModuleType) -> None:
    path = tmp_path / "sym.txt"
    path.write_text(index_factory.one_storm())
    ended = padflow("storms", path)
    assert ended.status == 0, ended.err
    head, *lines = ended.out.splitlines()
    assert head == "1 storm in sym_h of sym.txt, 2013-03-16T00:00 to 2013-03-19T00:00"
    assert [line.split()[3] for line in lines] == ["recovery_start", "2013-03-17T02:00"]
    assert lines[0].index("lowest") == lines[1].index("-100")
    ended = padflow("storms", path, "--output", tmp_path / "new" / "storms.csv")
    assert ended.out == f"1 storm in {tmp_path / 'new' / 'storms.csv'}\n"
    with (tmp_path / "new" / "storms.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["recovery_start"], row["lowest_sym_h_nT"]) == ("2013-03-17T02:00", "-100")
    text = index_factory.one_storm()
    path.write_text("\n".join(text.splitlines()[:12] + text.splitlines()[-12:]))
    words = "0 storms in sym_h of sym.txt, 2013-03-16T00:00 to 2013-03-19T00:00, with 1 gap of more than 3 h\n"
    assert padflow("storms", path).out == words
    assert_refused(padflow("storms", path, "--output", tmp_path / "storms.txt"), 2, "--output", ".csv")
    assert_refused(padflow("storms", tmp_path / "none.txt"), 1, "none.txt cannot be read: No such file")
    path.write_text(index_factory.GFZ_HEAD + index_factory.kp_line("2013-03-17T00", 3.0, 15))
    assert_refused(padflow("storms", path), 1, "SYM-H or Dst, but the indices are kp, ap")
    path.write_text(index_factory.one_storm()[:500])
    assert_refused(padflow("storms", path), 1, f"{path}, line 2: expected a record of ASY, SYM or AE with at least 394")


def test_version_and_help(padflow: Callable) -> None:
    assert package.__version__ in padflow("--version").out
    ended = padflow("-h")
    order = [
        "simulate",
        "init",
        "config",
        "plan",
        "ingest",
        "run",
        "label",
        "status",
        "verify",
        "report",
        "export",
        "demo",
    ]
    assert ended.status == 0
    assert all(name in ended.out for name in order)


def test_help_does_not_wait_for_heavy_libraries(padflow_process: Callable) -> None:
    code = "import sys, padflow.cli.commands; print({'tensorflow', 'matplotlib', 'distributed'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
    ended = padflow_process("run", "nowhere.yaml")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("padflow: There is no configuration file")
    assert ended.stderr.count("\n") == 1


def test_an_unknown_product_says_which_fit(
    padflow: Callable, elfin_folder: Path, config: Path, serial, tmp_path: Path
) -> None:
    ended = padflow("plan", config, "--workdir", tmp_path / "run", "--set", f"archive.source={elfin_folder}")
    assert_refused(ended, 2, "elfin")


@pytest.fixture
def elfin_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "elfin"
    folder.mkdir()
    (folder / "ela_l2_epdef_20200901_v01.cdf").write_bytes(b"")
    return folder


def test_what_is_printed_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say("set aside \x1b]0;renamed\x07 \x9b2J \udcff \u202e °, 0.1\u00a0%\nnext")
    assert capsys.readouterr().out == r"set aside \x1b]0;renamed\x07 \x9b2J \udcff \u202e °, 0.1" + "\u00a0%\nnext\n"
    with logged(verbose=False):
        logging.getLogger("padflow").info("%s", "a name\nof two lines\r")
    assert capsys.readouterr().err.endswith(" a name\\nof two lines\\r\n")


NINES = "9" * 4400


@pytest.mark.parametrize(
    "arguments",
    [
        ["simulate", "DIR", "--start", "0001-01-01"],
        ["simulate", "DIR", "--start", "9999-12-31"],
        ["simulate", "DIR", "--start", "2013-02-30"],
        ["simulate", "DIR", "--start", NINES],
        ["simulate", "DIR", "--days", NINES],
        ["simulate", "DIR", "--days", "1000000000"],
        ["simulate", "DIR", "--days", "1e400"],
        ["simulate", "DIR", "--seed", "-1"],
        ["simulate", "DIR", "--seed", NINES],
        ["simulate", "DIR", "--trouble", f"missing={NINES}"],
        ["simulate", "DIR", "--trouble", "missing=²"],
        ["simulate", "DIR", "--workers", NINES],
        ["export", "RUN", "x.nc", "--start", "NaT"],
        ["export", "RUN", "x.nc", "--start", "now"],
        ["export", "RUN", "x.nc", "--start", ""],
        ["export", "RUN", "x.nc", "--start", "0001-01-01"],
        ["export", "RUN", "x.nc", "--end", "9999-01-01"],
        ["export", "RUN", "x.nc", "--end", "2013-02-30"],
        ["export", "RUN", "x.nc", "--end", NINES],
        ["submit", "CONFIG", "--cores", NINES],
        ["submit", "CONFIG", "--memory", "1e400GiB"],
        ["submit", "CONFIG", "--memory", f"{NINES}GiB"],
        ["submit", "CONFIG", "--memory", ""],
        ["submit", "CONFIG", "--walltime", f"{NINES}:00"],
        ["submit", "CONFIG", "--walltime", "nan"],
        ["submit", "CONFIG", "--walltime", ""],
        [NINES],
    ],
    ids=lambda arguments: " ".join(arguments)[:40],
)
def test_options_out_of_range_are_told_in_a_line(
    arguments: list[str], padflow: Callable, config: Path, tmp_path: Path
) -> None:
    jobs = config.with_name("jobs.yaml")
    jobs.write_text("cluster: {kind: slurm, workers: 1, interface: lo}\n")
    names = {"DIR": str(tmp_path / "cdf"), "RUN": str(tmp_path), "CONFIG": str(jobs)}
    ended = padflow(*(names.get(word, word) for word in arguments))
    assert ended.status == 2
    assert "This should not happen" not in ended.err
    assert max(map(len, ended.err.splitlines())) < 500
    assert not (tmp_path / "cdf").exists()
