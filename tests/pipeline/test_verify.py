# SPDX-License-Identifier: BSD-3-Clause
"""`verify` and `status`: what is whole, counted anew."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import zarr

from padflow import open_results
from padflow.cli.text import status_text
from padflow.compute.settings import PACKAGES
from padflow.errors import PadflowError
from padflow.pipeline.directory import RunDirectory
from padflow.pipeline.lock import locked
from padflow.pipeline.status import status
from padflow.pipeline.verify import repair, verify


@pytest.fixture
def copy(finished_run, tmp_path: Path) -> Path:
    """A copy of the finished run, to be harmed."""
    directory = tmp_path / "run"
    shutil.copytree(finished_run.directory, directory)
    return directory


def rewrite(directory: Path, stage: str, index: int, name: str, change) -> None:
    """Change values of an array in a way that its receipt's checksum knows of."""
    store, _, path = name.partition("/")
    array = zarr.open_group(directory / store, mode="r+", use_consolidated=False)[path]
    rows = slice(2048 * index, min(array.shape[0], 2048 * (index + 1)))
    array[rows] = change(array[rows])
    note = directory / "receipts" / stage / "rbspa" / f"{index:06d}.json"
    receipt = json.loads(note.read_text())
    for file in receipt["files"]:
        content = (directory / file).read_bytes()
        receipt["files"][file] = [len(content), hashlib.sha256(content).hexdigest()]
    note.write_text(json.dumps(receipt))


def not_of_keys(directory: Path) -> list[str]:
    """Return the problems but those of keys, which tell what was made from parts that are whole and others."""
    return [problem for problem in verify(directory).problems if " was made " not in problem]


