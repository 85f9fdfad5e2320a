# SPDX-License-Identifier: BSD-3-Clause
"""Who gets in: nobody without the certificate of the run, on any port; and nothing private is left to others."""

from __future__ import annotations

import json
import ssl
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from padflow.compute import scheduler_file
from padflow.compute.allocation import run_worker
from padflow.compute.cluster import connect
from padflow.compute.security import CERTIFICATE, KEY, new_certificate
from padflow.compute.settings import ENVIRONMENT, WORKER_SETTINGS
from padflow.compute.workers import warn_of_plain
from padflow.config.cluster import ClusterConfig
from padflow.errors import ConfigError, PadflowError

BY_CODE = {"comm", "client", "worker"}


def family(*processes: psutil.Process) -> set[psutil.Process]:
    return {p for parent in processes for p in [parent, *parent.children(recursive=True)]}


def listening(processes: set[psutil.Process]) -> list[str]:
    """Return every TCP port that these processes listen on, as HOST:PORT."""
    found = {c.laddr for p in processes for c in p.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
    return sorted(f"{address.ip}:{address.port}" for address in found)


def ways_in(ports: list[str]) -> dict[str, list[str]]:
    """Return by which ways another user gets in at each port."""
    command = [sys.executable, str(Path(__file__).parent.parent / "stranger.py"), *ports]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout)


@pytest.fixture
def training(small_archive: Path, tmp_path: Path) -> Iterator[psutil.Process]:
    """A run that trains for ever: driver with scheduler and nannies, workers, the process that trains."""
    config = tmp_path / "config.yaml"
    config.write_text(f"archive: {{source: {small_archive}}}\ntrain: {{epochs: 100000, patience: 100000}}\n")
    command = [Path(sys.executable).with_name("padflow"), "run", config, "--set", "cluster.workers=2"]
    with (tmp_path / "said").open("w") as said:
        run = subprocess.Popen(command, cwd=tmp_path, stdout=said, stderr=said)
    try:
        while "train: " not in (tmp_path / "said").read_text():
            assert run.poll() is None, (tmp_path / "said").read_text()
            time.sleep(0.1)
        yield psutil.Process(run.pid)
    finally:
        run.terminate()
        run.wait(60)


def test_nobody_else_gets_in_at_any_port_of_a_run(training: psutil.Process) -> None:
    ports = listening(family(training))
    assert len(ports) >= 5  # scheduler, two nannies, two workers
    assert ways_in(ports) == {port: [] for port in ports}
    assert training.is_running()


def test_without_tls_anybody_gets_in() -> None:
    """So what is tried above does get in where nothing keeps it out."""
    with connect(ClusterConfig(workers=1, memory_limit="1GiB", security="none")) as workers:
        found = ways_in(listening(family(psutil.Process())))
        scheduler = workers.client.scheduler.address.removeprefix("tcp://")
    assert len(found) == 3
    assert set(found[scheduler]) == BY_CODE
    assert all("comm" in ways for ways in found.values())


@pytest.fixture
def by_hand(tmp_path: Path) -> Iterator[tuple[Path, list[psutil.Process]]]:
    """A scheduler file, and the processes of a scheduler and a worker that are started as the batch scripts do."""
    config, file = tmp_path / "config.yaml", tmp_path / "scheduler.json"
    config.write_text("cluster: {memory_limit: 1GiB, interface: lo}\n")
    commands = [[sys.executable, "-m", "padflow", role, config, file] for role in ("scheduler", "worker")]
    processes = [subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) for command in commands]
    try:
        yield file, [psutil.Process(process.pid) for process in processes]
    finally:
        for process in processes:
            process.terminate()
            assert process.wait(60) == 0
    assert sorted(tmp_path.iterdir()) == [config]  # nothing is left


def test_a_cluster_started_by_hand_as_the_batch_scripts_do(by_hand: tuple[Path, list[psutil.Process]]) -> None:
    file, processes = by_hand
    config = ClusterConfig(kind="scheduler", scheduler=str(file), memory_limit="1GiB", stall_seconds=120)
    with connect(config) as workers:
        folder = Path(workers.map(_scratch, [None])[0][0])
        scratch = next(one for one in folder.parents if one.name.startswith("padflow-"))
        assert stat.S_IMODE(scratch.stat().st_mode) == 0o700
        private = file.with_name(".private-scheduler")
        assert {stat.S_IMODE(path.stat().st_mode) for path in (private, *private.glob("*.pem"))} == {0o700, 0o600}
        ports = listening(family(*processes))
        assert len(ports) == 3  # the scheduler's, the nanny's and the worker's: no page is shown
        assert ways_in(ports) == {port: [] for port in ports}


