# SPDX-License-Identifier: BSD-3-Clause
"""Faults on purpose: where and when a plan says, and never without one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from padflow import faults
from padflow.errors import ConfigError
from padflow.faults import VARIABLE, Fault, InjectedFault, fault_point, injected, invocations


def test_without_a_plan_nothing_happens_and_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    faults._plan_of_environment.cache_clear()
    monkeypatch.setattr(faults, "_count", None)  # would fail if it were called
    monkeypatch.setattr(faults, "_act", None)
    began = time.perf_counter()
    for _ in range(10_000):
        fault_point("score", "rbspa/3")
    assert time.perf_counter() - began < 1  # 0.1 ms each on the slowest machine


def test_a_fault_comes_where_and_when_it_is_due(tmp_path: Path) -> None:
    fault = Fault(action="fail", stage="score", part="rbspa/[12]", attempts=(2,), moment="written")
    with injected([fault], counts=tmp_path / "counts"):
        for part in ("rbspa/1", "rbspa/3"):
            fault_point("score", part)
            fault_point("score", part, moment="written")
            fault_point("score", part)
        fault_point("label", "rbspa/1")
        fault_point("score", "rbspa/1", moment="done")
        fault_point("score", "rbspa/3", moment="written")
        with pytest.raises(InjectedFault, match=r"score rbspa/1, attempt 2"):
            fault_point("score", "rbspa/1", moment="written")
    fault_point("score", "rbspa/1", moment="written")
    assert invocations(tmp_path / "counts") == {
        ("score", "rbspa/1"): 2,
        ("score", "rbspa/3"): 2,
        ("label", "rbspa/1"): 1,
    }


def test_the_driver_is_not_meant_by_a_pattern_of_parts(tmp_path: Path) -> None:
    with injected([Fault(action="fail", stage="score")], counts=tmp_path / "counts"):
        fault_point("score")
        with pytest.raises(InjectedFault):
            fault_point("score", "rbspa/0")
    with (
        injected([Fault(action="fail", stage="score", part="")], counts=tmp_path / "counts"),
        pytest.raises(InjectedFault),
    ):
        fault_point("score")


def test_corruption_flips_a_byte_of_each_file(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.write_bytes(bytes(9))
    with injected([Fault(action="corrupt", stage="ingest", moment="done")], counts=tmp_path / "counts"):
        fault_point("ingest", "rbspa/0", files=paths)
        assert [path.read_bytes() for path in paths] == [bytes(9)] * 2
        fault_point("ingest", "rbspa/0", moment="done", files=paths)
    assert [path.read_bytes() for path in paths] == [bytes(4) + b"\xff" + bytes(4)] * 2


def test_a_stall_takes_its_time(tmp_path: Path) -> None:
    with injected([Fault(action="stall", stage="scan", seconds=0.2)], counts=tmp_path / "counts"):
        began = time.monotonic()
        fault_point("scan", "a.cdf")
    assert time.monotonic() - began >= 0.2


def test_processes_count_together_and_one_is_killed(tmp_path: Path) -> None:
    code = "from padflow.faults import fault_point\nfor _ in range(50): fault_point('scan', '../a b.cdf')"
    with injected([Fault(action="kill", stage="scan", attempts=(120,))], counts=tmp_path / "counts"):
        running = [subprocess.Popen([sys.executable, "-c", code], env=dict(os.environ)) for _ in range(3)]
        statuses = sorted(process.wait(timeout=120) for process in running)
    assert statuses == [-signal.SIGKILL, 0, 0]
    ((place, count),) = invocations(tmp_path / "counts").items()
    assert place == ("scan", "../a b.cdf")
    assert 120 <= count <= 150
    assert [path.name for path in (tmp_path / "counts").iterdir()] == ["scan"]  # nothing outside


@pytest.mark.parametrize(
    "content",
    [
        "no JSON",
        json.dumps({"faults": []}),
        json.dumps({"counts": "c", "faults": [{"action": "run", "stage": "score"}]}),
        json.dumps({"counts": "c", "faults": [{"action": "kill", "stage": "score", "when": 3}]}),
        json.dumps({"counts": "c", "faults": [{"action": "kill", "stage": "score", "attempts": [0]}]}),
        None,
    ],
)
def test_a_plan_that_cannot_be_read_is_refused(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "plan.json"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv(VARIABLE, str(path))
    faults._plan_of_environment.cache_clear()
    try:
        with pytest.raises(ConfigError, match=rf"{VARIABLE}=.*is not a plan of faults.*Unset it"):
            fault_point("score", "rbspa/0")
    finally:
        faults._plan_of_environment.cache_clear()
