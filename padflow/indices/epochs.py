# SPDX-License-Identifier: BSD-3-Clause
"""Time counted from events: normalised time of storms, or hours from times of a list."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from padflow.config.local_paths import local_path
from padflow.errors import BadFile, PadflowError, brief
from padflow.indices.phases import phase_bounds
from padflow.indices.storms import TIMES

if TYPE_CHECKING:
    import xarray as xr

PHASE_BINS = 4
"""Bins of each phase of a storm (chosen: one hour or two of a main phase)."""


HOURS_BEFORE, HOURS_AFTER, HOURS_BIN = 48.0, 96.0, 6.0
"""Hours around a time of a list, and of a bin (chosen: a storm, at two bins for three orbits)."""


@dataclass(frozen=True)
class Epochs:
    """A clock that events set.

    Parameters
    ----------
    name : str
        ``storm_time``: 0 to 1 in the initial phase, 1 to 2 in the main phase, 2 to 3 in the recovery; or
        ``event_hours``: hours from the nearest event.
    times : ndarray of datetime64[ns], shape (events, 4) or (events, 1)
        Ascending. NaT where the bound of a phase is not known.
    """

    name: str
    times: np.ndarray

    @property
    def edges(self) -> np.ndarray:
        """Edges of the bins of this clock."""
        if self.name == "storm_time":
            return np.linspace(0, len(TIMES) - 1, PHASE_BINS * (len(TIMES) - 1) + 1)
        return np.arange(-HOURS_BEFORE, HOURS_AFTER + HOURS_BIN / 2, HOURS_BIN)

    def read(self, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what the clock shows at each time, and the number of the event, from 0.

        Parameters
        ----------
        time : ndarray of datetime64[ns], shape (records,)

        Returns
        -------
        clock : ndarray of float64, shape (records,)
            NaN where there is no event, or a bound of the phase is not known.
        event : ndarray of int64, shape (records,)
            -1 where `clock` is NaN.
        """
        clock, event = self._phases(time) if self.name == "storm_time" else self._hours(time)
        known = np.isfinite(clock)
        return clock, np.where(known, event, -1)

    def _phases(self, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        bounds, known = phase_bounds(self.times, None).ravel(), ~np.isnat(self.times).ravel()
        place = np.clip(np.searchsorted(bounds, time, side="right"), 1, max(len(bounds) - 1, 1))
        inside = (place % len(TIMES) > 0) & (time >= bounds[place - 1]) & (time < bounds[place])
        inside &= known[place - 1] & known[place]
        with np.errstate(divide="ignore", invalid="ignore"):
            passed = (time - bounds[place - 1]) / (bounds[place] - bounds[place - 1])
        return np.where(inside, place % len(TIMES) - 1 + passed, np.nan), place // len(TIMES)

    def _hours(self, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        events = self.times.ravel()
        after = np.clip(np.searchsorted(events, time), 1, max(len(events) - 1, 1))
        event = np.where(time - events[after - 1] <= events[after] - time, after - 1, after) if len(events) > 1 else 0
        hours = (time - events[event]) / np.timedelta64(1, "h")
        return np.where(np.isnat(time), np.nan, hours), np.broadcast_to(event, time.shape)


def epochs_of(events: xr.Dataset | Sequence[np.datetime64] | np.ndarray) -> Epochs:
    """Return the clock of storms, or of times.

    Parameters
    ----------
    events : xarray.Dataset or sequence of datetime64
        Storms with their four times, as `padflow.find_storms` returns them; or times, UTC, in any order.

    Raises
    ------
    PadflowError
        Where there is no event, a time is missing, or storms lack times or overlap.
    """
    import xarray as xr

    if isinstance(events, xr.Dataset):
        missing = [name for name in TIMES if name not in events]
        if missing:
            raise PadflowError(f"The storms lack {', '.join(missing)}; expected what padflow.find_storms returns.")
        times = np.stack([events[name].values.astype("datetime64[ns]") for name in TIMES], axis=1)
        phase_bounds(times, None)  # refuses storms that overlap
        clock = Epochs("storm_time", times)
    else:
        clock = Epochs("event_hours", np.sort(np.asarray(events, "datetime64[ns]")).reshape(-1, 1))
        if np.isnat(clock.times).any():
            raise PadflowError("A time of the events is missing (NaT).")
    if not len(clock.times):
        raise PadflowError("There is no storm or event to superpose.")
    return clock


def read_events(path: str | os.PathLike[str]) -> xr.Dataset | np.ndarray:
    """Read a list of storms or of times from a CSV file.

    A file whose header has the four times of storms, such as ``padflow storms --output`` writes, is a list of storms.
    Of any other, the first column of each line is a UTC time. Blank lines, lines that begin with #, and a header are
    skipped.

    Returns
    -------
    xarray.Dataset or ndarray of datetime64[ns], shape (events,)

    Raises
    ------
    BadFile
        Names the file, the line, what was expected and what was found.
    """
    path = local_path(path, "FILE")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise BadFile("unreadable", f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    lines = list(enumerate(text.splitlines(), 1))
    rows = [(n, next(csv.reader([line]))) for n, line in lines if line.strip() and not line.lstrip().startswith("#")]
    header = [cell.strip() for cell in rows[0][1]] if rows else []
    if set(TIMES) <= set(header):
        columns = [header.index(name) for name in TIMES]
        return _storms([[_time(path, n, row, column) for column in columns] for n, row in rows[1:]])
    first = 0 if header and header[0][:4].isdigit() else 1
    return np.array([_time(path, n, row, 0) for n, row in rows[first:]], "datetime64[ns]")


def _storms(times: list[list[np.datetime64]]) -> xr.Dataset:
    import xarray as xr

    columns = np.array(times, "datetime64[ns]").reshape(-1, len(TIMES)).T
    return xr.Dataset({name: ("storm", column) for name, column in zip(TIMES, columns, strict=True)})


def _time(path: os.PathLike[str], number: int, row: list[str], column: int) -> np.datetime64:
    text = row[column].strip() if column < len(row) else ""
    if not text and column:
        return np.datetime64("NaT", "ns")  # a bound that the index does not show
    try:
        if not text[:4].isdigit():
            raise ValueError
        return np.datetime64(text.removesuffix("Z"), "ns")
    except ValueError:
        expected = "expected a UTC time such as 2013-03-17T06:00"
        raise BadFile("bad_line", f"{path}, line {number}: {expected}, but found {brief(text)}.") from None
