# SPDX-License-Identifier: BSD-3-Clause
"""Receipts: files that say that a part of a stage is done, so that a rerun goes on from there.

A worker writes the receipt when its part is whole on disk. The receipt holds a key, which is a digest of all that
decides the bytes of the part. A part is done again where its key has changed, or where a file that the receipt names is
missing or has another size. This module says what receipts hold and where they are; `padflow.pipeline.parts` does the
parts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from pydantic import TypeAdapter

from padflow.pipeline.directory import RunDirectory
from padflow.store.durable import FileFacts, read_bytes, read_json, sha256_of, write_json
from padflow.store.paths import is_inside

ASIDE = ".aside"
"""Ending of the note which says that workers died on a part. It is beside the receipt."""


PLACEHOLDER = "stands in for a part that was set aside"
"""Key in the receipt of what stands in for such a part. It is no digest, so that the next run does the part again."""


def digest(*values: Any) -> str:
    """Return a short SHA-256 of values that JSON can hold."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Part:
    """Consecutive records of one spacecraft that are written together.

    Parameters
    ----------
    group : str
        The spacecraft.
    index, start, stop : int
        Number of the part, its first row, and the row after its last.
    """

    group: str
    index: int
    start: int
    stop: int

    @property
    def name(self) -> str:
        """Group and number, such as ``rbspa/3``."""
        return f"{self.group}/{self.index}"

    @property
    def rows(self) -> int:
        """Number of records."""
        return self.stop - self.start

    def __str__(self) -> str:
        return f"part {self.index} of {self.group} (records {self.start} to {self.stop - 1})"


