# SPDX-License-Identifier: BSD-3-Clause
"""A disk that is full, read-only or no longer ours, in each kind of stage: said clearly, and nothing is lost by it.

A small file system in memory is mounted where this process may do so. Limits on the size of files, which need no
rights, do the same to workers; they fail with another error of the system.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import zarr

from padflow.errors import CannotWrite, NoSpace
from padflow.pipeline.directory import RunDirectory
from padflow.pipeline.receipts import PART_KINDS, Ingested, Labelled, Scored, broken_files, receipts
from padflow.store.durable import PARTIAL, write_bytes

PLENTY = 256 << 20
MOUNT_FAILED = 32  # man 8 mount, "EXIT STATUS"


class SmallDisk:
    """A mounted file system of a size that can be changed."""

    def __init__(self, folder: Path):
        self.folder = folder

    def remount(self, options: str) -> None:
        command = ["mount", "-o", f"remount,{options}", str(self.folder)]
        # The disk is busy as long as a thread of the run has a file of it open: the lock's beat, or the progress.
        for _ in range(200):
            if subprocess.run(command, check=False, capture_output=True).returncode != MOUNT_FAILED:
                return
            time.sleep(0.05)
        subprocess.run(command, check=True, capture_output=True)

    def leave_free(self, number_bytes: int) -> None:
        used = shutil.disk_usage(self.folder).used
        self.remount(f"size={used + number_bytes}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """An empty disk with plenty of room."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={PLENTY}", "padflow-test", str(folder)]
    mounted = shutil.which("mount") and subprocess.run(command, capture_output=True, check=False).returncode == 0
    if not mounted:
        message = "this process may not mount a file system: full and read-only disks were NOT tested with one"
        warnings.warn(pytest.PytestWarning(message), stacklevel=1) if os.geteuid() == 0 else None
        pytest.skip(message)
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, capture_output=True)


@pytest.fixture
def unforeseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else fills the disk after a run was found to fit."""
    monkeypatch.setattr("padflow.pipeline.plan.check_budget", lambda *_, **__: None)


def arrays(directory: Path, stores: tuple[str, ...] = ("archive.zarr", "results.zarr")) -> dict[str, np.ndarray]:
    found = {}
    for store in stores:
        group = zarr.open_group(directory / store, path="rbspa", mode="r", use_consolidated=False)
        found |= {f"{store}/{name}": array[...] for name, array in group.arrays()}
    return found


def assert_same(directory: Path, expected: Path, *stores: str) -> None:
    found, wanted = arrays(directory, *([stores] if stores else [])), arrays(expected, *([stores] if stores else []))
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


def assert_nothing_half_written(directory: Path) -> None:
    """Each receipt's files are whole; nothing is left under a temporary name; the lock is free."""
    for kind in PART_KINDS:
        for _, _, receipt in receipts(RunDirectory(directory), kind):
            assert not list(broken_files(RunDirectory(directory), receipt))
    assert not list(directory.rglob(f"*{PARTIAL}"))
    assert not (directory / ".lock").exists()


def copied(run: Path, disk: SmallDisk) -> Path:
    return Path(shutil.copytree(run, disk.folder / "run"))


def onto(arguments: list[str], directory: Path, command: str = "run") -> list[str]:
    """The arguments of the finished run, for another run directory."""
    given = [command, *arguments[1:]]
    given[given.index("--workdir") + 1] = str(directory)
    return given


def test_a_run_that_cannot_fit_is_refused_before_it_begins(padflow, serial, small_disk, finished_run) -> None:
    directory = small_disk.folder / "run"
    small_disk.leave_free(6 << 20)
    ended = padflow(*onto(finished_run.arguments, directory))
    assert ended.status == 1
    assert "The run needs about" in ended.err
    assert f"more on disk, but {directory} has" in ended.err
    assert not (directory / "archive.zarr").exists()


