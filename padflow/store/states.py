"""Which state of a store its readers see while a run changes it.

``states.json`` in the run directory says, for each store, which change readers see and how many records each group
has. A run that changes a store begins a change of the next number; before a part's file is replaced, the old one is
kept under ``replaced/STORE/CHANGE/``. When all parts are whole the run commits the change, which is the replacement of
one small file. Whoever opened the store before goes on to read what was kept. The files of the latest changes stay,
as long as they are few and small beside what the disk has free; older readers are told to open the store again.

A store without a state, such as a copy of an archive alone, is read as it is.
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
"""How much of the free space of the disk what is kept may take at most."""


class State(BaseModel, frozen=True):
    """What readers of a store see.

    Parameters
    ----------
    number : int
        The latest change that is whole.
    rows : dict of str to int, optional
        Records of each group; None where nothing whole can be read.
    oldest : int
        Who opened the store at an earlier change can no longer read it.
    changing : int, optional
        The change that is being made.
    """

    number: NonNegativeInt = 0
    rows: dict[str, NonNegativeInt] | None = None
    oldest: NonNegativeInt = 0
    changing: NonNegativeInt | None = None


def state_of(store: Path) -> State | None:
    """Return the state of a store, None where it has none."""
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
    """Begin a change of some parts, (group, index); go on with the one that was begun and did not come to its end.

    To be called by the holder of the run directory's lock, before anything in the store is touched.
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
    else:  # not even the state of now can be kept
        oldest = changing
        _write(store, state, rows=None, oldest=oldest, changing=changing)
    for number in _numbers(store):
        if number <= oldest:
            shutil.rmtree(_folder(store, number))


def commit_change(store: Path, rows: Mapping[str, int]) -> None:
    """Let readers see the store as it is now, with so many records in these groups; others stay."""
    state = state_of(store) or State(rows=_rows_found(store))
    rows = {**(state.rows or {}), **rows}
    if state.changing is not None or rows != state.rows:
        number = state.number + 1 if state.changing is None else state.changing
        _write(store, state, number=number, rows=rows, changing=None)


def forget_state(store: Path) -> None:
    """Turn readers away from a store that is to be removed."""
    state = state_of(store)
    if state is None:
        return
    number = max(state.number, state.changing or 0) + 1
    _write(store, State(number=number, oldest=number))
    shutil.rmtree(store.parent / REPLACED / store.name, ignore_errors=True)


def keep_replaced(store: Path, relative: str) -> None:
    """Keep a file that is about to be replaced or removed for those who read the state of before."""
    state = state_of(store)
    if state is None or state.changing is None or relative.partition("/")[0] not in (state.rows or {}):
        return
    kept = _folder(store, state.changing) / relative
    if kept.exists():  # by this change, before it was cut short
        return
    with contextlib.suppress(FileNotFoundError):  # a part that is new
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
    """One state of a store: what those see who opened it then, for as long as it is kept.

    Parameters
    ----------
    store : Path
    number : int, optional
        The change; None for a store without a state, whose files are read as they are.
    rows : dict of str to int, optional
        Records of each group; None for a store without a state.
    """

    store: Path
    number: int | None = None
    rows: Mapping[str, int] | None = None

    @classmethod
    def now(cls, store: Path) -> Snapshot:
        """Return the present one.

        Raises
        ------
        PadflowError
            Where nothing whole can be read.
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
        # The order matters. What is replaced is kept first: a file that was opened while nothing was kept is old.
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
        """Refuse what is no longer kept.

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
    """Return the changes of which something is kept, in order."""
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
    """Return the oldest state that stays readable where so many bytes may be kept."""
    for count, number in enumerate(reversed(_numbers(store)), 1):
        room -= _bytes_below(_folder(store, number))
        if room < 0 or count >= KEPT_CHANGES:
            return number
    return 0
