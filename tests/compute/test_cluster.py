# SPDX-License-Identifier: BSD-3-Clause
"""Clusters started here or joined: on loopback only, their failures in words, and gone at the end."""

from __future__ import annotations

import contextlib
import importlib.util
import operator
import os
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from threadpoolctl import threadpool_info

from padflow.compute import cluster as cluster_module
from padflow.compute import scheduler_file
from padflow.compute.cluster import connect
from padflow.compute.local import start_fork_server
from padflow.compute.workers import DaskWorkers
from padflow.config.cluster import ClusterConfig
from padflow.config.reading import load_config
from padflow.errors import PadflowError
from padflow.pipeline.driver import run
from padflow.pipeline.receipts import Ingested, receipts


def test_servers_listen_on_loopback_only(cluster: DaskWorkers) -> None:
    me = psutil.Process()
    family = [me, *me.children(recursive=True)]
    listening = [c.laddr.ip for p in family for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert listening
    assert set(listening) == {"127.0.0.1"}


def test_workers_that_die_are_explained_and_all_are_gone_at_the_end() -> None:
    start_fork_server()  # which stays, like the resource tracker, for the clusters to come
    before = set(psutil.Process().children(recursive=True))
    with (
        connect(ClusterConfig(workers=1, memory_limit="1GiB")) as workers,
        pytest.raises(PadflowError, match=r"(?s)Workers died on 7, .*cluster\.memory_limit.*rows_per_part"),
    ):
        list(workers.each(os._exit, [7]))
    left = set(psutil.Process().children(recursive=True)) - before
    _, alive = psutil.wait_procs([p for p in left if "resource_tracker" not in " ".join(p.cmdline())], timeout=5)
    assert alive == []


def test_workers_have_the_environment_of_now_and_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    start_fork_server()
    monkeypatch.setenv("SET_AFTER_THE_FORK_SERVER", "yes")
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    with connect(ClusterConfig(workers=1, memory_limit="1GiB")) as workers:
        names = ("SET_AFTER_THE_FORK_SERVER", "OMP_NUM_THREADS")
        assert workers.map(os.getenv, names) == ["yes", "1"]
        pools = workers.map(threads_of_libraries, [None])[0]
    assert pools
    assert set(pools) == {1}


def threads_of_libraries(_: None) -> list[int]:
    return [pool["num_threads"] for pool in threadpool_info()]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="only Linux lets processes choose their cores")
def test_workers_that_fill_the_machine_keep_to_a_core_each_also_after_one_died() -> None:
    cores = os.sched_getaffinity(0)
    with connect(ClusterConfig(workers=len(cores), memory_limit="500MiB")) as workers:
        client = workers.client
        for _ in range(2):
            client.wait_for_workers(len(cores))
            found = {
                address: client.submit(os.sched_getaffinity, 0, workers=address, pure=False).result()
                for address in client.nthreads()
            }
            assert sorted(map(tuple, found.values())) == [(core,) for core in sorted(cores)]
            before = set(found)
            os.kill(client.run(os.getpid)[min(before)], signal.SIGKILL)
            end = time.monotonic() + 60
            while len(set(client.nthreads()) - before) == 0 and time.monotonic() < end:
                time.sleep(0.1)
    assert os.sched_getaffinity(0) == cores


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="only Linux lets processes choose their cores")
def test_workers_that_do_not_fill_the_machine_go_where_the_system_puts_them() -> None:
    cores = os.sched_getaffinity(0)
    with connect(ClusterConfig(workers=len(cores) + 1, memory_limit="500MiB")) as workers:
        assert workers.map(os.sched_getaffinity, [0]) == [cores]


