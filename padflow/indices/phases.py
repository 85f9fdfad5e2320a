# SPDX-License-Identifier: BSD-3-Clause
"""The storm phase of each record."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from padflow.errors import PadflowError
from padflow.indices.joining import along_time, check_records
from padflow.indices.storms import TIMES

if TYPE_CHECKING:
    import xarray as xr


PHASES = {"unknown": -1, "none": 0, "initial": 1, "main": 2, "recovery": 3}
"""Values of ``storm_phase``."""


def join_storms(dataset: xr.Dataset, storms: xr.Dataset) -> xr.Dataset:
    """Add to each record its storm phase: Dataset in, Dataset out, lazy where the records are Dask arrays.

    Parameters
    ----------
    dataset : xarray.Dataset
        Has ``time``, datetime64 in UTC, such as `padflow.open_archive` and `padflow.open_results` return.
    storms : xarray.Dataset
        As `padflow.find_storms` returns it. A list of your own needs the four times along ``storm``, and may leave out
        ``covered_start`` and ``covered_end``.

    Returns
    -------
    xarray.Dataset
        The dataset and, along time, ``storm_phase``, int8: 0 no storm, 1 initial, 2 main, 3 recovery, -1 where the
        index does not cover the record. Where a storm begins before the index or ends behind it, its phase reaches as
        far as the index does.

    Raises
    ------
    PadflowError
        Where one of them is not laid out so, storms overlap, or the dataset has ``storm_phase`` already.

    Examples
    --------
    >>> import padflow
    >>> storms = padflow.find_storms(padflow.read_indices("sym_h.txt"))
    >>> results = padflow.join_storms(padflow.open_results("run", "rbspa"), storms)
    >>> results["storm_phase"].attrs["flag_meanings"]
    'unknown none initial main recovery'
    >>> main = results["pad_class"].where(results["storm_phase"] == 2)
    """
    check_records(dataset)
    missing = [name for name in TIMES if name not in storms]
    if missing:
        raise PadflowError(f"The storms lack {', '.join(missing)}; expected what padflow.find_storms returns.")
    if "storm_phase" in dataset.variables:
        raise PadflowError("The Dataset has a variable storm_phase already; leave it out with drop_vars.")
    covered = _covered(storms)
    bounds = phase_bounds(np.stack([storms[name].values.astype("datetime64[ns]") for name in TIMES], axis=1), covered)
    phase = along_time(dataset, partial(phases_at, bounds=bounds, covered=covered), "i1")
    phase.attrs = {
        "long_name": "phase of the storm",
        "flag_values": np.array(list(PHASES.values()), np.int8),
        "flag_meanings": " ".join(PHASES),
    }
    return dataset.assign(storm_phase=phase)


def _covered(storms: xr.Dataset) -> np.ndarray | None:
    if "covered_start" not in storms or "covered_end" not in storms:
        return None
    both = (storms[name].values.astype("datetime64[ns]") for name in ("covered_start", "covered_end"))
    return np.stack(list(both), axis=1)


def phase_bounds(times: np.ndarray, covered: np.ndarray | None) -> np.ndarray:
    """Return the four times of each storm without NaT.

    What is missing becomes the bound of the stretch of the index around the lowest value. Where no stretch is known,
    the phase has no length.

    Parameters
    ----------
    times : ndarray of datetime64[ns], shape (storms, 4)
        In the order of `TIMES`.
    covered : ndarray of datetime64[ns], shape (stretches, 2), or None

    Raises
    ------
    PadflowError
        Where a storm has no time of its lowest value, or times of storms do not follow one another.
    """
    times = times.copy()
    lowest = times[:, 2]
    if np.isnat(lowest).any():
        number = int(np.isnat(lowest).argmax()) + 1
        raise PadflowError(f"Storm {number} has no recovery_start, the time of its lowest value.")
    begins, ends = np.full_like(lowest, "NaT"), np.full_like(lowest, "NaT")
    if covered is not None and len(covered):
        place = np.searchsorted(covered[:, 0], lowest, side="right") - 1
        begins, ends = np.where(place >= 0, covered[place].T, np.datetime64("NaT"))
    for column, bound, otherwise in ((1, begins, 2), (0, begins, 1), (3, ends, 2)):
        times[:, column] = _filled(times[:, column], _filled(bound, times[:, otherwise]))
    backward = np.diff(times.ravel()) < np.timedelta64(0)
    if backward.any():
        number = int(backward.argmax()) // 4 + 1
        raise PadflowError(f"The times of storm {number} do not follow one another, or it ends after the next begins.")
    return times


def _filled(times: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.where(np.isnat(times), others, times)


def phases_at(time: np.ndarray, *, bounds: np.ndarray, covered: np.ndarray | None) -> np.ndarray:
    """Return the phase at each time.

    Parameters
    ----------
    time : ndarray of datetime64[ns], shape (records,)
    bounds : ndarray of datetime64[ns], shape (storms, 4)
        As `phase_bounds` returns them.
    covered : ndarray of datetime64[ns], shape (stretches, 2), or None
        Where the index has values; everywhere if None.

    Returns
    -------
    ndarray of int8, shape (records,)
    """
    phase = (np.searchsorted(bounds.ravel(), time, side="right") % 4).astype(np.int8)  # 0 is between two storms
    unknown = np.isnat(time)
    if covered is not None:
        unknown |= np.searchsorted(covered.ravel(), time, side="right") % 2 == 0
    phase[unknown] = PHASES["unknown"]
    return phase
