# SPDX-License-Identifier: BSD-3-Clause
"""One writer at a time."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from padflow.errors import PadflowError
from padflow.pipeline import lock as lock_module
from padflow.pipeline.directory import RunDirectory
from padflow.pipeline.lock import STALE_SECONDS, locked

SPACE = str(Path("/proc/self/ns/pid").readlink())


def test_a_second_holder_is_refused_and_told_who_has_it(tmp_path):
    with (
        locked(RunDirectory(tmp_path)),
        pytest.raises(PadflowError, match=rf"in use by process {os.getpid()} on {socket.gethostname()}"),
        locked(RunDirectory(tmp_path)),
    ):
        pytest.fail("two holders")
    with locked(RunDirectory(tmp_path)):  # free again
        pass
    assert not (tmp_path / ".lock").exists()


def test_it_is_released_when_the_work_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(RunDirectory(tmp_path)):
        raise ZeroDivisionError
    assert not (tmp_path / ".lock").exists()


def test_that_of_a_dead_process_is_taken_over(tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path; from padflow.pipeline.lock import locked; "
        "from padflow.pipeline.directory import RunDirectory\n"
        "with locked(RunDirectory(Path(sys.argv[1]))): os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert (tmp_path / ".lock").exists()
    with locked(RunDirectory(tmp_path)):
        assert json.loads((tmp_path / ".lock").read_text())["pid"] == os.getpid()


def test_a_new_process_of_the_same_number_is_not_the_holder(tmp_path):
    (tmp_path / ".lock").write_text(
        json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "process": 1.0} | {"space": SPACE})
    )
    with locked(RunDirectory(tmp_path)):
        pass


def test_another_machine_is_believed_while_its_heart_beats(tmp_path):
    lock = tmp_path / ".lock"
    lock.write_text(json.dumps({"host": "elsewhere", "pid": 1, "process": 1.0}))
    with pytest.raises(PadflowError, match="process 1 on elsewhere"), locked(RunDirectory(tmp_path)):
        pytest.fail("two holders")
    silent = time.time() - STALE_SECONDS - 1
    os.utime(lock, (silent, silent))
    with locked(RunDirectory(tmp_path)):
        pass


def test_a_clock_that_was_set_makes_nobody_seem_dead(tmp_path):
    (tmp_path / ".lock").write_text(
        json.dumps(
            {
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "process": lock_module._started(os.getpid()) + 1.5,
                "space": SPACE,
            }
        )
    )
    with pytest.raises(PadflowError, match="in use by"), locked(RunDirectory(tmp_path)):
        pytest.fail("two holders")


def test_numbers_of_another_container_say_nothing(tmp_path):
    """Its host may have the same name; whether its process is alive cannot be seen from here."""
    content = {"host": socket.gethostname(), "pid": 2**22 + 1, "process": 1.0, "space": "pid:[1]"}
    (tmp_path / ".lock").write_text(json.dumps(content))
    with pytest.raises(PadflowError, match="in use by"), locked(RunDirectory(tmp_path)):
        pytest.fail("two holders")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"host": 3}'])
def test_a_lock_that_says_nothing_is_believed_for_a_while(content, tmp_path):
    (tmp_path / ".lock").write_text(content)
    with pytest.raises(PadflowError, match=r"in use by process \(unknown\)"), locked(RunDirectory(tmp_path)):
        pytest.fail("two holders")
    silent = time.time() - STALE_SECONDS - 1
    os.utime(tmp_path / ".lock", (silent, silent))
    with locked(RunDirectory(tmp_path)):
        pass


def test_of_many_who_find_it_stale_one_takes_it(tmp_path, monkeypatch):
    """Though it takes time from judging it to removing it."""
    judge = lock_module._is_stale

    def slowly(path, text):
        stale = judge(path, text)
        time.sleep(0.01)
        return stale

    monkeypatch.setattr(lock_module, "_is_stale", slowly)
    for _ in range(5):
        content = {"host": socket.gethostname(), "pid": 2**22 + 1, "process": 1.0, "space": SPACE}
        (tmp_path / ".lock").write_text(json.dumps(content))

        def take(_):
            try:
                return lock_module._take(tmp_path / ".lock")
            except PadflowError:
                return None

        with ThreadPoolExecutor(8) as pool:
            taken = [mine for mine in pool.map(take, range(8)) if mine]
        assert len(taken) == 1
        assert (tmp_path / ".lock").read_text() == taken[0]
        (tmp_path / ".lock").unlink()


@pytest.fixture(params=[signal.default_int_handler, signal.SIG_IGN], ids=["foreground", "background"])
def interrupts(request):
    """SIGINT as in a terminal, and as a shell script leaves it for what it starts with ``&``."""
    before = signal.signal(signal.SIGINT, request.param)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
def test_a_holder_that_lost_it_stops_at_once_and_leaves_the_new_one_alone(tmp_path, monkeypatch):
    """As after a laptop slept for an hour while another machine took the directory over."""
    monkeypatch.setattr(lock_module, "BEAT_SECONDS", 0.05)
    began, wakes = time.monotonic(), signal.getsignal(lock_module.WAKE)
    other = json.dumps({"host": "elsewhere", "pid": 7, "process": 1.0})
    with pytest.raises(PadflowError, match="was taken over by process 7 on elsewhere"), locked(RunDirectory(tmp_path)):
        _wait_for_the_other(tmp_path / ".lock", other)
    assert time.monotonic() - began < 200, "it stopped when the 300 s were over"
    assert (tmp_path / ".lock").read_text() == other
    assert signal.getsignal(lock_module.WAKE) == wakes


def _wait_for_the_other(path, other):
    whole = path.with_name("other")  # in one step: an empty file would be taken for nobody's
    whole.write_text(other)
    whole.replace(path)
    time.sleep(300)


def test_the_heart_beats(tmp_path, monkeypatch):
    monkeypatch.setattr(lock_module, "BEAT_SECONDS", 0.05)
    with locked(RunDirectory(tmp_path)):
        os.utime(tmp_path / ".lock", (0, 0))
        end = time.monotonic() + 20
        while not (tmp_path / ".lock").stat().st_mtime and time.monotonic() < end:
            time.sleep(0.02)
        assert time.time() - (tmp_path / ".lock").stat().st_mtime < 20


def test_an_interrupt_is_one_while_the_lock_is_held(tmp_path):
    with pytest.raises(KeyboardInterrupt), locked(RunDirectory(tmp_path)):
        raise KeyboardInterrupt
    assert not (tmp_path / ".lock").exists()


def test_the_heart_beats_on_after_the_lock_could_not_be_read_once(tmp_path, monkeypatch):
    """Of a file server that stumbles; else a lock that is held would be taken for stale."""
    monkeypatch.setattr(lock_module, "BEAT_SECONDS", 0.02)
    read, beaten, failed = lock_module._text, threading.Event(), []

    def stumble(path):
        if not failed and threading.current_thread() is not threading.main_thread():
            failed.append(path)
            raise OSError(5, "Input/output error")
        return read(path)

    monkeypatch.setattr(lock_module, "_text", stumble)
    monkeypatch.setattr(lock_module.os, "utime", lambda _: beaten.set())
    with locked(RunDirectory(tmp_path)):
        assert beaten.wait(60)
    assert failed
