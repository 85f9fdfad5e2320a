# SPDX-License-Identifier: BSD-3-Clause
"""What a terminal shows of stages: bars, and a line of each that ended."""

from __future__ import annotations

import io
import logging
import sys
from types import SimpleNamespace

import pytest
from tqdm import tqdm

from padflow.progress.bars import Bars, is_watched
from padflow.progress.events import Progress


class Terminal(io.StringIO):
    """Takes what is drawn."""

    def isatty(self) -> bool:
        return True

    def screen(self) -> list[str]:
        """Return the lines that are left, as a terminal shows them."""
        lines = []
        for line in self.getvalue().split("\n"):
            shown = ""
            for text in line.split("\r"):
                shown = text + shown[len(text) :]
            lines.append(shown.rstrip())
        return lines


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """tqdm's clock, which a test moves by its ``now``."""
    made_up = SimpleNamespace(now=1000.0)
    monkeypatch.setattr("tqdm.std.time", lambda: made_up.now)
    return made_up


@pytest.fixture(params=[80, 200])
def columns(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("tqdm.std._screen_shape_wrapper", lambda: lambda _: (request.param, 24))
    return request.param


def test_a_bar_says_rate_and_time_left_and_fits(columns: int, clock: SimpleNamespace) -> None:
    terminal = Terminal()
    progress = Progress(Bars(terminal))
    progress.begin("score", total=4_000_000, parts=4)
    clock.now += 10
    progress.advance(1_000_000)
    (bar,) = terminal.screen()
    assert bar.startswith("score:  25%|")
    assert bar.endswith("| 1,000,000/4,000,000 records [00:10<00:30, 100k records/s]")
    assert len(bar) <= columns
    progress.close()


def test_a_step_shows_its_text_in_the_place_of_the_rate(columns: int, clock: SimpleNamespace) -> None:
    terminal = Terminal()
    progress = Progress(Bars(terminal))
    progress.begin("train", total=600, unit="epochs")
    clock.now += 10
    progress.advance(1, text="loss 1.00e-03, validation 2.00e-03")
    (bar,) = terminal.screen()
    assert bar.endswith("| 1/600 epochs [00:10<1:39:50, loss 1.00e-03, validation 2.00e-03]")
    assert len(bar) <= columns
    progress.begin("kmeans", unit="iterations")
    progress.advance(0, text="choosing the first centres")
    assert terminal.screen()[-1] == "kmeans: 0 iterations [00:00, choosing the first centres]"
    clock.now += 10
    progress.advance(1, text="centres moved by 1.00e-02")
    assert terminal.screen()[-1] == "kmeans: 1 iterations [00:10, centres moved by 1.00e-02]"
    progress.close()


def test_a_stage_that_ended_leaves_one_line_however_long(columns: int, clock: SimpleNamespace) -> None:
    terminal = Terminal()
    progress = Progress(Bars(terminal))
    progress.begin("report", total=9, unit="figures")
    clock.now += 10
    progress.advance(9)
    progress.end("a/" * 150 + "index.html")
    assert [line.strip() for line in terminal.screen()] == [f"report: {'a/' * 150}index.html (0.0 s)", ""]


def test_at_most_ten_updates_a_second(clock: SimpleNamespace) -> None:
    terminal = Terminal()
    progress = Progress(Bars(terminal))
    progress.begin("score", total=1000)
    for _ in range(1000):
        clock.now += 0.001
        progress.advance(1)
    assert terminal.getvalue().count("%") <= 11
    progress.close()


def test_reused_parts_do_not_flatter_the_rate(clock: SimpleNamespace) -> None:
    terminal = Terminal()
    progress = Progress(Bars(terminal))
    progress.begin("label", total=4000, parts=4)
    progress.advance(2000, reused=True)
    clock.now += 10
    progress.advance(1000)
    assert terminal.screen()[-1].endswith("3,000/4,000 records [00:10<00:10, 100 records/s]")
    progress.close()


def test_what_is_cut_short_leaves_the_bar_and_begins_a_line(clock: SimpleNamespace) -> None:
    terminal = Terminal()
    progress = Progress(Bars(terminal))
    progress.begin("score", total=1000)
    clock.now += 1
    progress.advance(500)
    progress.close()
    bar, after = terminal.screen()
    assert bar.startswith("score:  50%|")
    assert after == ""
    progress.close()  # twice is once
    assert not tqdm._instances


def test_names_command_no_terminal(clock: SimpleNamespace) -> None:
    terminal = Terminal()
    progress = Progress(Bars(terminal))
    progress.begin("a\x1b[2J", total=1)
    progress.advance(1, text="b\x07")
    progress.end("c\nd")
    assert "\x1b[2J" not in terminal.getvalue()
    assert "\x07" not in terminal.getvalue()
    assert r"c\nd" in terminal.screen()[0]


def test_nothing_is_drawn_where_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    stream = io.StringIO()
    progress = Progress(Bars(stream))
    progress.begin("score", total=1)
    progress.advance(1)
    progress.end("done")
    progress.close()
    assert stream.getvalue() == ""
    assert is_watched(Terminal())
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    assert is_watched(stream)
    logging.getLogger("padflow").setLevel(logging.DEBUG)
    try:
        assert not is_watched(Terminal())  # each part has a line of the log
    finally:
        logging.getLogger("padflow").setLevel(logging.NOTSET)
