"""Receipts: what is done stays done, and what is not whole is done again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from padflow.compute.workers import SerialWorkers
from padflow.pipeline.receipts import (
    PartTask,
    _Perform,
    broken_files,
    digest,
    drop_receipts,
    is_done,
    receipt_path,
    receipts,
    run_parts,
)
from padflow.store.durable import sha256_of, write_bytes, write_json


class Stage:
    """A stage's function that leaves a file for each part and counts its calls."""

    def __init__(self, run_dir: Path):
        self.run_dir = run_dir
        self.calls: list[tuple[str, int]] = []
        self.bad: set[int] = set()

    def __call__(self, task: PartTask) -> dict:
        self.calls.append((task.group, task.index))
        if task.index in self.bad:
            return {"bad": "lost", "fit": 0}
        content = f"{task.group} {task.index} {task.key}".encode()
        name = f"data/{task.group}-{task.index}"
        write_bytes(self.run_dir / name, content)
        return {"files": {name: [len(content), sha256_of(content)]}, "fit": task.stop - task.start}


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


def tasks(key: str = "k", *, parts: int = 3, groups: tuple[str, ...] = ("rbspa", "rbspb")) -> list[PartTask]:
    return [PartTask(group, i, i * 1024, (i + 1) * 1024, key) for group in groups for i in range(parts)]


def run(stage: Stage, todo: list[PartTask]) -> list[tuple[tuple[str, int], dict | None, int]]:
    stage.calls.clear()
    done = run_parts(stage.run_dir, "score", tasks=todo, function=stage, workers=SerialWorkers())
    return [((task.group, task.index), result, peak) for task, result, peak in done]


def test_everything_is_done_once_and_then_stands(stage):
    first = run(stage, tasks())
    assert [name for name, _, _ in first] == stage.calls == [(t.group, t.index) for t in tasks()]
    assert all(result == {"fit": 1024} and peak > 2**20 for _, result, peak in first)
    again = run(stage, tasks())
    assert stage.calls == []
    assert again == [((t.group, t.index), None, 0) for t in tasks()]


def test_a_part_whose_worker_died_before_it_could_say_so_is_not_done_again(stage):
    (task,) = tasks(parts=1, groups=("rbspa",))
    perform = _Perform(str(stage.run_dir), "score", stage)
    assert perform(task)[0] == {"fit": 1024}
    assert perform(task)[0] == {"fit": 1024}  # as Dask asks another worker to
    assert len(stage.calls) == 1
    perform(replace(task, key="other"))
    assert len(stage.calls) == 2
    (stage.run_dir / "data/rbspa-0").unlink()
    perform(replace(task, key="other"))
    assert len(stage.calls) == 3


def test_receipts_hold_key_rows_and_checksums(stage):
    run(stage, tasks())
    found = list(receipts(stage.run_dir, "score"))
    assert [(group, index) for group, index, _ in found] == [(t.group, t.index) for t in tasks()]
    _, _, receipt = found[4]
    content = (stage.run_dir / "data/rbspb-1").read_bytes()
    assert receipt == {
        "key": "k",
        "start": 1024,
        "stop": 2048,
        "files": {"data/rbspb-1": [len(content), sha256_of(content)]},
        "fit": 1024,
    }
    assert [index for _, index, _ in receipts(stage.run_dir, "score", "rbspb")] == [0, 1, 2]
    assert list(receipts(stage.run_dir, "another")) == []


def test_parts_with_another_key_are_done_again_and_only_they(stage):
    run(stage, tasks())
    mixed = [task if task.index else PartTask(task.group, 0, 0, 1024, "new") for task in tasks()]
    done = run(stage, mixed)
    assert stage.calls == [("rbspa", 0), ("rbspb", 0)]
    assert [name for name, result, _ in done if result is None] == [(t.group, t.index) for t in tasks() if t.index]
    run(stage, mixed)
    assert stage.calls == []


@pytest.mark.parametrize("harm", ["shorter", "longer", "gone", "receipt gone", "receipt half", "receipt list"])
def test_parts_that_are_not_whole_are_done_again(stage, harm):
    run(stage, tasks())
    path, receipt = stage.run_dir / "data/rbspa-1", receipt_path(stage.run_dir, "score", "rbspa", 1)
    whole = path.read_bytes()
    {
        "shorter": lambda: path.write_bytes(whole[:-1]),
        "longer": lambda: path.write_bytes(whole + b"x"),
        "gone": path.unlink,
        "receipt gone": receipt.unlink,
        "receipt half": lambda: receipt.write_text(receipt.read_text()[:20]),
        "receipt list": lambda: receipt.write_text("[]"),
    }[harm]()
    done = run(stage, tasks())
    assert stage.calls == [("rbspa", 1)]
    assert len(done) == 6
    assert path.read_bytes() == whole
    assert is_done(stage.run_dir, "score", tasks()[1])


