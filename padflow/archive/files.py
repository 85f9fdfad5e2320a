# SPDX-License-Identifier: BSD-3-Clause
"""Find the files of a mission by their names: spacecraft, day and version. No file is opened here."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from padflow.errors import ConfigError, brief, one_line
from padflow.instruments.instrument import BUILT_IN, Instrument, load_instrument
from padflow.store.paths import is_plain_name


@dataclass(frozen=True)
class FoundFile:
    """A file whose name says that it belongs to an instrument.

    Parameters
    ----------
    path : Path
        Path of the file. It begins with the folder that was searched.
    spacecraft : str
        Name in lower case, such as ``rbspa``.
    day : date
        The UTC day in its name.
    version : tuple of int
        Version, such as ``(5, 10, 0)``; empty where the name has none.
    size_bytes, mtime_ns : int
        Size and time of the last change. A file with the same size and time has not changed. For a symbolic link, those
        of its target; 0 where there is no target.
    piece : str
        The name without the version, in lower case. Files of one day that differ in it are not versions of one file,
        but pieces of the day, such as its hours.
    """

    path: Path
    spacecraft: str
    day: date
    version: tuple[int, ...]
    size_bytes: int
    mtime_ns: int
    piece: str = ""


@dataclass(frozen=True)
class Superseded:
    """A file in place of which another file of the same spacecraft, day and piece is read; ``reason`` says why."""

    file: FoundFile
    by: FoundFile
    reason: str


def find_files(folder: Path, instrument: Instrument) -> list[FoundFile]:
    """Find an instrument's files in a folder, at any depth.

    Upper and lower case of names are the same. Symbolic links to files and folders are followed, for archives often
    link to a shared store; the name of the link counts, not that of its target. No folder is searched twice, so that
    the search ends even where links lead in circles. Empty files and links without a target are found too: no day may
    be lost without a message.

    Returns
    -------
    list of FoundFile
        Ordered by spacecraft, day, version and path.

    Raises
    ------
    ConfigError
        Where the folder is missing, where it or a folder below it cannot be read, or where no name matches.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ConfigError(f"{folder} is not a folder; give the folder that holds the CDF files, at any depth")
    found = []
    others: list[str] = []
    for entry in _walk(folder):
        match = _match(instrument, entry.name)
        target = _target(entry)
        if match is not None and (target is None or stat.S_ISREG(target.st_mode)):
            size_bytes, mtime_ns = (0, 0) if target is None else (target.st_size, target.st_mtime_ns)
            spacecraft, day, version, piece = match
            found.append(FoundFile(Path(entry.path), spacecraft, day, version, size_bytes, mtime_ns, piece))
        elif target is None and "." not in entry.name:  # folders of years and days have such names
            raise ConfigError(
                f"{entry.path} is a symbolic link that leads nowhere, to {Path(entry.path).readlink()}, and may have "
                "been a folder of files. Put back what it leads to, or remove the link."
            )
        elif entry.name.lower().endswith(".cdf"):
            others.append(entry.name)
    if not found:
        raise ConfigError(_nothing_found(folder, instrument, sorted(others)))
    return sorted(found, key=lambda file: (file.spacecraft, file.day, file.version, file.path.as_posix()))


def newest_versions(files: Iterable[FoundFile]) -> tuple[list[FoundFile], list[Superseded]]:
    """Choose one file for each spacecraft, day and piece: the one with the highest version, compared as numbers.

    Where several files have the same version, the largest is chosen, for a smaller one may be an interrupted download.
    Where the sizes are the same too, the first by path is chosen.

    Returns
    -------
    chosen : list of FoundFile
        Ordered by spacecraft, day and piece.
    superseded : list of Superseded
        All other files.
    """
    by_piece: dict[tuple[str, date, str], list[FoundFile]] = defaultdict(list)
    for file in files:
        by_piece[file.spacecraft, file.day, file.piece].append(file)
    chosen, superseded = [], []
    for key in sorted(by_piece):
        alike = sorted(by_piece[key], key=lambda file: (-file.size_bytes, file.path.as_posix()))
        best = max(alike, key=lambda file: file.version)  # the first of equals
        chosen.append(best)
        superseded += [Superseded(file, best, _why(file, best)) for file in alike if file is not best]
    return chosen, superseded


def _why(file: FoundFile, best: FoundFile) -> str:
    if file.version < best.version:
        return f"version {_dotted(file.version)} is older than {_dotted(best.version)} in {best.path}"
    return f"version {_dotted(file.version)} is also in {best.path}, which is read instead"


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version)) or "(none)"


def _walk(folder: Path) -> Iterator[os.DirEntry]:
    """Yield all files below a folder. A folder with several paths is searched by the path with the fewest links."""
    searched: set[tuple[int, int]] = set()
    waiting = deque([folder])
    behind_links: deque[Path] = deque()
    while waiting or behind_links:
        path = (waiting or behind_links).popleft()
        status = path.stat()
        if (status.st_dev, status.st_ino) in searched:
            continue
        searched.add((status.st_dev, status.st_ino))
        for entry in _entries(path):
            target = _target(entry)
            if target is None or not stat.S_ISDIR(target.st_mode):
                yield entry
            else:
                (behind_links if entry.is_symlink() else waiting).append(Path(entry.path))


def _entries(folder: Path) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        # To go on would leave out files without a message.
        raise ConfigError(f"folder {folder} cannot be read: {error.strerror}") from None


def _target(entry: os.DirEntry) -> os.stat_result | None:
    """Return size, time and kind of a file or folder, or of the target of a link; None where there is no target."""
    try:
        return entry.stat()
    except OSError as error:
        if entry.is_symlink() and error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise ConfigError(f"{entry.path} cannot be read: {error.strerror}") from None


def _match(instrument: Instrument, name: str) -> tuple[str, date, tuple[int, ...], str] | None:
    """Return spacecraft, day, version and piece from the name of a file."""
    match = re.fullmatch(instrument.file_pattern, name, flags=re.IGNORECASE | re.ASCII)
    if match is None:
        return None
    groups = match.groupdict()
    spacecraft = groups["spacecraft"].lower()
    if not is_plain_name(spacecraft):
        raise ConfigError(
            f"The file name {name!r} gives {spacecraft!r} as spacecraft by the file_pattern of instrument "
            f"{instrument.name!r}, which cannot name a folder; let the group spacecraft match letters and digits only."
        )
    try:
        day = datetime.strptime(groups["date"], "%Y%m%d").date()
        version = tuple(int(part) for part in (groups.get("version") or "").split(".") if part)
    except ValueError:  # eight digits that are no date
        return None
    first, end = match.span("version") if groups.get("version") else (0, 0)
    return spacecraft, day, version, (name[:first] + name[end:]).lower()


def _nothing_found(folder: Path, instrument: Instrument, others: list[str]) -> str:
    named = f"{brief(instrument.name)} ({one_line(instrument.file_pattern)})"
    text = f"no file in {folder} has a name of instrument {named}. "
    if not others:
        text += "There is no .cdf file at any depth"
    else:
        shown = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
        text += f"{len(others)} other .cdf file(s) were seen: {shown}"
        fitting = [name for name in BUILT_IN if any(_match(load_instrument(name), other) for other in others)]
        if fitting:
            text += f"; set the instrument to {' or '.join(fitting)} to read some of them"
    return text + "."
