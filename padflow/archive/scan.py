"""Look at every file once: which are used, which are set aside and why, how many rows each gives."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from padflow.archive.catalog import Catalog, FileEntry
from padflow.archive.cdf import inspect
from padflow.archive.files import FoundFile, find_files, newest_versions
from padflow.config import ArchiveConfig
from padflow.errors import BadFile, ConfigError
from padflow.instruments import Instrument

STRAY_NS = 300 * 10**9
"""How far beyond midnight a file's records are taken for strays of the neighbouring day; further is an error."""
DAY_NS = 86_400 * 10**9

LOOKED_AT_AGAIN = ("other_axes", "io_error")
"""Reasons that other files, or the system's state, gave and not the file's own content."""

Inspected = tuple[FileEntry, dict[str, list[float]] | None]
MapFiles = Callable[[Callable[[Any], Inspected], list[Any]], Iterable[Inspected]]


def instrument_digest(instrument: Instrument) -> str:
    """Return a digest of an instrument's definition: another definition reads other values."""
    return hashlib.sha256(instrument.model_dump_json().encode()).hexdigest()[:16]


def reason_of(error: BadFile) -> str:
    """Return the reason of an error, ``io_error`` where the system refused: that says nothing of the file."""
    cause = error.__cause__
    return "io_error" if isinstance(cause, OSError) and cause.errno else error.reason


def own_rows(times: np.ndarray, day: str) -> np.ndarray:
    """Return where a file's records of its own day stand, in time order, the first of equal times only.

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
) -> Catalog:
    """Make the catalogue of a folder of CDF files.

    Parameters
    ----------
    config : ArchiveConfig
        Chooses spacecraft and days.
    previous : Catalog, optional
        Of an earlier scan; files that have not changed since are not opened again.
    map_files : callable
        Like `map`; runs the look at each file, in any order.

    Raises
    ------
    ConfigError
        For a missing folder, one without files of the instrument, or none of the spacecraft and days asked for.
    """
    digest = instrument_digest(instrument)
    chosen, superseded = newest_versions(_selected(find_files(source, instrument), config, source))
    known: dict[str, FileEntry] = {}
    axes: dict[str, dict[str, list[float]]] = {}
    if previous is not None and previous.instrument == digest and previous.source == str(source):
        known = {entry.path: entry for entry in previous.files if entry.reason not in LOOKED_AT_AGAIN}
        axes = dict(previous.axes)
    entries, unseen = [], []
    for file in chosen:
        entry = _blank_entry(file, source)
        before = known.get(entry.path)
        unchanged = (
            before is not None
            and before.status != "superseded"
            and ((before.size_bytes, before.mtime_ns) == (entry.size_bytes, entry.mtime_ns))
        )
        if unchanged:
            entries.append(before)
        else:
            unseen.append((str(source), entry, instrument))
    for entry, found_axes in map_files(_inspect_file, unseen):
        entries.append(entry)
        if found_axes is not None:
            axes[entry.axes] = found_axes
    for old in superseded:
        entry = _blank_entry(old.file, source)
        entries.append(replace(entry, status="superseded", reason="superseded", message=old.reason))
    entries.sort(key=lambda entry: (entry.spacecraft, entry.day, entry.path))
    established = {entry.axes for entry in known.values() if entry.status == "used"}
    entries = _set_aside_other_axes(entries, axes, established)
    used_axes = {entry.axes for entry in entries}
    return Catalog(str(source), digest, tuple(entries), {k: v for k, v in axes.items() if k in used_axes})


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


def _blank_entry(file: FoundFile, source: Path) -> FileEntry:
    return FileEntry(
        path=file.path.relative_to(source).as_posix(),
        spacecraft=file.spacecraft,
        day=file.day.isoformat(),
        version=".".join(map(str, file.version)),
        size_bytes=file.size_bytes,
        mtime_ns=file.mtime_ns,
    )


def _inspect_file(task: tuple[str, FileEntry, Instrument]) -> Inspected:
    """Look at one file; runs on a worker."""
    source, entry, instrument = task
    day = date.fromisoformat(entry.day)
    try:
        facts = inspect(Path(source) / entry.path, instrument, spacecraft=entry.spacecraft, day=day)
    except BadFile as error:
        return entry.set_aside(reason_of(error), error.message), None
    axes = {"pitch_angle": facts.pitch_angle.tolist(), "energy": facts.energy.tolist()}
    name = hashlib.sha256(repr(axes).encode()).hexdigest()[:12]
    rows = own_rows(facts.times, entry.day)
    own = facts.times[rows].astype(np.int64)
    midnight = int(np.datetime64(entry.day, "ns").astype(np.int64))
    near = (own - midnight < STRAY_NS) | (midnight + DAY_NS - own <= STRAY_NS)
    valid = facts.times[~np.isnat(facts.times)].astype(np.int64)
    before, after = midnight - valid, valid - (midnight + DAY_NS)
    stray = ((before > 0) & (before <= STRAY_NS)) | ((after >= 0) & (after < STRAY_NS))
    inside = (before <= 0) & (after < 0)
    notes = {f"absent:{name}": 1 for name in facts.absent} | {
        "invalid_time": len(facts.times) - len(valid),
        "doubled": int(inside.sum()) - len(rows),
        "outside_day": int((~inside & ~stray).sum()),
    }
    found = replace(
        entry,
        records=len(facts.times),
        rows=len(rows),
        edge_ns=tuple(own[near].tolist()),
        stray_ns=tuple(np.unique(valid[stray]).tolist()),
        notes={key: count for key, count in notes.items() if count},
        axes=name,
    )
    if not found.rows and not found.stray_ns:
        message = f"{entry.path}: none of its {len(facts.times)} records has a time on {entry.day}"
        return found.set_aside("wrong_day", message), axes
    return found, axes


def _same(ours: list[float], theirs: list[float]) -> bool:
    # Files of one product differ in the last bits of their axes; a thousandth of a value is no other axis.
    return len(ours) == len(theirs) and np.allclose(ours, theirs, rtol=1e-3, atol=0)


def _set_aside_other_axes(
    entries: list[FileEntry], axes: dict[str, dict[str, list[float]]], established: set[str]
) -> list[FileEntry]:
    """Set aside the files whose axes are not those of the archive.

    These are the `established` ones of an earlier scan, for a model may have been fitted on them, or else the
    axes that most rows have.
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
