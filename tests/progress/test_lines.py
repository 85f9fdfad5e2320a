# SPDX-License-Identifier: BSD-3-Clause
"""What the log says of stages."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from padflow.progress.events import Progress
from padflow.progress.lines import Lines, describe


def work(clock: SimpleNamespace) -> None:
    progress = Progress(Lines())
    progress.begin("score", total=4000, parts=4)
    for _ in range(3):
        clock.now += 10
        progress.advance(1000)
    progress.end("4,000 records")


def test_a_log_gets_a_line_now_and_then(clock: SimpleNamespace, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "padflow")
    work(clock)
    assert caplog.messages == [
        "score: 4,000 records in 4 parts",
        "score: 2 of 4 parts, 2,000 of 4,000 records, 100/s, 20 s left",
        "score: 4,000 records (30.0 s)",
    ]


def test_a_log_of_all_there_is_gets_a_line_for_each_part(
    clock: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "padflow")
    work(clock)
    assert [record.levelname for record in caplog.records] == ["INFO", "DEBUG", "INFO", "DEBUG", "INFO"]
    assert caplog.messages[3] == "score: 3 of 4 parts, 3,000 of 4,000 records, 100/s, 10 s left"


def test_a_step_says_its_own_text(clock: SimpleNamespace, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "padflow")
    progress = Progress(Lines())
    progress.begin("train", total=600, unit="epochs")
    progress.advance(1, text="loss 1.00e-03, validation 2.00e-03")
    progress.begin("kmeans", unit="iterations")
    progress.advance(1, text="centres moved by 1.00e-02")
    progress.say("a word")
    assert caplog.messages == [
        "train: 600 epochs",
        "train: 1 of at most 600 epochs, loss 1.00e-03, validation 2.00e-03",
        "kmeans: begins",
        "kmeans: 1 iterations, centres moved by 1.00e-02",
        "a word",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(9.6, "10 s left"), (75, "1 min 15 s left"), (7300, "2 h 1 min left"), (None, "records, 5.0/s")],
)
def test_time_left_in_words(seconds: float | None, words: str) -> None:
    facts = {"done": 1, "total": 9, "unit": "records", "per_second": 5.0, "seconds_left": seconds}
    assert describe(facts).endswith(words)