def test_a_worker_starts_with_what_padflow_has_measured(by_hand: tuple[Path, list[psutil.Process]]) -> None:
    file, (_, starter) = by_hand
    config = ClusterConfig(kind="scheduler", scheduler=str(file), memory_limit="1GiB", stall_seconds=120)
    with connect(config) as workers:
        (worker,) = workers.client.scheduler_info(n_workers=-1)["workers"].values()
        assert worker["memory_limit"] == 1 << 30
        assert worker["nthreads"] == 1
        settings = dict(workers.map(_setting, list(WORKER_SETTINGS)))
        assert settings == WORKER_SETTINGS
        (process,) = [one for one in starter.children() if "spawn_main" in " ".join(one.cmdline())]
        # What the C library and BLAS read is the environment that the process was started with.
        assert ENVIRONMENT.items() <= process.environ().items()


def _setting(name: str) -> tuple[str, object]:
    import dask

    return name, dask.config.get(name)


_setting.__module__ = "__main__"  # so that it travels by value


def test_a_worker_without_a_scheduler_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(scheduler_file, "FILE_SECONDS", 0.2)
    with pytest.raises(PadflowError, match=r"no scheduler file came.*padflow scheduler"):
        run_worker(ClusterConfig(), tmp_path / "scheduler.json")


def test_a_certificate_is_new_each_time_and_valid_where_clocks_differ(tmp_path: Path) -> None:
    first, second = new_certificate(), new_certificate()
    assert first[0] != second[0]
    path = tmp_path / "certificate.pem"
    path.write_text(first[0])
    told = ssl._ssl._test_decode_cert(str(path))
    valid = [ssl.cert_time_to_seconds(told[key]) - time.time() for key in ("notBefore", "notAfter")]
    assert valid[0] < -3600
    assert valid[1] > 300 * 86400


def test_without_cryptography_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(ConfigError, match="pip install cryptography"):
        new_certificate()


@pytest.mark.parametrize(
    ("address", "warned"), [("tcp://10.0.0.1:8786", True), ("tls://10.0.0.1:8786", False), ("inproc://a/1", False)]
)
def test_a_cluster_that_lets_anybody_in_is_said_in_one_line(
    address: str, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_plain(SimpleNamespace(scheduler=SimpleNamespace(address=address)))
    said = "".join(f"{line}\n" for line in caplog.messages)
    assert (said.count("\n"), "no TLS" in said, "docs/security.md" in said) == (warned, warned, warned)


def test_pages_need_bokeh_and_it_is_said_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("padflow.compute.cluster.importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr("padflow.compute.cluster.local_cluster", lambda _: pytest.fail("started"))
    for keys in ({"dashboard_address": "127.0.0.1:0"}, {"performance_report": True}):
        with (
            pytest.raises(ConfigError, match=rf"cluster\.{next(iter(keys))} needs bokeh: pip install bokeh,"),
            connect(ClusterConfig(workers=1, memory_limit="1GiB", **keys)),
        ):
            pass


def test_scratch_files_go_where_nobody_else_waits_for_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask's own folder has a fixed name below /tmp, and modules are imported from it."""
    tmp_path.chmod(0o1777)
    trap = tmp_path / "trap"
    trap.mkdir()
    (tmp_path / "dask-scratch-space").symlink_to(trap)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with connect(ClusterConfig(workers=1, memory_limit="1GiB")) as workers:
        ((folder, path),) = workers.map(_scratch, [None])
        modules = {*path, *sys.path}
        assert folder.startswith(str(tmp_path / "padflow-"))
        (own,) = tmp_path.glob("padflow-*")
        assert stat.S_IMODE(own.stat().st_mode) == 0o700
    assert not [one for one in modules if Path(one).resolve().is_relative_to(trap)]
    assert list(trap.iterdir()) == []
    assert list(tmp_path.glob("padflow-*")) == []


def _scratch(_: None) -> tuple[str, list[str]]:
    import sys

    from distributed import get_worker

    return get_worker().local_directory, sys.path


_scratch.__module__ = "__main__"  # so that it travels by value


def test_submit_shows_where_the_certificate_will_be(padflow: Callable, tmp_path: Path) -> None:
    script = Path(__file__).parent.parent.parent / "scripts" / "slurm" / "workers_as_jobs.yaml"
    shown = padflow("submit", script, "--dry-run", "--workdir", tmp_path, "--set", "cluster.interface=lo").out
    folder = tmp_path / ".private"
    for words in (
        f"--tls-ca-file {folder / CERTIFICATE} --tls-cert {folder / CERTIFICATE} --tls-key {folder / KEY}",
        "--protocol tls://",
        f"--local-directory {folder}",
        "--worker-class padflow.compute.servers.Worker",
    ):
        assert words in shown
    assert not folder.exists()
