"""What is done and whole: a receipt for every part of every stage, so that a rerun goes on from there.

A receipt is written by the worker, after its part is whole on disk. It carries a key, a digest of everything
that decides the part's bytes; a part is done again exactly when its key is no longer that of its receipt, or a
file it names is not there with its size.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from padflow.clients import Workers, peak_memory_bytes
from padflow.durable import is_inside, read_json, sha256_of, write_json

RECEIPTS = "receipts"


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

    def __str__(self) -> str:
        return f"part {self.index} of {self.group} (records {self.start} to {self.stop - 1})"


@dataclass(frozen=True)
class _Perform:
    """Runs a stage's function on a worker and leaves the receipt."""

    run_dir: str
    stage: str
    function: Callable[[Any], dict[str, Any]]

    def __call__(self, task: PartTask) -> tuple[dict[str, Any], int]:
        result = self.function(task.payload if task.payload is not None else task)
        if "bad" not in result:
            content = {"key": task.key, "start": task.start, "stop": task.stop} | result
            write_json(receipt_path(Path(self.run_dir), self.stage, task.group, task.index), content)
        return {name: value for name, value in result.items() if name != "files"}, peak_memory_bytes()


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
            content = (run_dir / name).read_bytes()
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
) -> Iterator[tuple[PartTask, dict[str, Any] | None, int]]:
    """Do the parts of a stage that are not done yet.

    Yields
    ------
    PartTask
        Every task, those that stand first.
    dict or None
        What the function returned; None where the part stood already.
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
    for task, (result, peak) in workers.each(_Perform(str(run_dir), stage, function), missing):
        yield task, result, peak
