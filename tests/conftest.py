# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures shared by the whole suite."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from hypothesis import HealthCheck, settings

from padflow.cli.main import main
from padflow.compute.workers import SerialWorkers
from padflow.simulation.archive import simulate_archive
from padflow.simulation.troubles import Troubles

TESTS = Path(__file__).resolve().parent
REPOSITORY = TESTS.parent

# No property fails because a machine is busy: Hypothesis's own limits are times.
settings.register_profile("padflow", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("padflow")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all-kills", action="store_true", help="Kill processes at 100 moments, not at some of them.")
    parser.addoption("--all-readers", action="store_true", help="Read an archive in 100 threads while it grows.")
    parser.addoption("--demo-archive", action="store_true", help="Hand the demo's archive to the batch scripts.")
    parser.addoption("--sequences", type=int, default=200, help="Random sequences of commands and mishaps to try.")
    parser.addoption("--whole-runs", action="store_true", help="Do all stages on file systems that differ, not ingest.")


SLOW_FIXTURES = {"finished_run", "padflow_process", "troubled_archive"}
"""Fixtures that take long to make: a test that asks for one is slow."""

SLOW_FILES = {
    "test_cli.py",
    "test_demo.py",
    "test_end_to_end.py",
    "test_file_systems.py",
    "test_full_disk.py",
    "test_kills.py",
    "test_paper_mode.py",
    "test_readers.py",
    "test_real_files.py",
    "test_slurm.py",
    "test_startup.py",
    "test_state_machine.py",
    "test_surroundings.py",
    "test_untrusted_folders.py",
    "archive/test_ingest.py",
    "autoencoder/test_epoch_graph.py",
    "autoencoder/test_keras.py",
    "autoencoder/test_keras_denoiser.py",
    "autoencoder/test_keras_file.py",
    "autoencoder/test_tensorflow.py",
    "cdf/test_layout.py",
    "cdf/test_mutated_cdfs.py",
    "clustering/test_ball_means.py",
    "clustering/test_kmeans.py",
    "clustering/test_mean_shift.py",
    "compute/test_cluster.py",
    "compute/test_security.py",
    "compute/test_workers.py",
    "model/test_encoder.py",
    "model/test_fit.py",
    "pipeline/test_held.py",
    "pipeline/test_set_aside.py",
    "pipeline/test_trainer.py",
    "report/figures/test_classes.py",
    "report/figures/test_contents.py",
    "report/figures/test_maps.py",
    "report/figures/test_style.py",
    "report/test_browser.py",
    "report/test_html.py",
    "report/test_tables.py",
    "simulation/test_archive.py",
    "store/test_states.py",
    "store/test_writing.py",
}
"""Test files of whole runs, classes, processes that are killed, trainings, reports, and thousands of damaged files."""


LONGEST_FILES = (
    "test_kills.py",
    "test_slurm.py",
    "test_bench.py",
    "test_file_systems.py",
    "test_docs.py",
    "test_readme.py",
    "test_end_to_end.py",
    "test_quality.py",
    "test_notebooks.py",
    "test_state_machine.py",
    "test_without_tensorflow.py",
)
"""Test files that take minutes. They begin first, for else one process would work alone at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what waits for a run, a cluster or a large archive; single tests have the marker themselves."""
    for item in items:
        own = item.path.is_relative_to(TESTS) and item.path.relative_to(TESTS).as_posix() in SLOW_FILES
        if own or SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
    order = dict(zip(LONGEST_FILES, range(len(LONGEST_FILES)), strict=True))
    items.sort(key=lambda item: order.get(item.path.name, len(order)))  # the order within files stays


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real HOPE and ELFIN files; they are not part of this repository."""
    folder = Path(os.environ.get("PADFLOW_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real CDF files at {folder}; set PADFLOW_REAL_DATA to a folder with hope/ and elfin/")
    return folder


@pytest.fixture(scope="session")
def cases(real_data: Path) -> Path:
    """Folder of small inputs that once were read wrongly; they are not part of this repository."""
    folder = real_data.parent / "cases"
    if not folder.is_dir():
        pytest.skip(f"no small inputs at {folder}")
    return folder


def _module(name: str) -> ModuleType:
    """Return a module of this folder by its path; tests are imported by path, so that it has no name to import."""
    spec = importlib.util.spec_from_file_location(Path(name).name, TESTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The clock ``time.monotonic``, which a test moves by its ``now``."""
    made_up = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(time, "monotonic", lambda: made_up.now)
    return made_up


@pytest.fixture
def two_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that takes less time."""
    from padflow.report.figures.contents import FIGURES

    monkeypatch.setattr("padflow.report.html.FIGURES", dict(list(FIGURES.items())[:2]))


@pytest.fixture(scope="session")
def factories() -> ModuleType:
    """The module factories.py."""
    return _module("factories")


@pytest.fixture(scope="session")
def factory() -> ModuleType:
    """The module cdf_factory, which writes CDF files."""
    return _module("cdf_factory")


@pytest.fixture(scope="session")
def index_factory() -> ModuleType:
    """The module index_factory.py, which writes files of geomagnetic indices."""
    return _module("index_factory")


@pytest.fixture(scope="session")
def report_factory() -> ModuleType:
    """The module report/conftest.py, which writes what a report is made from."""
    return _module("report/conftest")


@pytest.fixture(scope="session")
def loops() -> ModuleType:
    """The module loops.py."""
    return _module("loops")


@pytest.fixture(scope="session")
def nasa() -> ModuleType:
    """The module cdf/nasa_library.py, which calls NASA's CDF library."""
    if importlib.util.find_spec("spacepy") is None:
        pytest.skip("NASA's CDF library comes with spacepy, which is not installed")
    return _module("cdf/nasa_library")


SMALL = (
    "archive.rows_per_part=2048",
    "preprocess.min_counts=100",
    "train.epochs=5",
    "mean_shift.samples=2000",
    "mean_shift.repeats=2",
    "cluster.workers=2",
)
"""What makes the recommended configuration one for tests."""


@dataclass(frozen=True)
class Finished:
    """How a command ended."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class FinishedRun:
    """A run of the command line from CDF files to the report; tests leave it as it is."""

    directory: Path
    archive: Path
    arguments: list[str]
    completed: subprocess.CompletedProcess[str]


def run_padflow(*arguments: str | Path, timeout: float = 900) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own; the timeout is for hangs, not for other guests of the host."""
    command = [sys.executable, "-c", "from padflow.cli.main import main; main()", *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment, check=False)


@pytest.fixture(scope="session")
def padflow_process() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command line in a process of its own."""
    return run_padflow


@pytest.fixture(scope="session")
def small_settings() -> list[str]:
    """Options that make the recommended configuration one for tests."""
    return [word for setting in SMALL for word in ("--set", setting)]


@pytest.fixture(scope="session")
def small_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight simulated days of 1500 records with nothing wrong; tests leave it as it is."""
    folder = tmp_path_factory.mktemp("small_archive")
    simulate_archive(folder, days=8, records_per_day=1500)
    return folder


@pytest.fixture(scope="session")
def troubled_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty simulated days of 300 records with every trouble; tests leave it as it is."""
    folder = tmp_path_factory.mktemp("troubled_archive")
    simulate_archive(folder, days=20, records_per_day=300, troubles=Troubles.all())
    return folder


@pytest.fixture(scope="session")
def finished_run(
    small_archive: Path, small_settings: list[str], tmp_path_factory: pytest.TempPathFactory
) -> FinishedRun:
    """The small archive through the recommended configuration on two workers."""
    directory = tmp_path_factory.mktemp("finished") / "run"
    config = REPOSITORY / "configs" / "recommended.yaml"
    source = ["--set", f"archive.source={small_archive}"]
    arguments = ["run", str(config), "--workdir", str(directory), *source, *small_settings]
    completed = run_padflow(*arguments)
    assert completed.returncode == 0, completed.stderr
    return FinishedRun(directory, small_archive, arguments, completed)


@contextmanager
def _permissions_hold() -> Iterator[None]:
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this thread
    before, without = (ctypes.c_uint32 * 6)(), (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice

    def done(status: int) -> None:
        if status:
            raise OSError(ctypes.get_errno(), "capabilities cannot be changed")

    done(libc.capget(header, before))
    without[:] = before
    without[0] &= ~(1 << 1 | 1 << 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    done(libc.capset(header, without))
    try:
        yield
    finally:
        done(libc.capset(header, before))


@pytest.fixture(scope="session")
def permissions_hold() -> Callable[[], AbstractContextManager[None]]:
    """Context in which root, too, is refused what permissions of files do not allow their owner.

    It holds for this thread and those that it starts.
    """
    return _permissions_hold


@pytest.fixture
def serial(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do the stages' work in this process, where a test is not about the cluster."""
    monkeypatch.setattr("padflow.pipeline.driver.connect", lambda *_, **__: nullcontext(SerialWorkers()))


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the figures, where a test is not about them: they take longer than all else."""

    def write_nothing(directory: Path, **_: object) -> Path:
        page = directory / "report" / "index.html"
        page.parent.mkdir(exist_ok=True)
        page.write_text("no figures in this test")
        return page

    monkeypatch.setattr("padflow.report.html.write_report", write_nothing)


@pytest.fixture
def padflow(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Finished]:
    """Runs the command line in this process; returns its exit status and what it printed."""

    def run(*arguments: str | Path) -> Finished:
        monkeypatch.setattr(sys, "argv", ["padflow", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            status = 0
        except SystemExit as end:
            status = end.code
        printed = capsys.readouterr()
        return Finished(status, printed.out, printed.err)

    return run
