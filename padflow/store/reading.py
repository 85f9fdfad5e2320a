# SPDX-License-Identifier: BSD-3-Clause
"""Read rows of the archive and of results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Protocol

import numpy as np
import zarr

from padflow.errors import CannotRead, PadflowError
from padflow.records import Axes, Needs, Records, Rows, halo_rows
from padflow.store.shards import read_rows
from padflow.store.states import Snapshot

DAMAGES = (RuntimeError, ValueError, TypeError, KeyError)
"""Errors of zarr and its codecs for damaged files."""


HALO_GUESS = 16
"""Rows before and after a part in which its halo is searched first (chosen)."""


class Reader(Protocol):
    """Gives rows of the archive of one spacecraft: `ArchiveReader`, or a Dataset in memory."""

    @property
    def group(self) -> str:
        """The spacecraft."""

    @property
    def rows(self) -> int:
        """Number of records."""

    def times(self, start: int, stop: int) -> np.ndarray:
        """Return the times of rows [start, stop)."""

    def read(self, start: int, stop: int, *, ephemeris: tuple[str, ...]) -> Records:
        """Return rows [start, stop)."""


def needed_rows(reader: Reader, start: int, stop: int, *, needs: Needs) -> Rows:
    """Read rows [start, stop) with the halo and the ephemeris that a computation needs."""
    low, high = start, stop
    if needs.halo_seconds and start < stop:
        guess = HALO_GUESS
        while True:
            first, end = max(0, start - guess), min(reader.rows, stop + guess)
            time = reader.times(first, end)
            inner, outer = halo_rows(time, start - first, stop - first, halo_seconds=needs.halo_seconds)
            low, high = first + inner, first + outer
            if (low > first or first == 0) and (high < end or end == reader.rows):
                break
            guess *= 4
    return Rows(reader.group, start, stop, reader.read(low, high, ephemeris=needs.ephemeris), low)


@contextmanager
def reading(store: Path, what: str) -> Iterator[None]:
    """Turn an error of reading a store into one that says what to do."""
    try:
        yield
    except DAMAGES as error:
        raise PadflowError(
            f"{store}/{what} is damaged ({str(error)[:100]}). `padflow verify --repair {store.parent}` finds all that "
            "is; then run the command again."
        ) from error
    except OSError as error:
        raise CannotRead(
            f"{store}/{what} cannot be read ({error.strerror or error}). Fix that and run the command again."
        ) from error


class GroupReader:
    """Reads rows of the arrays in one group of a store. It is small, so that it can travel to workers."""

    def __init__(self, store: Path, group: str, *, snapshot: Snapshot | None = None):
        self.store, self.group = Path(store), group
        self._snapshot = snapshot or Snapshot(self.store)

    def __getstate__(self) -> tuple[Path, str, Snapshot]:
        return self.store, self.group, self._snapshot

    def __setstate__(self, state: tuple[Path, str, Snapshot]) -> None:
        self.store, self.group, self._snapshot = state

    @cached_property
    def _arrays(self) -> zarr.Group:
        return zarr.open_group(self.store, path=self.group, mode="r", zarr_format=3, use_consolidated=False)

    def read_array(self, name: str, start: int, stop: int) -> np.ndarray:
        """Return rows [start, stop) of an array along time, without those beyond its end."""
        with reading(self.store, f"{self.group}/{name}"):
            array = self._cached(name)
        start, stop = max(start, 0), min(stop, self._length(array))
        out = np.empty((max(stop - start, 0), *array.shape[1:]), array.dtype)
        chunk_rows = array.chunks[0]
        rows_per_part, chunks = (array.shards[0], array.shards[0] // chunk_rows) if array.shards else (chunk_rows, 0)
        for index in range(start // rows_per_part, -(-stop // rows_per_part)):
            first = index * rows_per_part
            low, high = max(start, first), min(stop, first + rows_per_part)
            part = out[low - start : high - start]
            key = array.metadata.encode_chunk_key((index, *(0 for _ in array.shape[1:])))
            relative = f"{self.group}/{name}/{key}"
            opened = partial(self._snapshot.open, relative)
            try:
                read_rows(self.store / relative, low - first, part, chunk_rows=chunk_rows, chunks=chunks, opened=opened)
            except FileNotFoundError:
                part[...] = array.fill_value
        return out

    def _length(self, array: zarr.Array) -> int:
        """Return the number of rows that readers see. While a run changes a store, its arrays may be longer."""
        return array.shape[0] if self._snapshot.rows is None else self._snapshot.rows[self.group]

    def _cached(self, name: str) -> zarr.Array:
        # Arrays stay open, for opening one takes as long as reading a block of it.
        cache = self.__dict__.setdefault("_open", {})
        if name not in cache:
            self._snapshot.check()
            cache[name] = self._arrays[name]
        return cache[name]


class ArchiveReader(GroupReader):
    """Read rows of one group of an archive.

    Parameters
    ----------
    store : Path
        ``archive.zarr``.
    group : str
        The spacecraft, such as ``rbspa``.
    """

    @cached_property
    def rows(self) -> int:
        """Number of records."""
        return self._length(self._cached("time"))

    @cached_property
    def axes(self) -> Axes:
        """Pitch angles, energies and counts of the bins."""
        return Axes(self._whole("pitch_angle"), self._whole("energy"), self._whole("counts_per_flux"))

    def _whole(self, name: str) -> np.ndarray:
        array = self._arrays[name]
        if not isinstance(array, zarr.Array):
            raise PadflowError(f"{self.store}/{self.group}/{name} is a group where an array belongs.")
        return np.asarray(array[...])

    def times(self, start: int, stop: int) -> np.ndarray:
        """Return the times of rows [start, stop) as datetime64[ns]."""
        first, end, known = self.__dict__.get("_last_times", (0, -1, None))
        if not first <= start <= stop <= end:
            first, known = start, self.read_array("time", start, stop).view("datetime64[ns]")
            self.__dict__["_last_times"] = (start, stop, known)
        return known[start - first : stop - first]

    def ephemeris(self, name: str, start: int, stop: int) -> np.ndarray | None:
        """Return an ephemeris variable of rows [start, stop), or None where the archive has none."""
        there = (self.store / self.group / name / "zarr.json").is_file()
        return self.read_array(name, start, stop) if there else None

    def read(self, start: int, stop: int, *, ephemeris: Iterable[str] = ()) -> Records:
        """Return rows [start, stop) with the named ephemeris; names that the archive does not have are left out."""
        found = {name: self.ephemeris(name, start, stop) for name in ephemeris}
        return Records(
            self.times(start, stop),
            self.read_array("flux", start, stop),
            {name: values for name, values in found.items() if values is not None},
        )


class ResultsReader(GroupReader):
    """Read rows of the arrays of one group of a results store.

    Parameters
    ----------
    store : Path
        ``results.zarr``.
    group : str
        The spacecraft.
    """

    def read(self, name: str, start: int, stop: int) -> np.ndarray:
        """Return rows [start, stop) of an array."""
        return self.read_array(name, start, stop)
