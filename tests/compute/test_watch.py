# SPDX-License-Identifier: BSD-3-Clause
"""When a cluster's work is ended, by a made-up client and a clock that the test moves."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from padflow.compute import watch
from padflow.compute.watch import Watch
from padflow.config.cluster import ClusterConfig

STALL_SECONDS = 100
LIMIT = 1 << 30


class MadeUpClient:
    """What a watch asks of a client: workers, versions, and futures by key."""

    def __init__(self) -> None:
        self.futures: dict[str, Any] = {}
        self.workers: dict[str, Any] = {}
        self.versions: Any = None
        self.closed = False
        self.gone = False

    def add_worker(self, name: str, *, memory_limit: int = LIMIT) -> None:
        self.workers[name] = {"nthreads": 1, "memory_limit": memory_limit}
        self.versions = {who: facts("1.0") for who in ("client", "scheduler")}
        self.versions["workers"] = {worker: facts("1.0") for worker in self.workers}

    def wait_for(self, *keys: str, status: str = "pending") -> None:
        self.futures = {key: SimpleNamespace(status=status) for key in keys}

    def scheduler_info(self, n_workers: int) -> dict[str, Any]:
        if self.gone:
            raise OSError("the connection is lost")
        return {"workers": self.workers if n_workers == -1 else {}}

    def get_versions(self, packages: list[str]) -> dict[str, Any]:
        if isinstance(self.versions, Exception):
            raise self.versions
        return self.versions

    def close(self, timeout: float) -> None:
        self.closed = True


def facts(numpy: str) -> dict[str, Any]:
    return {"host": {"python": "3.11.9.final.0"}, "packages": {"numpy": numpy}}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The clock of the watch, which a test moves by its ``now``; threads of other libraries look at another."""
    made_up = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(watch, "time", SimpleNamespace(monotonic=lambda: made_up.now))
    return made_up


@pytest.fixture
def client(clock: SimpleNamespace) -> MadeUpClient:
    made_up = MadeUpClient()
    made_up.add_worker("a")
    return made_up


def watching(client: MadeUpClient, *, stall_seconds: float = STALL_SECONDS, refusals: list[str] | None = None) -> Watch:
    config = ClusterConfig(stall_seconds=stall_seconds, memory_limit=LIMIT)
    return Watch(client, config, refusals=[] if refusals is None else refusals, hint="Look there.")


def test_work_that_waits_and_is_not_done_is_ended_with_the_reason(client: MadeUpClient, clock: SimpleNamespace) -> None:
    watched = watching(client)
    client.wait_for("part-0", "part-1")
    assert watched.look() is None
    clock.now += STALL_SECONDS - 1
    assert watched.look() is None
    clock.now += 1
    assert watched.look() == (
        "Work has waited for 100 s (cluster.stall_seconds) and none was done, though there are 1 workers. Look there. "
        "What is done stands: give the same command again to go on from here."
    )


def test_without_workers_the_reason_says_so(client: MadeUpClient, clock: SimpleNamespace) -> None:
    watched = watching(client)
    client.workers.clear()
    client.wait_for("part-0")
    watched.look()
    clock.now += STALL_SECONDS
    assert "and there is no worker" in watched.look()


def test_a_pass_that_works_slowly_is_never_ended(client: MadeUpClient, clock: SimpleNamespace) -> None:
    watched = watching(client)
    parts = [f"part-{number}" for number in range(50)]
    while parts:
        client.wait_for(*parts)
        for _ in range(3):  # each part takes nearly as long as is waited for
            assert watched.look() is None
            clock.now += (STALL_SECONDS - 1) / 3
        parts.pop(0)
    assert watched.look() is None


def test_a_window_of_tasks_that_moves_on_is_work(client: MadeUpClient, clock: SimpleNamespace) -> None:
    """As many wait as before, for a new one is handed out as soon as one is done."""
    watched = watching(client)
    for number in range(20):
        client.wait_for(*(f"part-{number + ahead}" for ahead in range(4)))
        assert watched.look() is None
        clock.now += STALL_SECONDS - 1


