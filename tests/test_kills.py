# SPDX-License-Identifier: BSD-3-Clause
"""`kill -9` of drivers, schedulers and workers at random moments: the rerun ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from padflow import open_results
from padflow.faults import VARIABLE, Fault, FaultPlan, invocations
from padflow.pipeline.status import status
from padflow.pipeline.verify import verify
from padflow.records import Reason
from padflow.simulation.archive import simulate_archive
from padflow.store.durable import read_json, sha256_of

HERE = Path(__file__).resolve().parent
SETTINGS = (
    "archive.rows_per_part=1024",
    "preprocess.min_counts=50",
    "pca.components=3",
    "mean_shift.samples=300",
    "mean_shift.repeats=1",
    "kmeans.classes=3",
    "kmeans.starts=1",
    "kmeans.max_iter=3",
    "kmeans.silhouette_samples=0",
    "cluster.workers=2",
    "cluster.memory_limit=1GiB",
)
TARGETS = ("driver", "scheduler", "worker")
STAGES = ("start", "scan", "ingest", "train", "pca", "score", "mean shift", "kmeans", "label", "summary", "report")
KILLS, KILLS_IN_CI = 100, 15
PARTS = ("ingest", "moments", "score", "label", "summary")
PATIENCE_SECONDS = 180


class Server:
    """Speaks with run_server.py."""

    def __init__(self, folder: Path):
        self.folder = folder
        command = [sys.executable, str(HERE / "run_server.py")]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PADFLOW_TEST_SCHEDULER": str(folder / "scheduler")}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self.process.stdout.readline() == "ready\n"

    def start(self, arguments: list[str], log: Path, *, plan: Path, apart: bool = False) -> int:
        order = {"arguments": arguments, "log": str(log), "apart": apart, "environment": {VARIABLE: str(plan)}}
        print(json.dumps(order), file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())

    def status(self) -> int:
        """Wait until the driver has ended."""
        assert select.select([self.process.stdout], [], [], 2 * PATIENCE_SECONDS)[0], "the run hangs"
        return int(self.process.stdout.readline())

    def scheduler(self) -> int:
        return int((self.folder / "scheduler.pid").read_text())


@dataclass(frozen=True)
class Undisturbed:
    """What a run comes to, and how long its stages take."""

    archive: Path
    files: dict[str, bytes]
    seconds: dict[str, float]
    calls: dict[tuple[str, str], int]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    server.process.stdin.close()
    server.process.wait(timeout=PATIENCE_SECONDS)
    server.process.stdout.close()


def arguments(archive: Path, directory: Path) -> list[str]:
    settings = [word for setting in (*SETTINGS, f"archive.source={archive}") for word in ("--set", setting)]
    config = HERE.parent / "configs" / "recommended.yaml"
    return ["run", str(config), "--workdir", str(directory), *settings]


def counting(folder: Path) -> Path:
    """Return a plan without faults: it counts."""
    plan = folder / "plan.json"
    plan.write_text(FaultPlan(counts=folder / "counts").model_dump_json())
    return plan


def result(directory: Path) -> dict[str, bytes]:
    """Return the arrays of a run, as bytes, metadata of the stores and the model's arrays included."""
    paths = [p for store in ("archive.zarr", "results.zarr") for p in (directory / store).rglob("*") if p.is_file()]
    return {str(p.relative_to(directory)): p.read_bytes() for p in [*paths, directory / "model" / "arrays.npz"]}


