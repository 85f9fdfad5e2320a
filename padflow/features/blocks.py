"""Rows in aligned blocks, with the neighbours that a running window needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from padflow.features.preprocessor import Features, Preprocessor
from padflow.records import BLOCK_ROWS, Records


def aligned_blocks(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Cut rows [start, stop) at the multiples of `BLOCK_ROWS`."""
    while start < stop:
        end = min(stop, (start // BLOCK_ROWS + 1) * BLOCK_ROWS)
        yield start, end
        start = end


def halo_rows(time: np.ndarray, start: int, stop: int, *, halo_seconds: float) -> tuple[int, int]:
    """Return the first and last row (not included) within `halo_seconds` of rows [start, stop) of `time`."""
    if not halo_seconds or start >= stop:
        return start, stop
    reach = np.timedelta64(round(halo_seconds * 1e9), "ns")
    first = int(np.searchsorted(time, time[start] - reach, side="left"))
    return first, int(np.searchsorted(time, time[stop - 1] + reach, side="right"))


def features_by_block(
    preprocessor: Preprocessor, records: Records, *, offset: int, start: int, stop: int
) -> Iterator[tuple[slice, Features]]:
    """Make features of rows [start, stop) of an archive, block by block.

    Parameters
    ----------
    records : Records
        Rows of the archive from `offset` on, with at least the halo around [start, stop).

    Yields
    ------
    slice
        Where the block lies, counted from `start`.
    Features
        Its features.
    """
    for first, end in aligned_blocks(start, stop):
        low, high = halo_rows(records.time, first - offset, end - offset, halo_seconds=preprocessor.halo_seconds)
        core = slice(first - offset - low, end - offset - low)
        yield slice(first - start, end - start), preprocessor(records.take(slice(low, high)), core)


class Reader(Protocol):
    """What the passes over an archive read from: `padflow.store.reading.ArchiveReader`, or a Dataset in memory."""

    @property
    def rows(self) -> int:
        """Number of records."""

    def times(self, start: int, stop: int) -> np.ndarray:
        """Return the times of rows [start, stop)."""

    def read(self, start: int, stop: int, *, ephemeris: tuple[str, ...]) -> Records:
        """Return rows [start, stop)."""


def read_with_halo(reader: Reader, preprocessor: Preprocessor, *, start: int, stop: int) -> tuple[Records, int]:
    """Read rows [start, stop) and what their averages need; return them and the number of the first."""
    low, high = start, stop
    if preprocessor.halo_seconds and start < stop:
        guess = 16
        while True:
            first, end = max(0, start - guess), min(reader.rows, stop + guess)
            time = reader.times(first, end)
            inner, outer = halo_rows(time, start - first, stop - first, halo_seconds=preprocessor.halo_seconds)
            low, high = first + inner, first + outer
            if (low > first or first == 0) and (high < end or end == reader.rows):
                break
            guess *= 4
    return reader.read(low, high, ephemeris=preprocessor.ephemeris), low
