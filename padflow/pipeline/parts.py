# SPDX-License-Identifier: BSD-3-Clause
"""Do the parts of a stage on workers. Parts that are done are reused, and parts on which workers die are set aside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from padflow import faults
from padflow.archive.catalog import Trouble
from padflow.archive.ingest import Unreadable
from padflow.compute.workers import WorkerDeath, Workers, peak_memory_bytes
from padflow.pipeline.directory import RunDirectory
from padflow.pipeline.receipts import (
    PLACEHOLDER,
    Part,
    Receipt,
    SetAside,
    drop_receipts,
    is_done,
    note_path,
    parts_set_aside,
    write_receipt,
)
from padflow.store.durable import write_json


@dataclass(frozen=True)
class PartTask(Part):
    """One part to be done by one stage.

    Parameters
    ----------
    key : str
        Digest of all that decides its result.
    """

    key: str


R = TypeVar("R", bound=Receipt)


T = TypeVar("T", bound=PartTask)
"""A kind of tasks: for some stages a task holds more than the part."""


@dataclass(frozen=True)
class PartOutcome(Generic[T]):
    """What became of a part.

    Parameters
    ----------
    task : PartTask
    reused : bool
        Whether an earlier run did it.
    peak_memory_bytes : int
        Peak memory of the worker that did it; 0 where none did.
    unreadable : tuple of Trouble
        Files that it needs and that cannot be read. It has no receipt then.
    death : WorkerDeath, optional
        Says that workers died on it.
    """

    task: T
    reused: bool = False
    peak_memory_bytes: int = 0
    unreadable: tuple[Trouble, ...] = ()
    death: WorkerDeath | None = None


@dataclass(frozen=True)
class _Performed:
    """What a worker tells the driver about a part."""

    peak_memory_bytes: int
    unreadable: tuple[Trouble, ...] = ()


@dataclass(frozen=True)
class _Perform(Generic[T]):
    """Runs a stage's function on a worker and leaves the receipt."""

    directory: RunDirectory
    kind: type[Receipt]
    function: Callable[[T], Receipt | Unreadable]

    @property
    def stage(self) -> str:
        """The stage's name."""
        return self.kind.stage

    @property
    def __name__(self) -> str:  # Dask's dashboard shows it
        return self.stage

    def __call__(self, task: T) -> _Performed:
        # Another worker may have done the part and died before it could say so. Then nothing is done again.
        if task.key != PLACEHOLDER and is_done(self.directory, self.kind, task, task.key):
            return _Performed(peak_memory_bytes())
        place = self.stage if task.key != PLACEHOLDER else f"{self.stage} placeholder"
        faults.fault_point(place, task.name)
        result = self.function(task)
        if isinstance(result, Unreadable):
            return _Performed(peak_memory_bytes(), result.files)
        files = [self.directory.path / name for name in result.files]
        faults.fault_point(place, task.name, moment="written", files=files)
        write_receipt(self.directory, task, result)
        faults.fault_point(place, task.name, moment="done", files=files)
        return _Performed(peak_memory_bytes())


def put_placeholder(
    directory: RunDirectory, kind: type[R], task: T, *, function: Callable[[T], R], workers: Workers
) -> None:
    """Write the results that stand in place of a part that cannot be done."""
    workers.map(_Perform(directory, kind, function), [replace(task, key=PLACEHOLDER)])


def run_parts(
    directory: RunDirectory,
    kind: type[R],
    *,
    tasks: Sequence[T],
    function: Callable[[T], R | Unreadable],
    workers: Workers,
    placeholder: Callable[[T], R] | None = None,
) -> Iterator[PartOutcome[T]]:
    """Do the parts of a stage that are not done yet.

    A part on which workers die is noted (`parts_set_aside`), and the next run tries it again.

    Parameters
    ----------
    kind : type of Receipt
        What the function returns; it names the stage.
    placeholder : callable, optional
        Makes the results that stand in place of such a part. Without it the part has no receipt.

    Yields
    ------
    PartOutcome
        One for each task; first those that are reused.
    """
    stage = kind.stage
    drop_receipts(directory, stage, keep=tasks)
    missing = []
    for task in tasks:
        if is_done(directory, kind, task, task.key):
            yield PartOutcome(task, reused=True)
        else:
            missing.append(task)
    noted = {note.part.name: note.part for note in parts_set_aside(directory, stage)}
    for name in noted.keys() - {task.name for task in missing}:  # done by now, or there is no such part any more
        _forget_note(directory, stage, noted[name])
    for task, outcome in workers.each(_Perform(directory, kind, function), missing, tolerate_deaths=True):
        if isinstance(outcome, WorkerDeath):
            note = SetAside(stage, task, outcome.message)
            write_json(note_path(directory, stage, task.group, task.index), note.to_json())
            if placeholder is not None:
                put_placeholder(directory, kind, task, function=placeholder, workers=workers)
            yield PartOutcome(task, death=outcome)
        else:
            if task.name in noted:
                _forget_note(directory, stage, task)
            yield PartOutcome(task, peak_memory_bytes=outcome.peak_memory_bytes, unreadable=outcome.unreadable)


def _forget_note(directory: RunDirectory, stage: str, part: Part) -> None:
    note_path(directory, stage, part.group, part.index).unlink(missing_ok=True)
