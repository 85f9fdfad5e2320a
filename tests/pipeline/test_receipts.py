# SPDX-License-Identifier: BSD-3-Clause
"""Receipts: what stands in them, and that what is not whole is not taken for one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from padflow.pipeline.directory import RunDirectory
from padflow.pipeline.receipts import (
    Coded,
    Ingested,
    Labelled,
    Part,
    Receipt,
    Scored,
    SetAside,
    Summarised,
    broken_files,
    digest,
    drop_receipts,
    is_done,
    note_path,
    parts_set_aside,
    receipt_of,
    receipt_path,
    receipts,
    write_receipt,
)
from padflow.store.durable import facts_of, write_json

FILE = {"archive.zarr/rbspa/flux/c/0/0/0": [12, "ab" * 32]}
ON_DISK: list[tuple[type[Receipt], dict[str, Any]]] = [
    (Ingested, {"key": "k", "start": 0, "stop": 9, "files": FILE, "cleaned": {"fill": 3}}),
    (Coded, {"key": "k", "start": 0, "stop": 9, "files": FILE, "fit": 8}),
    (Scored, {"key": "k", "start": 0, "stop": 9, "files": FILE, "fit": 4, "reasons": {"0": 4, "8": 5}}),
    (Labelled, {"key": "k", "start": 0, "stop": 9, "files": FILE, "sizes": [3, 1], "sums": [[0.5, 1.0], [2.0, 0.1]]}),
    (Summarised, {"key": "k", "start": 0, "stop": 9, "files": FILE}),
]


def leave(directory: RunDirectory, index: int, *, group: str = "rbspa", key: str = "k") -> Part:
    """Leave a part with a file and its receipt."""
    content = f"{group} {index}".encode()
    name = f"data/{group}-{index}"
    path = directory.path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    part = Part(group, index, index * 1024, (index + 1) * 1024)
    write_receipt(directory, part, Coded(key, part.start, part.stop, {name: facts_of(content)}, fit=1024))
    return part


@pytest.mark.parametrize(("kind", "values"), ON_DISK, ids=lambda one: getattr(one, "stage", ""))
def test_a_receipt_stands_on_disk_as_runs_before_wrote_it(
    kind: type[Receipt], values: dict[str, Any], directory: RunDirectory
) -> None:
    path = receipt_path(directory, kind.stage, "rbspa", 3)
    write_json(path, values)
    before = path.read_bytes()
    part = Part("rbspa", 3, 0, 9)
    receipt = receipt_of(directory, kind, part)
    assert receipt is not None
    write_receipt(directory, part, receipt)
    assert path.read_bytes() == before
    assert (receipt.rows, receipt.content) == (9, digest(FILE))
    assert list(receipts(directory, kind)) == [("rbspa", 3, receipt)]


@pytest.mark.parametrize(("kind", "values"), ON_DISK, ids=lambda one: getattr(one, "stage", ""))
def test_what_lacks_a_field_or_holds_something_else_is_no_receipt(
    kind: type[Receipt], values: dict[str, Any], directory: RunDirectory
) -> None:
    path, part = receipt_path(directory, kind.stage, "rbspa", 0), Part("rbspa", 0, 0, 9)
    harmed = [{name: value for name, value in values.items() if name != left_out} for left_out in values]
    harmed += [values | {name: "x" if name != "key" else None} for name in values]
    for content in (*map(json.dumps, harmed), "[]", "null", json.dumps(values)[:-2], ""):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        assert receipt_of(directory, kind, part) is None
        assert list(receipts(directory, kind)) == []
        assert not is_done(directory, kind, part, "k")


def test_reasons_are_numbers(directory: RunDirectory) -> None:
    receipt = Scored.from_json(ON_DISK[2][1])
    assert receipt.reasons == {0: 4, 8: 5}


def test_receipts_come_in_order_and_by_group(directory: RunDirectory) -> None:
    for group in ("rbspb", "rbspa"):
        for index in (10, 2, 0):
            leave(directory, index, group=group)
    found = [(group, index) for group, index, _ in receipts(directory, Coded)]
    assert found == [(group, index) for group in ("rbspa", "rbspb") for index in (0, 2, 10)]
    assert [index for _, index, _ in receipts(directory, Coded, "rbspb")] == [0, 2, 10]
    assert list(receipts(directory, Scored)) == []


def test_a_part_is_done_while_key_and_sizes_are_right(directory: RunDirectory) -> None:
    part = leave(directory, 1)
    assert is_done(directory, Coded, part, "k")
    assert not is_done(directory, Coded, part, "another")
    assert not is_done(directory, Scored, part, "k")
    path = directory.path / "data/rbspa-1"
    path.write_bytes(b"cut")
    assert not is_done(directory, Coded, part, "k")
    path.unlink()
    assert not is_done(directory, Coded, part, "k")


def test_a_file_outside_the_run_directory_is_none_of_a_part(tmp_path: Path, directory) -> None:
    directory = RunDirectory(tmp_path / "run")
    (tmp_path / "secret").write_bytes(b"abc")  # of the size that the receipt says
    part = Part("rbspa", 0, 0, 9)
    write_receipt(directory, part, Summarised("k", 0, 9, {"../secret": (3, "")}))
    assert not is_done(directory, Summarised, part, "k")
    ((_, _, receipt),) = receipts(directory, Summarised)
    assert list(broken_files(directory, receipt)) == ["its receipt names ../secret, which is outside the run directory"]


def test_receipts_of_parts_that_are_no_more_are_dropped(directory: RunDirectory) -> None:
    parts = [leave(directory, index) for index in range(3)]
    drop_receipts(directory, "another")
    drop_receipts(directory, "moments", keep=parts[:2])
    assert [index for _, index, _ in receipts(directory, Coded)] == [0, 1]
    drop_receipts(directory, "moments")
    assert list(receipts(directory, Coded)) == []


def test_broken_files_are_found_also_where_the_size_is_right(directory: RunDirectory) -> None:
    for index in range(3):
        leave(directory, index)
    found = [receipt for _, _, receipt in receipts(directory, Coded)]
    assert [list(broken_files(directory, receipt)) for receipt in found] == [[], [], []]
    (directory.path / "data/rbspa-0").unlink()
    path = directory.path / "data/rbspa-1"
    path.write_bytes(path.read_bytes().replace(b"1", b"2"))
    (directory.path / "data/rbspa-2").write_bytes(b"")
    sentences = [list(broken_files(directory, receipt)) for receipt in found]
    assert sentences[0] == ["data/rbspa-0 is missing"]
    assert sentences[1][0].startswith("data/rbspa-1 was altered")
    assert sentences[2][0].startswith("data/rbspa-2 was altered: 0 bytes")


def test_notes_of_parts_that_were_set_aside(directory: RunDirectory) -> None:
    part = Part("rbspa", 2, 2048, 4096)
    note = SetAside("score", part, "3 workers died of it")
    path = note_path(directory, "score", "rbspa", 2)
    write_json(path, note.to_json())
    assert json.loads(path.read_text()) == {"start": 2048, "stop": 4096, "message": "3 workers died of it"}
    assert list(parts_set_aside(directory)) == list(parts_set_aside(directory, "score")) == [note]
    assert list(parts_set_aside(directory, "label")) == []
    for content in ("{}", "[]", '{"start": 1'):
        path.write_text(content)
        assert list(parts_set_aside(directory)) == []


def test_a_digest_sees_values_and_not_the_order_of_keys() -> None:
    base = digest("stage", {"a": 1, "b": [1, 2]}, 3)
    assert digest("stage", {"b": [1, 2], "a": 1}, 3) == base
    others = [digest("stage", {"a": 1, "b": [2, 1]}, 3), digest("stage", {"a": 1, "b": [1, 2]}, "3"), digest("stage")]
    assert len({base, *others}) == 4
    assert len(base) == 32
    assert json.dumps(base)


def test_a_part_says_which_records_it_is() -> None:
    part = Part("rbspa", 1, 1024, 2048)
    assert str(part) == "part 1 of rbspa (records 1024 to 2047)"
    assert (part.name, part.rows) == ("rbspa/1", 1024)
