# SPDX-License-Identifier: BSD-3-Clause
"""Look at a Dataset from a user before anything is computed from it: axes, and times that ascend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from padflow.errors import PadflowError, brief, one_line

if TYPE_CHECKING:
    import xarray as xr


FLUX_DIMS = ("time", "pitch_angle", "energy")


def check_dataset(dataset: xr.Dataset) -> None:
    """Refuse a Dataset that is not laid out as an archive, without loading its flux.

    Averages, halos and the split into days rely on times that ascend: else labels would be wrong without a word.

    Parameters
    ----------
    dataset : xarray.Dataset
        To have ``flux`` (time, pitch_angle, energy) and these three coordinates.

    Raises
    ------
    PadflowError
        Says what is wrong and what to do.
    """
    import xarray as xr

    if not isinstance(dataset, xr.Dataset):
        raise PadflowError(
            f"Expected an xarray.Dataset, as padflow.open_archive returns it, but got {type(dataset).__name__}."
        )
    if "flux" not in dataset or set(dataset["flux"].dims) != set(FLUX_DIMS):
        found = brief(dataset["flux"].dims) if "flux" in dataset else f"no flux among {brief(list(dataset))}"
        raise PadflowError(f"The Dataset needs flux with the dimensions time, pitch_angle and energy, but has {found}.")
    for name in FLUX_DIMS:
        if name not in dataset.coords or dataset[name].dims != (name,):
            raise PadflowError(
                f"The Dataset has no coordinate {name} along its dimension {name}; add it with "
                f"dataset.assign_coords({name}=...)."
            )
    for name in ("pitch_angle", "energy"):
        _check_axis(name, dataset[name].values)
    for name, along in _ALONG.items():
        if name in dataset.variables and dataset[name].dims[:1] != (along,):
            raise PadflowError(f"{name} of the Dataset must lie along {along}, but has {brief(dataset[name].dims)}.")
    check_times(dataset["time"].values)


_ALONG = {"L": "time", "L_star": "time", "B_Eq": "time", "B_Calc": "time", "counts_per_flux": "energy"}
"""Variables that preprocessing and `measure_shapes` read, and the dimension of each."""


def _check_axis(name: str, values: np.ndarray) -> None:
    numbers = np.issubdtype(values.dtype, np.integer) or np.issubdtype(values.dtype, np.floating)
    if not numbers or not np.isfinite(values).all() or not (values[1:] > values[:-1]).all():
        raise PadflowError(
            f'{name} of the Dataset must be numbers that ascend, but is {brief(values.tolist())}; use sortby("{name}").'
        )


def check_times(time: np.ndarray) -> None:
    """Refuse times that are no times, are missing (NaT), go back or are doubled.

    Raises
    ------
    PadflowError
        Says which, how many, and what to do.
    """
    if not np.issubdtype(time.dtype, np.datetime64):
        raise PadflowError(
            f"time of the Dataset must be datetime64 in UTC, but is {time.dtype}"
            f"{f' such as {one_line(str(time[0]), 40)}' if len(time) else ''}; convert it with pandas.to_datetime or "
            "xarray.decode_cf."
        )
    missing = np.isnat(time)
    if missing.any():
        raise PadflowError(
            f"{missing.sum():,} times of the Dataset are NaT, the first in record {missing.argmax():,}; leave these "
            'records out with dataset.isel(time=dataset["time"].notnull().values).'
        )
    backward, doubled = time[1:] < time[:-1], time[1:] == time[:-1]
    if backward.any():
        at = int(backward.argmax())
        raise PadflowError(
            f"time of the Dataset must ascend, but {time[at]} is followed by {time[at + 1]}; use "
            'dataset.sortby("time").drop_duplicates("time"), and give the records of two spacecraft one by one.'
        )
    if doubled.any():
        raise PadflowError(
            f"{doubled.sum():,} times of the Dataset are doubled, the first {time[int(doubled.argmax())]}; use "
            'dataset.drop_duplicates("time"), and give the records of two spacecraft one by one.'
        )
    ends = time[[0, -1]] if len(time) else time
    if (ends.astype("datetime64[ns]").astype(time.dtype) != ends).any():  # NumPy wraps around without a word
        raise PadflowError(
            f"Times of the Dataset must lie between 1678 and 2262, but reach from {ends[0]} to {ends[-1]}."
        )