@dataclass(frozen=True)
class Receipt:
    """What all receipts hold. The file has the fields in their order, by name.

    Parameters
    ----------
    key : str
        Digest of all that decides the bytes of the part.
    start, stop : int
        Rows of the part.
    files : dict of str to (int, str)
        Size in bytes and SHA-256 of each file of the part, by its path relative to the run directory.
    """

    stage: ClassVar[str]
    """The stage that leaves receipts of this kind."""

    key: str
    start: int
    stop: int
    files: dict[str, FileFacts]

    @property
    def rows(self) -> int:
        """Number of records of the part."""
        return self.stop - self.start

    @property
    def content(self) -> str:
        """Digest of the bytes of the part, for the keys of what is made from it."""
        return digest(self.files)

    def to_json(self) -> dict[str, Any]:
        """Return what stands in the file."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """Return the receipt that a file holds.

        Raises
        ------
        ValueError
            Where it is not one of this kind.
        """
        return _of_json(cls, values)


@dataclass(frozen=True)
class Ingested(Receipt):
    """A part of the archive.

    Parameters
    ----------
    cleaned : dict of str to int
        How many values were cleaned, by kind.
    """

    stage = "ingest"

    cleaned: dict[str, int]


@dataclass(frozen=True)
class Summarised(Receipt):
    """Sums over one part for the summary, in a file of the ``fit`` folder."""

    stage = "summary"


@dataclass(frozen=True)
class Coded(Receipt):
    """Moments of the codes of one part, in a file of the ``fit`` folder.

    Parameters
    ----------
    fit : int
        Number of records.
    """

    stage = "moments"

    fit: int


@dataclass(frozen=True)
class Scored(Receipt):
    """Scores of one part.

    Parameters
    ----------
    fit : int
        Number of records to which classes are fitted.
    reasons : dict of int to int
        Number of records by `padflow.records.Reason`.
    """

    stage = "score"

    fit: int
    reasons: dict[int, int]


@dataclass(frozen=True)
class Labelled(Receipt):
    """Labels of one part.

    Parameters
    ----------
    sizes : list of int
        Records of each class.
    sums : list of list of float
        Sum of the scores of each class, by component.
    """

    stage = "label"

    sizes: list[int]
    sums: list[list[float]]


PART_KINDS: tuple[type[Receipt], ...] = (Ingested, Scored, Labelled)
"""Kinds of receipts that a finished run has for each part. Receipts of other kinds are removed by their stage."""


R = TypeVar("R", bound=Receipt)


_ADAPTERS: dict[type[Receipt], TypeAdapter[Any]] = {}
"""Checks the content of a receipt, by kind. Each is made at its first use."""


def _of_json(kind: type[R], values: Any) -> R:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    receipt: R = _ADAPTERS[kind].validate_python(values)
    return receipt


@dataclass(frozen=True)
class SetAside:
    """A part of which workers died.

    Parameters
    ----------
    stage : str
        The stage that was doing it.
    part : Part
    message : str
        What happened, in words.
    """

    stage: str
    part: Part
    message: str

    def to_json(self) -> dict[str, Any]:
        """Return what stands in the note."""
        return {"start": self.part.start, "stop": self.part.stop, "message": self.message}


def receipt_path(directory: RunDirectory, stage: str, group: str, index: int) -> Path:
    """Return the path of the receipt of a part."""
    return directory.receipts_folder / stage / group / f"{index:06d}.json"


def note_path(directory: RunDirectory, stage: str, group: str, index: int) -> Path:
    """Return the path of the note which says that workers died on a part."""
    return receipt_path(directory, stage, group, index).with_suffix(ASIDE)


def write_receipt(directory: RunDirectory, part: Part, receipt: Receipt) -> None:
    """Write the receipt of a part. Its files must be there already."""
    write_json(receipt_path(directory, receipt.stage, part.group, part.index), receipt.to_json())


def receipts(directory: RunDirectory, kind: type[R], group: str | None = None) -> Iterator[tuple[str, int, R]]:
    """Yield (group, index, receipt) of all receipts of a kind in order; damaged ones are left out."""
    folder = directory.receipts_folder / kind.stage
    for path in sorted(folder.glob(f"{group or '*'}/*.json")):
        receipt = _read(path, kind)
        if receipt is not None:
            yield path.parent.name, int(path.stem), receipt


def receipt_of(directory: RunDirectory, kind: type[R], part: Part) -> R | None:
    """Return the receipt of a part; None where it is missing or damaged."""
    return _read(receipt_path(directory, kind.stage, part.group, part.index), kind)


def _read(path: Path, kind: type[R]) -> R | None:
    try:
        return kind.from_json(read_json(path))
    except ValueError:
        return None


def is_done(directory: RunDirectory, kind: type[Receipt], part: Part, key: str) -> bool:
    """Return whether a part is done with this key, and has all its files."""
    receipt = receipt_of(directory, kind, part)
    return (
        receipt is not None
        and receipt.key == key
        and all(is_inside(name) and _size(directory.path / name) == size for name, (size, _) in receipt.files.items())
    )


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def broken_files(directory: RunDirectory, receipt: Receipt) -> Iterator[str]:
    """Yield a sentence for each file of a receipt that is missing or has another checksum."""
    for name, (size, checksum) in receipt.files.items():
        if not is_inside(name):
            yield f"its receipt names {name}, which is outside the run directory"
            continue
        try:
            content = read_bytes(directory.path / name)
        except FileNotFoundError:
            yield f"{name} is missing"
            continue
        if len(content) != size or sha256_of(content) != checksum:
            yield f"{name} was altered: {len(content)} bytes, and not those that were written"


def drop_receipts(directory: RunDirectory, stage: str, *, keep: Iterable[Part] = ()) -> None:
    """Remove the receipts of a stage, except those of some parts. Others may belong to an earlier, longer archive."""
    kept = {receipt_path(directory, stage, part.group, part.index) for part in keep}
    for path in (directory.receipts_folder / stage).glob("*/*.json"):
        if path not in kept:
            path.unlink(missing_ok=True)


def parts_set_aside(directory: RunDirectory, stage: str = "*") -> Iterator[SetAside]:
    """Yield the parts on which workers died, in order."""
    for path in sorted(directory.receipts_folder.glob(f"{stage}/*/*{ASIDE}")):
        note = read_json(path)
        with suppress(KeyError, TypeError):  # a damaged note
            part = Part(path.parent.name, int(path.stem), note["start"], note["stop"])
            yield SetAside(path.parent.parent.name, part, note["message"])
