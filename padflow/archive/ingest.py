# SPDX-License-Identifier: BSD-3-Clause
"""Make a part of the archive from CDF files: read its days, sort the records, and write the part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from padflow import faults
from padflow.archive.catalog import Catalog, Trouble, axes_of
from padflow.archive.plan import Day, GroupPlan, PartSpan, Source
from padflow.archive.scan import own_rows, reason_of
from padflow.cdf.reader import read_records
from padflow.errors import BadFile, PadflowError
from padflow.instruments.instrument import Instrument
from padflow.instruments.origin import group_attributes
from padflow.records import Records
from padflow.store.durable import FileFacts
from padflow.store.specs import archive_specs
from padflow.store.writing import prepare_group, write_part


@dataclass(frozen=True)
class WrittenPart:
    """A part of the archive that is whole on disk.

    Parameters
    ----------
    files : dict of str to (int, str)
        Size and SHA-256 of each file, by its path relative to the run directory.
    cleaned : dict of str to int
        How many values were cleaned, by kind.
    """

    files: dict[str, FileFacts]
    cleaned: dict[str, int]


@dataclass(frozen=True)
class Unreadable:
    """Stands in place of a part: files that the scan found good and that cannot be read now. Nothing was written."""

    files: tuple[Trouble, ...]


@dataclass(frozen=True)
class IngestPart:
    """Writes one part of the archive. A worker calls it with the span of the part.

    Parameters
    ----------
    source : str
        Folder of the CDF files.
    instrument : Instrument
    store : str
        ``archive.zarr``.
    shape : tuple of int
        Pitch angles and energies.
    rows_per_part : int
    """

    source: str
    instrument: Instrument
    store: str
    shape: tuple[int, int]
    rows_per_part: int

    def __call__(self, span: PartSpan) -> WrittenPart | Unreadable:
        """Read and write the part, or return the files that cannot be read now."""
        pieces: list[Records] = []
        bad: list[Trouble] = []
        cleaned: Counter[str] = Counter()
        for day, first, end in span.pieces:
            try:
                records, notes = self._read_day(day, span.group, first, end)
            except _BadSource as error:
                bad.append(error.trouble)
                continue
            pieces.append(records)
            cleaned.update(notes)
        if bad:
            return Unreadable(tuple(bad))
        records = Records.concatenate(pieces)
        if not (np.diff(records.time.astype(np.int64)) > 0).all():
            raise PadflowError(f"Part {span.index} of {span.group} is not in time order; this is an error in padflow.")
        values = {"time": records.time.astype(np.int64), "flux": records.flux, **records.ephemeris}
        files = write_part(
            Path(self.store),
            span.group,
            span.index,
            specs=archive_specs(*self.shape, ephemeris=self.instrument.ephemeris),
            values=values,
            rows_per_part=self.rows_per_part,
        )
        store = Path(self.store).name
        return WrittenPart({f"{store}/{name}": facts for name, facts in files.items()}, dict(cleaned))

    def try_file(self, file: tuple[str, str]) -> None:
        """Read a file, given by path and spacecraft, only to see whether the worker survives it."""
        with suppress(BadFile):
            self._read(*file)

    def _read(
        self, path: str, spacecraft: str, wanted: Callable[[np.ndarray], slice] = lambda _: slice(None)
    ) -> tuple[Records, dict[str, int]]:
        faults.fault_point("read", path)
        return read_records(Path(self.source) / path, self.instrument, spacecraft=spacecraft, wanted=wanted)

    def _read_day(self, day: Day, spacecraft: str, first: int, end: int) -> tuple[Records, dict[str, int]]:
        """Read rows [first, end) of a day.

        Several parts may read the same file whole. Then only the first of them counts what was cleaned.
        """
        pieces: list[Records] = []
        notes: Counter[str] = Counter()
        rows = 0
        part = slice(first, end) if len(day.sources) == 1 else slice(None)
        for source in day.sources:
            chosen = _Chosen(source, day.day, part)
            try:
                records, found = self._read(source.path, spacecraft, chosen)
            except BadFile as error:
                raise _BadSource(source.path, error) from error
            pieces.append(records if chosen.left is None else records.take(chosen.left))
            rows += chosen.rows
            if source.strays_ns is None and (first == 0 or not chosen.whole):
                notes.update(found)
        if rows != day.rows:
            paths = " and ".join(source.path for source in day.sources)
            raise PadflowError(
                f"{paths} gave {day.rows} records of {day.day} in the scan and {rows} now: it changed in between. Run "
                "the command again."
            )
        joined = Records.concatenate(pieces)
        if len(pieces) > 1:
            joined = joined.take(np.argsort(joined.time, kind="stable")[first:end])
        return joined, notes


class _Chosen:
    """Chooses the records of a file that are some rows of a day.

    Most files are in time order, and only the chosen records are read. Other files are read whole, and ``left`` says
    which records to take.
    """

    def __init__(self, source: Source, day: str, part: slice):
        self._source, self._day, self._part = source, day, part
        self.whole = True
        self.left: np.ndarray | None = None
        self.rows = 0

    def __call__(self, times: np.ndarray) -> slice:
        rows = _rows_of(self._source, times, self._day)
        self.rows = len(rows)
        if len(rows) == len(times) and (np.diff(rows) > 0).all():
            self.whole = self._part == slice(None)
            return self._part
        self.left = rows[self._part]
        return slice(None)


class _BadSource(Exception):
    """A file that the scan could look at, but that cannot be read."""

    def __init__(self, path: str, error: BadFile):
        super().__init__(path)
        self.trouble = Trouble(path, reason_of(error), error.message)


def _rows_of(source: Source, times: np.ndarray, day: str) -> np.ndarray:
    ns = times.astype(np.int64)
    if source.strays_ns is None:
        rows = own_rows(times, day)
        return rows[~np.isin(ns[rows], source.doubled_ns)] if source.doubled_ns else rows
    wanted = np.asarray(source.strays_ns, np.int64)
    order = np.argsort(ns, kind="stable")
    place = np.searchsorted(ns[order], wanted)  # the first of equal times
    found = place < len(ns)
    return order[place[found]][ns[order[place[found]]] == wanted[found]]


def prepare_archive(store: Path, plan: GroupPlan, *, catalog: Catalog, instrument: Instrument, version: str) -> None:
    """Make or resize the group of a spacecraft in the archive, with attributes that say where its data come from."""
    axes = axes_of(catalog, instrument)
    used = [entry for entry in catalog.used() if entry.spacecraft == plan.group]
    prepare_group(
        store,
        plan.group,
        specs=archive_specs(len(axes.pitch_angle), len(axes.energy), ephemeris=instrument.ephemeris),
        rows=plan.rows,
        rows_per_part=plan.rows_per_part,
        axes={
            "pitch_angle": (axes.pitch_angle, {"units": "degree", "long_name": "pitch angle"}),
            "energy": (axes.energy, {"units": "MeV", "long_name": "electron energy"}),
            "counts_per_flux": (
                axes.counts_per_flux,
                {
                    "dimension": "energy",
                    "units": "cm2 s sr MeV",
                    "long_name": "counts that unit flux gives in one pitch-angle bin of one record",
                },
            ),
        },
        attributes={
            "Conventions": "CF-1.11",
            **group_attributes(catalog.origin_of_files(plan.group), title=f"{instrument.title}, {plan.group}"),
            "instrument": instrument.name,
            "instrument_definition": instrument.model_dump_json(),
            "spacecraft": plan.group,
            "source": f"{len(used)} CDF files, {used[0].path} to {used[-1].path}; catalog.json names each",
            "flux_variable": instrument.flux,
            "padflow_version": version,
        },
    )
