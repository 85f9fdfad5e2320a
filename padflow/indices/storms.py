# SPDX-License-Identifier: BSD-3-Clause
"""Geomagnetic storms and their phases, from SYM-H or Dst.

The method is that of Walach and Grocott 2019 (10.1029/2019JA026816): its thresholds and its phases.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from padflow.errors import PadflowError
from padflow.indices.joining import intervals
from padflow.instruments.origin import SIMULATED

if TYPE_CHECKING:
    import xarray as xr


METHOD = "Walach and Grocott 2019 (10.1029/2019JA026816)"


STORM_LEVEL, QUIET_LEVEL = -80.0, -15.0
"""nT: what the index of a storm falls below, and what it crosses where the main phase begins and the recovery ends."""


INITIAL_WINDOW = np.timedelta64(18, "h")
"""The initial phase has its peak at most so long before the main phase."""


LONGEST_GAP = np.timedelta64(3, "h")
"""Missing values for longer than this part an index into stretches that are looked at one by one (chosen)."""


STORM_INDICES = ("sym_h", "dst")
"""What storms are found in: the first of these that the files have."""


TIMES = {
    "initial_start": "begin of the initial phase",
    "main_start": "begin of the main phase",
    "recovery_start": "time of the lowest value: end of the main phase, begin of the recovery",
    "recovery_end": "end of the recovery",
}


class Storm(NamedTuple):
    """Places of one storm in a stretch; -1 for what lies before the stretch, its length for what lies behind."""

    initial_start: int
    main_start: int
    recovery_start: int
    recovery_end: int


def find_storms(indices: xr.Dataset) -> xr.Dataset:
    """Find storms and their phases in SYM-H, or in Dst where there is no SYM-H.

    A storm is a time in which the index stays below -15 nT and somewhere falls below -80 nT.

    - The main phase begins at the last value of at least -15 nT before the lowest one. It ends at the lowest value.
    - The recovery ends at the first value of at least -15 nT after the lowest one.
    - The initial phase has its peak, the highest value, within the 18 h before the main phase, and after the end of the
      storm before. It begins at the first of the values of at least -15 nT that lead to this peak. It ends where the
      main phase begins.

    Parameters
    ----------
    indices : xarray.Dataset
        As `padflow.read_indices` returns it.

    Returns
    -------
    xarray.Dataset
        Along ``storm``, in the order of time: ``initial_start``, ``main_start``, ``recovery_start``, ``recovery_end``,
        datetime64, NaT for what lies before or behind the index or in a gap of it, and ``lowest``, nT. Along
        ``covered``, one for each stretch of the index without a gap of more than 3 h: ``covered_start`` and
        ``covered_end``.

    Raises
    ------
    PadflowError
        Where there is neither SYM-H nor Dst.

    Examples
    --------
    >>> import padflow
    >>> storms = padflow.find_storms(padflow.read_indices("sym_h.txt"))
    >>> storms.sizes["storm"], float(storms["lowest"][0])
    (1, -100.0)
    >>> print(storms["recovery_start"].values[0].astype("datetime64[m]"))
    2013-03-17T02:00
    """
    import xarray as xr

    name = next((name for name in STORM_INDICES if name in indices and indices[name].notnull().any()), None)
    if name is None:
        raise PadflowError(f"Storms are found in SYM-H or Dst, but the indices are {', '.join(map(str, indices))}.")
    time, cadence = intervals(name, indices[name])
    values = indices[name].values
    present = np.isfinite(values)
    time, values = time[present], values[present]
    rows: list[list[np.datetime64]] = []
    lowest, covered = [], []
    for first, end in stretches(time, LONGEST_GAP + cadence):
        covered.append([time[first], time[end - 1] + cadence])
        padded = np.concatenate([[np.datetime64("NaT")], time[first:end], [np.datetime64("NaT")]])
        for storm in storms_of(time[first:end], values[first:end]):
            rows.append([padded[place + 1] for place in storm])
            lowest.append(values[first + storm.recovery_start])
    columns = np.array(rows, "datetime64[ns]").reshape(-1, len(TIMES)).T
    bounds = np.array(covered, "datetime64[ns]").reshape(-1, 2).T
    return xr.Dataset(
        {
            **{n: ("storm", column, {"long_name": TIMES[n]}) for n, column in zip(TIMES, columns, strict=True)},
            "lowest": ("storm", np.array(lowest, np.float32), {"units": "nT", "long_name": f"lowest {name}"}),
            "covered_start": ("covered", bounds[0], {"long_name": "begin of a stretch of the index"}),
            "covered_end": ("covered", bounds[1], {"long_name": "end of a stretch of the index"}),
        },
        attrs={"index": name, "method": METHOD}
        | {key: indices[name].attrs[key] for key in ("source", SIMULATED) if key in indices[name].attrs},
    )


def stretches(time: np.ndarray, longest_step: np.timedelta64) -> Iterator[tuple[int, int]]:
    """Yield begin and end of the stretches whose times follow one another within ``longest_step``."""
    cuts = np.flatnonzero(np.diff(time) > longest_step) + 1
    bounds = [0, *cuts.tolist(), len(time)]
    yield from ((first, end) for first, end in pairwise(bounds) if end > first)


def storms_of(time: np.ndarray, values: np.ndarray) -> Iterator[Storm]:
    """Yield the storms of one stretch, oldest first.

    Parameters
    ----------
    time : ndarray of datetime64, shape (values,)
        Ascending.
    values : ndarray of float, shape (values,)
        SYM-H or Dst, nT, without NaN.
    """
    quiet = values >= QUIET_LEVEL
    runs = np.flatnonzero(np.diff(np.concatenate([[True], quiet, [True]]))).reshape(-1, 2)
    last_end = 0
    for first, end in runs.tolist():  # the values of a run, from first to before end, are below the quiet level
        lowest = first + int(values[first:end].argmin())
        if values[lowest] >= STORM_LEVEL:
            continue
        main_start = first - 1
        initial_start = main_start
        if main_start >= 0:
            window = max(last_end, int(np.searchsorted(time, time[main_start] - INITIAL_WINDOW)))
            peak = window + int(values[window:first].argmax())
            before = int(np.searchsorted(runs[:, 1], peak, side="right")) - 1
            initial_start = int(runs[before, 1]) if before >= 0 else -1
        yield Storm(initial_start, main_start, lowest, end)
        last_end = end
