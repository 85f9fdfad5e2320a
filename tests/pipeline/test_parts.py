# SPDX-License-Identifier: BSD-3-Clause
"""Parts: what is done stays done, and what is not whole is done again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from padflow.archive.catalog import Trouble
from padflow.archive.ingest import Unreadable
from padflow.compute.workers import SerialWorkers
from padflow.pipeline.directory import RunDirectory
from padflow.pipeline.parts import PartOutcome, PartTask, _Perform, put_placeholder, run_parts
from padflow.pipeline.receipts import PLACEHOLDER, Coded, Receipt, is_done, receipt_path, receipts
from padflow.store.durable import facts_of, sha256_of, write_bytes, write_json

BAD = (Trouble("rbspa/a.cdf", "truncated", "a.cdf is cut short"),)


class Work:
    """A stage's function that leaves a file for each part and counts its calls."""

    def __init__(self, folder: Path):
        self.folder, self.directory = folder, RunDirectory(folder)
        self.calls: list[tuple[str, int]] = []
        self.bad: set[int] = set()

    def __call__(self, task: PartTask) -> Coded | Unreadable:
        self.calls.append((task.group, task.index))
        if task.index in self.bad:
            return Unreadable(BAD)
        content = f"{task.group} {task.index} {task.key}".encode()
        name = f"data/{task.group}-{task.index}"
        write_bytes(self.folder / name, content)
        return Coded(task.key, task.start, task.stop, {name: facts_of(content)}, fit=task.rows)

    def placeholder(self, task: PartTask) -> Coded:
        assert task.key == PLACEHOLDER
        return Coded(task.key, task.start, task.stop, {}, fit=0)


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path)


def tasks(key: str = "k", *, parts: int = 3, groups: tuple[str, ...] = ("rbspa", "rbspb")) -> list[PartTask]:
    return [PartTask(group, i, i * 1024, (i + 1) * 1024, key) for group in groups for i in range(parts)]


def names(todo: list[PartTask]) -> list[tuple[str, int]]:
    return [(task.group, task.index) for task in todo]


def run(work: Work, todo: list[PartTask]) -> list[PartOutcome[PartTask]]:
    work.calls.clear()
    return list(run_parts(work.directory, Coded, tasks=todo, function=work, workers=SerialWorkers()))


def indices(work: Work) -> list[int]:
    return [index for _, index, _ in receipts(work.directory, Coded)]


def test_everything_is_done_once_and_is_then_reused(work: Work) -> None:
    first = run(work, tasks())
    assert names([part.task for part in first]) == work.calls == names(tasks())
    assert all(not part.reused and part.peak_memory_bytes > 2**20 for part in first)
    again = run(work, tasks())
    assert work.calls == []
    assert again == [PartOutcome(task, reused=True) for task in tasks()]


def test_a_part_whose_worker_died_before_it_could_say_so_is_not_done_again(work: Work) -> None:
    (task,) = tasks(parts=1, groups=("rbspa",))
    perform = _Perform(work.directory, Coded, work)
    perform(task)
    perform(task)  # as Dask asks another worker to
    assert len(work.calls) == 1
    perform(replace(task, key="other"))
    assert len(work.calls) == 2
    (work.folder / "data/rbspa-0").unlink()
    perform(replace(task, key="other"))
    assert len(work.calls) == 3


def test_receipts_hold_key_rows_and_checksums(work: Work) -> None:
    run(work, tasks())
    found = list(receipts(work.directory, Coded))
    assert [(group, index) for group, index, _ in found] == names(tasks())
    content = (work.folder / "data/rbspb-1").read_bytes()
    assert found[4][2] == Coded("k", 1024, 2048, {"data/rbspb-1": (len(content), sha256_of(content))}, fit=1024)


def test_parts_with_another_key_are_done_again_and_only_they(work: Work) -> None:
    run(work, tasks())
    mixed = [task if task.index else PartTask(task.group, 0, 0, 1024, "new") for task in tasks()]
    done = run(work, mixed)
    assert work.calls == [("rbspa", 0), ("rbspb", 0)]
    assert [part.task.index for part in done if part.reused] == [1, 2, 1, 2]
    run(work, mixed)
    assert work.calls == []


@pytest.mark.parametrize("harm", ["shorter", "longer", "gone", "receipt gone", "receipt half", "receipt list"])
def test_parts_that_are_not_whole_are_done_again(work: Work, harm: str) -> None:
    run(work, tasks())
    path, receipt = work.folder / "data/rbspa-1", receipt_path(work.directory, "moments", "rbspa", 1)
    whole = path.read_bytes()
    {
        "shorter": lambda: path.write_bytes(whole[:-1]),
        "longer": lambda: path.write_bytes(whole + b"x"),
        "gone": path.unlink,
        "receipt gone": receipt.unlink,
        "receipt half": lambda: receipt.write_text(receipt.read_text()[:20]),
        "receipt list": lambda: receipt.write_text("[]"),
    }[harm]()
    done = run(work, tasks())
    assert work.calls == [("rbspa", 1)]
    assert len(done) == 6
    assert path.read_bytes() == whole
    assert is_done(work.directory, Coded, tasks()[1], "k")


def test_the_receipt_comes_after_the_part(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def watched(path: Path, value: dict) -> None:
        assert all(sha256_of((work.folder / name).read_bytes()) == sha for name, (_, sha) in value["files"].items())
        seen.append(path.name)
        write_json(path, value)

    monkeypatch.setattr("padflow.pipeline.receipts.write_json", watched)
    run(work, tasks(parts=2, groups=("rbspa",)))
    assert seen == ["000000.json", "000001.json"]


def test_an_error_leaves_no_receipt_for_its_part_and_keeps_those_before(work: Work) -> None:
    class Fails(Work):
        def __call__(self, task: PartTask) -> Coded | Unreadable:
            if task.index == 2:
                raise RuntimeError("power cut")
            return super().__call__(task)

    with pytest.raises(RuntimeError, match="power cut"):
        run(Fails(work.folder), tasks(groups=("rbspa",)))
    assert indices(work) == [0, 1]
    run(work, tasks(groups=("rbspa",)))
    assert work.calls == [("rbspa", 2)]


def test_files_that_turn_out_bad_are_told_and_leave_no_receipt(work: Work) -> None:
    work.bad = {1}
    done = run(work, tasks(groups=("rbspa",)))
    assert [part.unreadable for part in done] == [(), BAD, ()]
    assert indices(work) == [0, 2]
    work.bad = set()
    run(work, tasks(groups=("rbspa",)))
    assert work.calls == [("rbspa", 1)]


def test_receipts_of_parts_that_are_no_more_are_dropped(work: Work) -> None:
    run(work, tasks(parts=4))
    run(work, tasks(parts=2))
    assert work.calls == []
    assert indices(work) == [0, 1, 0, 1]


def test_stages_do_not_mix(work: Work) -> None:
    class Other(Receipt):
        stage = "another"

    run(work, tasks())
    assert not is_done(work.directory, Other, tasks()[0], "k")
    assert is_done(work.directory, Coded, tasks()[0], "k")


def test_a_placeholder_is_tried_again(work: Work) -> None:
    (task,) = tasks(parts=1, groups=("rbspa",))
    put_placeholder(work.directory, Coded, task, function=work.placeholder, workers=SerialWorkers())
    ((_, _, receipt),) = receipts(work.directory, Coded)
    assert (receipt.key, receipt.fit) == (PLACEHOLDER, 0)
    run(work, [task])
    assert work.calls == [("rbspa", 0)]
    assert is_done(work.directory, Coded, task, "k")
