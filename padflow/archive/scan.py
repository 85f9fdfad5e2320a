# SPDX-License-Identifier: BSD-3-Clause
"""Look at each file once and make the catalogue: which files are used, which are set aside and why, how many rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from padflow import faults
from padflow.archive.catalog import Catalog, FileEntry
from padflow.archive.files import FoundFile, Superseded, find_files, newest_versions
from padflow.archive.overlaps import STRAY_NS, without_overlaps
from padflow.archive.plan import day_of, plan_groups
from padflow.cdf.reader import inspect
from padflow.config.sections import ArchiveConfig
from padflow.errors import BadFile, ConfigError
from padflow.instruments.instrument import Instrument

DAY_NS = 86_400 * 10**9


LOOKED_AT_AGAIN = ("other_axes", "overlap", "only_strays", "io_error")
"""Reasons that do not lie in the file itself, but in other files or in the system. They may have passed."""


KILLS_WORKERS = "kills_workers"


class Found(NamedTuple):
    """What many files have in common: their axes, and what they say about their origin."""

    axes: dict[str, list[float]]
    origin: dict[str, str]


Inspected = tuple[FileEntry, Found | None]


MapFiles = Callable[[Callable[[Any], Inspected], list[Any]], Iterable[Inspected]]


def instrument_digest(instrument: Instrument) -> str:
    """Return a digest of an instrument's definition. With another definition, files are read again."""
    return hashlib.sha256(instrument.model_dump_json().encode()).hexdigest()[:16]


def reason_of(error: BadFile) -> str:
    """Return the reason of an error: ``io_error`` where the system could not read the file, which may be good."""
    cause = error.__cause__
    return "io_error" if isinstance(cause, OSError) and cause.errno else error.reason


def own_rows(times: np.ndarray, day: str) -> np.ndarray:
    """Return the places of the records that belong to the file's own day, in time order; of equal times the first.

    Parameters
    ----------
    times : ndarray of datetime64[ns], shape (records,)
        In file order; NaT where invalid.
    day : str
        YYYY-MM-DD.

    Returns
    -------
    ndarray of int, shape (rows,)
    """
    midnight = np.datetime64(day, "ns")
    inside = np.flatnonzero((times >= midnight) & (times < midnight + np.timedelta64(DAY_NS, "ns")))
    _, first = np.unique(times[inside], return_index=True)
    return inside[first]


def scan_archive(
    source: Path,
    instrument: Instrument,
    *,
    config: ArchiveConfig,
    previous: Catalog | None,
    map_files: MapFiles = map,
    retry: bool = True,
) -> Catalog:
    """Make the catalogue of a folder of CDF files.

    The newest version of each day is used. If it cannot be read, it is set aside, and the next older version is used in
    its place. A day may come in several files, as long as their times do not overlap.

    Parameters
    ----------
    config : ArchiveConfig
        Chooses spacecraft and days.
    previous : Catalog, optional
        Catalogue of an earlier scan. Files that have not changed since are not opened again.
    map_files : callable
        Works like `map`, but may return results in any order. It runs the function that looks at a file.
    retry : bool
        Whether to look again at files that were set aside for a reason that may have passed, such as an error of
        the file server.

    Raises
    ------
    ConfigError
        For a missing folder, one without files of the instrument, or none of the spacecraft and days asked for.
    """
    digest = instrument_digest(instrument)
    files = _selected(find_files(source, instrument), config, source)
    known: dict[str, FileEntry] = {}
    axes: dict[str, dict[str, list[float]]] = {}
    origins: dict[str, dict[str, str]] = {}
    if previous is not None and previous.instrument == digest and previous.source == str(source):
        known = {e.path: e for e in previous.files if not (retry and e.reason in LOOKED_AT_AGAIN)}
        axes, origins = dict(previous.axes), dict(previous.origins)
    established = {entry.axes for entry in known.values() if entry.status == "used"}
    looked_at: dict[str, FileEntry] = {}
    bad: set[str] = set()
    while True:
        chosen, superseded = newest_versions(file for file in files if _relative(file, source) not in bad)
        new = [_blank_entry(file, source) for file in chosen if _relative(file, source) not in looked_at]
        looked_at |= {entry.path: known[entry.path] for entry in new if _is_known(entry, known.get(entry.path))}
        unseen = [(str(source), entry, instrument) for entry in new if entry.path not in looked_at]
        for entry, found in map_files(_inspect_file, unseen):
            looked_at[entry.path] = entry
            if found is not None:
                axes[entry.axes], origins[entry.origin] = found
        ordered = sorted(looked_at.values(), key=_in_order)
        entries = without_overlaps(_set_aside_other_axes(ordered, axes, established))
        # A file with nothing but strays for another day does not count as a version of its own day.
        found_bad = {entry.path for entry in entries if entry.status == "set_aside" or _only_strays(entry)}
        if found_bad <= bad:
            break
        bad |= found_bad
    entries = _set_aside_idle(entries, config)
    pieces = {_relative(file, source): (file.spacecraft, file.day, file.piece) for file in files}
    entries = _all_entries(entries, superseded, source=source, pieces=pieces)
    return Catalog(
        str(source),
        digest,
        tuple(entries),
        axes=_named(axes, {entry.axes for entry in entries}),
        origins=_named(origins, {entry.origin for entry in entries}),
    )


