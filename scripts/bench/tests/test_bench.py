# SPDX-License-Identifier: BSD-3-Clause
"""The benchmarks: every figure is there at tiny size, and ratios, tables and the restatement are right."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from harness import archives, plain_reference, reference, tables
from harness.main_table import main_figures
from harness.markdown import Table, number
from harness.processes import watch
from harness.projection import Costs
from harness.results import Results, select
from harness.startup import LIBRARIES, STARTS, started
from padflow.cdf.reader import read_records
from padflow.config.reading import load_config
from padflow.features.preprocessor import Preprocessor
from padflow.instruments.instrument import load_instrument
from padflow.records import Axes, Records, Rows
from padflow.simulation.archive import simulate_archive

BENCH = Path(__file__).resolve().parent.parent
MIB = 2**20


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    simulate_archive(folder / "d6", days=6, records_per_day=500, seed=archives.SEED)
    return folder


def run(*arguments):
    command = [sys.executable, str(BENCH / "run.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)


@pytest.mark.slow
def test_harness_measures_every_figure_and_goes_on_where_it_stopped(data):
    small = ["train.epochs=2", "mean_shift.samples=500", "mean_shift.repeats=2", "archive.rows_per_part=1024"]
    # The fixture's records lie too far apart to be neighbours that tell the noise.
    small += ["preprocess.min_counts=0", "pca.scale=none"]
    options = ["all", "--json", data / "bench.json", "--data", data, "--days", "6", "--repeats", "1"]
    options += ["--epochs", "2", "--rows", "1024", "--parts", "40"]
    options += [word for setting in small for word in ("--set", setting)]
    first = run(*options)
    assert first.returncode == 0, first.stderr
    content = json.loads((data / "bench.json").read_text())
    found = content["measurements"]
    assert {"numpy", "tensorflow", "zarr", "padflow"} < set(content["environment"]["versions"])

    kinds = {(one["of"]["table"], one["of"].get("what"), one["of"].get("workers")) for one in found}
    everything = {("reference", what, None) for what in ("reference", "padflow", "truth")}
    everything |= {("training", None, None), ("stages", "run", None), ("records", "run", None)}
    names = ("read", "decode", "decode by cdflib", "encode")
    everything |= {("floors", name, number) for name in names for number in (0, 2)}
    passes = ("ingest", "pca", "score", "label")
    everything |= {("stages", name, 2) for name in ("read", "decode", "encode", *passes)}
    everything |= {("workers", name, number) for name in (*passes, "encode") for number in (1, 2)}
    everything |= {("dispatch", name, None) for name in ("each", "receipts")}
    everything |= {("dispatch", name, 0) for name in ("score", "label")}
    everything |= {("startup", name, None) for name in STARTS}
    assert kinds == everything

    (ours,) = select(found, table="reference", what="padflow")
    (plain,) = select(found, table="reference", what="reference")
    assert ours["records"] == plain["records"] > 2500
    assert ours["model"]["epochs"] == plain["epochs"] == 2
    assert 0 < plain["fit_seconds"] < plain["steps"]["train and encode"] < plain["seconds"]
    assert ours["worker_bytes"] < ours["largest_bytes"] == ours["trainer_bytes"] < ours["all_bytes"]
    assert ours["driver_bytes"] < ours["trainer_bytes"]
    (truth,) = select(found, table="reference", what="truth")
    assert truth["populations"] == 6
    assert -1 <= truth["padflow_ari"] <= 1
    (whole,) = select(found, table="stages", what="run")
    stages = {"scan", "ingest", "train", "pca", "score", "mean shift", "kmeans", "label", "summary", "report"}
    assert set(whole["stages"]) == stages
    assert sum(facts["seconds"] for facts in whole["stages"].values()) < whole["seconds"]
    assert all(facts["all_bytes"] > 100 * MIB for facts in whole["stages"].values())
    for name in passes:
        (one,) = select(found, table="stages", what=name)
        assert one["records"] == whole["records"]
    (decoded,) = select(found, table="floors", what="decode", workers=0)
    (by_cdflib,) = select(found, table="floors", what="decode by cdflib", workers=2)
    assert decoded["bytes"] == by_cdflib["bytes"] == whole["records"] * 8 * (1 + 17 * 12 + 9)
    (read,) = select(found, table="floors", what="read", workers=2)
    assert read["bytes"] == whole["records"] * 4 * 17 * 12
    (tiny,) = select(found, table="dispatch", what="receipts")
    assert tiny["parts"] == 40

    for title in (
        "Main figures",
        "The published method",
        "Training",
        "Floors",
        "Stages",
        "One worker",
        "Projected",
        "Start-up",
    ):
        assert f"### {title}" in first.stdout
    again = run(*options)
    assert again.stdout == first.stdout
    assert again.stderr == ""
    assert run("table", data / "bench.json").stdout == first.stdout


@pytest.mark.slow
def test_restatement_reads_and_normalises_as_paper_mode_does(data):
    archive = archives.archive_of(data, 2)
    times, flux = plain_reference.read_files(archive.files)
    instrument = load_instrument("rept")
    pieces = [read_records(path, instrument, spacecraft="rbspa")[0] for path in archive.files]
    ours = Records.concatenate(pieces)
    np.testing.assert_array_equal(times, ours.time.astype("datetime64[ms]").astype(np.int64))

    flux[5, 3, 2], flux[6], flux[7, 0, 0] = np.nan, -1e31, np.inf
    ours.flux[5, 3, 2], ours.flux[6], ours.flux[7, 0, 0] = np.nan, np.nan, np.nan
    config = load_config(BENCH.parent.parent / "configs" / "killey2023.yaml")
    preprocessor = Preprocessor(
        config.preprocess, Axes((np.arange(17) + 0.5) * 180 / 17, np.arange(1.0, 13.0), np.full(12, np.nan))
    )
    features = preprocessor(Rows("rbspa", 0, len(ours), ours, 0))
    assert (features.reason == 0).all()
    np.testing.assert_allclose(plain_reference.normalise(flux), features.rows, rtol=1e-6, atol=1e-30)


def test_restatement_splits_every_row_once():
    train, validation, test = plain_reference.split(1000)
    assert (len(train), len(validation), len(test)) == (200, 200, 600)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, validation, test])), np.arange(1000))


def test_restatement_finds_separate_clusters():
    random = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2], 300)
    codes = random.normal(0, 0.05, (900, 102)) + 3 * np.eye(102)[truth]
    scores, labels, modes, metrics = plain_reference.pad_class(codes)
    assert scores.shape == (900, 3)
    for found in (labels, modes):
        # Mean shift may find more than one mode in a class, but none in two.
        assert len(set(zip(found, truth, strict=True))) == len(set(found)) >= 3
    assert metrics["davies_bouldin"] < 0.5


def test_records_that_only_one_program_saw_are_an_error():
    known = np.array([10, 20, 30])
    np.testing.assert_array_equal(reference._places(known, np.array([30, 10])), [2, 0])
    with pytest.raises(ValueError, match="1 of 2 records"):
        reference._places(known, np.array([30, 40]))


def test_archive_is_the_shortest_that_is_long_enough(tmp_path):
    usual = {"spacecraft": ["rbspa"], "start": "2013-03-01", "troubles": {"html": 0}}
    for days, seed, family, complete in (
        (4, 5, "separated", True),
        (9, 5, "separated", True),
        (8, 5, "continuum", True),
        (7, 5, "separated", False),
        (6, 1, "separated", True),
    ):
        folder = tmp_path / f"{days}"
        folder.mkdir()
        facts = usual | {"seed": seed, "days": days, "family": {"name": family}}
        (folder / "simulation.json").write_text(json.dumps({"complete": complete, "parameters": facts}))
    assert archives.archive_of(tmp_path, 4).folder == tmp_path / "4"
    longer = archives.archive_of(tmp_path, 5)
    assert (longer.folder, longer.first, longer.days) == (tmp_path / "9", date(2013, 3, 1), 5)
    assert longer.settings[1:] == ["archive.start=2013-03-01", "archive.end=2013-03-05"]


def test_memory_and_time_of_all_processes_are_seen(tmp_path):
    child = "import time; held = bytearray(150 << 20); time.sleep(2)"
    parent = f"import subprocess, sys; held = bytearray(60 << 20); subprocess.run([sys.executable, '-c', {child!r}])"
    watched = watch([sys.executable, "-c", parent], log=tmp_path / "log")
    assert 2 < watched.seconds < 60
    assert 150 * MIB < watched.others == watched.largest < 200 * MIB
    assert 60 * MIB < watched.first < 110 * MIB
    assert watched.all_together > 210 * MIB
    assert watched.between([(0, watched.seconds)])["all_bytes"] == watched.all_together
    assert watched.between([(0, watched.seconds)], inside=False)["all_bytes"] == 0


def test_pages_that_processes_share_count_once(tmp_path):
    code = "import os, time; held = b'1' * (150 << 20); os.fork(); time.sleep(2)"
    watched = watch([sys.executable, "-c", code], log=tmp_path / "log")
    assert watched.first > 150 * MIB
    assert 150 * MIB < watched.all_together < 220 * MIB


def test_command_that_fails_is_an_error_with_its_last_words(tmp_path):
    with pytest.raises(RuntimeError, match=r"status 3(.|\n)*last words"):
        watch([sys.executable, "-c", "print('last words'); raise SystemExit(3)"], log=tmp_path / "log")


def test_measurements_are_kept_one_by_one_and_a_failure_loses_no_other(tmp_path, capsys):
    path = tmp_path / "bench.json"
    results = Results(path)
    assert results.measure({"table": "a", "repeat": 0}, lambda: {"seconds": 1.0})["seconds"] == 1.0
    assert results.measure({"table": "a", "repeat": 1}, lambda: 1 / 0) is None
    assert results.failed == ["table a, repeat 1"]
    assert "ZeroDivisionError" in capsys.readouterr().err
    again = Results(path)
    assert again.measure({"table": "a", "repeat": 0}, lambda: 1 / 0)["seconds"] == 1.0
    assert again.measure({"table": "a", "repeat": 1}, lambda: {"seconds": 2.0})["seconds"] == 2.0
    assert [one["seconds"] for one in select(Results(path).content["measurements"], table="a")] == [1.0, 2.0]


def test_measurements_of_other_sources_are_not_gone_on_with(tmp_path):
    path = tmp_path / "bench.json"
    results = Results(path)
    results.content["environment"]["padflow_sources"] = "other"
    results.measure({"table": "a"}, lambda: {})
    with pytest.raises(SystemExit, match="other padflow_sources"):
        Results(path)


def measured(table, what, repeat, seconds, **facts):
    of = {"table": table, "days": 1, "config": "c", "settings": "", "what": what, "repeat": repeat}
    return {
        "of": of | {k: facts.pop(k) for k in ("workers", "days") if k in facts},
        "seconds": seconds,
        "date": "d",
    } | facts


def test_ratios_are_taken_within_a_repeat_and_medians_after():
    # The machine was ten times slower in the third repeat: the ratio of medians would be 3.
    plain = [measured("reference", "reference", i, s) for i, s in enumerate([6.0, 10.0, 60.0])]
    ours = [measured("reference", "padflow", i, s) for i, s in enumerate([3.0, 2.0, 30.0])]
    assert tables.ratio(plain, ours, tables.seconds) == 2
    assert tables.ratio(plain, ours[1:], tables.seconds) == 3.5
    assert np.isnan(tables.ratio(plain, [], tables.seconds))


def test_training_is_compared_within_whole_runs():
    plain = measured("reference", "reference", 0, 60.0, records=9, epochs=2, all_bytes=4, fit_seconds=42.0)
    ours = measured("reference", "padflow", 0, 20.0, all_bytes=2, stages={"train": {"seconds": 7.0}})
    truth = measured("reference", "truth", 0, 1.0, padflow_ari=0.5, reference_ari=0.5)
    figures = {row[0].split(",")[0]: row[1] for row in main_figures([plain, ours, truth]).rows}
    assert figures["Stage `train` over its Keras `fit`"] == "6.00 x"
    assert figures["End to end over the plain restatement"] == "3.00 x"


def test_share_of_floor_of_ingest_counts_workers():
    parts = {"records": 10, "workers": 2}
    found = {
        "decode": [measured("stages", "decode", 0, 9, task_seconds=1.0, **parts)],
        "encode": [measured("stages", "encode", 0, 9, task_seconds=2.0, **parts)],
        "ingest": [measured("stages", "ingest", 0, 2.0, **parts)],
        "read": [measured("stages", "read", 0, 3.0, **parts)],
        "score": [measured("stages", "score", 0, 4.0, **parts)],
    }
    assert tables.share_of_floor(found, "ingest") == 3 / (2 * 2)
    assert tables.share_of_floor(found, "score") == 3 / 4


def a_run(days, records, seconds, *, driver=1 << 30, repeat=0):
    stages = {
        name: {"seconds": seconds[name], "records": records, "all_bytes": 1, "largest_bytes": 1} for name in seconds
    }
    return measured("records", "run", repeat, 100 + sum(seconds.values()), days=days, records=records) | {
        "stages": stages, "parts": 100, "rows_per_part": records // 100, "workers": 2, "days": days,
        "driver_bytes": driver, "trainer_bytes": 2**30, "worker_bytes": 2**29, "all_bytes": 2**31,
    }  # fmt: skip


def test_projection_is_limited_by_workers_or_by_dispatch():
    run = a_run(400, 1_000_000, {"scan": 4.0, "ingest": 50.0, "label": 1.0, "train": 30.0})
    costs = Costs.of_run(run, 0.01)
    assert costs.fixed_seconds == 130  # what is no pass, training and the time outside the stages
    assert costs.part_seconds == pytest.approx({"scan": 0.02, "ingest": 1.0, "label": 0.02})
    assert costs.tasks_per_part == {"scan": 4, "ingest": 1, "label": 1}
    assert costs.seconds(1_000_000, 2) == pytest.approx(130 + 4 + 50 + 1)
    # Ten times the records on 100 workers: 1000 parts; tiny tasks wait for the driver.
    assert costs.seconds(10_000_000, 100) == pytest.approx(130 + 4000 * 0.01 + 1000 * 1.0 / 100 + 1000 * 0.01)
    # No fewer rounds than one.
    assert costs.seconds(10_000, 100) == pytest.approx(130 + 4 * 0.01 + 1.0 + 0.02)


def test_tables_of_growing_archives():
    seconds = {"ingest": 10.0, "score": 20.0, "train": 60.0}
    short = a_run(129, 1_000_000, seconds)
    long = a_run(1270, 10_000_000, {"ingest": 150.0, "score": 190.0, "train": 60.0}, driver=3 << 29)
    tiny = measured("dispatch", "receipts", 0, 4.0, parts=2000)
    against, projected = tables.records([long, short, tiny])
    assert against.header[1:] == ("1,000,000", "10,000,000")
    rows = {row[0]: row[1:] for row in against.rows}
    assert rows["ingest"] == ("10.0 (1.00)", "15.0 (1.50)")
    assert rows["GiB, driver"] == ("1.00", "1.50")
    assert "2.00 ms a part" in projected.note
    assert [row[0] for row in projected.rows] == ["2", "8", "32", "128"]
    figures = {row[0]: row[1] for row in main_figures([long, short, tiny]).rows}
    assert figures["Time per record at 10,000,000 records over that at 1,000,000, slowest pass (ingest)"] == "1.50"
    assert figures["Time per record at 10,000,000 records over that at 1,000,000, end to end"] == "0.263"
    assert figures["Driver at 10,000,000 records over that at the other lengths"] == "1.50"


def test_starts_are_compared_with_the_import_of_libraries():
    help_text = "padflow --help"
    found = [measured("startup", LIBRARIES, i, s) for i, s in enumerate([1.0, 2.0, 10.0])]
    found += [measured("startup", help_text, i, s) for i, s in enumerate([0.5, 0.5, 2.5])]
    (table,) = tables.startup(found)
    assert table.rows == [(f"`{LIBRARIES}`", "2.00", "100 %"), (f"`{help_text}`", "0.500", "25 %")]
    assert started(help_text)["seconds"] > 0


def test_a_start_that_ends_otherwise_is_an_error(monkeypatch):
    monkeypatch.setitem(STARTS, "wrong", [sys.executable, "-c", "raise SystemExit('no such thing')"])
    with pytest.raises(RuntimeError, match="wrong ended with status 1:\nno such thing"):
        started("wrong")


def test_markdown():
    table = Table("Title", ("", "value"), "A note.", [("first", "1"), ("second one", "22")])
    assert table.markdown() == (
        "### Title\n\n|            | value |\n|------------|------:|\n| first      |     1 |\n"
        "| second one |    22 |\n\nA note.\n"
    )
    shown = [number(v) for v in (0.012345, 1.2345, 12.345, 1234.5, 1234567, 0, float("nan"))]
    assert shown == ["0.0123", "1.23", "12.3", "1,234", "1,234,567", "0", "–"]
