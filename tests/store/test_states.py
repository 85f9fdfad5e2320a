# SPDX-License-Identifier: BSD-3-Clause
"""What readers of a store see while a run changes it: one state, that of the moment when they opened it."""

from __future__ import annotations

import os
import pickle
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from padflow.errors import PadflowError
from padflow.store import shards, states
from padflow.store.opening import open_archive
from padflow.store.specs import archive_specs
from padflow.store.states import REPLACED, STATES, begin_change, commit_change, forget_state, state_of
from padflow.store.writing import prepare_group, write_part

PART = 2048
SPECS = archive_specs(5, 3, ephemeris=("L", "Position"))
AXES = {name: (np.arange(size) + 1.0, {}) for name, size in (("pitch_angle", 5), ("energy", 3))}
SECOND = 10**9


def prepare(store: Path, rows: int) -> None:
    prepare_group(store, "rbspa", specs=SPECS, rows=rows, rows_per_part=PART, axes=AXES, attributes={"title": "test"})


def write(store: Path, index: int, rows: int, *, version: int) -> None:
    """Write a part of an archive of so many rows, of which every value says its row and its version."""
    row = np.arange(index * PART, min(rows, (index + 1) * PART))
    value = (row % 1000 + 1000 * version).astype("f4")
    values = {
        "time": (row * 10 + version) * SECOND,
        "flux": np.broadcast_to(value[:, None, None], (len(row), 5, 3)),
        "L": value,
        "Position": np.broadcast_to(value[:, None], (len(row), 3)),
    }
    write_part(store, "rbspa", index, specs=SPECS, values=values, rows_per_part=PART)


