"""What is done and whole: a receipt for every part of every stage, so that a rerun goes on from there.

A receipt is written by the worker, after its part is whole on disk. It carries a key, a digest of everything
that decides the part's bytes; a part is done again exactly when its key is no longer that of its receipt, or a
file it names is not there with its size.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from padflow import faults
from padflow.compute.workers import Died, Workers, peak_memory_bytes
from padflow.store.durable import read_bytes, read_json, sha256_of, write_json
from padflow.store.paths import is_inside

RECEIPTS = "receipts"


ASIDE = ".aside"
"""Ending of the note, beside the receipt, that workers died of a part."""


STAND_IN = "stands in for a part that was set aside"
"""Key of the receipt of such a part; it is no digest, so that the part is tried again by the next run."""


def digest(*values: Any) -> str:
    """Return a short SHA-256 of values that JSON can hold."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class PartTask:
    """One part to be done by one stage.

    Parameters
    ----------
    group : str
    index, start, stop : int
        The part's number and rows.
    key : str
        Digest of all that decides its result.
    payload : object
        What the stage's function gets; by default the task itself.
    """

    group: str
    index: int
    start: int
    stop: int
    key: str
    payload: Any = None

    @property
    def name(self) -> str:
        """Group and number, such as ``rbspa/3``."""
        return f"{self.group}/{self.index}"

    def __str__(self) -> str:
        return f"part {self.index} of {self.group} (records {self.start} to {self.stop - 1})"


@dataclass(frozen=True)
class _Perform:
    """Runs a stage's function on a worker and leaves the receipt."""

    run_dir: str
    stage: str
    function: Callable[[Any], dict[str, Any]]

    @property
    def __name__(self) -> str:  # what Dask's dashboard calls the tasks
        return self.stage

    def __call__(self, task: PartTask) -> tuple[dict[str, Any], int]:
        run_dir, receipt = Path(self.run_dir), receipt_path(Path(self.run_dir), self.stage, task.group, task.index)
        if task.key != STAND_IN and is_done(run_dir, self.stage, task):
            # A worker did all this and died before it could say so.
            return _told(read_json(receipt)), peak_memory_bytes()
        place = self.stage if task.key != STAND_IN else f"{self.stage} stand-in"
        faults.visit(place, task.name)
        result = self.function(task.payload if task.payload is not None else task)
        if "bad" not in result:
            files = [run_dir / name for name in result.get("files", ())]
            faults.visit(place, task.name, moment="written", files=files)
            write_json(receipt, {"key": task.key, "start": task.start, "stop": task.stop} | result)
            faults.visit(place, task.name, moment="done", files=files)
        return _told(result), peak_memory_bytes()


def _told(result: dict[str, Any]) -> dict[str, Any]:
    """Return what the driver is told of a part: what its function returned, but for the files."""
    return {name: value for name, value in result.items() if name not in ("files", "key", "start", "stop")}


def receipt_path(run_dir: Path, stage: str, group: str, index: int) -> Path:
    """Return where a part's receipt lies."""
    return run_dir / RECEIPTS / stage / group / f"{index:06d}.json"


def receipts(run_dir: Path, stage: str, group: str | None = None) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Yield (group, index, receipt) of a stage in order."""
    folder = run_dir / RECEIPTS / stage
    for path in sorted(folder.glob(f"{group or '*'}/*.json")):
        content = read_json(path)
        if isinstance(content, dict):
            yield path.parent.name, int(path.stem), content


def content_of(receipt: dict[str, Any]) -> str:
    """Return a digest of a part's bytes, for the keys of what is made from it."""
    return digest(receipt["files"])


def parts_set_aside(run_dir: Path, stage: str = "*") -> Iterator[tuple[str, PartTask, str]]:
    """Yield (stage, part, why) of the parts that workers died of, in order."""
    for path in sorted((run_dir / RECEIPTS).glob(f"{stage}/*/*{ASIDE}")):
        note = read_json(path)
        if isinstance(note, dict):
            part = PartTask(path.parent.name, int(path.stem), note["start"], note["stop"], STAND_IN)
            yield path.parent.parent.name, part, note["message"]


