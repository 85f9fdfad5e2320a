# SPDX-License-Identifier: BSD-3-Clause
"""Whole runs: every record has its label or reason, and the same one however the work was done."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import xarray as xr
import zarr

from padflow import Model, open_archive, open_results
from padflow.clustering.mixture import DEGREES
from padflow.clustering.ward import NearestSample
from padflow.pipeline import parts
from padflow.pipeline.verify import verify
from padflow.records import Reason
from padflow.report.figures.contents import FIGURES
from padflow.simulation.archive import simulate_archive
from padflow.store.durable import read_json

REPOSITORY = Path(__file__).resolve().parent.parent
RECOMMENDED = REPOSITORY / "configs" / "recommended.yaml"
QUICK = [
    "--set",
    "preprocess.min_counts=50",
    "--set",
    "train.epochs=2",
    "--set",
    "mean_shift.samples=1000",
    "--set",
    "mean_shift.repeats=2",
]


def arrays(directory: Path, store: str = "results.zarr") -> dict[str, np.ndarray]:
    """Return all arrays of a store by path."""
    root = zarr.open_group(directory / store, mode="r", use_consolidated=False)
    return {path: array[...] for path, array in root.members(max_depth=None) if isinstance(array, zarr.Array)}


def assert_same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    """Compare bit for bit, NaN included."""
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name].dtype == values.dtype, name
        assert found[name].tobytes() == values.tobytes(), name


def snapshot(directory: Path) -> dict[str, tuple[bytes, int | None]]:
    """Return the files of a run that hold its result; with the time of change where a rerun must not write."""
    files = {}
    for folder in ("archive.zarr", "results.zarr", "model", "fit", "report"):
        for path in (directory / folder).rglob("*"):
            if path.is_file():
                metadata = path.name == "zarr.json"
                changed = None if metadata else path.stat().st_mtime_ns
                files[str(path.relative_to(directory))] = (path.read_bytes(), changed)
    return files


def check_complete(directory: Path, group: str = "rbspa") -> xr.Dataset:
    """Check that every record has a class or a reason, and what belongs to it; return the results."""
    results, archive = open_results(directory, group).load(), open_archive(directory, group).load()
    np.testing.assert_array_equal(results["time"].values, archive["time"].values)
    pad_class, reason = results["pad_class"].values, results["reason"].values
    assert (reason != Reason.NOT_PROCESSED).all()
    np.testing.assert_array_equal(pad_class >= 0, reason == Reason.SELECTED)
    centres = Model.load(directory / "model").classes.centres
    assert set(np.unique(pad_class[pad_class >= 0])) <= set(range(len(centres)))
    for name in ("score", "distance", "margin", "reconstruction_error"):
        known = np.isfinite(results[name].values.reshape(len(pad_class), -1)).all(axis=1)
        np.testing.assert_array_equal(known, pad_class >= 0, err_msg=name)
    assert ((results["margin"].values >= 0) | (pad_class < 0)).all()
    verdict = verify(directory)
    assert verdict.problems == []
    return results


def test_every_record_has_a_class_or_a_reason(finished_run) -> None:
    results = check_complete(finished_run.directory)
    with xr.open_dataset(finished_run.archive / "truth_rbspa.nc", engine="h5netcdf") as truth:
        np.testing.assert_array_equal(results["time"].values, truth["time"].values.astype("datetime64[ns]"))
    labelled = int((results["pad_class"] >= 0).sum())
    assert 0.2 < labelled / results.sizes["time"] < 0.9
    # Reasons are those of the configuration, from the values themselves.
    archive = open_archive(finished_run.directory).load()
    outside = ~((archive["L"].values >= 2.5) & (archive["L"].values < 7.5))
    np.testing.assert_array_equal(results["reason"].values == Reason.OUTSIDE_L, outside)
    # And the classes are the likeliest.
    mixture = Model.load(finished_run.directory / "model").classes
    known = results["pad_class"].values >= 0
    score, pad_class = results["score"].values[known].astype("f8"), results["pad_class"].values[known]
    away = np.einsum("kij,nkj->nki", mixture.whitening, score[:, None] - mixture.centres)
    squared = (away**2).sum(axis=2)
    unlikely = (DEGREES + score.shape[1]) * np.log1p(squared / DEGREES) + mixture.penalty
    each = np.arange(len(score))
    np.testing.assert_allclose(unlikely[each, pad_class], unlikely.min(axis=1), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(results["distance"].values[known], np.sqrt(squared[each, pad_class]), rtol=1e-4)
    out = finished_run.completed.stdout
    assert f"{labelled:,} of {results.sizes['time']:,} records labelled" in out
    assert str(finished_run.directory / "report" / "index.html") in out
    assert (finished_run.directory / "report" / "index.html").stat().st_size > 10_000


def test_the_log_of_a_run_has_few_lines_and_their_times(finished_run) -> None:
    log = finished_run.completed.stderr
    lines = [re.fullmatch(r"\d{4}(?:-\d\d){2} \d\d(?::\d\d){2} (.*)", line) for line in log.splitlines()]
    assert all(lines)
    stages = ("scan", "ingest", "train", "pca", "score", "mean shift", "kmeans", "label", "summary", "report")
    for stage in stages:
        said = [line[1] for line in lines if line and line[1].startswith(f"{stage}: ")]
        assert re.search(r"\(\d+\.\d s\)$", said[-1])
        assert 2 <= len(said) <= 12  # its begin, its end, and every quarter of a minute in between
    assert f"report: {len(FIGURES)} figures" in [line[1] for line in lines if line]


def test_a_run_says_what_it_did(finished_run) -> None:
    values = read_json(finished_run.directory / "run.json")
    stages = ("scan", "ingest", "train", "pca", "score", "mean shift", "kmeans", "label", "summary", "report")
    assert set(values["stages"]) == set(stages)
    assert values["stages"]["label"]["records"] == 8 * 1500 - (8 * 1500 - values["stages"]["ingest"]["records"])
    assert values["command"].startswith("padflow run recommended.yaml")
    assert all(stage["peak_memory_bytes"] < 3 << 30 for stage in values["stages"].values())
    model = read_json(finished_run.directory / "model" / "model.json")
    sizes = np.bincount(open_results(finished_run.directory)["pad_class"].values + 1)[1:]
    assert [pad_class["records"] for pad_class in model["classes"]] == sizes.tolist()


def test_the_page_on_files_names_what_a_run_leaves(finished_run) -> None:
    page = (REPOSITORY / "docs" / "your_files.md").read_text()
    named = set(re.findall(r"^  (\w[\w.]+)/? {2,}", page.split("## What a run leaves")[1], flags=re.MULTILINE))
    there = {path.name for path in finished_run.directory.iterdir() if not path.name.startswith(".")}
    assert named - {"superposed.nc"} == there


@pytest.mark.parametrize(("page", "last"), [("occurrence", "quiet"), ("storms", "around")])
def test_the_code_of_a_page_runs(page: str, last: str, finished_run, padflow: Callable, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("sym_h.txt", "Kp_ap_since_1932.txt"):  # what is in a file says what it is
        shutil.copy(finished_run.archive / "sym_h_simulated.txt", name)
    assert padflow("storms", "sym_h.txt", "--output", "storms.csv").status == 0
    text = (REPOSITORY / "docs" / f"{page}.md").read_text().replace("my-run", str(finished_run.directory))
    session: dict[str, object] = {}
    exec("".join(re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)), session)
    assert last in session


def test_running_again_does_nothing(finished_run, padflow: Callable, serial, monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("something was done again")

    before = snapshot(finished_run.directory)
    monkeypatch.setattr(parts._Perform, "__call__", refuse)
    monkeypatch.setattr("padflow.pipeline.driver.Trainer", refuse)
    monkeypatch.setattr("padflow.report.html.write_report", refuse)
    monkeypatch.setattr("padflow.archive.scan.inspect", refuse)
    ended = padflow(*finished_run.arguments)
    assert ended.status == 0, ended.err
    assert ended.out == finished_run.completed.stdout
    assert snapshot(finished_run.directory) == before


def label(padflow: Callable, finished_run, directory: Path, *settings: str) -> dict[str, np.ndarray]:
    source = f"archive.source={finished_run.archive}"
    options = [word for setting in (source, *settings) for word in ("--set", setting)]
    ended = padflow("label", finished_run.directory / "model", RECOMMENDED, "--workdir", directory, *options)
    assert ended.status == 0, ended.err
    return arrays(directory)


def test_labels_do_not_depend_on_parts(finished_run, padflow: Callable, serial, no_report, tmp_path: Path) -> None:
    expected = arrays(finished_run.directory)
    for rows_per_part in (1024, 5120):
        directory = tmp_path / str(rows_per_part)
        found = label(padflow, finished_run, directory, f"archive.rows_per_part={rows_per_part}")
        assert_same(found, expected)
        assert_same(arrays(directory, "archive.zarr"), arrays(finished_run.directory, "archive.zarr"))
    check_complete(tmp_path / "1024")


def test_labels_do_not_depend_on_workers(finished_run, padflow: Callable, no_report, tmp_path: Path) -> None:
    # The run had two, the test above none.
    settings = ["cluster.workers=1", "archive.rows_per_part=3072"]
    assert_same(label(padflow, finished_run, tmp_path / "run", *settings), arrays(finished_run.directory))


def test_labelling_a_dataset_gives_the_bits_of_the_run(finished_run) -> None:
    model = Model.load(finished_run.directory / "model")
    expected = open_results(finished_run.directory).load()
    dataset = open_archive(finished_run.directory)
    lazy = model.label(dataset)
    assert all(variable.chunks for variable in lazy.data_vars.values())
    odd = model.label(dataset.chunk({"time": 1000}))
    eager = model.label(dataset.load())
    assert not any(variable.chunks for variable in eager.data_vars.values())
    for found in (lazy.compute(scheduler="synchronous"), odd.compute(scheduler="synchronous"), eager):
        np.testing.assert_array_equal(found["time"].values, expected["time"].values)
        for name in ("pad_class", "reason", "score", "distance", "margin", "reconstruction_error"):
            assert found[name].dtype == expected[name].dtype
            assert found[name].values.tobytes() == expected[name].values.tobytes(), name


@pytest.fixture
def own_copy(finished_run, tmp_path: Path) -> list[str]:
    """The arguments of the finished run for a copy of it, which a test may change."""
    copy = tmp_path / "copy"
    shutil.copytree(finished_run.directory, copy)
    return [str(copy) if word == str(finished_run.directory) else word for word in finished_run.arguments]


def test_number_of_classes_can_be_set(own_copy: list[str], padflow: Callable, serial, no_report, tmp_path) -> None:
    ended = padflow(*own_copy, "--set", "kmeans.classes=4", "--from", "classes")
    assert ended.status == 0, ended.err
    results = check_complete(tmp_path / "copy")
    assert np.unique(results["pad_class"].values).tolist() == [-1, 0, 1, 2, 3]
    assert "pca:" not in ended.err  # what comes before is not done again
    assert "score: 0 records, all were done" in ended.err


def test_agglomerative_classes(own_copy: list[str], padflow: Callable, serial, no_report, tmp_path: Path) -> None:
    settings = ["--set", "method=agglomerative", "--set", "agglomerative.samples=800"]
    ended = padflow(*own_copy, *settings, "--set", "kmeans.classes=3", "--from", "classes")
    assert ended.status == 0, ended.err
    directory = tmp_path / "copy"
    results = check_complete_ward(directory)
    assert np.unique(results["pad_class"].values).tolist() == [-1, 0, 1, 2]
    labelled = Model.load(directory / "model").label(open_archive(directory).load())
    assert labelled["pad_class"].values.tobytes() == results["pad_class"].values.tobytes()


def check_complete_ward(directory: Path) -> xr.Dataset:
    results = open_results(directory).load()
    np.testing.assert_array_equal(results["pad_class"].values >= 0, results["reason"].values == Reason.SELECTED)
    assert isinstance(Model.load(directory / "model").classes, NearestSample)
    assert verify(directory).problems == []
    return results


@pytest.fixture(scope="module")
def pair_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pair")
    simulate_archive(folder, spacecraft=("rbspa", "rbspb"), days=4, records_per_day=800)
    return folder


@pytest.mark.parametrize("config", ["recommended", "killey2023"])
def test_two_spacecraft(config: str, pair_archive: Path, padflow, serial, no_report, tmp_path: Path) -> None:
    options = ["--set", f"archive.source={pair_archive}", "--set", "archive.rows_per_part=1024", *QUICK]
    if config == "killey2023":
        options += ["--set", "mean_shift.repeats=1", "--set", "kmeans.classes=5", "--set", "preprocess.min_counts=0"]
    else:  # records are 108 s apart
        options += ["--set", "preprocess.max_gap_seconds=150"]
    ended = padflow("run", REPOSITORY / "configs" / f"{config}.yaml", "--workdir", tmp_path / "run", *options)
    assert ended.status == 0, ended.err
    for group in ("rbspa", "rbspb"):
        results = check_complete(tmp_path / "run", group)
        assert (results["pad_class"].values >= 0).any()
        if config == "killey2023":
            assert (results["pad_class"].values >= 0).all()
    fitted_to = Model.load(tmp_path / "run" / "model").info["fitted_to"]
    assert set(fitted_to) == {"rbspa", "rbspb"}


def names_of(directory: Path) -> dict[str, list[str]]:
    """Names of the classes, from each place that holds them."""
    model = Model.load(directory / "model")
    return {
        "model": list(model.names),
        "classes": [pad_class["name"] for pad_class in model.info["classes"]],
        "results": open_results(directory)["pad_class"].attrs["flag_meanings"].split(),
        "labels": Model.load(directory / "model")
        .label(open_archive(directory))["pad_class"]
        .attrs["flag_meanings"]
        .split(),
    }


def test_classes_keep_the_names_of_their_model_whatever_they_look_like(
    finished_run, padflow, serial, no_report, tmp_path: Path
) -> None:
    """As where six days were fitted to, and three of them are labelled."""
    directory = shutil.copytree(finished_run.directory, tmp_path / "run")
    before = Model.load(directory / "model")
    wanted = [
        f"{'pancake' if name.startswith('butterfly') else 'butterfly'}_{c}" for c, name in enumerate(before.names)
    ]
    for name in ("model/model.json", "fit/fixed.json"):
        content = read_json(directory / name)
        (directory / name).write_text(json.dumps(content | {"names": wanted}))
    source = ["--set", f"archive.source={finished_run.archive}", "--set", "archive.rows_per_part=2048"]
    ended = padflow("label", directory / "model", RECOMMENDED, "--workdir", tmp_path / "labels", *source)
    assert ended.status == 0, ended.err
    assert "The model decides, and not" in ended.err
    assert "preprocess.min_counts = 100.0, not " in ended.err
    arguments = [str(directory) if word == str(finished_run.directory) else word for word in finished_run.arguments]
    anew = padflow(*arguments, "--from", "report")
    assert anew.status == 0, anew.err
    for folder, said in ((tmp_path / "labels", ended.out), (directory, anew.out)):
        assert names_of(folder) == dict.fromkeys(("model", "classes", "results", "labels"), wanted)
        classes = Model.load(folder / "model").info["classes"]
        assert [c["shape"] for c in classes] == [name.rpartition("_")[0] for name in wanted]
        assert [name.partition("_")[0] for name in before.names] == [c["looks"] for c in classes]
        lines = said.splitlines()
        head = next(number for number, line in enumerate(lines) if line.startswith("class  name"))
        rows = lines[head + 1 :][: len(wanted)]
        for row, pad_class in zip(rows, classes, strict=True):
            assert row.split()[:3] == [str(pad_class["pad_class"]), *pad_class["name"].split("_")]
            assert row.endswith(f"looks {pad_class['looks']} here")
    for key in ("fitted_to", "settings", "simulated", "separated", "separated_because"):
        assert Model.load(tmp_path / "labels" / "model").info[key] == before.info[key]


def test_new_days_are_labelled_without_a_new_fit(
    small_archive: Path, small_settings: list[str], padflow, serial, no_report, tmp_path: Path
) -> None:
    directory = tmp_path / "run"
    options = ["--workdir", directory, "--set", f"archive.source={small_archive}", *small_settings, *QUICK]
    ended = padflow("run", RECOMMENDED, *options, "--set", "archive.end=2013-03-06")
    assert ended.status == 0, ended.err
    model, first = (directory / "model" / "arrays.npz").read_bytes(), open_results(directory).load()
    names = names_of(directory)
    ended = padflow("run", RECOMMENDED, *options)
    assert ended.status == 0, ended.err
    assert "train:" not in ended.err
    assert (directory / "model" / "arrays.npz").read_bytes() == model
    assert names_of(directory) == names
    results = check_complete(directory)
    assert results.sizes["time"] > first.sizes["time"]
    # The last minute before the end had fewer neighbours to be averaged with.
    same = first["time"].values < first["time"].values[-1] - np.timedelta64(1, "m")
    for name in ("pad_class", "score", "reason"):
        found = results[name].values[: first.sizes["time"]][same]
        assert found.tobytes() == first[name].values[same].tobytes(), name
    source = ["--set", f"archive.source={small_archive}", "--set", "archive.rows_per_part=2048"]
    anew = padflow("label", directory / "model", RECOMMENDED, "--workdir", tmp_path / "anew", *source)
    assert anew.status == 0, anew.err
    assert names_of(tmp_path / "anew") == names
    assert_same(arrays(tmp_path / "anew"), arrays(directory))


def test_label_takes_no_records_out_of_an_archive_unless_it_may(
    finished_run, padflow, serial, no_report, tmp_path: Path
) -> None:
    source, directory = Path(shutil.copytree(finished_run.archive, tmp_path / "cdf")), tmp_path / "labels"
    settings = ["--set", f"archive.source={source}", "--set", "archive.rows_per_part=2048"]
    command = ["label", finished_run.directory / "model", RECOMMENDED, "--workdir", directory, *settings]
    assert padflow(*command).status == 0
    records = open_results(directory).sizes["time"]
    before = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    sorted(source.rglob("*.cdf"))[3].unlink()
    refused = padflow(*command)
    assert (refused.status, refused.out) == (2, "")
    assert "rbspa 2013-03-04 (" in refused.err
    assert ", no file)" in refused.err
    count = int(refused.err.rpartition("--allow-removal ")[2].split(".")[0])
    assert padflow(*command, "--allow-removal", str(count - 1)).status == 2
    assert {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()} == before
    assert padflow(*command, "--allow-removal", str(count)).status == 0
    assert open_results(directory).sizes["time"] == records - count


WITHOUT_REPORT = """
import padflow.report.html
from padflow.cli.main import main
def write_report(directory, **_):
    page = directory / "report" / "index.html"
    page.parent.mkdir(exist_ok=True)
    page.write_text("no figures in this test")
    return page