def test_a_finished_run_is_whole(finished_run) -> None:
    verdict = verify(finished_run.directory)
    assert verdict.problems == []
    results = open_results(finished_run.directory).load()
    assert verdict.records == results.sizes["time"]
    assert verdict.labelled == int((results["pad_class"] >= 0).sum())
    assert verdict.parts == -(-verdict.records // 2048)


def test_looking_changes_nothing(finished_run) -> None:
    def state() -> dict[str, int]:
        return {str(p): p.stat().st_mtime_ns for p in finished_run.directory.rglob("*")}

    before = state()
    verify(finished_run.directory)
    status(finished_run.directory)
    assert state() == before


@pytest.mark.parametrize(
    ("file", "stage", "part"),
    [
        ("archive.zarr/rbspa/flux/c/0/0/0", "ingest", 0),
        ("archive.zarr/rbspa/Position/c/3/0", "ingest", 3),
        ("archive.zarr/rbspa/time/c/5", "ingest", 5),
        ("results.zarr/rbspa/score/c/4/0", "score", 4),
        ("results.zarr/rbspa/reason/c/1", "score", 1),
        ("results.zarr/rbspa/pad_class/c/2", "label", 2),
    ],
)
def test_a_file_that_is_gone_or_altered_is_named(file: str, stage: str, part: int, copy: Path) -> None:
    path = copy / file
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    (problem,) = verify(copy).problems
    assert problem.startswith(f"{stage}, rbspa part {part}: {file} was altered")
    path.unlink()
    verdict = verify(copy)
    assert verdict.problems == [f"{stage}, rbspa part {part}: {file} is missing"]
    assert verdict.records < 8 * 1500 - 1024  # what is not whole is not counted


def test_broken_parts_and_no_others_are_forgotten_for_a_repair(copy: Path) -> None:
    for file in ("archive.zarr/rbspa/flux/c/2/0/0", "results.zarr/rbspa/reason/c/4"):
        path = copy / file
        path.write_bytes(bytes(len(path.read_bytes())))
    verdict = verify(copy)
    assert sorted(verdict.broken) == [("ingest", "rbspa", 2), ("score", "rbspa", 4)]
    repair(copy, verdict.broken)
    stages = {name: facts["parts_done"] for name, facts in status(copy)["stages"].items()}
    assert stages == {"ingest": 5, "score": 5, "label": 6}


def test_a_missing_receipt_is_a_part_not_done(copy: Path) -> None:
    (copy / "receipts" / "score" / "rbspa" / "000002.json").unlink()
    (problem,) = verify(copy).problems
    assert problem.startswith("score, rbspa part 2: there is no receipt")
    assert status(copy)["stages"]["score"] == {"parts_done": 5, "parts": 6}


def test_times_that_do_not_ascend(copy: Path) -> None:
    rewrite(copy, "ingest", 1, "archive.zarr/rbspa/time", lambda ns: ns[np.r_[1, 0, 2 : len(ns)]])
    rewrite(copy, "score", 1, "results.zarr/rbspa/time", lambda ns: ns[np.r_[1, 0, 2 : len(ns)]])
    assert not_of_keys(copy) == ["ingest, rbspa part 1: times do not ascend"]


def test_a_record_that_stands_in_two_parts(copy: Path) -> None:
    for stage, name in (("ingest", "archive.zarr/rbspa/time"), ("score", "results.zarr/rbspa/time")):
        store, _, path = name.partition("/")
        last = zarr.open_group(copy / store, mode="r", use_consolidated=False)[path][2047]
        rewrite(copy, stage, 1, name, lambda ns, last=last: np.append(last, ns[1:]))
    assert not_of_keys(copy) == ["ingest, rbspa part 1: times do not ascend"]


def test_records_with_neither_class_nor_reason(copy: Path) -> None:
    def forget(pad_class: np.ndarray) -> np.ndarray:
        known = np.flatnonzero(pad_class >= 0)[:3]
        pad_class[known] = -1
        return pad_class

    labelled = verify(copy).labelled
    rewrite(copy, "label", 3, "results.zarr/rbspa/pad_class", forget)
    verdict = verify(copy)
    assert verdict.problems == ["label, rbspa part 3: 3 records have neither a class nor a reason, or both"]
    assert verdict.labelled == labelled - 3


def test_results_of_other_times(copy: Path) -> None:
    rewrite(copy, "score", 0, "results.zarr/rbspa/time", lambda ns: ns + 1)
    assert not_of_keys(copy) == ["label, rbspa part 0: its times are not those of the archive"]


def test_an_archive_that_does_not_fit_its_catalogue(copy: Path) -> None:
    catalog = json.loads((copy / "catalog.json").read_text())
    used = [entry for entry in catalog["files"] if entry["status"] == "used"]
    used[-1]["mtime_ns"] += 1
    (copy / "catalog.json").write_text(json.dumps(catalog))
    problems = verify(copy).problems
    assert problems
    assert all("was made from other files than the catalogue names" in problem for problem in problems)
    used[-1]["rows"] += 5000
    (copy / "catalog.json").write_text(json.dumps(catalog))
    assert any("the catalogue" in p and "the archive has" in p for p in verify(copy).problems)


def test_labels_of_another_model(copy: Path) -> None:
    path = copy / "receipts" / "label" / "rbspa" / "000001.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"key": "another"}))
    assert verify(copy).problems == ["label, rbspa part 1: was made with another model or other scores"]


def test_a_model_that_was_altered(copy: Path) -> None:
    path = copy / "model" / "arrays.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    (problem,) = verify(copy).problems
    assert "arrays.npz was altered" in problem


def test_axes_that_are_not_those_of_the_files(copy: Path) -> None:
    energy = zarr.open_group(copy / "archive.zarr", mode="r+", use_consolidated=False)["rbspa/energy"]
    energy[0] = 1.0
    assert verify(copy).problems == ["rbspa: the archive's energy axis is not that of the files"]


def test_what_is_no_run(tmp_path: Path, finished_run) -> None:
    for look in (verify, status, lambda path: RunDirectory(path).config()):
        with pytest.raises(PadflowError, match="is not a run directory"):
            look(tmp_path)
    shutil.copyfile(finished_run.directory / "config.yaml", tmp_path / "config.yaml")
    for look in (verify, status):
        with pytest.raises(PadflowError, match="has no catalogue yet"):
            look(tmp_path)
    shutil.copyfile(finished_run.directory / "catalog.json", tmp_path / "catalog.json")
    facts = status(tmp_path)
    assert facts["stages"]["ingest"] == {"parts_done": 0, "parts": 6}
    assert facts["fits"] == {"train": False, "pca": False, "classes": False}
    assert facts["report"] is None
    assert verify(tmp_path).problems


def test_configuration_of_a_run(finished_run) -> None:
    config = RunDirectory(finished_run.directory).config()
    assert config.archive.rows_per_part == 2048
    assert config.archive.source.samefile(finished_run.archive)


def test_provenance_has_the_version_of_each_package_that_decides_results(finished_run) -> None:
    versions = RunDirectory(finished_run.directory).provenance()["versions"]
    assert versions == {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}
    assert {"numpy", "scipy", "numba", "numcodecs", "zarr"} < versions.keys()


def test_what_is_said_during_the_first_scan(padflow: Callable, tmp_path: Path) -> None:
    """Until files are looked at there is only the lock: that somebody is at work is all there is to say."""
    with locked(RunDirectory(tmp_path)):
        facts = status(tmp_path)
        assert facts["at_work"]["pid"] == os.getpid()
        assert (facts["records"], facts["files"], facts["progress"]) == (0, {}, None)
        assert {stage["parts"] for stage in facts["stages"].values()} == {0}
        assert f"at work   process {os.getpid()} on" in status_text(facts)
        for command in ("verify", "report"):
            ended = padflow(command, tmp_path)
            assert (ended.status, ended.out) == (1, "")
            assert f"the run has just begun (process {os.getpid()} on " in ended.err
    with pytest.raises(PadflowError, match="is not a run directory"):
        status(tmp_path)
