# SPDX-License-Identifier: BSD-3-Clause
"""On a real Slurm: the same labels, workers that come and go, clear ends, and no job left in the queue."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
import zarr

from padflow.compute.cluster import connect
from padflow.compute.settings import ENVIRONMENT
from padflow.config.cluster import ClusterConfig
from padflow.config.reading import load_config
from padflow.errors import PadflowError
from padflow.pipeline import status, verify
from padflow.pipeline.directory import RunDirectory
from padflow.pipeline.driver import Outcome, run
from padflow.pipeline.receipts import Ingested, receipts
from padflow.progress.events import Event, OnEvent, PartDone, StageBegan
from padflow.simulation.archive import simulate_archive
from padflow.store.durable import read_json

REPOSITORY = Path(__file__).resolve().parent.parent
SCRIPTS = REPOSITORY / "scripts" / "slurm"
MISSING = [name for name in ("slurmctld", "slurmd", "munged", "sbatch") if shutil.which(name) is None]
pytestmark = pytest.mark.skipif(
    bool(MISSING) or os.geteuid() != 0, reason="NOT TESTED: Slurm (needs root, and Debian's slurm-wlm and munge)"
)
SMALL = (
    "archive.rows_per_part=1024",
    "train.epochs=2",
    "mean_shift.samples=500",
    "mean_shift.repeats=1",
    "kmeans.classes=3",
    "kmeans.starts=2",
    "kmeans.silhouette_samples=0",
    "cluster.memory_limit=1GiB",
    "cluster.workers=2",
)
SLURM = ("cluster.kind=slurm", "cluster.interface=lo", "cluster.walltime=30min", "cluster.stall_seconds=300")
JOBS = {"kind": "slurm", "interface": "lo", "workers": 2, "memory_limit": "1GiB", "walltime": "30min"}


@pytest.fixture(scope="module", autouse=True)
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Slurm cluster of this machine; the folder that its daemons log to."""
    folder = tmp_path_factory.mktemp("slurm")
    script = str(Path(__file__).with_name("slurm_cluster.sh"))
    subprocess.run([script, "start", str(folder)], check=True, timeout=60)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        patch.setenv("PADFLOW_ENVIRONMENT", sys.prefix)
        patch.setenv("PADFLOW_INTERFACE", "lo")
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
        patch.setenv("PYTHONPATH", f"{REPOSITORY}:{os.environ.get('PYTHONPATH', '')}")
        yield folder
        subprocess.run([script, "stop", str(folder)], check=True, timeout=60)


@pytest.fixture(autouse=True)
def empty_queue() -> Iterator[None]:
    """No test may leave a job behind."""
    yield
    left = jobs()
    subprocess.run(["scancel", "--user=root"], check=False)
    assert left == []


