# SPDX-License-Identifier: BSD-3-Clause
"""What another shell is told of a run at work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from padflow.archive.catalog import Catalog
from padflow.pipeline.directory import RunDirectory
from padflow.pipeline.lock import locked
from padflow.pipeline.progress_file import ProgressFile
from padflow.progress.events import Progress
from padflow.store.durable import read_json


def test_status_from_another_shell(padflow: Callable, tmp_path: Path, clock: SimpleNamespace) -> None:
    (tmp_path / "config.yaml").write_text("{}")
    Catalog(str(tmp_path), "", (), {}).save(tmp_path / "catalog.json")
    progress = Progress(ProgressFile(RunDirectory(tmp_path)))
    with locked(RunDirectory(tmp_path)):
        progress.begin("score", total=4000, parts=4)
        clock.now += 10
        progress.advance(1000)
        ended = padflow("status", tmp_path)
        assert ended.status == 0, ended.err
        first = ended.out.splitlines()[0]
        assert first.startswith("at work   process ")
        assert first.endswith(": score, 1 of 4 parts, 1,000 of 4,000 records, 100/s, 30 s left")
    assert read_json(tmp_path / "progress.json")["parts_done"] == 1
    assert "at work" not in padflow("status", tmp_path).out


def test_status_during_the_first_scan(padflow: Callable, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("{}")
    assert "no catalogue yet" in padflow("status", tmp_path).err
    with locked(RunDirectory(tmp_path)):
        Progress(ProgressFile(RunDirectory(tmp_path))).begin("scan", unit="files")
        ended = padflow("status", tmp_path)
        assert ended.status == 0, ended.err
        assert ": scan, 0 files" in ended.out


def test_the_file_is_written_every_two_seconds_and_removed_at_the_end(tmp_path: Path, clock: SimpleNamespace) -> None:
    progress = Progress(ProgressFile(RunDirectory(tmp_path)))
    progress.begin("score", total=40, parts=40)
    told = []
    for _ in range(8):
        clock.now += 0.5
        progress.advance(1)
        told.append(read_json(tmp_path / "progress.json")["done"])
    assert told == [0, 0, 0, 4, 4, 4, 4, 8]
    progress.end("8 records")
    progress.close()
    assert not (tmp_path / "progress.json").exists()
    progress.close()  # twice is once
