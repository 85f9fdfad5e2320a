# SPDX-License-Identifier: BSD-3-Clause
"""Let readers of a store see one whole state of it, while a run changes it.

``states.json`` in the run directory says for each store which change readers see, and how many records each group has.
A run that changes a store begins a change with the next number. Before it replaces a file of a part, it keeps the old
file under ``replaced/STORE/CHANGE/``. When all parts are whole, the run replaces ``states.json``.
Readers that opened the store before go on to read the files that were kept. Files of the latest changes stay, as long
as they are few, and small against the free space of the disk. Older readers get an error and open the store again.

A store without a state, such as a copy of an archive, is read as it is.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import BaseModel, NonNegativeInt, ValidationError

from padflow.errors import PadflowError
from padflow.store.durable import make_folder, read_bytes, read_json, sync_folder, write_bytes, write_json

STATES, REPLACED = "states.json", "replaced"


KEPT_CHANGES = 8


KEPT_SHARE = 0.25
"""Largest share of the free space of the disk that the files that are kept may take (chosen)."""


class State(BaseModel, frozen=True):
    """The state of a store, as its readers see it.

    Parameters
    ----------
    number : int
        Number of the latest change that is complete.
    rows : dict of str to int, optional
        Records of each group; None where no complete state can be read.
    oldest : int
        Number of the oldest change that can still be read.
    changing : int, optional
        Number of the change that a run is making.
    """

    number: NonNegativeInt = 0
    rows: dict[str, NonNegativeInt] | None = None
    oldest: NonNegativeInt = 0
    changing: NonNegativeInt | None = None


def state_of(store: Path) -> State | None:
    """Return the state of a store; None where it has none."""
    known = read_json(store.parent / STATES)
    try:
        return State.model_validate(known[store.name])
    except (KeyError, TypeError, ValidationError):
        return None


def _write(store: Path, state: State, **changes: Any) -> None:
    path = store.parent / STATES
    known = read_json(path)
    values = state.model_dump() | changes
    write_json(path, (known if isinstance(known, dict) else {}) | {store.name: values})


def begin_change(store: Path, parts: Iterable[tuple[str, int]]) -> None:
    """Begin a change of some parts, (group, index), or go on with a change that was not completed.

    Only the holder of the lock of the run directory may call this, before it changes anything in the store.
    """
    state = state_of(store) or State(rows=_rows_found(store))
    if state.changing is not None:
        return
    changing = state.number + 1
    keeping = sum(_part_bytes(store, group, index) for group, index in parts)
    room = shutil.disk_usage(store.parent).free * KEPT_SHARE - keeping
    if room >= 0:
        oldest = max(state.oldest, _oldest_with(store, room))
        _write(store, state, oldest=oldest, changing=changing)
    else:  # there is no room to keep the present state
        oldest = changing
        _write(store, state, rows=None, oldest=oldest, changing=changing)
    for number in _numbers(store):
        if number <= oldest:
            shutil.rmtree(_folder(store, number))


def commit_change(store: Path, rows: Mapping[str, int]) -> None:
    """Let readers see the store as it is now. `rows` gives the records of some groups; those of others stay."""
    state = state_of(store) or State(rows=_rows_found(store))
    rows = {**(state.rows or {}), **rows}
    if state.changing is not None or rows != state.rows:
        number = state.number + 1 if state.changing is None else state.changing
        _write(store, state, number=number, rows=rows, changing=None)


def forget_state(store: Path) -> None:
    """Let nobody read a store any more, for it will be removed."""
    state = state_of(store)
    if state is None:
        return
    number = max(state.number, state.changing or 0) + 1
    _write(store, State(number=number, oldest=number))
    shutil.rmtree(store.parent / REPLACED / store.name, ignore_errors=True)


def keep_replaced(store: Path, relative: str) -> None:
    """Keep a file that will be replaced or removed, for readers of the state before this change."""
    state = state_of(store)
    if state is None or state.changing is None or relative.partition("/")[0] not in (state.rows or {}):
        return
    kept = _folder(store, state.changing) / relative
    if kept.exists():  # this change has kept it before it was interrupted
        return
    with contextlib.suppress(FileNotFoundError):  # a new part has no old file
        (store / relative).stat()
        make_folder(kept.parent)
        try:
            os.link(store / relative, kept)
        except FileNotFoundError:
            raise
        except OSError:  # some file systems have no hard links
            write_bytes(kept, read_bytes(store / relative))
        sync_folder(kept.parent)


@dataclass(frozen=True)
class Snapshot:
    """One state of a store. Readers that opened the store in this state go on to see it, as long as it is kept.

    Parameters
    ----------
    store : Path
    number : int, optional
        Number of the change; None for a store without a state. Its files are read as they are.
    rows : dict of str to int, optional
        Records of each group; None for a store without a state.
    """

    store: Path
    number: int | None = None
    rows: Mapping[str, int] | None = None

    @classmethod
    def now(cls, store: Path) -> Snapshot:
        """Return the present state of a store.

        Raises
        ------
        PadflowError
            Where no complete state can be read.
        """
        state = state_of(store)
        if state is None:
            return cls(store)
        if not state.rows:
            raise PadflowError(
                f"{store} cannot be opened now: a run is making it, or was cut short while it did. Wait for the run, "
                f"or run it again; `padflow status {store.parent}` says whether one is at work."
            )
        return cls(store, state.number, dict(state.rows))

    def open(self, relative: str) -> BinaryIO:
        """Open a file of the store as it was in this state.

        Raises
        ------
        FileNotFoundError
            Where a store without a state has no such file.
        PadflowError
            Where the state is no longer kept, or the file is gone.
        """
        if self.number is None:
            return (self.store / relative).open("rb")
        # The order matters. A run keeps the old file before it replaces it. So where a file is opened first and no kept
        # one is found then, it is itself the old one.
        found = _opened(self.store / relative)
        for number in _numbers(self.store):
            kept = _opened(_folder(self.store, number) / relative) if number > self.number else None
            if kept is not None:
                if found is not None:
                    found.close()
                found = kept
                break
        try:
            self.check()
        except PadflowError:
            if found is not None:
                found.close()
            raise
        if found is None:
            raise PadflowError(
                f"{self.store / relative} is missing. `padflow verify --repair {self.store.parent}` finds all that is; "
                "then run the command again."
            )
        return found

    def check(self) -> None:
        """Refuse a state that is no longer kept.

        Raises
        ------
        PadflowError
            Says to open the store again.
        """
        if self.number is None:
            return
        state = state_of(self.store)
        if state is None or state.oldest > self.number:
            raise PadflowError(
                f"{self.store} was changed since it was opened, and what it was is no longer kept. Open it again."
            )


def _opened(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None


def _folder(store: Path, number: int) -> Path:
    return store.parent / REPLACED / store.name / str(number)


def _numbers(store: Path) -> list[int]:
    """Return the numbers of the changes with kept files, in order."""
    try:
        names = [path.name for path in (store.parent / REPLACED / store.name).iterdir()]
    except FileNotFoundError:
        return []
    return sorted(int(name) for name in names if name.isdecimal())


def _rows_found(store: Path) -> dict[str, int]:
    """Return the records of each group of a store that has no state yet."""
    found = {path.parent.parent.name: read_json(path) for path in store.glob("*/time/zarr.json")}
    return {group: metadata["shape"][0] for group, metadata in found.items() if metadata}


def _part_bytes(store: Path, group: str, index: int) -> int:
    return sum(_bytes_below(folder) for folder in (store / group).glob(f"*/c/{index}"))


def _bytes_below(path: Path) -> int:
    """Return the size of a file, or of all files below a folder."""
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())


def _oldest_with(store: Path, room: float) -> int:
    """Return the oldest state that stays readable, if the kept files may take so many bytes."""
    for count, number in enumerate(reversed(_numbers(store)), 1):
        room -= _bytes_below(_folder(store, number))
        if room < 0 or count >= KEPT_CHANGES:
            return number
    return 0
