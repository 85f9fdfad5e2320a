# SPDX-License-Identifier: BSD-3-Clause
"""The catalogue of an archive: each input file, whether it is used and why not, and what the scan found in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from padflow.errors import PadflowError
from padflow.instruments.instrument import Instrument
from padflow.records import Axes
from padflow.store.durable import read_json, write_json
from padflow.store.paths import is_inside, is_plain_name

Status = Literal["used", "superseded", "set_aside"]


FORMAT = 3


class Trouble(NamedTuple):
    """A file that cannot be used, and why: a word for tables, a sentence for readers."""

    path: str
    reason: str
    message: str


RecordsByDay = dict[str, dict[str, int]]
"""Numbers of records by spacecraft and UTC day (YYYY-MM-DD)."""


@dataclass(frozen=True)
class FileEntry:
    """One input file.

    Parameters
    ----------
    path : str
        Path relative to the source folder of the archive.
    day : str
        UTC day in the name, YYYY-MM-DD.
    version : str
        Version in the name.
    size_bytes, mtime_ns : int
        Size, and time of the last change. A file is opened again only when these change.
    status : {"used", "superseded", "set_aside"}
    reason, message : str, optional
        Why it is not used.
    records : int
        All records in the file.
    rows : int
        Records of the file's own day with a valid time, each time once.
    edge_ns : tuple of int
        Times (ns since 1970), ascending, of the rows close to midnight, to the first row or to the last row. Other
        files of this day or the next may hold the same records.
    stray_ns : tuple of int
        Times of records beyond midnight, each once. Whether they are needed depends on the files of those days.
    notes : dict of str to int
        How many values were left out, or are unusual, by kind.
    axes : str
        Key of its pitch angles and energies in `Catalog.axes`.
    origin : str
        Key in `Catalog.origins` of what it says about its origin.
    """

    path: str
    spacecraft: str
    day: str
    version: str
    size_bytes: int
    mtime_ns: int
    status: Status = "used"
    reason: str | None = None
    message: str | None = None
    records: int = 0
    rows: int = 0
    edge_ns: tuple[int, ...] = ()
    stray_ns: tuple[int, ...] = ()
    notes: dict[str, int] = field(default_factory=dict)
    axes: str = ""
    origin: str = ""

    def set_aside(self, reason: str, message: str) -> FileEntry:
        """Return the entry of a bad file."""
        return self._unread("set_aside", reason, message)

    def superseded(self, message: str) -> FileEntry:
        """Return the entry of a file in place of which another file is read."""
        return self._unread("superseded", "superseded", message)

    def _unread(self, status: Status, reason: str, message: str) -> FileEntry:
        return replace(self, status=status, reason=reason, message=message, rows=0, edge_ns=(), stray_ns=())


@dataclass(frozen=True)
class Catalog:
    """All files of an archive, ordered by spacecraft, day and path.

    Parameters
    ----------
    source : str
        Folder to which the paths are relative.
    instrument : str
        Digest of the definition of the instrument.
    files : tuple of FileEntry
    axes : dict of str to dict
        ``pitch_angle`` (deg) and ``energy`` (MeV) lists by name.
    kept : dict of str to dict
        Records by spacecraft and day that the archive held before this catalogue was made and still holds. While parts
        are written again, they cannot say it.
    origins : dict of str to dict
        What files say about their origin (`padflow.instruments.origin`), by key.
    """

    source: str
    instrument: str
    files: tuple[FileEntry, ...]
    axes: dict[str, dict[str, list[float]]]
    kept: RecordsByDay = field(default_factory=dict)
    origins: dict[str, dict[str, str]] = field(default_factory=dict)

    def used(self) -> list[FileEntry]:
        """Return the files that records are read from."""
        return [entry for entry in self.files if entry.status == "used"]

    def set_aside(self) -> list[FileEntry]:
        """Return the files that were found bad."""
        return [entry for entry in self.files if entry.status == "set_aside"]

    def archive_axes(self) -> dict[str, list[float]]:
        """Return the one set of axes that all used files share."""
        names = {entry.axes for entry in self.used()}
        if len(names) != 1:
            raise PadflowError(f"The catalogue's files have {len(names)} sets of axes; expected one.")
        return self.axes[names.pop()]

    def origin_of_files(self, spacecraft: str | None = None) -> list[dict[str, str]]:
        """Return what the used files, of one spacecraft or of all, say about their origin."""
        used = (entry for entry in self.used() if spacecraft in (None, entry.spacecraft))
        return [self.origins.get(entry.origin, {}) for entry in used]

    def with_bad(self, bad: Iterable[Trouble]) -> Catalog:
        """Return a catalogue in which these files are set aside, too."""
        found = {file.path: (file.reason, file.message) for file in bad}
        files = tuple(e.set_aside(*found[e.path]) if e.path in found else e for e in self.files)
        return replace(self, files=files)

    def save(self, path: Path) -> None:
        """Write ``catalog.json`` durably."""
        write_json(path, {"format": FORMAT} | asdict(self))

    @staticmethod
    def load(path: Path) -> Catalog | None:
        """Read ``catalog.json``; None where there is none or it has another format: then all files are scanned again.

        Raises
        ------
        PadflowError
            Where padflow has not written it so, or where it names a file outside the source folder.
        """
        values: Any = read_json(path)
        if not isinstance(values, dict) or values.pop("format", None) != FORMAT:
            return None
        try:
            catalog = Catalog(
                values["source"],
                values["instrument"],
                tuple(_entry(file) for file in values["files"]),
                values["axes"],
                {group: {day: int(count) for day, count in days.items()} for group, days in values["kept"].items()},
                {name: {key: str(text) for key, text in said.items()} for name, said in values["origins"].items()},
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise PadflowError(
                f"{path} is not as padflow wrote it ({type(error).__name__}: {error}). Remove it: the next `padflow "
                "run` looks at all files again."
            ) from None
        return catalog


def _entry(values: dict[str, Any]) -> FileEntry:
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    entry = FileEntry(**fields)
    if not is_inside(entry.path):
        raise ValueError(f"the path {entry.path!r} leads out of the source folder")
    if not is_plain_name(entry.spacecraft):
        raise ValueError(f"{entry.spacecraft!r} is no name of a spacecraft")
    return entry


def axes_of(catalog: Catalog, instrument: Instrument) -> Axes:
    """Return the axes of the archive, with the counts per flux of its instrument."""
    axes = catalog.archive_axes()
    pitch_angle, energy = np.array(axes["pitch_angle"]), np.array(axes["energy"])
    return Axes(pitch_angle, energy, instrument.counts_per_flux(energy))