def _named(values: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in names}


def _all_entries(
    looked_at: list[FileEntry], superseded: list[Superseded], *, source: Path, pieces: dict[str, tuple]
) -> list[FileEntry]:
    """Return the entries of all files in order: those that were looked at, and those that newer ones supersede.

    Parameters
    ----------
    pieces : dict of str to tuple
        Spacecraft, day and piece of the day by path. Files that have these in common are versions of the same.
    """
    preferred = {pieces[entry.path]: entry.path for entry in looked_at if entry.status == "set_aside"}
    entries = [_in_place(entry, preferred.get(pieces[entry.path])) for entry in looked_at]
    entries += [_blank_entry(old.file, source).superseded(old.reason) for old in superseded]
    return sorted(entries, key=_in_order)


def _in_order(entry: FileEntry) -> tuple[str, str, str]:
    return entry.spacecraft, entry.day, entry.path


def _in_place(entry: FileEntry, preferred: str | None) -> FileEntry:
    """Note in the entry of a file that it is used in place of a newer one, where that is so."""
    if entry.status != "used":
        return entry
    return replace(entry, message=f"read in place of {preferred}, which was set aside" if preferred else None)


def _only_strays(entry: FileEntry) -> bool:
    return entry.status == "used" and not entry.rows


def _set_aside_idle(entries: list[FileEntry], config: ArchiveConfig) -> list[FileEntry]:
    """Set aside the files that hold only strays, where no day needs these.

    The files are tried one after the other, for two of them may hold the same strays.
    """
    left = [entry for entry in entries if not _only_strays(entry)]
    for entry in filter(_only_strays, entries):
        left.append(entry if _is_needed(entry, left, config) else _idle(entry))
    return sorted(left, key=_in_order)


def _is_needed(entry: FileEntry, others: list[FileEntry], config: ArchiveConfig) -> bool:
    """Return whether a file gives any day a record that the `others` do not."""
    day = date.fromisoformat(entry.day)
    near = [other for other in others if abs(date.fromisoformat(other.day) - day).days <= 2]
    catalog = Catalog("", "", (*near, entry), {})
    groups = plan_groups(catalog, rows_per_part=1, start=config.start, end=config.end)
    return any(source.path == entry.path for group in groups for day in group.days for source in day.sources)


def _idle(entry: FileEntry) -> FileEntry:
    days = " and ".join(sorted({day_of(time) for time in entry.stray_ns}))
    return entry.set_aside(
        "only_strays",
        f"{entry.path}: none of its {entry.records} records has a time on {entry.day}, which its name says; they are "
        f"of {days}, and none of them is needed there",
    )


def died(entry: FileEntry, message: str) -> Inspected:
    """Return the entry of a file on which workers died."""
    return entry.set_aside(KILLS_WORKERS, killing_message(entry.path, message)), None


def killing_message(path: str, message: str) -> str:
    """Return what the catalogue says of a file on which workers died."""
    return (
        f"{path}: {message}; it is not read again until it changes. If it is only too large, raise "
        "cluster.memory_limit and `touch` it"
    )


def _is_known(entry: FileEntry, before: FileEntry | None) -> bool:
    return (
        before is not None
        and before.status != "superseded"
        and (before.size_bytes, before.mtime_ns) == (entry.size_bytes, entry.mtime_ns)
    )


def _selected(files: list[FoundFile], config: ArchiveConfig, source: Path) -> list[FoundFile]:
    first, last = config.start or date.min, config.end or date.max
    in_time = [file for file in files if first <= file.day <= last]
    there = sorted({file.spacecraft for file in files})
    wanted = config.spacecraft or tuple(there)
    missing = [name for name in wanted if name not in there]
    if missing:
        raise ConfigError(
            f"{source} holds no file of {', '.join(missing)}, which archive.spacecraft asks for; it holds "
            f"{', '.join(there)}."
        )
    chosen = [file for file in in_time if file.spacecraft in wanted]
    if not chosen:
        days = [file.day for file in files]
        raise ConfigError(
            f"{source} holds no file between archive.start = {config.start} and archive.end = {config.end}; its "
            f"{len(files)} files are of {min(days)} to {max(days)}."
        )
    return chosen


def _relative(file: FoundFile, source: Path) -> str:
    return file.path.relative_to(source).as_posix()


