# SPDX-License-Identifier: BSD-3-Clause
"""File systems that differ: runs do without what they can, and else say the path and what to do.

A small library, preloaded, makes a folder seem to lie on one (``file_systems/shim.c``).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

DOES_WITHOUT = {
    "dirsync": "make renames durable",
    "nofsync": "make files durable, make renames durable",
    "nolink": "link files",
    "flock": "lock files",
    "short": "",
    "shortread": "",
}
"""What is said of each kind of file system that padflow can work on."""
FAILS = [("norename", 1), *[(mode, n) for mode in ("eio", "readeio", "stale") for n in (1, 11)]]
SERIALLY = """
from contextlib import nullcontext
import padflow.pipeline.driver
from padflow.cli.main import main
from padflow.compute.workers import SerialWorkers
padflow.pipeline.driver.connect = lambda *_, **__: nullcontext(SerialWorkers())
main()
"""
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library, compiled."""
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("no C compiler, or no Linux: file systems that differ were NOT tested")
    library = tmp_path_factory.mktemp("shim") / "shim.so"
    source = Path(__file__).parent / "file_systems" / "shim.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True, capture_output=True)
    return library


@pytest.fixture
def padflow_on(shim: Path, tmp_path: Path) -> Command:
    """Runs the command line with the test's folder on a file system of some kind."""

    def run(mode: str, *arguments: str | Path, n: int = 20) -> subprocess.CompletedProcess[str]:
        kind = {"LD_PRELOAD": str(shim), "SHIM_DIR": str(tmp_path), "SHIM_MODE": mode, "SHIM_N": str(n)}
        environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"} | kind
        command = [sys.executable, "-c", SERIALLY, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=900, env=environment, check=False)

    return run


@pytest.fixture
def arguments(request: pytest.FixtureRequest, small_archive: Path, small_settings: list[str]) -> list[str]:
    """A command that wants its run directory: ingest, or all stages where that was asked for."""
    config = Path(__file__).parent.parent / "configs" / "recommended.yaml"
    command = "run" if request.config.getoption("--whole-runs") else "ingest"
    return [command, str(config), "--set", f"archive.source={small_archive}", *small_settings, "--workdir"]


@pytest.fixture
def expected(arguments: list[str], padflow, serial, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of that command where nothing is special; made once."""
    directory = tmp_path_factory.getbasetemp() / "on_any_file_system"
    if not directory.exists():
        assert padflow(*arguments, directory).status == 0
    return directory


def assert_same_arrays(directory: Path, expected: Path) -> None:
    for store in ("archive.zarr", "results.zarr"):
        if not (directory / store).exists():  # of a run that was to ingest only
            continue
        found = zarr.open_group(directory / store, path="rbspa", mode="r", use_consolidated=False)
        for name, array in zarr.open_group(expected / store, path="rbspa", mode="r", use_consolidated=False).arrays():
            np.testing.assert_array_equal(found[name][...], array[...], err_msg=name)


@pytest.mark.parametrize("mode", DOES_WITHOUT)
def test_what_a_file_system_lacks_is_said_once_and_done_without(
    padflow_on: Command, arguments: list[str], expected: Path, tmp_path: Path, mode: str
) -> None:
    ended = padflow_on(mode, *arguments, tmp_path / "run")
    assert ended.returncode == 0, ended.stderr
    said = re.findall(r"The file system of (.*) cannot (.*): padflow does without\.", ended.stderr)
    assert said == ([(str(tmp_path / "run"), DOES_WITHOUT[mode])] if DOES_WITHOUT[mode] else [])
    assert_same_arrays(tmp_path / "run", expected)


@pytest.mark.parametrize(("mode", "n"), FAILS)
def test_what_fails_is_named_with_what_to_do_and_the_rerun_gives_the_same(
    padflow_on: Command, padflow, arguments: list[str], expected: Path, tmp_path: Path, mode: str, n: int
) -> None:
    ended = padflow_on(mode, *arguments, tmp_path / "run", n=n)
    assert ended.returncode == 1, ended.stderr
    error = ended.stderr[ended.stderr.rindex("padflow: ") :]
    assert f"{tmp_path / 'run'}" in error
    assert re.search(r"(?i)run the (same )?command again|--workdir", error)
    assert "Errno" not in error
    assert "should not happen" not in error
    ended = padflow(*arguments, tmp_path / "run")
    assert ended.status == 0, ended.err
    assert_same_arrays(tmp_path / "run", expected)


def test_report_and_export_where_locks_are_refused(padflow_on: Command, finished_run, tmp_path: Path) -> None:
    """HDF5 would lock the files that it opens."""
    directory = Path(shutil.copytree(finished_run.directory, tmp_path / "run"))
    shutil.rmtree(directory / "report")
    ended = padflow_on("flock", "report", directory)
    assert ended.returncode == 0, ended.stderr
    ended = padflow_on("flock", "export", directory, tmp_path / "labels.nc")
    assert ended.returncode == 0, ended.stderr
    with xr.open_dataset(tmp_path / "labels.nc", engine="h5netcdf") as labels:
        assert labels.sizes["time"] == 11952
