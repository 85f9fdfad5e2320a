# SPDX-License-Identifier: BSD-3-Clause
"""Join indices to records by time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from padflow.errors import PadflowError, brief
from padflow.indices.series import INDICES

if TYPE_CHECKING:
    import xarray as xr


def join_indices(dataset: xr.Dataset, indices: xr.Dataset) -> xr.Dataset:
    """Add to each record the indices of its time: Dataset in, Dataset out, lazy where the records are Dask arrays.

    Parameters
    ----------
    dataset : xarray.Dataset
        Has ``time``, datetime64 in UTC, such as `padflow.open_archive` and `padflow.open_results` return.
    indices : xarray.Dataset
        As `padflow.read_indices` returns it.

    Returns
    -------
    xarray.Dataset
        The dataset and, along time, each index, float32: the value whose interval the record lies in. NaN where there
        is no interval, or its value is missing.

    Raises
    ------
    PadflowError
        Where one of them is not laid out so, or the dataset has a variable of the name of an index.

    Examples
    --------
    >>> import padflow
    >>> indices = padflow.read_indices("sym_h.txt")
    >>> results = padflow.join_indices(padflow.open_results("run", "rbspa"), indices)
    >>> results["sym_h"].dims
    ('time',)
    >>> active = results.where((results["sym_h"] < -50).compute(), drop=True)
    """
    check_records(dataset)
    joined = {}
    for name, index in indices.data_vars.items():
        if name in dataset.variables:
            raise PadflowError(f"The Dataset has a variable {name} already; leave it out with drop_vars({name!r}).")
        begins, cadence = intervals(str(name), index)
        of_times = partial(latest, begins=begins, values=index.values.astype(np.float32), cadence=cadence)
        joined[name] = along_time(dataset, of_times, "f4")
        joined[name].attrs = dict(index.attrs)
    return dataset.assign(joined)


def check_records(dataset: xr.Dataset) -> None:
    """Refuse a Dataset without times.

    Raises
    ------
    PadflowError
        Says what is missing.
    """
    if "time" not in dataset.coords or not np.issubdtype(dataset["time"].dtype, np.datetime64):
        raise PadflowError("The Dataset needs a coordinate time of datetime64, as padflow.open_archive returns it.")


def along_time(dataset: xr.Dataset, function: Callable[[np.ndarray], np.ndarray], dtype: str) -> xr.DataArray:
    """Return ``function`` of the times of records, lazily in the chunks of the records where these are lazy.

    Parameters
    ----------
    function : callable
        Takes times, datetime64[ns], and returns a value for each.
    dtype : str
        Type of its values.
    """
    import xarray as xr

    time = dataset["time"].values.astype("datetime64[ns]")
    chunks = dataset.chunksizes.get("time")
    if chunks is None:
        return xr.DataArray(function(time), dims="time")
    import dask.array as da

    return xr.DataArray(da.from_array(time, chunks=(chunks,)).map_blocks(function, dtype=dtype), dims="time")


def latest(time: np.ndarray, *, begins: np.ndarray, values: np.ndarray, cadence: np.timedelta64) -> np.ndarray:
    """Return the value of the interval that each time lies in, NaN where there is none.

    Parameters
    ----------
    time : ndarray of datetime64[ns], shape (records,)
        In any order.
    begins : ndarray of datetime64[ns], shape (values,)
        Begins of intervals, ascending.
    values : ndarray of float32, shape (values,)
    cadence : timedelta64
        Length of an interval.

    Returns
    -------
    ndarray of float32, shape (records,)
    """
    place = np.searchsorted(begins, time, side="right") - 1
    padded = np.append(values, np.float32(np.nan))  # place -1, of times before all intervals, is the one appended
    found = padded[place]
    inside = place >= 0
    inside[inside] = time[inside] - begins[place[inside]] < cadence
    return np.where(inside, found, np.float32(np.nan))


def intervals(name: str, index: xr.DataArray) -> tuple[np.ndarray, np.timedelta64]:
    """Return begins, datetime64[ns], and length of the intervals of an index.

    Raises
    ------
    PadflowError
        Where it is none, or its time axis does not say how long a value holds.
    """
    coordinate = index.coords.get(str(index.dims[0])) if index.ndim == 1 else None
    cadence = None if coordinate is None else coordinate.attrs.get("cadence_seconds")
    if name not in INDICES or coordinate is None or cadence is None:
        raise PadflowError(
            f"{brief(name)} is no index along a time axis with the attribute cadence_seconds; "
            "expected indices as padflow.read_indices returns them."
        )
    return coordinate.values.astype("datetime64[ns]"), np.timedelta64(int(cadence), "s")
