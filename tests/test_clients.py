"""The cluster: bounded, on loopback only, with errors that reach the user, and gone at the end."""

from __future__ import annotations

import math
import operator
import os
import time
from collections.abc import Iterator

import psutil
import pytest

from padflow import clients
from padflow.clients import AHEAD, DaskWorkers, SerialWorkers, Workers, choose_workers, connect, peak_memory_bytes
from padflow.config import ClusterConfig
from padflow.errors import ConfigError, PadflowError

GIB = 1 << 30


@pytest.fixture(scope="module")
def cluster() -> Iterator[DaskWorkers]:
    with connect(ClusterConfig(workers=2, memory_limit="1GiB")) as workers:
        yield workers


@pytest.fixture(params=["serial", "dask"])
def workers(request: pytest.FixtureRequest) -> Workers:
    return SerialWorkers() if request.param == "serial" else request.getfixturevalue("cluster")


# Functions are those of the standard library: workers cannot import a module of tests.


def test_map_keeps_the_order(workers: Workers) -> None:
    assert workers.map(math.sqrt, [number**2 for number in range(50)]) == list(range(50))
    assert workers.map(math.sqrt, []) == []


def test_each_gives_every_item_its_result(workers: Workers) -> None:
    found = dict(workers.each(operator.neg, iter(range(40))))
    assert found == {number: -number for number in range(40)}


def test_an_error_of_the_work_comes_out_as_it_is(workers: Workers) -> None:
    with pytest.raises(ValueError, match=r"math domain error|expected a nonnegative"):
        workers.map(math.sqrt, [1, 4, -1, 9])
    assert workers.map(math.sqrt, [4]) == [2]  # and what comes after it works


def test_collections_compute(workers: Workers) -> None:
    import dask.array as da

    with workers.collections():
        assert da.ones(1000, chunks=100).sum().compute() == 1000


def test_items_are_taken_as_the_work_proceeds(cluster: DaskWorkers) -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(100):
            taken += 1
            yield number

    for done, _ in enumerate(cluster.each(operator.neg, items())):
        assert taken <= done + 1 + 2 * AHEAD
    assert taken == 100


def test_work_is_shared_and_not_done_here(cluster: DaskWorkers) -> None:
    processes = {result for _, result in cluster.each(_pid_after_a_while(), range(20))}
    assert len(processes) == 2
    assert os.getpid() not in processes


def _pid_after_a_while() -> object:
    def pid(_: int) -> int:
        time.sleep(0.05)
        return os.getpid()

    pid.__module__ = "__main__"  # so that it travels by value
    return pid


def test_workers_keep_the_memory_of_blocks_and_one_blas_thread(cluster: DaskWorkers) -> None:
    # glibc takes the settings from the environment that a process starts with.
    names = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "OMP_NUM_THREADS")
    for process in cluster.map(_pid_after_a_while(), range(10)):
        environment = psutil.Process(process).environ()
        assert [environment[name] for name in names] == [str(64 << 20), str(16 << 20), "1"]


def test_what_is_left_is_cancelled_where_the_caller_stops(cluster: DaskWorkers) -> None:
    for _ in cluster.each(time.sleep, [0.0, *[30.0] * 5]):
        break
    began = time.monotonic()
    end = began + 20
    while cluster.client.processing() and any(cluster.client.processing().values()) and time.monotonic() < end:
        time.sleep(0.1)
    running = [key for keys in cluster.client.processing().values() for key in keys]
    assert len(running) <= 2  # those that had begun; Dask does not stop a thread


def test_servers_listen_on_loopback_only(cluster: DaskWorkers) -> None:
    me = psutil.Process()
    family = [me, *me.children(recursive=True)]
    listening = [c.laddr.ip for p in family for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert listening
    assert set(listening) == {"127.0.0.1"}


def test_workers_that_die_are_explained_and_all_are_gone_at_the_end() -> None:
    before = set(psutil.Process().children(recursive=True))
    with (
        connect(ClusterConfig(workers=1, memory_limit="1GiB")) as workers,
        pytest.raises(PadflowError, match=r"(?s)Workers died 3 times on 7.*cluster\.memory_limit.*rows_per_part"),
    ):
        list(workers.each(os._exit, [7]))
    left = set(psutil.Process().children(recursive=True)) - before
    _, alive = psutil.wait_procs([p for p in left if "resource_tracker" not in " ".join(p.cmdline())], timeout=5)
    assert alive == []


@pytest.mark.parametrize(
    ("configured", "memory", "cores", "expected"),
    [
        (None, 64 * GIB, 4, 4),
        (None, 6 * GIB, 4, 2),
        (None, 1 * GIB, 4, None),
        (3, 8 * GIB, 2, 3),
        (4, 8 * GIB, 8, None),
    ],
)
def test_number_of_workers_fits_memory(
    configured: int | None, memory: int, cores: int, expected: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "machine_memory_bytes", lambda: memory)
    monkeypatch.setattr(clients, "CPU_COUNT", cores)
    config = ClusterConfig(workers=configured, memory_limit="2GiB")
    if expected is None:
        with pytest.raises(ConfigError, match=r"cluster\.workers or cluster\.memory_limit"):
            choose_workers(config)
    else:
        assert choose_workers(config) == expected


def test_peak_memory_is_in_bytes() -> None:
    resident = psutil.Process().memory_info().rss
    assert 0.5 * resident < peak_memory_bytes() < 100 * resident
