"""The files of a mission: names, days and versions; nothing here opens one."""

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
        Where it is, beginning with the folder that was searched.
    spacecraft : str
        In lower case, such as ``rbspa``.
    day : date
        The UTC day in its name.
    version : tuple of int
        Such as ``(5, 10, 0)``; empty if the name carries none.
    size_bytes, mtime_ns : int
        Size and time of last change, which tell an unchanged file from a mended one; of what a symbolic link
        leads to, and 0 where it leads nowhere.
    piece : str
        The name without the version, in lower case. Files of one day that differ in it are pieces of the day, such
        as its hours, and not versions of one another.
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
    """A file that is not read because another one of its spacecraft, day and piece is; ``reason`` says why."""

    file: FoundFile
    by: FoundFile
    reason: str


def find_files(folder: Path, instrument: Instrument) -> list[FoundFile]:
    """Find an instrument's files in a folder, at any depth.

    Names are matched without regard to case. Symbolic links to files and folders are followed, for archives often
    link to a shared store; the link's own name counts, not that of the file it leads to. No folder is searched twice,
    so that the search ends where links lead in circles. Empty files are found too, and links that lead nowhere, for
    a day must not go missing unsaid.

    Returns
    -------
    list of FoundFile
        Ordered by spacecraft, day, version and path.

    Raises
    ------
    ConfigError
        If the folder is missing, it or one below cannot be read, or no file in it has a matching name.
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
        elif target is None and "." not in entry.name:  # as folders of years and days are named
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
    """Choose one file for each spacecraft, day and piece: the highest version, numbers compared as numbers.

    If the same version is there more than once, the larger file is chosen (the smaller may be an interrupted
    download), then the first by path.

    Returns
    -------
    chosen : list of FoundFile
        Ordered by spacecraft, day and piece.
    superseded : list of Superseded
        All the others.
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
    """Yield all that is no folder; of a folder with several paths, what is below the one with the fewest links."""
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
        # Going on would drop files silently.
        raise ConfigError(f"folder {folder} cannot be read: {error.strerror}") from None


def _target(entry: os.DirEntry) -> os.stat_result | None:
    """Return what is known of a file or folder, or of what a link leads to; None where that is not there."""
    try:
        return entry.stat()
    except OSError as error:
        if entry.is_symlink() and error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise ConfigError(f"{entry.path} cannot be read: {error.strerror}") from None


def _match(instrument: Instrument, name: str) -> tuple[str, date, tuple[int, ...], str] | None:
    """Return spacecraft, day, version and piece of a file's name."""
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