@pytest.mark.parametrize("free", [100_000, 900_000])
def test_full_during_ingest(padflow, serial, unforeseen, small_disk, finished_run, free: int) -> None:
    directory = small_disk.folder / "run"
    small_disk.leave_free(free)
    arguments = onto(finished_run.arguments, directory, "ingest")
    ended = padflow(*arguments)
    assert ended.status == 1
    assert "could not be written (No space left on device): " in ended.err
    assert ("it takes" in ended.err) == (free > 500_000)  # a part, and not a few bytes of metadata
    assert re.search(r" has [\d.]+ .?.?B free\. Make room there", ended.err)
    assert "All of the run takes about" in ended.err
    assert_nothing_half_written(directory)
    done = len(list(receipts(RunDirectory(directory), Ingested)))
    assert done < 6
    small_disk.leave_free(PLENTY)
    ended = padflow(*arguments)
    assert ended.status == 0
    assert ended.out.endswith(f"11,952 records in {directory / 'archive.zarr'}\n")
    assert_same(directory, finished_run.directory, "archive.zarr")


def test_full_to_the_last_byte(padflow, serial, small_disk, finished_run) -> None:
    directory = small_disk.folder / "run"
    directory.mkdir()
    with (small_disk.folder / "others").open("wb", buffering=0) as file:
        small_disk.leave_free(1 << 20)
        while file.write(bytes(1000)) == 1000:
            pass
    arguments = onto(finished_run.arguments, directory, "ingest")
    ended = padflow(*arguments)
    assert ended.status == 1
    assert "No space left on device" in ended.err
    assert not (directory / ".lock").exists()
    (small_disk.folder / "others").unlink()
    small_disk.leave_free(PLENTY)
    assert padflow(*arguments).status == 0


def test_full_during_scores(padflow, serial, unforeseen, no_report, small_disk, finished_run) -> None:
    directory = copied(finished_run.directory, small_disk)
    shutil.rmtree(directory / "results.zarr")
    for stage in ("score", "label"):
        shutil.rmtree(directory / "receipts" / stage)
    small_disk.leave_free(250_000)
    arguments = onto(finished_run.arguments, directory)
    ended = padflow(*arguments)
    assert ended.status == 1
    assert f"{directory / 'results.zarr'}" in ended.err
    assert "(No space left on device): it takes" in ended.err
    assert_nothing_half_written(directory)
    run = RunDirectory(directory)
    assert 0 < len(list(receipts(run, Scored))) < 6 or not list(receipts(run, Labelled))
    small_disk.leave_free(PLENTY)
    assert padflow(*arguments).status == 0
    assert_same(directory, finished_run.directory)


def test_full_during_the_report(padflow, two_figures, small_disk, finished_run) -> None:
    directory = copied(finished_run.directory, small_disk)
    shutil.rmtree(directory / "report")
    small_disk.leave_free(250_000)
    ended = padflow("report", directory)
    assert ended.status == 1
    assert f"{directory / 'report'}" in ended.err
    assert "(No space left on device): it takes" in ended.err
    assert not (directory / "report" / "index.html").exists()
    assert_nothing_half_written(directory)
    small_disk.leave_free(PLENTY)
    ended = padflow("report", directory)
    assert ended.status == 0
    assert len(list((directory / "report" / "figures").iterdir())) == 2
    assert b"</html>" in (directory / "report" / "index.html").read_bytes()


def test_read_only_disk(padflow, serial, no_report, small_disk, finished_run) -> None:
    directory = small_disk.folder / "run"
    arguments = onto(finished_run.arguments, directory, "ingest")
    small_disk.remount("ro")
    ended = padflow(*arguments)
    assert ended.status == 1
    assert "cannot be written to (Read-only file system). Make its folder writable" in ended.err
    small_disk.remount("rw")
    assert padflow(*arguments).status == 0
    assert_same(directory, finished_run.directory, "archive.zarr")