def test_no_time_counts_in_which_nothing_waits(client: MadeUpClient, clock: SimpleNamespace) -> None:
    """While the driver trains, and where what a client holds is done, failed or was cancelled."""
    watched = watching(client)
    for status in ("finished", "error", "cancelled", "lost"):
        client.wait_for("part-0", status=status)
        clock.now += 10 * STALL_SECONDS
        assert watched.look() is None
    client.wait_for("part-1")
    assert watched.look() is None
    clock.now += STALL_SECONDS - 1
    assert watched.look() is None


def test_the_time_before_the_work_does_not_count(client: MadeUpClient, clock: SimpleNamespace) -> None:
    watched = watching(client)
    clock.now += 10 * STALL_SECONDS
    client.wait_for("part-0")
    assert watched.look() is None


def test_zero_waits_for_ever(client: MadeUpClient, clock: SimpleNamespace) -> None:
    watched = watching(client, stall_seconds=0)
    client.wait_for("part-0")
    for _ in range(3):
        assert watched.look() is None
        clock.now += 1e9


def test_a_worker_of_less_memory_than_planned_ends_the_work(client: MadeUpClient) -> None:
    watched = watching(client)
    assert watched.look() is None
    client.add_worker("small", memory_limit=LIMIT // 2)
    assert "Worker small has a memory limit of 0.50 GiB" in watched.look()


def test_a_limit_that_was_rounded_on_its_way_will_do(client: MadeUpClient) -> None:
    client.add_worker("rounded", memory_limit=int(0.995 * LIMIT))
    assert watching(client).look() is None


def test_a_worker_of_another_version_ends_the_work(client: MadeUpClient) -> None:
    watched = watching(client)
    assert watched.look() is None
    client.add_worker("b")
    client.versions["workers"]["b"] = facts("2.0")
    assert "Worker b has other versions than the driver: numpy 2.0 there, 1.0 here" in watched.look()


@pytest.mark.parametrize("package", ["scipy", "numba", "numcodecs"])
def test_what_decides_results_must_be_of_one_version(package: str, client: MadeUpClient) -> None:
    client.versions["workers"]["a"]["packages"][package] = "0.1"
    assert f"Worker a has other versions than the driver: {package} 0.1 there, missing here" in watching(client).look()


def test_versions_that_cannot_be_had_now_are_asked_for_again(client: MadeUpClient) -> None:
    watched = watching(client)
    versions, client.versions = client.versions, OSError("busy")
    assert watched.look() is None
    client.versions = versions | {"scheduler": facts("2.0")}
    assert "The scheduler has other versions" in watched.look()


def test_a_refused_job_is_a_warning_while_others_work_and_an_end_where_none_does(
    client: MadeUpClient, caplog: pytest.LogCaptureFixture
) -> None:
    assert watching(client, refusals=["no such account"]).look() is None
    assert caplog.messages == ["the queue refused a worker: no such account"]
    client.workers.clear()
    assert "The queue refused a worker's job: no such account" in watching(client, refusals=["no such account"]).look()


def test_threads_are_those_of_all_workers(client: MadeUpClient) -> None:
    watched = watching(client)
    client.add_worker("b")
    watched.look()
    assert watched.threads == 2


def test_the_first_reason_stands_and_a_lost_connection_keeps_it(client: MadeUpClient, clock: SimpleNamespace) -> None:
    watched = watching(client)
    client.wait_for("part-0")
    watched.look()
    clock.now += STALL_SECONDS
    reason = watched.look()
    client.futures = {}
    assert watched.look() == reason
    client.gone = True
    assert watched.look() == reason
    assert watching(client).look() is None


def test_the_client_is_closed_with_the_reason(client: MadeUpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.001)
    client.add_worker("small", memory_limit=1)
    with watching(client) as watched:
        end = time.monotonic() + 60
        while not client.closed and time.monotonic() < end:
            time.sleep(0.001)
    assert client.closed
    assert "Worker small" in watched.reason
