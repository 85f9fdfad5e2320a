# SPDX-License-Identifier: BSD-3-Clause
"""Where and when classes and shapes occur, of records in a Dataset: one pass, with memory for some chunks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import dask
import numpy as np
import xarray as xr

from padflow.errors import PadflowError
from padflow.instruments.origin import SIMULATED
from padflow.maps.grid import grid_of
from padflow.maps.orbits import ORBIT_L, OrbitCounts, OrbitSums, begins_of_orbits, last_known
from padflow.maps.outcomes import Outcomes
from padflow.maps.tables import as_dataset

CHUNKS_AT_ONCE = 8
"""Chunks that are read at the same time (chosen)."""


ROWS_AT_ONCE = 65_536
"""Records in memory are counted so many at a time (chosen)."""


def occurrence(
    results: xr.Dataset,
    places: xr.Dataset,
    *,
    by: Sequence[str] | Mapping[str, Any] = ("L", "MLT"),
    where: xr.DataArray | None = None,
) -> xr.Dataset:
    """Count where and when classes and shapes occur, among all records measured there.

    Records are read chunk by chunk, and sums are kept: ten times the records need no more memory.

    Parameters
    ----------
    results : xarray.Dataset
        All records of one spacecraft in the order of time, as `padflow.open_results` returns them.
    places : xarray.Dataset
        Has ``L`` and the variables of `by` along the same times, as `padflow.open_archive` returns them. Variables
        of `results`, such as ``time`` or ``storm_phase``, need not be in it.
    by : sequence of str, or dict
        Variables that make the cells. A dict has the edges of their bins; None stands for the usual ones, which there
        are for L, L_star, MLT and time.
    where : xarray.DataArray of bool, optional
        Along time: which records count, for instance ``abs(places.MLAT) < 10``. Leave out no record otherwise, for
        orbits are told apart by L.

    Returns
    -------
    xarray.Dataset
        ``class_share`` (pad_class, *by*), ``no_class_share`` (no_class, *by*), and where the results have shapes
        ``shape_share`` (energy, shape, *by*): shares of all records of a cell, NaN where there is none. Each has
        ``_low`` and ``_high``, the ends of a 95 % interval from the scatter of orbits, NaN where fewer than two orbits
        were there. ``records`` and ``orbits`` count. Classes and reasons sum to 1, and so do the shapes at an energy.

    Raises
    ------
    PadflowError
        Where a variable is missing or not along the same times, or the results do not say which classes there are.

    Examples
    --------
    >>> import padflow
    >>> results, archive = padflow.open_results("run", "rbspa"), padflow.open_archive("run", "rbspa")
    >>> found = padflow.occurrence(results, archive)
    >>> found["no_class_share"].dims
    ('no_class', 'L', 'MLT')
    >>> quiet = padflow.occurrence(results, archive, by={"L": [3, 4, 5, 6]}, where=archive["L"] < 5.5)
    >>> quiet["records"].dims
    ('L',)
    """
    grid = grid_of(by, results["time"].values)
    records = needed_records(results, places, grid.names, where)
    energy = shape_energies(results)
    outcomes = Outcomes(number_of_classes(results), len(energy))
    sums = OrbitSums(grid.size, outcomes.size, complete=outcomes.complete)
    before = np.nan
    for chunk in chunks_of(records):
        cell = np.where(chunk.get("counted", True), grid.cells(chunk), -1)
        outcome = outcomes.of(chunk["pad_class"], chunk["reason"], chunk.get("shape"))
        begins = begins_of_orbits(chunk["orbit_L"], before=before)
        sums.add(OrbitCounts.of(begins, cell, outcome, size=(grid.size, outcomes.size)))
        before = last_known(chunk["orbit_L"], before=before)
    sums.finish()
    return described(as_dataset(sums, grid, outcomes, energy=energy), results)


def described(found: xr.Dataset, results: xr.Dataset) -> xr.Dataset:
    """Give what was made from results the attributes of these that it keeps, and the names of the classes."""
    found["pad_class"].attrs = dict(results["pad_class"].attrs)
    return found.assign_attrs({n: results.attrs[n] for n in (SIMULATED, "spacecraft") if n in results.attrs})


def shape_energies(results: xr.Dataset) -> np.ndarray:
    """Return the energies at which results have shapes, MeV."""
    return results["energy"].values if "shape" in results else np.empty(0)


def number_of_classes(results: xr.Dataset) -> int:
    """Return how many classes there are, by the attributes of ``pad_class``."""
    flags = results["pad_class"].attrs.get("flag_values") if "pad_class" in results else None
    if flags is None:
        raise PadflowError(
            "The results do not say which classes there are (flag_values of pad_class); expected what "
            "padflow.open_results or Model.label returns."
        )
    return len(np.atleast_1d(flags))


def needed_records(
    results: xr.Dataset, places: xr.Dataset, by: Iterable[str], where: xr.DataArray | None = None
) -> xr.Dataset:
    """Return what is read of each record, in the chunks of the results: the variables of `by` and what orbits need."""
    if not np.array_equal(results["time"].values, places["time"].values):
        raise PadflowError("The results and the places do not have the same times; do not leave out records.")
    orbit_l = next((name for name in ORBIT_L if name in places.variables), ORBIT_L[0])
    names = {name: name for name in by} | {"orbit_L": orbit_l}
    needed = {name: results[name] for name in ("pad_class", "reason", "shape") if name in results}
    for name, variable in names.items():
        source = results if variable in results.variables else places
        if variable not in source.variables or source[variable].dims != ("time",):
            raise PadflowError(f"There is no {variable} along time in the results or the places.")
        needed[name] = source[variable]
    if where is not None:
        if where.dims != ("time",) or where.dtype != bool or where.size != results.sizes["time"]:
            raise PadflowError("where: expected a bool for each record, along time.")
        needed["counted"] = where
    # Without an index of times, which would take memory for each record.
    dataset = xr.Dataset({name: array.variable.to_base_variable() for name, array in needed.items()})
    dataset = dataset.drop_indexes("time").reset_coords() if "time" in dataset.coords else dataset
    return dataset.chunk({"time": results.chunksizes["time"]}) if results.chunksizes.get("time") else dataset


def chunks_of(records: xr.Dataset) -> Iterator[dict[str, np.ndarray]]:
    """Yield the variables of the records of one chunk after the other."""
    sizes = records.chunksizes.get("time") or (ROWS_AT_ONCE,) * -(-records.sizes["time"] // ROWS_AT_ONCE)
    slices = [slice(end - size, end) for size, end in zip(sizes, accumulate(sizes), strict=True)]
    for first in range(0, len(slices), CHUNKS_AT_ONCE):
        some = [records.isel(time=rows).variables for rows in slices[first : first + CHUNKS_AT_ONCE]]
        # Arrays and not Datasets, of which Dask loses one that another is made from where both are one chunk.
        yield from dask.compute(*({name: variable.data for name, variable in chunk.items()} for chunk in some))