def change(store: Path, rows: int, *, version: int, parts: range | None = None, commit: bool = True) -> None:
    """Do to a store what a run does."""
    parts = range(-(-rows // PART)) if parts is None else parts
    begin_change(store, [("rbspa", index) for index in parts])
    prepare(store, rows)
    for index in parts:
        write(store, index, rows, version=version)
    if commit:
        commit_change(store, {"rbspa": rows})


def assert_is(opened: xr.Dataset, rows: int, *, version: int) -> None:
    """All arrays have so many rows, and all values are of one version."""
    row = np.arange(rows)
    value = (row % 1000 + 1000 * version).astype("f4")
    assert opened.sizes["time"] == rows
    np.testing.assert_array_equal(opened["time"].values.astype("M8[ns]").astype("i8"), (row * 10 + version) * SECOND)
    np.testing.assert_array_equal(opened["L"].values, value)
    for name in ("flux", "Position"):
        found = opened[name].values
        np.testing.assert_array_equal(found, np.broadcast_to(value.reshape(-1, *[1] * (found.ndim - 1)), found.shape))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """An archive of two parts, of which the second is not full."""
    store = tmp_path / "archive.zarr"
    change(store, 3000, version=1)
    return store


def test_what_is_opened_is_what_xarray_opens(store: Path) -> None:
    with open_archive(store) as ours, xr.open_zarr(store, group="rbspa") as theirs:
        xr.testing.assert_identical(ours.load(), theirs.load())
        assert ours.sizes["time"] == 3000


@pytest.mark.parametrize(
    "chosen",
    [
        {"time": 5},
        {"time": -1, "energy": 1},
        {"time": slice(2000, 2100), "pitch_angle": slice(None, None, -1)},
        {"time": slice(2900, 1900, -7)},
        {"time": slice(5, 5), "energy": 0},
        {"time": [2999, 3, 3, 2048], "pitch_angle": [4, 0]},
        {"time": np.arange(3000) % 97 == 0},
    ],
)
def test_any_selection_is_what_xarray_gives(store: Path, chosen: dict) -> None:
    with open_archive(store, chunks={}) as ours, xr.open_zarr(store, group="rbspa", chunks=None) as theirs:
        xr.testing.assert_identical(ours["flux"].isel(chosen).load(), theirs["flux"].isel(chosen).load())


@pytest.mark.parametrize("rows", [7000, 3000, 2500, 1000])
def test_a_change_is_seen_when_it_is_committed_and_not_by_who_opened_before(store: Path, rows: int) -> None:
    before = open_archive(store)
    names = set(before["flux"].__dask_graph__())
    change(store, rows, version=2, parts=range(1), commit=False)
    assert_is(before, 3000, version=1)  # one part is new, the other is old or gone
    meanwhile = open_archive(store)
    assert_is(meanwhile, 3000, version=1)
    change(store, rows, version=2)
    assert_is(before, 3000, version=1)
    assert_is(meanwhile, 3000, version=1)
    after = open_archive(store)
    assert_is(after, rows, version=2)
    assert names.isdisjoint(after["flux"].__dask_graph__())  # what a cluster keeps of one is not taken for the other
    assert_is(pickle.loads(pickle.dumps(before)), 3000, version=1)


def test_a_change_that_was_cut_short_keeps_what_was_there_before_it(store: Path) -> None:
    before = open_archive(store)
    change(store, 3000, version=2, parts=range(1), commit=False)
    change(store, 3000, version=3, parts=range(1), commit=False)
    assert_is(open_archive(store), 3000, version=1)
    change(store, 3000, version=3)
    assert_is(open_archive(store), 3000, version=3)
    assert_is(before, 3000, version=1)


def test_old_states_are_kept_while_they_are_few(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "KEPT_CHANGES", 2)
    first = open_archive(store)
    change(store, 3000, version=2)
    second = open_archive(store)
    change(store, 3000, version=3)
    assert_is(first, 3000, version=1)
    change(store, 3000, version=4)
    with pytest.raises(PadflowError, match=r"archive\.zarr was changed since it was opened.*Open it again"):
        first["flux"].load()
    assert_is(second, 3000, version=2)
    assert len(list((store.parent / REPLACED / store.name).iterdir())) == 2


@pytest.mark.parametrize("fits", ["the latest", "none"])
def test_old_states_are_kept_while_they_are_small(store: Path, monkeypatch: pytest.MonkeyPatch, fits: str) -> None:
    first = open_archive(store)
    change(store, 3000, version=2)
    second = open_archive(store)
    size = sum(path.stat().st_size for path in (store.parent / REPLACED).rglob("*") if path.is_file())
    free = {"the latest": 1.5 * size / states.KEPT_SHARE, "none": 0}[fits]
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
        change(store, 3000, version=3, parts=range(1), commit=False)
    with pytest.raises(PadflowError, match="Open it again"):
        first["flux"].load()
    if fits == "none":
        with pytest.raises(PadflowError, match="Open it again"):
            second["L"].load()
        with pytest.raises(PadflowError, match="cannot be opened now: a run is making it, or was cut short"):
            open_archive(store)
    else:
        assert_is(second, 3000, version=2)
        assert_is(open_archive(store), 3000, version=2)
    change(store, 3000, version=3)
    assert_is(open_archive(store), 3000, version=3)


def test_a_store_that_is_made_for_the_first_time_is_not_opened_half(tmp_path: Path) -> None:
    store = tmp_path / "archive.zarr"
    change(store, 3000, version=1, parts=range(1), commit=False)
    with pytest.raises(PadflowError, match=r"cannot be opened now: a run is making it.*padflow status"):
        open_archive(store)
    change(store, 3000, version=1)
    assert_is(open_archive(store), 3000, version=1)


def test_a_store_that_is_removed_turns_its_readers_away(store: Path) -> None:
    before = open_archive(store)
    forget_state(store)
    shutil.rmtree(store)
    with pytest.raises(PadflowError, match="Open it again"):
        before["flux"].load()
    change(store, 3000, version=2)
    with pytest.raises(PadflowError, match="Open it again"):
        before["flux"].load()
    assert_is(open_archive(store), 3000, version=2)


def test_a_part_that_is_gone_is_an_error_and_no_missing_values(store: Path) -> None:
    opened = open_archive(store)
    (store / "rbspa" / "L" / "c" / "1").unlink()
    with pytest.raises(PadflowError, match=r"rbspa/L/c/1 is missing\. `padflow verify --repair"):
        opened["L"].load()


def test_where_there_are_no_hard_links_what_is_replaced_is_copied(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    before = open_archive(store)
    change(store, 3000, version=2)
    assert_is(before, 3000, version=1)


def test_a_store_without_a_state_is_read_as_it_is_with_the_rows_that_all_arrays_have(store: Path) -> None:
    (store.parent / STATES).unlink()
    prepare_group(store, "rbspa", specs=SPECS[:1], rows=9000, rows_per_part=PART, axes={}, attributes={})  # time alone
    assert_is(open_archive(store), 3000, version=1)


@pytest.mark.parametrize("content", ["[]", "{", '{"archive.zarr": 5}', '{"archive.zarr": {"number": -1, "rows": 3}}'])
def test_states_that_say_nothing_are_none(store: Path, content: str) -> None:
    (store.parent / STATES).write_text(content)
    assert state_of(store) is None
    assert_is(open_archive(store), 3000, version=1)


def test_index_and_chunks_of_a_shard_come_from_one_file(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shard is replaced by one with other places between the two reads, where there is no state to help."""
    (store.parent / STATES).unlink()
    opened = open_archive(store)
    found = shards._places

    def replaced_meanwhile(file, chunks):
        places = found(file, chunks)
        write(store, 0, 1100, version=2)
        return places

    monkeypatch.setattr(shards, "_places", replaced_meanwhile)
    np.testing.assert_array_equal(opened["flux"][1000:1100, 0, 0].values, np.arange(1000, 1100) % 1000 + 1000)


def test_what_fails_once_is_tried_again(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_archive(store)
    whole, calls = Path.open, []

    def fail_once(self: Path, *arguments: object, **options: object) -> object:
        if "flux/c" in str(self) and not calls:
            calls.append(self)
            raise OSError(116, "Stale file handle")
        return whole(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", fail_once)
    assert_is(opened, 3000, version=1)
    assert calls


# What one thread does to the filters of warnings, such as xarray in a reader, may undo what the writer does to them.
@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_readers_of_whole_rewrites_see_one_version(store: Path) -> None:
    """Every value and the number of rows change each time; who has it open sees on what it was."""
    over, mixed, looked = threading.Event(), [], []

    def look() -> None:
        while not over.is_set():
            opened = open_archive(store)
            version = int(opened["L"][0]) // 1000
            try:
                for _ in range(3):
                    assert_is(opened, 2000 + 500 * version, version=version)
            except AssertionError as error:
                mixed.append(error)
            looked.append(version)

    readers = [threading.Thread(target=look) for _ in range(4)]
    change(store, 2500, version=1)
    for reader in readers:
        reader.start()
    for version in range(2, 8):
        while looked.count(version - 1) < 2 and any(reader.is_alive() for reader in readers):
            over.wait(0.01)
        change(store, 2000 + 500 * version, version=version)
    over.set()
    for reader in readers:
        reader.join()
    assert not mixed, mixed[0]
