"""One writer at a time."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time

import pytest

from padflow.errors import PadflowError
from padflow.run.lock import LOCK, STALE_SECONDS, locked


def test_a_second_holder_is_refused_and_told_who_has_it(tmp_path):
    with (
        locked(tmp_path),
        pytest.raises(PadflowError, match=rf"in use by process {os.getpid()} on {socket.gethostname()}"),
        locked(tmp_path),
    ):
        pytest.fail("two holders")
    with locked(tmp_path):  # free again
        pass
    assert not (tmp_path / LOCK).exists()


def test_it_is_released_when_the_work_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        raise ZeroDivisionError
    assert not (tmp_path / LOCK).exists()


def test_that_of_a_dead_process_is_taken_over(tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path; from padflow.run.lock import locked\n"
        "with locked(Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert (tmp_path / LOCK).exists()
    with locked(tmp_path):
        assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()


def test_a_new_process_of_the_same_number_is_not_the_holder(tmp_path):
    (tmp_path / LOCK).write_text(json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "process": 1.0}))
    with locked(tmp_path):
        pass


def test_another_machine_is_believed_while_its_heart_beats(tmp_path):
    lock = tmp_path / LOCK
    lock.write_text(json.dumps({"host": "elsewhere", "pid": 1, "process": 1.0}))
    with pytest.raises(PadflowError, match="process 1 on elsewhere"), locked(tmp_path):
        pytest.fail("two holders")
    silent = time.time() - STALE_SECONDS - 1
    os.utime(lock, (silent, silent))
    with locked(tmp_path):
        pass
