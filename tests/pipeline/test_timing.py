# SPDX-License-Identifier: BSD-3-Clause
"""Stages are timed, shown, and put into ``run.json``."""

from __future__ import annotations

from pathlib import Path

import pytest

from padflow.pipeline.directory import RunDirectory
from padflow.pipeline.timing import StageTimes
from padflow.progress.events import Event, Progress, StageBegan, StageEnded
from padflow.store.durable import write_json


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def times(tmp_path: Path, told: list[Event]) -> StageTimes:
    return StageTimes(RunDirectory(tmp_path), Progress(told.append))


def test_what_a_stage_took_is_put_beside_what_stages_took_before(times: StageTimes, told: list[Event]) -> None:
    before = {"seconds": 1.0, "records": 2, "peak_memory_bytes": 3}
    write_json(times.directory.provenance_file, {"padflow": "0", "stages": {"ingest": before}})
    with times.stage("score", total=40, parts=2) as cost:
        cost.count(30, peak=1 << 50)
        cost.count(10, peak=5)
    noted = times.directory.provenance()
    assert list(noted["stages"]) == ["ingest", "score"]
    assert noted["stages"]["ingest"] == before
    assert noted["stages"]["score"] == times.facts["score"]
    assert (times.facts["score"]["records"], times.facts["score"]["peak_memory_bytes"]) == (40, 1 << 50)
    began, ended = told
    assert isinstance(began, StageBegan)
    assert (began.stage, began.total, began.parts) == ("score", 40, 2)
    assert isinstance(ended, StageEnded)
    assert ended.summary == "40 records"


def test_a_stage_that_did_nothing_is_not_noted(times: StageTimes, told: list[Event]) -> None:
    with times.stage("label") as cost:
        cost.summary = "all were done"
    assert times.facts == {}
    assert not times.directory.provenance_file.exists()
    assert isinstance(told[-1], StageEnded)
    assert told[-1].summary == "all were done"


def test_facts_of_a_stage_before_the_first_write_wait(times: StageTimes) -> None:
    with times.stage("scan", unit="files", noted=False) as cost:
        cost.count(3)
    assert not times.directory.provenance_file.exists()
    with times.stage("ingest") as cost:
        cost.count(5)
    assert list(times.directory.provenance()["stages"]) == ["scan", "ingest"]
