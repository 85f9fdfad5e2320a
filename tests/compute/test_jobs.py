# SPDX-License-Identifier: BSD-3-Clause
"""The jobs of every queueing system, and what is refused before any is submitted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dask
import pytest

from padflow.compute import jobs
from padflow.compute.jobs import CLASSES, driver_job, job_arguments, job_cluster, walltime_text, worker_script
from padflow.config.cluster import ClusterConfig
from padflow.config.reading import load_config
from padflow.errors import ConfigError

REPOSITORY = Path(__file__).resolve().parent.parent.parent
BATCH = sorted(path for kind in ("slurm", "pbs", "sge") for path in (REPOSITORY / "scripts" / kind).iterdir())


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        ("slurm", ["#SBATCH -p fast", "#SBATCH -A me", "#SBATCH -t 01:30:00", "#SBATCH --mem=3G", "#SBATCH -n 1"]),
        ("pbs", ["#PBS -q fast", "#PBS -A me", "#PBS -l walltime=01:30:00", "#PBS -l select=1:ncpus=1:mem=2304MB"]),
        ("sge", ["#$ -q fast", "#$ -P me", "#$ -l h_rt=01:30:00"]),
        ("lsf", ["#BSUB -q fast", '#BSUB -P "me"', "#BSUB -W 01:30", "#BSUB -n 1"]),
    ],
)
def test_worker_job(kind: str, lines: list[str], tmp_path: Path, config) -> None:
    script = worker_script(config(kind, queue="fast", account="me", prologue=["module load gcc"]), tmp_path)
    for line in [*lines, "module load gcc", "export OMP_NUM_THREADS=1"]:
        assert line in script.splitlines()
    (command,) = [line for line in script.splitlines() if "dask_worker" in line]
    # Nine tenths of the walltime, and half a tenth either way: the worker ends before its job.
    assert "--lifetime 4860s --lifetime-stagger 270s" in command
    assert "--nthreads 1" in command
    assert command.rindex(f"--memory-limit {2 << 30}") == command.rindex("--memory-limit")
    assert "--interface lo" in command
    assert "--worker-class padflow.compute.servers.Worker" in command  # which opens no HTTP port
    assert str(tmp_path / "logs") in script


def test_htcondor_has_neither_queue_nor_account(tmp_path: Path, config) -> None:
    script = worker_script(config("htcondor", options={"disk": "1GB"}), tmp_path)
    assert "export OMP_NUM_THREADS=1; " in script
    assert "MY.DaskWorkerMemory = 2415919104" in script
    with pytest.raises(ConfigError, match=r"cluster\.queue = fast: HTCondor"):
        worker_script(config("htcondor", queue="fast", options={"disk": "1GB"}), tmp_path)


def test_dask_jobqueue_yaml_is_honoured(tmp_path: Path, config) -> None:
    elsewhere = {
        "jobqueue.slurm.queue": "theirs",
        "jobqueue.slurm.walltime": "1-00:00:00",
        "jobqueue.slurm.interface": "lo",
        "jobqueue.slurm.job-script-prologue": ["module load theirs"],
        "jobqueue.slurm.worker-extra-args": ["--resources", "A=1"],
        "jobqueue.slurm.log-directory": str(tmp_path / "theirs"),
    }
    with dask.config.set(elsewhere):
        script = worker_script(config(interface=None, walltime=None, prologue=["module load mine"]), tmp_path)
        own = worker_script(config(queue="mine"), tmp_path)
    for text in ("#SBATCH -p theirs", "#SBATCH -t 1-00:00:00", "--lifetime 77760s", "--resources A=1", "/theirs/"):
        assert text in script
    assert script.index("module load theirs") < script.index("module load mine") < script.index("dask_worker")
    assert "#SBATCH -p mine" in own


def test_a_driver_trains_with_the_cores_of_its_job(tmp_path: Path, config) -> None:
    command = ["run", "my conf.yaml", "--workdir", "x"]
    keys = {"driver_cores": 8, "driver_memory": "6GiB", "driver_walltime": "8h"}
    job = driver_job(config(**keys), command, directory=tmp_path)
    script = job.job_script()
    for line in ("#SBATCH --cpus-per-task=8", "#SBATCH --mem=6G", "#SBATCH -t 08:00:00", "#SBATCH -J padflow"):
        assert line in script.splitlines()
    assert script.splitlines()[-1].endswith("-m padflow run 'my conf.yaml' --workdir x")
    assert "OMP_NUM_THREADS" not in script


def test_what_workers_take_does_not_reach_the_driver(tmp_path: Path, config) -> None:
    workers = {"job_extra_directives": ["--gres=tmp:50"], "job_cpu": 4, "python": "/site/python"}
    keys = {
        "prologue": ["module load gcc"],
        "queue": "fast",
        "driver_options": {"job_extra_directives": ["--qos=long"]},
    }
    elsewhere = {"jobqueue.slurm.job-extra-directives": ["--exclusive"], "jobqueue.slurm.job-mem": "90GB"}
    with dask.config.set(elsewhere):
        mine = config(options=workers, **keys)
        driver = driver_job(mine, ["run"], directory=tmp_path).job_script().splitlines()
        worker = worker_script(mine, tmp_path).splitlines()
    for line in ("#SBATCH -p fast", "#SBATCH --cpus-per-task=2", "#SBATCH --mem=4G", "#SBATCH --qos=long"):
        assert line in driver
    for line in ("#SBATCH --gres=tmp:50", "#SBATCH --exclusive", "#SBATCH --mem=90GB", "#SBATCH --cpus-per-task=4"):
        assert line not in driver
    assert driver[-1] == "/site/python -m padflow run"
    assert "module load gcc" in driver
    for line in ("#SBATCH --gres=tmp:50", "#SBATCH --mem=90GB", "#SBATCH --cpus-per-task=4", "module load gcc"):
        assert line in worker
    assert "#SBATCH --qos=long" not in worker
    sge = config("sge", options={"resource_spec": "h_vmem=3G"}, driver_options={"resource_spec": "h_vmem=9G"})
    assert "#$ -l h_vmem=3G" in worker_script(sge, tmp_path)
    assert "#$ -l h_vmem=9G" in driver_job(sge, ["run"], directory=tmp_path).job_script()


def test_lines_before_the_start_are_written_in_one_place() -> None:
    for key in ("options", "driver_options"):
        with pytest.raises(ValueError, match=r"job_script_prologue into cluster\.prologue"):
            ClusterConfig(kind="slurm", workers=1, **{key: {"job_script_prologue": ["module load gcc"]}})


def test_an_interface_has_to_be_named_and_to_be_where_the_driver_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, config
) -> None:
    with pytest.raises(ConfigError, match=r"cluster\.interface is not set.*lo"):
        job_arguments(config(interface=None), None)
    # A login node need not have the network of the nodes on which the jobs run.
    assert "--interface ib7" in worker_script(config(interface="ib7"), tmp_path)
    assert driver_job(config(interface="ib7"), ["run"], directory=tmp_path).job_script()
    monkeypatch.setattr(jobs, "_check_commands", lambda _: None)
    absent = r"cluster\.interface = ib7 is not on this machine; there are .*lo"
    with pytest.raises(ConfigError, match=absent), job_cluster(config(interface="ib7"), tmp_path, []):
        pass


def test_a_machine_without_the_queueing_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, config) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"no sbatch and no scancel.*cluster\.kind"), job_cluster(config(), None, []):
        pass


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("00:30", 1800), ("01:30:00", 5400), ("2-12:00:00", 216000), ("8h", 28800), (90, 90), ("2min", 120)],
)
def test_walltimes(text: object, seconds: float, config) -> None:
    assert config(walltime=text).walltime == seconds
    assert walltime_text("slurm", 90061) == "25:01:01"
    assert walltime_text("lsf", 90061) == "25:01"


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("cluster: {kind: scheduler, scheduler: s.json, tls_ca_file: a, tls_cert: b, tls_key: /c}")
    cluster = load_config(path).cluster
    assert cluster.scheduler == str(tmp_path / "s.json")
    assert (cluster.tls_ca_file, cluster.tls_cert, cluster.tls_key) == (tmp_path / "a", tmp_path / "b", Path("/c"))
    path.write_text("cluster: {kind: scheduler, scheduler: 'tls://10.0.0.1:8786'}")
    assert load_config(path).cluster.scheduler == "tls://10.0.0.1:8786"


def test_submit_prints_the_jobs(padflow: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script = REPOSITORY / "scripts" / "slurm" / "workers_as_jobs.yaml"
    ended = padflow("submit", script, "--dry-run", "--set", "cluster.interface=lo", "--set", "train.epochs=3")
    assert ended.status == 0, ended.err
    assert f"-m padflow run {script} --workdir {tmp_path}/workers_as_jobs-run --set" in ended.out
    assert "--set train.epochs=3" in ended.out
    assert ended.out.count("#SBATCH -A my_account") == 2
    assert "dask_worker SCHEDULER-ADDRESS" in ended.out
    assert "--allow-removal" not in ended.out
    ended = padflow("submit", script, "--dry-run", "--set", "cluster.interface=lo", "--allow-removal", 12)
    assert f"-m padflow run {script} --workdir {tmp_path}/workers_as_jobs-run --set" in ended.out
    assert ended.out.count("--allow-removal 12") == 1  # of the driver alone
    refused = padflow("submit", REPOSITORY / "configs" / "recommended.yaml")
    assert (refused.status, "cluster.kind = local" in refused.err) == (2, True)


def assert_only_the_header_differs(path: Path) -> None:
    """What follows the header is the same for each queueing system, and knows nothing of what a worker needs."""
    bodies = set()
    for one in BATCH:
        if one.stem == path.stem and one.suffix != ".yaml":
            _, mark, body = one.read_text().partition("# ---- the rest is the same for each queueing system\n")
            assert mark
            bodies.add(body)
    assert len(bodies) == 1
    for name in ("MALLOC", "NUM_THREADS", "memory_limit", "--memory-limit", "dask "):
        assert name not in path.read_text()


@pytest.mark.parametrize("path", BATCH, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_batch_scripts_and_their_configurations(path: Path, tmp_path: Path) -> None:
    if path.suffix != ".yaml":
        assert_only_the_header_differs(path)
        subprocess.run(["bash", "-n", path], check=True)
        named = f"scripts/{path.parent.name}/{path.name}"
        assert named in path.read_text()
        # Queueing systems read their directives up to the first command only.
        lines = [line for line in path.read_text().splitlines() if line]
        command = next(number for number, line in enumerate(lines) if not line.startswith("#"))
        mark = {"slurm": "#SBATCH ", "pbs": "#PBS ", "sge": "#$ "}[path.parent.name]
        assert sum(line.startswith(mark) for line in lines[:command]) >= 4
        assert not [line for line in lines[command:] if line.startswith(mark)]
        return
    loaded = load_config(path, ["cluster.interface=lo"])
    recommended = load_config(REPOSITORY / "configs" / "recommended.yaml")
    for section in ("preprocess", "train", "pca", "mean_shift", "kmeans"):
        assert getattr(loaded, section) == getattr(recommended, section)
    assert loaded.cluster.kind == ("scheduler" if path.stem == "one_allocation" else path.parent.name)
    if loaded.cluster.by_jobs:
        assert worker_script(loaded.cluster, tmp_path)


def test_ctrl_c_stays_as_it_was(tmp_path: Path) -> None:
    code = (
        "import signal, sys, pathlib; before = signal.getsignal(2); from padflow.compute import jobs; "
        "from padflow.config.cluster import ClusterConfig; "
        "config = ClusterConfig(kind='slurm', workers=1, interface='lo'); "
        "jobs.worker_script(config, pathlib.Path(sys.argv[1])); "
        "assert 'dask_jobqueue' in sys.modules; sys.exit(signal.getsignal(2) is not before)"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path], check=False).returncode == 0


def test_every_kind_of_job_is_known() -> None:
    kinds = set(ClusterConfig.model_fields["kind"].annotation.__args__)
    assert kinds == {*CLASSES, "local", "scheduler"}


def test_htcondor_without_disk_is_told_what_it_needs(tmp_path: Path, config) -> None:
    with pytest.raises(ConfigError, match=r"cluster\.options has no disk.*\{disk: 1GB\}"):
        worker_script(config("htcondor"), tmp_path)
