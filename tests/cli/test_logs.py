# SPDX-License-Identifier: BSD-3-Clause
"""What commands write to standard error: in a terminal, in a batch job's log, and with -v."""

from __future__ import annotations

import io
import logging
import re
import sys

import pytest
from tqdm import tqdm

from padflow.cli.logs import logged
from padflow.compute.settings import dask_log_level

STAGES = logging.getLogger("padflow.progress")
COMPUTE = logging.getLogger("padflow.compute.cluster")
TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d "


class Terminal(io.StringIO):
    """Takes what is written."""

    def isatty(self) -> bool:
        return True


def written(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, *, verbose: bool) -> list[str]:
    monkeypatch.setattr(sys, "stderr", stream)
    with logged(verbose=verbose):
        STAGES.debug("score: 1 of 4 parts")
        STAGES.info("score: begins")
        COMPUTE.info("waiting for workers\x1b[2J")
        COMPUTE.warning("no TLS")
    COMPUTE.warning("after the command")
    return stream.getvalue().splitlines()


def test_in_a_terminal_the_bar_speaks_of_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    assert written(monkeypatch, Terminal(), verbose=False) == [r"waiting for workers\x1b[2J", "warning: no TLS"]


def test_the_log_of_a_job_has_the_time_of_each_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = written(monkeypatch, io.StringIO(), verbose=False)
    assert all(re.match(TIME, line) for line in lines)
    assert [re.sub(TIME, "", line) for line in lines] == [
        "score: begins",
        r"waiting for workers\x1b[2J",
        "warning: no TLS",
    ]


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_verbose_writes_all_there_is(stream: type[io.StringIO], monkeypatch: pytest.MonkeyPatch) -> None:
    lines = written(monkeypatch, stream(), verbose=True)
    assert [re.sub(TIME, "", line) for line in lines] == [
        "score: 1 of 4 parts",
        "score: begins",
        r"waiting for workers\x1b[2J",
        "warning: no TLS",
    ]


def test_dask_warns_where_padflow_is_verbose() -> None:
    with logged(verbose=False):
        assert dask_log_level() == "CRITICAL"
    with logged(verbose=True):
        assert dask_log_level() == "WARNING"
    assert dask_log_level() == "CRITICAL"


def test_a_line_comes_above_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with logged(verbose=False), tqdm(total=2, file=terminal, desc="score", ncols=40) as bar:
        bar.update()
        COMPUTE.info("a word")
    before, _, after = terminal.getvalue().partition("a word\n")
    assert before.endswith(" " * 30 + "\r")  # the bar was wiped off
    assert after.startswith("\rscore")  # and is drawn again below
