# SPDX-License-Identifier: BSD-3-Clause
"""What listeners are told, in which order, and what they make of it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from padflow.progress.events import Event, PartDone, Progress, Said, StageBegan, StageEnded, Tally, WorkEnded


def test_each_listener_gets_each_event_in_order(clock: SimpleNamespace) -> None:
    first: list[Event] = []
    second: list[Event] = []
    progress = Progress(first.append, second.append)
    progress.begin("score", total=4000, parts=4)
    progress.advance(1000, reused=True)
    clock.now += 2
    progress.advance(1000, text="half of it")
    progress.say("a word")
    progress.end("2,000 records")
    progress.close()
    assert first == [
        StageBegan("score", 4000, "records", 4),
        PartDone("score", 1000, reused=True),
        PartDone("score", 1000, text="half of it"),
        Said("a word"),
        StageEnded("score", "2,000 records", 2.0),
        WorkEnded(),
    ]
    assert second == first


def test_a_stage_ends_with_its_summary_and_not_where_it_fails(clock: SimpleNamespace) -> None:
    told: list[Event] = []
    progress = Progress(told.append)
    with progress.stage("report", total=2, unit="figures") as stage:
        progress.step()
        stage.summary = "page.html"
    with pytest.raises(ZeroDivisionError), progress.stage("report"):
        raise ZeroDivisionError
    assert told == [
        StageBegan("report", 2, "figures"),
        PartDone("report", 1),
        StageEnded("report", "page.html", 0.0),
        StageBegan("report"),
    ]


def test_reused_parts_do_not_flatter_the_rate(clock: SimpleNamespace) -> None:
    tally = Tally(StageBegan("label", total=4000, parts=4))
    tally.add(PartDone("label", 2000, reused=True))
    clock.now += 10
    tally.add(PartDone("label", 1000))
    assert tally.facts() == {
        "stage": "label",
        "done": 3000,
        "total": 4000,
        "unit": "records",
        "parts_done": 2,
        "parts": 4,
        "per_second": 100.0,
        "seconds_left": 10.0,
    }


def test_what_has_no_parts_and_no_end_says_so(clock: SimpleNamespace) -> None:
    tally = Tally(StageBegan("scan", unit="files"))
    assert tally.facts() == {
        "stage": "scan",
        "done": 0,
        "total": 0,
        "unit": "files",
        "per_second": 0.0,
        "seconds_left": None,
    }