def test_disk_that_becomes_read_only_during_ingest(
    padflow, serial, small_disk, finished_run, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = small_disk.folder / "run"
    arguments = onto(finished_run.arguments, directory, "ingest")
    parts = 0

    def write(path: Path, content: bytes) -> None:
        nonlocal parts
        parts += "flux" in path.parts
        if parts == 3:
            small_disk.remount("ro")
        write_bytes(path, content)

    with monkeypatch.context() as patch:
        patch.setattr("padflow.store.writing.write_bytes", write)
        ended = padflow(*arguments)
    assert ended.status == 1
    assert "cannot be written to (Read-only file system)" in ended.err
    assert len(list(receipts(RunDirectory(directory), Ingested))) == 2
    small_disk.remount("rw")
    (directory / ".lock").unlink()  # which nobody could remove; that of a dead process is taken over, this one lives
    assert padflow(*arguments).status == 0
    assert_nothing_half_written(directory)
    assert_same(directory, finished_run.directory, "archive.zarr")


def test_a_run_on_a_read_only_disk_can_be_looked_at(padflow, two_figures, small_disk, finished_run) -> None:
    directory = copied(finished_run.directory, small_disk)
    small_disk.remount("ro")
    assert padflow("status", directory).status == 0
    assert padflow("verify", directory).status == 0
    ended = padflow("report", directory)
    assert ended.status == 1
    assert "Read-only file system" in ended.err


@contextmanager
def file_size_limit(number_bytes: int) -> Iterator[None]:
    """No process that is begun in this context can write larger files, nor can this one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (number_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_limit_on_the_size_of_files_during_ingest_by_workers(
    padflow, padflow_process, tmp_path: Path, finished_run, request: pytest.FixtureRequest
) -> None:
    directory = tmp_path / "run"
    arguments = onto(finished_run.arguments, directory, "ingest")
    with file_size_limit(100_000):
        ended = padflow_process(*arguments)  # this one may have begun what workers are forked from without a limit
    assert ended.returncode == 1
    assert "could not be written (File too large): it takes" in ended.stderr
    assert_nothing_half_written(directory)
    assert not list(receipts(RunDirectory(directory), Ingested))
    request.getfixturevalue("serial")
    assert padflow(*arguments).status == 0
    assert_same(directory, finished_run.directory, "archive.zarr")


def test_limit_on_the_size_of_files_during_the_report(padflow, two_figures, tmp_path: Path, finished_run) -> None:
    directory = Path(shutil.copytree(finished_run.directory, tmp_path / "run"))
    page = directory / "report" / "index.html"
    page.unlink()
    with file_size_limit(50_000):
        ended = padflow("report", directory)
    assert ended.status == 1
    assert "(File too large): it takes" in ended.err
    assert not page.exists()


def test_lost_permission(padflow, serial, permissions_hold, tmp_path: Path, finished_run) -> None:
    directory = tmp_path / "run"
    arguments = onto(finished_run.arguments, directory, "ingest")
    assert padflow(*arguments).status == 0
    shutil.rmtree(directory / "receipts")
    part = directory / "archive.zarr" / "rbspa" / "flux" / "c" / "0" / "0"
    part.chmod(0o555)
    with permissions_hold():
        ended = padflow(*arguments)
    part.chmod(0o755)
    assert ended.status == 1
    assert "cannot be written to (Permission denied). Make its folder writable" in ended.err
    assert padflow(*arguments).status == 0
    assert_same(directory, finished_run.directory, "archive.zarr")


def test_errors_stay_errors_of_the_system(tmp_path: Path) -> None:
    with file_size_limit(1000), pytest.raises(NoSpace) as caught:
        write_bytes(tmp_path / "file", bytes(2000))
    assert isinstance(caught.value, CannotWrite | OSError)
    assert "it takes 1.95 kiB" in str(caught.value)
    assert list(tmp_path.iterdir()) == []