def test_the_receipt_comes_after_the_part(stage, monkeypatch):
    seen = []

    def watched(path, value):
        assert all(sha256_of((stage.run_dir / name).read_bytes()) == sha for name, (_, sha) in value["files"].items())
        seen.append(path.name)
        write_json(path, value)

    monkeypatch.setattr("padflow.pipeline.receipts.write_json", watched)
    run(stage, tasks(parts=2, groups=("rbspa",)))
    assert seen == ["000000.json", "000001.json"]


def test_an_error_leaves_no_receipt_for_its_part_and_keeps_those_before(stage):
    class Fails(Stage):
        def __call__(self, task):
            if task.index == 2:
                raise RuntimeError("power cut")
            return super().__call__(task)

    with pytest.raises(RuntimeError, match="power cut"):
        run(Fails(stage.run_dir), tasks(groups=("rbspa",)))
    assert [index for _, index, _ in receipts(stage.run_dir, "score")] == [0, 1]
    run(stage, tasks(groups=("rbspa",)))
    assert stage.calls == [("rbspa", 2)]


def test_a_bad_result_leaves_no_receipt(stage):
    stage.bad = {1}
    done = run(stage, tasks(groups=("rbspa",)))
    assert done[1][1] == {"bad": "lost", "fit": 0}
    assert [index for _, index, _ in receipts(stage.run_dir, "score")] == [0, 2]
    stage.bad = set()
    run(stage, tasks(groups=("rbspa",)))
    assert stage.calls == [("rbspa", 1)]


def test_receipts_of_parts_that_are_no_more_are_dropped(stage):
    run(stage, tasks(parts=4))
    run(stage, tasks(parts=2))
    assert stage.calls == []
    assert [index for _, index, _ in receipts(stage.run_dir, "score")] == [0, 1, 0, 1]
    drop_receipts(stage.run_dir, "score")
    assert list(receipts(stage.run_dir, "score")) == []


def test_stages_do_not_mix(stage):
    run(stage, tasks())
    drop_receipts(stage.run_dir, "another")
    assert not is_done(stage.run_dir, "another", tasks()[0])
    assert is_done(stage.run_dir, "score", tasks()[0])


def test_broken_files_are_found_also_where_the_size_is_right(stage):
    run(stage, tasks(groups=("rbspa",)))
    found = [receipt for _, _, receipt in receipts(stage.run_dir, "score")]
    assert [list(broken_files(stage.run_dir, receipt)) for receipt in found] == [[], [], []]
    (stage.run_dir / "data/rbspa-0").unlink()
    path = stage.run_dir / "data/rbspa-1"
    content = bytearray(path.read_bytes())
    content[3] ^= 1
    path.write_bytes(content)
    (stage.run_dir / "data/rbspa-2").write_bytes(b"")
    sentences = [list(broken_files(stage.run_dir, receipt)) for receipt in found]
    assert [len(each) for each in sentences] == [1, 1, 1]
    assert sentences[0] == ["data/rbspa-0 is missing"]
    assert sentences[1][0].startswith("data/rbspa-1 was altered")
    assert sentences[2][0].startswith("data/rbspa-2 was altered: 0 bytes")


def test_the_function_gets_the_payload_where_there_is_one(tmp_path):
    seen = []

    def function(payload):
        seen.append(payload)
        return {}

    todo = [PartTask("rbspa", 0, 0, 1024, "k", payload=["a", 1]), PartTask("rbspa", 1, 1024, 2048, "k")]
    list(run_parts(tmp_path, "ingest", tasks=todo, function=function, workers=SerialWorkers()))
    assert seen == [["a", 1], todo[1]]


def test_a_digest_sees_values_and_not_the_order_of_keys():
    base = digest("stage", {"a": 1, "b": [1, 2]}, 3)
    assert digest("stage", {"b": [1, 2], "a": 1}, 3) == base
    others = [digest("stage", {"a": 1, "b": [2, 1]}, 3), digest("stage", {"a": 1, "b": [1, 2]}, "3"), digest("stage")]
    assert len({base, *others}) == 4
    assert len(base) == 32
    assert json.dumps(base)


def test_a_task_says_which_records_it_is():
    assert str(tasks()[1]) == "part 1 of rbspa (records 1024 to 2047)"
