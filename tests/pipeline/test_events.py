"""What a run shows of itself: in a terminal, in a log file, and to another shell."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from padflow.archive.catalog import Catalog
from padflow.pipeline import events
from padflow.pipeline.events import Progress, describe
from padflow.pipeline.lock import locked
from padflow.store.durable import read_json


class Clock:
    """A clock that a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.now = 1000.0
        monkeypatch.setattr(events.time, "monotonic", lambda: self.now)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def work(shown: Progress, clock: Clock) -> None:
    shown.begin("score", total=4000, parts=4)
    for _ in range(3):
        clock.now += 10
        shown.advance(1000)
    shown.end("4,000 records")


def test_a_log_file_gets_a_line_now_and_then(clock: Clock) -> None:
    stream = io.StringIO()
    work(Progress(stream=stream), clock)
    assert stream.getvalue().splitlines() == [
        "score: 4,000 records in 4 parts",
        "score: 2 of 4 parts, 2,000 of 4,000 records, 100/s, 20 s left",
        "score: 4,000 records (30.0 s)",
    ]


def test_a_terminal_gets_one_line_renewed(clock: Clock) -> None:
    stream = Terminal()
    work(Progress(stream=stream), clock)
    shown = stream.getvalue()
    assert shown.count("\n") == 1
    assert shown.endswith("(30.0 s)" + " " * (len(shown) - len(shown.rstrip()) - 1) + "\n")
    assert shown.count("\r") == 5
    assert "3 of 4 parts, 3,000 of 4,000 records, 100/s, 10 s left" in shown


def test_parts_that_stood_do_not_flatter_the_rate(clock: Clock) -> None:
    shown = Progress(stream=io.StringIO())
    shown.begin("label", total=4000, parts=4)
    shown.advance(2000, stood=True)
    clock.now += 10
    shown.advance(1000)
    assert shown.facts() | {"stage": "label", "parts_done": 2} == shown.facts()
    assert (shown.facts()["per_second"], shown.facts()["seconds_left"]) == (100, 10)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(9.6, "10 s left"), (75, "1 min 15 s left"), (7300, "2 h 1 min left"), (None, "records, 5.0/s")],
)
def test_time_left_in_words(seconds: float | None, words: str) -> None:
    facts = {"done": 1, "total": 9, "unit": "records", "per_second": 5.0, "seconds_left": seconds}
    assert describe(facts).endswith(words)


def test_status_from_another_shell(padflow: Callable, tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "config.yaml").write_text("{}")
    Catalog(str(tmp_path), "", (), {}).save(tmp_path / "catalog.json")
    shown = Progress(tmp_path, io.StringIO())
    with locked(tmp_path):
        shown.begin("score", total=4000, parts=4)
        clock.now += 10
        shown.advance(1000)
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
    with locked(tmp_path):
        Progress(tmp_path, io.StringIO()).begin("scan", unit="files")
        ended = padflow("status", tmp_path)
        assert ended.status == 0, ended.err
        assert ": scan, 0 files" in ended.out