def _blank_entry(file: FoundFile, source: Path) -> FileEntry:
    return FileEntry(
        path=_relative(file, source),
        spacecraft=file.spacecraft,
        day=file.day.isoformat(),
        version=".".join(map(str, file.version)),
        size_bytes=file.size_bytes,
        mtime_ns=file.mtime_ns,
    )


def _inspect_file(task: tuple[str, FileEntry, Instrument]) -> Inspected:
    """Look at one file; runs on a worker."""
    source, entry, instrument = task
    faults.fault_point("scan", entry.path)
    day = date.fromisoformat(entry.day)
    try:
        facts = inspect(Path(source) / entry.path, instrument, spacecraft=entry.spacecraft, day=day)
    except BadFile as error:
        return entry.set_aside(reason_of(error), error.message), None
    axes = {"pitch_angle": facts.pitch_angle.tolist(), "energy": facts.energy.tolist()}
    found_in_file = Found(axes, facts.origin)
    rows = own_rows(facts.times, entry.day)
    own = facts.times[rows].astype(np.int64)
    midnight = int(np.datetime64(entry.day, "ns").astype(np.int64))
    near = (own - midnight < STRAY_NS) | (midnight + DAY_NS - own <= STRAY_NS)
    near |= (own - own[:1] <= STRAY_NS) | (own[-1:] - own <= STRAY_NS)
    valid = facts.times[~np.isnat(facts.times)].astype(np.int64)
    before, after = midnight - valid, valid - (midnight + DAY_NS)
    stray = ((before > 0) & (before <= STRAY_NS)) | ((after >= 0) & (after < STRAY_NS))
    inside = (before <= 0) & (after < 0)
    notes = (
        {f"absent:{name}": 1 for name in facts.absent}
        | facts.notes
        | {
            "invalid_time": len(facts.times) - len(valid),
            "doubled": int(inside.sum()) - len(rows),
            "outside_day": int((~inside & ~stray).sum()),
        }
    )
    found = replace(
        entry,
        records=len(facts.times),
        rows=len(rows),
        edge_ns=tuple(own[near].tolist()),
        stray_ns=tuple(np.unique(valid[stray]).tolist()),
        notes={key: count for key, count in notes.items() if count},
        axes=_digest(axes),
        origin=_digest(facts.origin),
    )
    if not found.rows and ("outside_day" in found.notes or not found.stray_ns):
        return found.set_aside("wrong_day", _wrong_day_message(found, valid)), found_in_file
    return found, found_in_file


def _digest(values: dict[str, Any]) -> str:
    return hashlib.sha256(repr(values).encode()).hexdigest()[:12]


def _wrong_day_message(entry: FileEntry, valid_ns: np.ndarray) -> str:
    message = f"{entry.path}: none of its {entry.records} records has a time on {entry.day}, which its name says"
    if not len(valid_ns):
        return message
    first, last = (
        np.datetime_as_string(np.datetime64(int(time), "ns"), "s") for time in (valid_ns.min(), valid_ns.max())
    )
    return f"{message}; they are of {first} to {last}. Rename it if its times are right"


def _same(ours: list[float], theirs: list[float]) -> bool:
    # Files of one product differ in the last bits of their axes. Up to a thousandth is the same axis (chosen).
    return len(ours) == len(theirs) and np.allclose(ours, theirs, rtol=1e-3, atol=0)


def _set_aside_other_axes(
    entries: list[FileEntry], axes: dict[str, dict[str, list[float]]], established: set[str]
) -> list[FileEntry]:
    """Set aside the files whose axes are not those of the archive.

    Axes that are `established` by an earlier scan are those of the archive, for a model may have been fitted to them.
    Without such axes, those of the largest number of rows are.
    """
    rows: dict[str, int] = {}
    for entry in entries:
        if entry.status == "used":
            rows[entry.axes] = rows.get(entry.axes, 0) + entry.rows
    if len(rows) <= 1:
        return entries
    common = max(sorted(rows.keys() & established or rows), key=lambda name: rows[name])
    alike = {name for name in rows if all(_same(axes[name][key], axes[common][key]) for key in axes[common])}
    checked = []
    for entry in entries:
        if entry.status == "used":
            other = entry.axes not in alike
            message = _axes_message(entry, axes[entry.axes], axes[common]) if other else ""
            entry = entry.set_aside("other_axes", message) if other else replace(entry, axes=common)
        checked.append(entry)
    return checked


def _axes_message(entry: FileEntry, found: dict[str, list[float]], expected: dict[str, list[float]]) -> str:
    name = next(name for name in expected if not _same(found[name], expected[name]))
    return (
        f"{entry.path}: its {name} axis is {found[name]}, but most of the archive has {expected[name]}; label "
        "such files on their own, with archive.start and archive.end"
    )
