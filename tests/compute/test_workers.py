# SPDX-License-Identifier: BSD-3-Clause
"""Work handed to this process or to a cluster: bounded, in order, with errors that reach the user."""

from __future__ import annotations

import math
import operator
import os
import signal
import time
from collections import Counter

import distributed
import numpy as np
import psutil
import pytest
from distributed import Client, LocalCluster
from hypothesis import given
from hypothesis import strategies as st

from padflow.compute.workers import (
    AHEAD,
    MOST_TOGETHER,
    TASK_SECONDS,
    DaskWorkers,
    SerialWorkers,
    Workers,
    items_together,
    peak_memory_bytes,
)
from padflow.errors import PadflowError


@pytest.fixture(params=["serial", "dask"])
def workers(request: pytest.FixtureRequest) -> Workers:
    return SerialWorkers() if request.param == "serial" else request.getfixturevalue("cluster")


# Functions are those of the standard library: workers cannot import a module of tests.


def test_map_keeps_the_order(workers: Workers) -> None:
    assert workers.map(math.sqrt, [number**2 for number in range(50)]) == list(range(50))
    assert workers.map(math.sqrt, []) == []


def test_map_says_when_each_is_done(workers: Workers) -> None:
    done: list[int] = []
    assert workers.map(abs, range(-6, 0), on_done=lambda: done.append(len(done))) == [6, 5, 4, 3, 2, 1]
    assert done == [0, 1, 2, 3, 4, 5]


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


def test_few_tasks_are_with_the_scheduler_at_a_time(cluster: DaskWorkers) -> None:
    there = [len(cluster.client.futures) for _ in cluster.each(operator.neg, range(300))]
    assert len(there) == 300
    assert max(there) < 3 * AHEAD  # those of a batch just done among them


def test_quick_items_share_tasks(cluster: DaskWorkers) -> None:
    tasks = Counter(result for _, result in cluster.each(_task_after(0.0), range(200)))
    assert len(tasks) < 100
    assert max(tasks.values()) == MOST_TOGETHER


def test_slow_items_are_tasks_of_their_own(cluster: DaskWorkers) -> None:
    tasks = Counter(result for _, result in cluster.each(_task_after(0.3), range(20)))
    assert set(tasks.values()) == {1}


def _task_after(seconds: float) -> object:
    def task(_: int) -> str:
        time.sleep(seconds)
        return distributed.get_worker().get_current_task()

    task.__module__ = "__main__"  # so that it travels by value
    return task


@given(st.integers(1, 5000), st.integers(1, 200), st.floats(0, 10), st.integers(0, 2**32))
def test_threads_end_together(items: int, threads: int, seconds_each: float, seed: int) -> None:
    """Where one item takes at most twice as long as another, no thread waits longer than for one item."""
    left, busy = items, [0.0] * threads
    lengths = np.random.default_rng(seed)
    while left:
        together = items_together(left, threads=threads, seconds_each=seconds_each)
        assert 1 <= together <= min(left, MOST_TOGETHER)
        assert together == 1 or together * seconds_each <= TASK_SECONDS
        thread = busy.index(min(busy))
        busy[thread] += lengths.uniform(1, 2, together).sum()
        left -= together
    assert max(busy) - min(busy) <= 2


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


def _resident_after_use() -> object:
    def resident(megabytes: int) -> int:
        pieces = [bytes(1 << 20) for _ in range(megabytes)]  # glibc keeps pieces of this size when they are freed
        del pieces
        return psutil.Process().memory_info().rss

    resident.__module__ = "__main__"  # so that it travels by value
    return resident


def test_workers_that_rest_give_memory_back(cluster: DaskWorkers) -> None:
    kept = max(cluster.map(_resident_after_use(), [50] * 4))
    cluster.rest()
    assert max(cluster.map(_resident_after_use(), [0] * 4)) < kept - (30 << 20)


def test_what_is_left_is_cancelled_where_the_caller_stops(cluster: DaskWorkers) -> None:
    for _ in cluster.each(time.sleep, [0.0, *[30.0] * 5]):
        break
    began = time.monotonic()
    end = began + 20
    while cluster.client.processing() and any(cluster.client.processing().values()) and time.monotonic() < end:
        time.sleep(0.1)
    running = [key for keys in cluster.client.processing().values() for key in keys]
    assert len(running) <= 2  # those that had begun; Dask does not stop a thread


def test_there_may_be_fewer_threads_than_a_moment_ago(cluster: DaskWorkers) -> None:
    threads = iter([10, 3, 0, 7])
    shrinking = DaskWorkers(cluster.client, threads=lambda: next(threads, 0))
    assert shrinking.map(operator.neg, range(100)) == [-number for number in range(100)]


def test_what_workers_die_of_is_named(cluster: DaskWorkers) -> None:
    with pytest.raises(PadflowError, match=r"Workers died on 17, "):
        cluster.map(os._exit, [17])


def test_lost_data_are_not_a_lost_scheduler(cluster) -> None:
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address=None)
    with cluster, Client(cluster, set_as_default=False) as client:
        data = client.scatter(1.0, hash=False)
        (process,) = client.run(os.getpid).values()
        os.kill(process, signal.SIGKILL)
        with pytest.raises(PadflowError, match="lost what it was given"):
            DaskWorkers(client, threads=lambda: 1).map(sum, [[data]])


def test_peak_memory_is_in_bytes() -> None:
    resident = psutil.Process().memory_info().rss
    assert 0.5 * resident < peak_memory_bytes() < 100 * resident
