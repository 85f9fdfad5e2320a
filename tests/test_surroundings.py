# SPDX-License-Identifier: BSD-3-Clause
"""Settings of the user's own, and what a machine lacks: a run is not broken by them, or their name is said."""

from __future__ import annotations

import errno
import json
import multiprocessing.synchronize
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import dask
import pytest

from padflow.compute.local import start_fork_server
from padflow.compute.settings import own_dask_settings
from padflow.errors import PadflowError
from padflow.simulation.archive import parallel_map

THEIR_DASK = {
    "temporary-directory": "/proc/nonexistent/scratch",
    "distributed": {
        "comm": {"default-scheme": "ucx", "compression": "snappy", "require-encryption": True},
        "worker": {"preload": ["no_such_module"], "memory": {"terminate": 0.1}},
        "nanny": {"preload": ["no_such_module"]},
    },
}


def test_a_cluster_of_this_machine_starts_whatever_dask_is_told(small_archive: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "mine.yaml").write_text(json.dumps(THEIR_DASK))
    config = tmp_path / "config.yaml"
    config.write_text(f"archive: {{source: {small_archive}, end: 2013-03-01}}\ncluster: {{workers: 1}}\n")
    theirs = {
        "DASK_CONFIG": str(tmp_path / "theirs"),
        "DASK_TEMPORARY_DIRECTORY": "/proc/nonexistent/scratch",
        "DASK_DISTRIBUTED__SCHEDULER__PRELOAD": '["no_such_module"]',
    }
    command = [sys.executable, "-m", "padflow", "ingest", str(config), "--workdir", str(tmp_path / "run")]
    ended = subprocess.run(command, env=os.environ | theirs, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_only_what_the_user_has_set_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    import_module("distributed")  # which adds its defaults to Dask's configuration
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__DEFAULT_SCHEME", "ucx")
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__RETRY__COUNT", "7")
    monkeypatch.setenv("DASK_JOBQUEUE__SLURM__QUEUE", "theirs")
    settings = {"distributed.comm.default-scheme": "ucx", "distributed.comm.retry.count": 3}
    with dask.config.set(settings | {"jobqueue.slurm.queue": "theirs"}):
        own = own_dask_settings()
    assert own["distributed.comm.default_scheme"] == "tcp"
    assert not [key for key in own if "retry" in key], "a program has set it"
    assert not [key for key in own if "jobqueue" in key], "jobs are theirs to set up"


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOENT, errno.EACCES, errno.ENOSPC])
def test_a_machine_without_dev_shm_is_told(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(multiprocessing.synchronize._multiprocessing, "SemLock", refused)
    for start in (start_fork_server, lambda: list(parallel_map(abs, [1]))):
        with pytest.raises(PadflowError, match=rf"{os.strerror(number)}.*/dev/shm.*mount"):
            start()


def test_without_asserts_nothing_is_begun() -> None:
    """Zarr has some that do more than check."""
    command = [sys.executable, "-m", "padflow", "config"]
    for level in ("1", "2"):
        theirs = os.environ | {"PYTHONOPTIMIZE": level}
        ended = subprocess.run(command, env=theirs, capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert ended.stderr == "padflow: PYTHONOPTIMIZE (or python -O) leaves out what zarr needs: unset it.\n"