def slurm_says(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.splitlines()


def jobs(*options: str) -> list[str]:
    """Return the numbers of jobs in the queue, but for those that are ending."""
    states = "--states=PENDING,RUNNING,SUSPENDED,CONFIGURING"
    return slurm_says("squeue", "--noheader", "--format=%i", states, *options)


def wait_until(what: Callable[[], object], *, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    simulate_archive(folder, days=5, records_per_day=2000)
    return folder


@contextmanager
def without_report() -> Iterator[None]:
    def write_nothing(directory: Path, **_: object) -> Path:
        page = directory / "report" / "index.html"
        page.parent.mkdir(exist_ok=True)
        page.write_text("no figures in this test")
        return page

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("padflow.report.html.write_report", write_nothing)
        yield


def run_here(
    archive: Path,
    directory: Path,
    *settings: str,
    until: str | None = None,
    restart_from: str | None = None,
    on_event: OnEvent | None = None,
) -> Outcome:
    """Run the recommended configuration, made small, in this process and without figures."""
    values = [f"archive.source={archive}", *SMALL, *settings]
    config = load_config(REPOSITORY / "configs" / "recommended.yaml", values)
    with without_report():
        return run(config, directory, restart_from=restart_from, until=until, on_event=on_event)


@pytest.fixture(scope="module")
def local(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of a run on this machine."""
    directory = tmp_path_factory.mktemp("local") / "run"
    run_here(archive, directory)
    return directory


@dataclass(frozen=True)
class Job:
    """What a batch script is to run, and a run directory of the command line that it is to equal bit for bit."""

    archive: Path
    settings: tuple[str, ...]
    expected: Path


@pytest.fixture(scope="module")
def job(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, padflow_process: Callable) -> Job:
    """A small archive, or with --demo-archive that of the demo, as it is."""
    expected = tmp_path_factory.mktemp("expected") / "run"
    if request.config.getoption("--demo-archive"):
        archive, settings = tmp_path_factory.mktemp("demo"), ("cluster.workers=2",)
        simulate_archive(archive, days=20)
    else:
        archive, settings = request.getfixturevalue("archive"), SMALL
    options = [word for setting in (f"archive.source={archive}", *settings) for word in ("--set", setting)]
    ended = padflow_process("run", REPOSITORY / "configs" / "recommended.yaml", "--workdir", expected, *options)
    assert ended.returncode == 0, ended.stderr
    return Job(archive, settings, expected)


def arrays(directory: Path, store: str) -> dict[str, np.ndarray]:
    root = zarr.open_group(directory / store, mode="r", use_consolidated=False)
    return {path: array[...] for path, array in root.members(max_depth=None) if isinstance(array, zarr.Array)}


def assert_same(directory: Path, expected: Path, *stores: str) -> None:
    """Compare stores bit for bit, NaN included."""
    for store in stores or ("archive.zarr", "results.zarr"):
        found, wanted = arrays(directory, store), arrays(expected, store)
        assert found.keys() == wanted.keys()
        for name, values in wanted.items():
            assert found[name].tobytes() == values.tobytes(), name


def submit_script(name: str, job: Job, workdir: Path, *options: str) -> None:
    """Hand a batch script to Slurm; its output goes beside the run directory."""
    config = "one_allocation" if name == "one_allocation" else "workers_as_jobs"
    settings = [f"archive.source={job.archive}", *job.settings, "cluster.stall_seconds=300"]
    if config == "workers_as_jobs":
        settings += ["cluster.interface=lo", "cluster.queue=main"]
    subprocess.run(
        [
            *("sbatch", f"--output={workdir}.out", "--open-mode=append", "--partition=main", *options),
            *(SCRIPTS / f"{name}.sbatch", SCRIPTS / f"{config}.yaml", workdir),
            *(word for setting in settings for word in ("--set", setting)),
        ],
        cwd=REPOSITORY,
        check=True,
    )


def assert_finished(directory: Path, job: Job) -> str:
    """Check the run that a batch script made; return what it printed."""
    wait_until(lambda: not jobs(), seconds=600)
    printed = Path(f"{directory}.out").read_text()
    assert "records labelled" in printed, printed
    assert (directory / "report" / "index.html").stat().st_size > 10_000
    assert_same(directory, job.expected)
    assert verify.verify(directory).problems == []
    return printed


def test_driver_job_with_workers_as_jobs(job: Job, tmp_path: Path) -> None:
    submit_script("workers_as_jobs", job, tmp_path / "run", "--mem=3G")
    wait_until(lambda: len(jobs()) == 3)  # the driver and its workers
    assert_workers_start_as_measured(tmp_path / "run")
    assert_finished(tmp_path / "run", job)
    assert len(list((tmp_path / "run" / "logs").glob("*.err"))) == 2


def workers_at_work() -> list[psutil.Process]:
    """Return the worker processes of jobs: those that a nanny, not this process or the driver, has started."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        with suppress(psutil.Error):
            starter = " ".join(process.parent().cmdline()) if process.parent() else ""
            if "spawn_main" in " ".join(process.info["cmdline"] or []) and (
                "padflow worker" in starter or "dask_worker" in starter
            ):
                found.append(process)
    return found


def assert_workers_start_as_measured(directory: Path) -> None:
    """Check the environment that the C library and BLAS of each worker have read, while the run trains."""
    wait_until(lambda: (status.status(directory)["progress"] or {}).get("stage") == "train")
    at_work = workers_at_work()
    assert len(at_work) == 2
    for process in at_work:
        assert ENVIRONMENT.items() <= process.environ().items()


def test_one_allocation(job: Job, tmp_path: Path) -> None:
    submit_script("one_allocation", job, tmp_path / "run", "--ntasks=2", "--mem-per-cpu=3G")
    wait_until((tmp_path / "run" / "config.yaml").exists)
    assert_workers_start_as_measured(tmp_path / "run")
    assert_finished(tmp_path / "run", job)
    assert list((tmp_path / "run").glob("scheduler*.json")) == []
    assert list((tmp_path / "run").glob(".private*")) == []


def test_resubmission_before_the_walltime(job: Job, tmp_path: Path) -> None:
    directory = tmp_path / "run"
    submit_script("resubmit", job, directory, "--mem=3G")
    wait_until(lambda: (read_json(directory / "progress.json") or {}).get("stage") == "train")
    (driver,) = jobs("--name=padflow")
    ingested = {path: path.stat().st_mtime_ns for path in (directory / "receipts" / "ingest").rglob("*.json")}
    assert ingested
    # What Slurm sends at --signal=B:USR1@120, without the wait.
    slurm_says("scancel", "--signal=USR1", "--batch", driver)
    wait_until(lambda: jobs("--name=padflow") not in ([driver], []))
    printed = assert_finished(directory, job)
    assert "job 1 of at most 20" in printed
    assert "Interrupted" in printed
    assert "job 2 of at most 20" in printed
    assert {path: path.stat().st_mtime_ns for path in ingested} == ingested


def at_part(stage: str, part: int, act: Callable[[], None]) -> OnEvent:
    """Return a listener that does something once, when a stage has so many parts done."""
    done = 0

    def listen(event: Event) -> None:
        nonlocal done
        if isinstance(event, StageBegan):
            done = 0
        elif isinstance(event, PartDone):
            done += 1
            if (event.stage, done) == (stage, part):
                act()

    return listen


def cancel_workers(count: int) -> None:
    for job in jobs("--name=padflow-worker")[:count]:
        slurm_says("scancel", job)


def test_a_worker_lost_in_ingest(archive: Path, local: Path, tmp_path: Path) -> None:
    lost = []
    lose = at_part("ingest", 2, lambda: lost.append(cancel_workers(1)))
    run_here(archive, tmp_path / "run", *SLURM, until="ingest", on_event=lose)
    assert lost
    assert_same(tmp_path / "run", local, "archive.zarr")


def test_a_worker_lost_in_the_score_pass(archive: Path, local: Path, tmp_path: Path) -> None:
    directory = shutil.copytree(local, tmp_path / "run")
    lost = []
    lose = at_part("score", 2, lambda: lost.append(cancel_workers(1)))
    run_here(archive, directory, *SLURM, restart_from="score", on_event=lose)
    assert lost
    assert_same(directory, local)


def test_all_workers_lost_and_none_coming_back(archive: Path, local: Path, tmp_path: Path) -> None:
    def take_all() -> None:
        slurm_says("scontrol", "update", "PartitionName=main", "State=DOWN")
        cancel_workers(2)

    directory = tmp_path / "run"
    lose = at_part("ingest", 1, take_all)
    began = time.monotonic()
    with pytest.raises(PadflowError, match=r"(?s)waited for 20 s.*no worker.*logs.*same command again"):
        run_here(archive, directory, *SLURM, "cluster.stall_seconds=20", until="ingest", on_event=lose)
    assert time.monotonic() - began < 90
    assert jobs() == []
    slurm_says("scontrol", "update", "PartitionName=main", "State=UP")
    done = {index for _, index, _ in receipts(RunDirectory(directory), Ingested)}
    assert done
    told: list[Event] = []
    run_here(archive, directory, *SLURM, until="ingest", on_event=told.append)
    assert sum(event.reused for event in told if isinstance(event, PartDone)) == len(done)
    assert_same(directory, local, "archive.zarr")


def test_adaptive_from_none_to_two_and_back(tmp_path: Path) -> None:
    with connect(ClusterConfig(**JOBS, minimum_workers=0, stall_seconds=300), tmp_path) as workers:
        end = time.monotonic() + 300
        while len(workers.client.nthreads()) < 2:
            assert time.monotonic() < end
            assert len(list(workers.each(time.sleep, [0.4] * 20))) == 20
        wait_until(lambda: not workers.client.nthreads() and not jobs())
        assert list(workers.each(abs, [-1])) == [(-1, 1)]  # and one comes when there is work again


def test_workers_at_the_end_of_their_life_are_followed_by_others(tmp_path: Path) -> None:
    life = {"worker_extra_args": ["--lifetime", "6s", "--lifetime-stagger", "1s"]}
    names = set()
    with connect(ClusterConfig(**JOBS, options=life, stall_seconds=300), tmp_path) as workers:
        began = time.monotonic()
        while time.monotonic() - began < 200 and len(names) < 4:
            assert len(list(workers.each(time.sleep, [0.1] * 10))) == 10
            names |= set(workers.client.nthreads())
    assert len(names) >= 4  # addresses: two and those that followed


def test_servers_of_jobs_listen_on_the_interface_only(tmp_path: Path) -> None:
    with connect(ClusterConfig(**JOBS, stall_seconds=300), tmp_path) as workers:
        workers.client.wait_for_workers(2, timeout=60)
        mine = [p for p in psutil.process_iter(["cmdline"]) if "dask_worker" in " ".join(p.info["cmdline"] or [])]
        family = {p for parent in [psutil.Process(), *mine] for p in [parent, *parent.children(recursive=True)]}
        listening = [c for p in family for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN]
        assert len(mine) >= 2
        assert {c.laddr.ip for c in listening} == {"127.0.0.1"}
        ports = sorted(f"{c.laddr.ip}:{c.laddr.port}" for c in listening)
        assert len(ports) == 5  # the scheduler's, and those of two nannies and two workers
        stranger = [sys.executable, Path(__file__).with_name("stranger.py"), *ports]
        said = subprocess.run(stranger, capture_output=True, text=True, check=True, timeout=300).stdout
        assert json.loads(said) == {port: [] for port in ports}
        private = tmp_path / ".private"
        assert {stat.S_IMODE(path.stat().st_mode) for path in (private, *private.glob("*.pem"))} == {0o700, 0o600}
        environment = dict(workers.each(os.getenv, ["OMP_NUM_THREADS", "DASK_DISTRIBUTED__WORKER__MEMORY__SPILL"]))
        assert environment == {"OMP_NUM_THREADS": "1", "DASK_DISTRIBUTED__WORKER__MEMORY__SPILL": "False"}
    assert not private.exists()


def test_wrong_partition(archive: Path, tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(PadflowError, match=r"refused.*invalid partition specified: nowhere.*cluster\.queue"):
        run_here(archive, tmp_path / "run", *SLURM, "cluster.queue=nowhere")
    assert time.monotonic() - began < 60


def test_too_little_memory_for_the_plan(archive: Path, tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(PadflowError, match=r"worker would need.*cluster\.memory_limit"):
        run_here(archive, tmp_path / "run", *SLURM, "cluster.memory_limit=360MiB")
    assert time.monotonic() - began < 90


def test_a_failure_leaves_no_job(archive: Path, tmp_path: Path) -> None:
    def fail() -> None:
        assert jobs("--name=padflow-worker")
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        run_here(archive, tmp_path / "run", *SLURM, on_event=at_part("ingest", 1, fail))
    assert jobs() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_driver_leaves_no_job(number: int, archive: Path, tmp_path: Path) -> None:
    settings = [f"archive.source={archive}", *SMALL, *SLURM]
    driver = subprocess.Popen(
        [
            # A shell without job control has what it starts in the background ignore SIGINT, and so would this.
            *("env", "--default-signal=INT", sys.executable, "-m", "padflow", "run"),
            *(REPOSITORY / "configs" / "recommended.yaml", "--workdir", tmp_path / "run"),
            *(word for setting in settings for word in ("--set", setting)),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: jobs("--name=padflow-worker", "--states=RUNNING"))
    driver.send_signal(number)
    _, printed = driver.communicate(timeout=200)
    assert driver.returncode == 1
    assert printed.endswith("padflow: Interrupted. Run the same command again to go on from here.\n")
    assert jobs() == []


def test_submit(archive: Path, padflow: Callable, tmp_path: Path) -> None:
    settings = [f"archive.source={archive}", *SMALL, *SLURM, "cluster.driver_memory=3GiB"]
    arguments = [
        *("submit", REPOSITORY / "configs" / "recommended.yaml", "--workdir", tmp_path / "run"),
        *(word for setting in settings for word in ("--set", setting)),
    ]
    shown = padflow(*arguments, "--dry-run")
    assert (shown.status, jobs()) == (0, [])
    ended = padflow(*arguments)
    assert ended.status == 0, ended.err
    (driver,) = jobs("--name=padflow")
    assert ended.out.startswith(f"job {driver};")
    wait_until(lambda: jobs("--name=padflow-worker", "--states=RUNNING"))
    slurm_says("scancel", driver)  # as a user would: its workers go with it
    wait_until(lambda: not jobs())