padflow.report.html.write_report = write_report
main()
"""


def started(arguments: list[str]) -> subprocess.Popen[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", WITHOUT_REPORT, *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def kill_when(process: subprocess.Popen[str], reached: Callable[[], bool]) -> list[psutil.Process]:
    """Kill the driver, and nothing else, as soon as the run has come so far; return its processes."""
    family: list[psutil.Process] = []
    end = time.monotonic() + 300
    while not reached():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.002)
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()
    return family


def parts_done(directory: Path, stage: str) -> int:
    return len(list((directory / "receipts" / stage).glob("*/*.json")))


def killed_at(directory: Path) -> Iterator[Callable[[], bool]]:
    yield lambda: parts_done(directory, "ingest") >= 2
    yield lambda: parts_done(directory, "label") >= 1


def test_killed_and_run_again_equals_undisturbed(finished_run, tmp_path: Path) -> None:
    directory = tmp_path / "run"
    arguments = [str(directory) if w == str(finished_run.directory) else w for w in finished_run.arguments]
    for reached in killed_at(directory):
        family = kill_when(started(arguments), reached)
        assert family
        _, alive = psutil.wait_procs(family, timeout=20)
        assert alive == []  # no worker outlives its driver and writes on
        assert not (directory / "report" / "index.html").exists()
    last = started(arguments)
    _, printed = last.communicate(timeout=900)
    assert last.returncode == 0, printed
    assert not list(directory.rglob("*.partial"))
    for store in ("archive.zarr", "results.zarr"):
        assert_same(arrays(directory, store), arrays(finished_run.directory, store))
    assert (directory / "model" / "arrays.npz").read_bytes() == (
        finished_run.directory / "model" / "arrays.npz"
    ).read_bytes()
    assert verify(directory).problems == []
