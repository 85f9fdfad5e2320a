# SPDX-License-Identifier: BSD-3-Clause

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from padflow.errors import PadflowError
from padflow.report.tables import read_run, tables


def read_csv(folder, name):
    return list(csv.DictReader(io.StringIO(tables(read_run(folder))[name])))


def test_classes_equal_model_and_summary(report_run, summary_of):
    rows = read_csv(report_run, "classes.csv")
    classes = json.loads((report_run / "model/model.json").read_text())["classes"]
    records = summary_of(report_run)["records"]
    assert [int(row["pad_class"]) for row in rows] == [entry["pad_class"] for entry in classes]
    assert [int(row["records"]) for row in rows] == [entry["records"] for entry in classes]
    assert [float(row["share"]) for row in rows] == pytest.approx([entry["share"] for entry in classes])
    assert [row["name"] for row in rows] == [entry["name"] for entry in classes]
    assert [int(row["records_rbspb"]) for row in rows] == records.sel(spacecraft="rbspb").values.tolist()
    assert rows[1]["shape_at_20_MeV"] == classes[1]["shapes"][-1] != classes[1]["shape"]


def test_pads_read_back_exactly(report_run, summary_of):
    rows = read_csv(report_run, "pads.csv")
    summary = summary_of(report_run)
    assert len(rows) == summary["pad_mean"].size
    missing = 0
    for row in rows:
        where = {"pad_class": int(row["pad_class"]), "energy": float(row["energy_MeV"])}
        at = summary.sel(where).sel(pitch_angle=float(row["pitch_angle_deg"]), method="nearest")
        expected = [at["pad_mean"], *at["pad_quantile"].values, at["flux_mean"]]
        for text, value in zip(
            [row[name] for name in ("mean", "q25", "q50", "q75", "flux_mean")], expected, strict=True
        ):
            missing += text == ""
            assert (text == "" and np.isnan(value)) or np.float32(text) == np.float32(value)
    assert missing > 0  # cells with too few counts are empty, not "nan"


def test_files_stages_and_history_read_back(report_run):
    files = json.loads((report_run / "catalog.json").read_text())["files"]
    rows = read_csv(report_run, "files.csv")
    assert [row["path"] for row in rows] == [entry["path"] for entry in files]
    assert rows[3]["notes"] == "duplicate_records: 12; missing_time: 1"
    assert rows[-1]["records"] == ""
    stages = {row["stage"]: row for row in read_csv(report_run, "stages.csv")}
    assert float(stages["ingest"]["records_per_second"]) == pytest.approx(158_000 / 61.5)
    assert stages["label"]["records_per_second"] == ""
    history = json.loads((report_run / "model/model.json").read_text())["training"]["history"]
    rows = read_csv(report_run, "history.csv")
    assert [float(row["val_loss"]) for row in rows] == history["val_loss"]
    assert [row["epoch"] for row in rows] == [str(i + 1) for i in range(40)]


def test_optional_parts_may_be_missing(small_run, edit_summary, edit_json):
    edit_summary(small_run, lambda summary: summary.drop_vars(["pad_quantile", "flux_mean", "unlabelled"]))
    edit_json(small_run / "model/model.json", lambda model: model.update(training=None))
    run = read_run(small_run)
    made = tables(run)
    assert run.n_unlabelled == 0
    assert made["history.csv"] == "epoch\n"
    assert made["pads.csv"].splitlines()[1].endswith(",,,,")


def test_reasons_are_named_by_value(small_run, edit_summary):
    def change(summary):
        summary["unlabelled"][:] = [[0, 2, 0, 5]]
        return summary

    edit_summary(small_run, change)
    assert read_run(small_run).unlabelled == {"outside region": {"rbspa": 5}, "no flux": {"rbspa": 2}}


@pytest.mark.parametrize("name", ["config.yaml", "run.json", "catalog.json", "model/model.json", "summary.nc"])
def test_a_missing_file_is_named_with_the_command_that_makes_it(small_run, name):
    (small_run / name).unlink()
    with pytest.raises(PadflowError) as caught:
        read_run(small_run)
    assert str(small_run / name) in str(caught.value)
    assert "padflow run CONFIG" in str(caught.value)


@pytest.mark.parametrize("name", ["run.json", "summary.nc"])
def test_a_file_cut_short_is_named(small_run, name):
    path = small_run / name
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(PadflowError, match="cannot be used") as caught:
        read_run(small_run)
    assert str(path) in str(caught.value)


def test_a_missing_key_is_named(small_run, edit_json):
    edit_json(small_run / "run.json", lambda run: run.pop("stages"))
    with pytest.raises(PadflowError, match=r"run\.json.*stages"):
        read_run(small_run)


@pytest.mark.parametrize(
    "begin", ["=", "+", "-", "@", "＝", "＋", "－", "＠", " =", "\u00a0=", "\t=", "\r=", "\n=", "\x1b[2J"]
)
def test_no_cell_is_a_formula_or_commands_a_terminal(begin, small_run, edit_json):
    text = f"{begin}cmd|' /C calc'!A0"

    def change(content):
        for entry in content["files"]:
            entry.update(path=f"{text}.cdf", message=text, reason=text, notes={text: -1}, records=-5)

    edit_json(small_run / "catalog.json", change)
    edit_json(small_run / "model/model.json", lambda model: [one.update(shape=text) for one in model["classes"]])
    edit_json(small_run / "model/model.json", lambda model: model["training"]["history"].update({text: [-1.5]}))
    for name, content in tables(read_run(small_run)).items():
        assert {c for c in content if not c.isprintable()} <= {"\n", "\u00a0"}, name
        for cell in (cell for row in csv.reader(io.StringIO(content)) for cell in row):
            assert not cell.lstrip().startswith(tuple("=+-@＝＋－＠")) or float(cell) < 0, cell
    assert read_csv(small_run, "files.csv")[0]["records"] == "-5"
    assert read_csv(small_run, "history.csv")[0][list(read_csv(small_run, "history.csv")[0])[-1]] == "-1.5"
