# SPDX-License-Identifier: BSD-3-Clause
"""Who is told of progress: a bar or the user's listener, and the log."""

from __future__ import annotations

import logging

import pytest

from padflow.progress.events import Event, Said, StageBegan
from padflow.progress.shown import shown


def test_a_listener_of_the_users_takes_the_place_of_the_bar(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture
) -> None:
    mine: list[Event] = []
    further: list[Event] = []
    with caplog.at_level(logging.INFO, "padflow"):
        progress = shown(mine.append, further.append)
        progress.begin("score", total=10)
        progress.say("a word")
        progress.close()
    assert mine == further
    assert [type(event) for event in mine[:2]] == [StageBegan, Said]
    assert "score" in caplog.text
    assert capfd.readouterr().out == ""
