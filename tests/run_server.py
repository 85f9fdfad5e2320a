# SPDX-License-Identifier: BSD-3-Clause
"""Runs padflow again and again, each time in a fork of one process: what it imports is imported once.

Started by test_faults.py; reads one JSON object a line from standard input, ``{"arguments": [...], "log": path,
"apart": bool}``, answers with the number of the driver's process, and with its exit status when it has ended.
The report's figures are left out, and training is replaced by a network of fixed random weights.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dask.array
import distributed
import numpy as np
from distributed.process import AsyncProcess

import padflow.pipeline.passes
import padflow.report.html
from padflow.autoencoder.network import Network
from padflow.cli.main import main as main_of_padflow
from padflow.clustering.kmeans import fit_kmeans
from padflow.compute.workers import ALLOWED_FAILURES, DaskWorkers
from padflow.pipeline import driver, trainer

for imported_late in ("cdflib", "dask_ml.cluster"):
    importlib.import_module(imported_late)

CACHED_PROPERTIES = [one for one in gc.get_objects() if isinstance(one, cached_property)]
TRAINING_SECONDS = 0.5


def free_locks() -> None:
    """Free what another thread held when a process was forked: until Python 3.12, cached properties have locks."""
    for one in CACHED_PROPERTIES:
        one.lock = threading.RLock()


def let_go() -> None:
    """Hold no connection of the process that was forked, and no pipe that tells its other children of its death.

    Else two workers keep each other from seeing that their driver died. A process that is spawned inherits neither.
    """
    nowhere = os.open(os.devnull, os.O_RDWR)
    pipes = [one._keep_child_alive for one in gc.get_objects() if type(one) is AsyncProcess]
    held = {pipe.fileno() for pipe in pipes if not pipe.closed}
    for path in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of the listing itself
            held |= {int(path.name)} if "socket:" in str(path.readlink()) else set()
    for handle in held:
        os.dup2(nowhere, handle)  # not closed: whatever holds the number may close it once more
    os.close(nowhere)


os.register_at_fork(after_in_child=let_go)
os.register_at_fork(after_in_child=free_locks)


def report_nothing(directory: Path, **_: object) -> Path:
    page = directory / "report" / "index.html"
    page.parent.mkdir(exist_ok=True)
    page.write_text("no figures in this test")
    return page


def train_nothing(readers: Any, preprocessor: Any, *, split: Any, config: Any, show_epoch: Any) -> tuple[Any, dict]:
    features = preprocessor.features
    random = np.random.default_rng(config.seed)
    shapes = ((features, 20), (20,), (20, features), (features,))
    network = Network(*(random.normal(0, 0.1, shape) for shape in shapes))
    time.sleep(TRAINING_SECONDS)
    info = {"rows": 1, "history": {"loss": [1.0], "val_loss": [1.0]}, "best_epoch": 0, "flags": {}, "epochs": 1}
    return type("Trained", (), {"network": network}), info


def save_nothing(trained: Any, folder: Path) -> None:
    padflow.store.durable.write_bytes(folder / "autoencoder.keras", b"no network in this test")


def forked(work: Any) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        work()
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(70)
    os._exit(0)


def serve_scheduler(file: Path) -> None:
    async def serve() -> None:
        async with distributed.Scheduler(host="127.0.0.1", port=0, dashboard=False) as scheduler:
            file.with_suffix(".new").write_text(scheduler.address)
            file.with_suffix(".new").rename(file)
            await scheduler.finished()

    asyncio.run(serve())


def serve_worker(address: str) -> None:
    async def serve() -> None:
        async with distributed.Worker(address, nthreads=1, dashboard=False, death_timeout=10) as worker:
            await worker.finished()

    asyncio.run(serve())


@contextmanager
def cluster_apart(config: Any, directory: Path) -> Iterator[DaskWorkers]:
    """A scheduler and workers that are processes of their own, as on the nodes of a batch system."""
    file = Path(os.environ["PADFLOW_TEST_SCHEDULER"])
    file.unlink(missing_ok=True)
    scheduler = forked(lambda: serve_scheduler(file))
    file.with_suffix(".pid").write_text(str(scheduler))
    while not file.exists():
        if os.waitpid(scheduler, os.WNOHANG)[0]:
            raise OSError("The scheduler has ended before it listened.")
        time.sleep(0.01)
    workers = [forked(lambda: serve_worker(file.read_text())) for _ in range(2)]
    try:
        with distributed.Client(file.read_text(), set_as_default=False) as client:
            client.wait_for_workers(2)
            yield DaskWorkers(client, threads=lambda: 2)
    finally:
        # Not SIGTERM: padflow's handler came along with the fork, and a worker that is closing may never end by it.
        for pid in (scheduler, *workers):
            os.kill(pid, 9)
            os.waitpid(pid, 0)


def run(order: dict[str, Any]) -> None:
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.update(order.get("environment", {}))
    settings = {
        "distributed.worker.multiprocessing-method": "fork",
        "distributed.scheduler.allowed-failures": ALLOWED_FAILURES,
        "distributed.comm.timeouts.connect": "5s",
    }
    dask.config.set(settings)
    padflow.report.html.write_report = report_nothing
    driver.Trainer = lambda: nullcontext(SimpleNamespace(train=trainer.fit_network))
    trainer.train_network, trainer._save_keras = train_nothing, save_nothing
    if order["apart"]:
        driver.connect = cluster_apart
    sys.argv = ["padflow", *order["arguments"]]
    status = 0
    try:
        main_of_padflow()
    except SystemExit as end:
        status = end.code or 0
    sys.stdout.flush()
    os._exit(status)


def compile_once() -> None:
    """Let k-means compile its loop here, and not in every worker."""
    scores = dask.array.from_array(np.random.default_rng(0).normal(size=(60, 3)), chunks=(30, 3))
    with dask.config.set(scheduler="synchronous"):
        fit_kmeans(scores, 3, init=np.eye(3), max_iter=2, tol=0.0, seed=0, init_rows=60)


def main() -> None:
    compile_once()
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if not pid:
            run(order)
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
