"""Apply a kernel that works on rows of an archive to an xarray Dataset, in memory or lazily on Dask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask
import dask.array as da
import numpy as np
import xarray as xr

from padflow.config import BLOCK_ROWS
from padflow.preprocessing import halo_rows
from padflow.records import Records

Kernel = Callable[[Records, int, int, int], dict[str, np.ndarray]]
Outputs = dict[str, tuple[tuple[str, ...], tuple[int, ...], str]]


def map_rows(
    dataset: xr.Dataset, kernel: Kernel, *, outputs: Outputs, ephemeris: tuple[str, ...], halo_seconds: float
) -> xr.Dataset:
    """Run `kernel` over the rows of a Dataset, chunk by chunk, each with its halo.

    Parameters
    ----------
    dataset : xarray.Dataset
        With ``flux`` (time, pitch_angle, energy); Dask chunks along time are kept, rounded to whole blocks.
    kernel : callable
        ``kernel(records, offset, start, stop)`` gets rows from `offset` on and returns arrays for rows
        [start, stop).
    outputs : dict
        For each array its dimensions and sizes after time, and its dtype.
    ephemeris : tuple of str
        Variables of the Dataset that the kernel reads.
    halo_seconds : float
        How much time before and after its rows the kernel needs.

    Returns
    -------
    xarray.Dataset
        The outputs along time.
    """
    flux = dataset["flux"].transpose("time", "pitch_angle", "energy").data
    time = dataset["time"].values.astype("datetime64[ns]")
    extras = {name: dataset[name].data for name in ephemeris if name in dataset}
    lazy = isinstance(flux, da.Array)
    pieces: dict[str, list[Any]] = {name: [] for name in outputs}
    for start, stop in _spans(flux, len(time)):
        low, high = halo_rows(time, start, stop, halo_seconds=halo_seconds)
        arguments = (
            time[low:high],
            flux[low:high],
            {name: values[low:high] for name, values in extras.items()},
        )
        if lazy:
            result = dask.delayed(_call, pure=True)(kernel, *arguments, low, start, stop)
        else:
            result = _call(kernel, *arguments, low, start, stop)
        for name, (_, sizes, dtype) in outputs.items():
            shape = (stop - start, *sizes)
            piece = da.from_delayed(result[name], shape, dtype) if lazy else result[name]
            pieces[name].append(piece)
    join = da.concatenate if lazy else np.concatenate
    return xr.Dataset(
        {
            name: (("time", *dims), join(pieces[name]) if pieces[name] else np.empty((0, *sizes), dtype))
            for name, (dims, sizes, dtype) in outputs.items()
        },
        coords={"time": dataset["time"]},
    )


def _call(
    kernel: Kernel,
    time: np.ndarray,
    flux: np.ndarray,
    ephemeris: dict[str, np.ndarray],
    offset: int,
    start: int,
    stop: int,
) -> dict[str, np.ndarray]:
    records = Records(time, np.asarray(flux, np.float32), {k: np.asarray(v) for k, v in ephemeris.items()})
    return kernel(records, offset, start, stop)


def _spans(flux: np.ndarray | da.Array, rows: int) -> list[tuple[int, int]]:
    """Cut the rows where Dask's chunks end, moved to the next multiple of a block."""
    if isinstance(flux, da.Array):
        ends = np.cumsum(flux.chunks[0])
        edges = sorted({min(rows, -(-int(end) // BLOCK_ROWS) * BLOCK_ROWS) for end in ends})
    else:
        edges = [*range(32 * BLOCK_ROWS, rows, 32 * BLOCK_ROWS), rows]
    starts = [0, *edges[:-1]]
    return [(a, b) for a, b in zip(starts, edges, strict=True) if a < b]