def put_stand_in(
    run_dir: Path, stage: str, task: PartTask, *, function: Callable[[Any], dict[str, Any]], workers: Workers
) -> dict[str, Any]:
    """Put the results of records that could not be dealt with in the place of a part; return the receipt's."""
    perform = _Perform(str(run_dir), stage, function)
    ((result, _),) = workers.map(perform, [replace(task, key=STAND_IN)])
    return result


def is_done(run_dir: Path, stage: str, task: PartTask) -> bool:
    """Return whether a part stands as its key says, with all its files in place."""
    receipt = read_json(receipt_path(run_dir, stage, task.group, task.index))
    if not isinstance(receipt, dict) or receipt.get("key") != task.key:
        return False
    files = receipt.get("files", {})
    return all(is_inside(name) and _size(run_dir / name) == size for name, (size, _) in files.items())


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def broken_files(run_dir: Path, receipt: dict[str, Any]) -> Iterator[str]:
    """Yield a sentence for each file of a receipt that is missing or does not have its checksum."""
    for name, (size, checksum) in receipt.get("files", {}).items():
        if not is_inside(name):
            yield f"its receipt names {name}, which is outside the run directory"
            continue
        try:
            content = read_bytes(run_dir / name)
        except FileNotFoundError:
            yield f"{name} is missing"
            continue
        if len(content) != size or sha256_of(content) != checksum:
            yield f"{name} was altered: {len(content)} bytes, and not those that were written"


def drop_receipts(run_dir: Path, stage: str, *, keep: Iterable[PartTask] = ()) -> None:
    """Remove receipts of a stage but those of the tasks to keep (parts of a longer archive of before)."""
    kept = {receipt_path(run_dir, stage, task.group, task.index) for task in keep}
    for path in (run_dir / RECEIPTS / stage).glob("*/*.json"):
        if path not in kept:
            path.unlink(missing_ok=True)


def run_parts(
    run_dir: Path,
    stage: str,
    *,
    tasks: list[PartTask],
    function: Callable[[Any], dict[str, Any]],
    workers: Workers,
    stand_in: Callable[[Any], dict[str, Any]] | None = None,
) -> Iterator[tuple[PartTask, dict[str, Any] | None, int]]:
    """Do the parts of a stage that are not done yet.

    A part that workers die of is noted (`parts_set_aside`), and tried again by the next run.

    Parameters
    ----------
    stand_in : callable, optional
        Makes the result of such a part; by default it stays without a result and a receipt.

    Yields
    ------
    PartTask
        Every task, those that stand first.
    dict or None
        What the function returned; None where the part stood already; with ``"died"`` where workers died of it.
    int
        Peak memory of the worker, bytes; 0 where the part stood.
    """
    drop_receipts(run_dir, stage, keep=tasks)
    missing = []
    for task in tasks:
        if is_done(run_dir, stage, task):
            yield task, None, 0
        else:
            missing.append(task)
    noted = {part.name for _, part, _ in parts_set_aside(run_dir, stage)}
    for name in noted - {task.name for task in missing}:  # mended, or no more
        _note_path(run_dir, stage, name).unlink(missing_ok=True)
    for task, outcome in workers.each(_Perform(str(run_dir), stage, function), missing, spare=True):
        if not isinstance(outcome, Died):
            if task.name in noted:
                _note_path(run_dir, stage, task.name).unlink(missing_ok=True)
            yield task, *outcome
            continue
        note = {"start": task.start, "stop": task.stop, "message": outcome.message}
        write_json(_note_path(run_dir, stage, task.name), note)
        result = put_stand_in(run_dir, stage, task, function=stand_in, workers=workers) if stand_in else {}
        yield task, result | {"died": outcome.message}, 0


def _note_path(run_dir: Path, stage: str, name: str) -> Path:
    group, _, index = name.rpartition("/")
    return receipt_path(run_dir, stage, group, int(index)).with_suffix(ASIDE)