def test_a_folder_that_the_user_is_in_gives_no_modules(small_archive: Path, tmp_path: Path) -> None:
    for name in ("zarr", "sklearn", "tensorflow", "padflow"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'a').write({name!r})")
    config = tmp_path / "config.yaml"
    config.write_text(f"archive: {{source: {small_archive}, end: 2013-03-01}}\ncluster: {{workers: 1}}\n")
    ended = subprocess.run(
        [Path(sys.executable).with_name("padflow"), "ingest", config], cwd=tmp_path, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert not (tmp_path / "imported").exists()


def test_ctrl_c_is_said_once_and_ends_all(small_archive: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"archive: {{source: {small_archive}}}\ntrain: {{epochs: 100000, patience: 100000}}\n")
    command = ["env", "--default-signal=INT", Path(sys.executable).with_name("padflow"), "run", config]
    with (tmp_path / "said").open("w") as said:
        run = subprocess.Popen(command, cwd=tmp_path, stdout=said, stderr=said, start_new_session=True)
    while "train: " not in (tmp_path / "said").read_text():
        assert run.poll() is None
        time.sleep(0.1)
    family = psutil.Process(run.pid).children(recursive=True)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does
    assert run.wait(timeout=60) == 1
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
    assert (tmp_path / "said").read_text().splitlines()[-1].startswith("padflow: Interrupted.")
    assert "Traceback" not in (tmp_path / "said").read_text()


def test_a_worker_that_dies_again_and_again_comes_back_each_time() -> None:
    """Dask looks seconds after a death whether the worker is there, and gives it up where it is just starting."""
    with connect(ClusterConfig(workers=1, memory_limit="1GiB")) as workers:
        client = workers.client
        end, deaths = time.monotonic() + 20, 0
        while time.monotonic() < end:
            client.wait_for_workers(1, timeout=30)
            for pid in client.run(os.getpid, on_error="ignore").values():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                deaths += 1
            time.sleep(0.05)
        assert deaths > 3
        assert workers.map(operator.neg, [1]) == [-1]


def test_a_worker_that_died_while_it_joined_does_not_break_the_end_of_a_run() -> None:
    with connect(ClusterConfig(workers=1, memory_limit="1GiB")) as workers:
        workers.client.cluster._update_worker_status("remove", "tls://127.0.0.1:1")
        assert workers.map(operator.neg, [1]) == [-1]


def test_workers_have_one_thread_in_every_library(cluster: DaskWorkers) -> None:
    names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "ZARR_THREADING__MAX_WORKERS"]
    assert dict(cluster.each(os.getenv, names)) == dict.fromkeys(names, "1")


def test_work_that_stands_still_ends_the_run() -> None:
    with (
        pytest.raises(PadflowError, match=r"waited for 2 s \(cluster\.stall_seconds\).*1 workers.*go on from here"),
        connect(ClusterConfig(workers=1, memory_limit="1GiB", stall_seconds=2)) as workers,
    ):
        list(workers.each(time.sleep, [100.0]))