@pytest.fixture(scope="module")
def undisturbed(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    archive, directory, log = folder / "cdf", folder / "run", folder / "log"
    simulate_archive(archive, days=4, records_per_day=700)
    server.start(arguments(archive, directory), log, plan=counting(folder))
    assert server.status() == 0, log.read_text()
    stages = read_json(directory / "run.json")["stages"]
    seconds = {stage: stages.get(stage, {}).get("seconds", 0.05) for stage in STAGES} | {"start": 1.0}
    calls = {key: n for key, n in invocations(folder / "counts").items() if key[0] in PARTS and key[1]}
    assert set(calls.values()) == {1}
    assert len(calls) == 3 * len(PARTS)
    return Undisturbed(archive, result(directory), seconds, calls)


def wait_for(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE_SECONDS
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.002)
    return found


def receipts(directory: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the receipts of parts that are whole."""
    found = {}
    for path in (directory / "receipts").glob("*/*/*.json"):
        receipt = read_json(path) or {}
        files = receipt.get("files", {})
        try:
            contents = {name: (directory / name).read_bytes() for name in files}
        except FileNotFoundError:
            continue
        if files and all([len(contents[name]), sha256_of(contents[name])] == files[name] for name in files):
            found[path.parent.parent.name, f"{path.parent.name}/{int(path.stem)}"] = files
    return found


def places(directory: Path, whole: dict[tuple[str, str], dict[str, Any]]) -> dict[str, tuple[int, int]]:
    """Return inode and time of change of the files that stay to the end."""
    names = [n for (stage, _), files in whole.items() if stage in ("ingest", "score", "label") for n in files]
    stats = {name: (directory / name).stat() for name in names}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in stats.items()}


def family_of(pid: int) -> list[psutil.Process]:
    try:
        found = psutil.Process(pid).children(recursive=True)
        return [process for process in found if "resource_tracker" not in " ".join(process.cmdline())]
    except psutil.NoSuchProcess:
        return []


def kill(target: str, pid: int, server: Server, random: np.random.Generator) -> bool:
    """Kill the target; return whether it was alive."""
    victims = {"driver": lambda: [pid], "scheduler": lambda: [server.scheduler()]}
    workers = [process.pid for process in family_of(pid)]
    chosen = victims[target]() if target in victims else [int(random.choice(workers))] if workers else []
    try:
        for victim in chosen:
            os.kill(victim, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return bool(chosen)


def moments() -> list[tuple[str, str]]:
    """Return who is killed in which stage: each pair about equally often, in an order that is always the same."""
    pairs = list(product(TARGETS, STAGES))
    random = np.random.default_rng(5)
    order = [pair for _ in range(KILLS // len(pairs) + 1) for pair in random.permutation(len(pairs))]
    return [pairs[place] for place in order[:KILLS]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "number" in metafunc.fixturenames:
        count = KILLS if metafunc.config.getoption("--all-kills") else KILLS_IN_CI
        names = ["-".join(pair).replace(" ", "") for pair in moments()[:count]]
        metafunc.parametrize("number", range(count), ids=[f"{n}-{name}" for n, name in enumerate(names)])


def test_a_kill_at_any_moment_costs_nothing_that_was_whole(
    number: int, server: Server, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    target, stage = moments()[number]
    random = np.random.default_rng([7, number])
    directory, log, plan = tmp_path / "run", tmp_path / "log", counting(tmp_path)
    words = arguments(undisturbed.archive, directory)
    pid = server.start(words, log, plan=plan, apart=target == "scheduler")

    def reached() -> bool:
        return stage == "start" or re.search(rf"^{stage}: ", log.read_text() if log.exists() else "", re.M) is not None

    wait_for(lambda: reached() or not psutil.pid_exists(pid))
    if stage == "start" and target == "scheduler":
        wait_for(lambda: (server.folder / "scheduler").exists())
    time.sleep(random.uniform(0, undisturbed.seconds[stage]))
    family = family_of(pid)
    before = receipts(directory)
    hit = kill(target, pid, server, random)
    if target == "worker" and stage != "start":  # the run goes on without it; Dask needs it only while it starts
        assert server.status() == 0, log.read_text()[-3000:]
    else:
        ended = server.status()
        assert ended in ((-9, 0) if target == "driver" else (0, 1)), log.read_text()[-3000:]
        _, alive = psutil.wait_procs(family, timeout=30)
        assert alive == []  # no worker outlives its driver and writes on
        before = receipts(directory)
    stood, calls = places(directory, before), invocations(tmp_path / "counts")
    calls |= dict.fromkeys(before, 1)  # once, also where the run went on
    server.start(words, tmp_path / "again", plan=plan)
    assert server.status() == 0, (tmp_path / "again").read_text()[-3000:]

    assert result(directory) == undisturbed.files
    after = invocations(tmp_path / "counts")
    assert {part: after[part] for part in before} == {part: calls[part] for part in before}
    assert places(directory, before) == stood
    assert {key: n for key, n in after.items() if key[0] in PARTS and key[1]}.keys() == undisturbed.calls.keys()
    assert verify(directory).problems == []
    assert not list(directory.rglob("*.partial"))
    print(f"{target} in {stage}: {'killed' if hit else 'had ended'}, {len(before)} parts whole")


def test_what_workers_die_of_is_set_aside_and_nothing_else(
    server: Server, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """A file and a part that end every process that touches them; then they do not any more."""
    victim = sorted(path.name for path in undisturbed.archive.rglob("*.cdf"))[-1]
    faults = (
        Fault(action="kill", stage="read", part=f"*{victim}"),
        Fault(action="kill", stage="score", part="rbspa/1"),
    )
    plan = tmp_path / "plan.json"
    plan.write_text(FaultPlan(counts=tmp_path / "counts", faults=faults).model_dump_json())
    directory, log = tmp_path / "run", tmp_path / "log"
    server.start(arguments(undisturbed.archive, directory), log, plan=plan)
    assert server.status() == 3, log.read_text()[-3000:]
    said = log.read_text()
    assert re.search(rf"set aside \(kills_workers\): .*{victim}: 3 workers died of it", said)
    assert "set aside in score: part 1 of rbspa (records 1024 to " in said
    facts = status(directory)
    assert facts["files"] == {"used": 3, "set_aside": 1}
    assert len(facts["parts_set_aside"]) == 1
    results = open_results(directory).load()
    reasons = results["reason"].values
    assert (reasons[1024:2048] == Reason.SET_ASIDE).all()
    assert Reason.SET_ASIDE not in reasons[:1024]
    assert Reason.NOT_PROCESSED not in reasons
    first_day = np.unique(results["time"].values.astype("datetime64[D]"))
    assert len(first_day) == 3  # the day of the file is lost, and no other

    server.start(arguments(undisturbed.archive, directory), log, plan=counting(tmp_path))
    assert server.status() == 3  # the file is left alone until it changes
    assert Reason.SET_ASIDE not in open_results(directory)["reason"].values
    assert status(directory)["parts_set_aside"] == []
    problems = verify(directory).problems
    assert problems == []