@contextmanager
def started(*arguments: str | Path, **environment: str) -> Iterator[subprocess.Popen]:
    """Run a program of Dask beside the test, quietly."""
    process = subprocess.Popen(
        [str(word) for word in arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


SCHEDULER = (sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0")
WORKER = ("-m", "distributed.cli.dask_worker", "--host", "127.0.0.1", "--nthreads", "1", "--death-timeout", "60")


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[Path]:
    """The scheduler file of a plain ``dask scheduler``."""
    file = tmp_path / "scheduler.json"
    with started(*SCHEDULER, "--dashboard-address", "127.0.0.1:0", "--scheduler-file", file):
        yield file


def joined(file: Path, **keys: object) -> ClusterConfig:
    values = {"memory_limit": "1GiB", "stall_seconds": 60, "scheduler": str(file)} | keys
    return ClusterConfig(kind="scheduler", **values)


def worker(file: Path, *options: str, python: str | Path = sys.executable, **environment: str):
    return started(python, *WORKER, "--scheduler-file", file, "--memory-limit", "1GiB", *options, **environment)


def test_a_cluster_that_somebody_else_started(
    scheduler: Path, tmp_path: Path, small_archive: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = tmp_path / "other"  # an environment of its own, at another path, with the same packages
    venv.create(other, symlinks=True)
    packages = next(other.glob("lib/python*/site-packages"))
    (packages / "same.pth").write_text(os.pathsep.join([*sys.path, ""]).replace(os.pathsep, "\n"))
    python = other / "bin" / "python"
    settings = [f"archive.source={small_archive}", "cluster.kind=scheduler", f"cluster.scheduler={scheduler}"]
    settings += ["cluster.workers=2", "cluster.memory_limit=1GiB", "archive.rows_per_part=1024"]
    with worker(scheduler, python=python), worker(scheduler, python=python):
        with connect(joined(scheduler, workers=2)) as workers:
            used = {result for _, result in workers.each(_executable_after_a_while(), range(12))}
            assert used == {str(python)}
        assert [line for line in caplog.messages if "has no TLS" in line]
        caplog.clear()
        with connect(joined(scheduler, workers=2, security="none")):
            assert not [line for line in caplog.messages if "TLS" in line]
        first = run(load_config(None, settings), tmp_path / "run", until="ingest")
        with connect(joined(scheduler, workers=2)) as workers:  # it is left as it was
            assert len(workers.client.nthreads()) == 2
    local = run(load_config(None, [*settings[:1], *settings[4:]]), tmp_path / "local", until="ingest")
    keys = [
        [receipt.files for _, _, receipt in receipts(path, Ingested)]
        for path in (first.plan.directory, local.plan.directory)
    ]
    assert keys[0] == keys[1]  # sizes and checksums of every file


def _executable_after_a_while() -> object:
    def executable(_: int) -> str:
        import sys
        import time

        time.sleep(0.2)
        return sys.executable

    executable.__module__ = "__main__"
    return executable


def test_workers_of_other_versions(scheduler: Path, tmp_path: Path) -> None:
    metadata = tmp_path / "site" / "numpy-1.2.3.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 1.2.3\n")
    path = os.pathsep.join([str(metadata.parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    with (
        worker(scheduler, PYTHONPATH=path),
        pytest.raises(PadflowError, match=r"Worker tcp://.*other versions.*numpy 1\.2\.3 there, \d.* here"),
        connect(joined(scheduler)),
    ):
        pass


def test_workers_with_too_little_memory(scheduler: Path) -> None:
    with (
        worker(scheduler, "--memory-limit", "600MiB"),
        pytest.raises(PadflowError, match=r"0\.59 GiB, less than cluster\.memory_limit \(1\.00 GiB\).*--memory-limit"),
        connect(joined(scheduler)),
    ):
        pass


def test_a_scheduler_without_workers(scheduler: Path) -> None:
    with (
        pytest.raises(PadflowError, match=r"0 of 3 workers.*cluster\.stall_seconds"),
        connect(joined(scheduler, workers=3, stall_seconds=2)),
    ):
        pass


def test_a_scheduler_that_dies(scheduler: Path) -> None:
    def kill_it_at_work() -> None:
        with worker(scheduler), connect(joined(scheduler)) as workers:
            pid = workers.client.run_on_scheduler(os.getpid)
            for number, _ in enumerate(workers.each(time.sleep, [0.05] * 1000)):
                if number == 5:
                    os.kill(pid, signal.SIGKILL)

    with pytest.raises(PadflowError, match=r"connection to the scheduler.*was lost.*go on from here"):
        kill_it_at_work()


def test_nobody_at_the_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cluster_module, "CONNECT_SECONDS", 2)
    monkeypatch.setattr(scheduler_file, "FILE_SECONDS", 1)
    began = time.monotonic()
    nobody = ClusterConfig(kind="scheduler", scheduler="tcp://127.0.0.1:9")
    with pytest.raises(PadflowError, match=r"Nobody answers at .* tcp://127\.0\.0\.1:9"), connect(nobody):
        pass
    nothing = joined(tmp_path / "none.json")
    with pytest.raises(PadflowError, match=r"no scheduler file came.*padflow scheduler"), connect(nothing):
        pass
    assert time.monotonic() - began < 20


def test_tls(tmp_path: Path) -> None:
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=padflow"]
    subprocess.run([*made, "-keyout", key, "-out", cert], check=True, capture_output=True)
    files = {"tls_ca_file": cert, "tls_cert": cert, "tls_key": key}
    with connect(ClusterConfig(workers=1, memory_limit="1GiB", **files)) as workers:
        assert workers.client.scheduler.address.startswith("tls://")
        assert list(workers.each(operator.neg, [3])) == [(3, -3)]
        assert all(address.startswith("tls://") for address in workers.client.nthreads())


@pytest.mark.skipif(importlib.util.find_spec("bokeh") is None, reason="needs bokeh")
def test_performance_report(tmp_path: Path) -> None:
    config = ClusterConfig(workers=1, memory_limit="1GiB", performance_report=True)
    with connect(config, tmp_path) as workers:
        assert list(workers.each(operator.neg, [3])) == [(3, -3)]
    assert (tmp_path / "report" / "performance.html").stat().st_size > 10_000
