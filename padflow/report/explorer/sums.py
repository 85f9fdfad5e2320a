# SPDX-License-Identifier: BSD-3-Clause
"""What the explorer shows: sums over the records of each class, region and storm phase, chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from padflow.errors import PadflowError
from padflow.indices.phases import PHASES
from padflow.maps.grid import L_EDGES, MLT_EDGES, Grid
from padflow.shapes.means import shape_ratio

REGION_L = np.array([1.0, 3.0, 4.0, 5.0, 6.0, 8.0])
"""Edges of the ranges of L that can be chosen (chosen: slot, inner and outer part of the belt, what lies beyond)."""


SECTORS = ("night, 21 to 3", "morning, 3 to 9", "day, 9 to 15", "evening, 15 to 21")
"""Ranges of MLT that can be chosen, in hours."""


REGIONS = (len(REGION_L) - 1) * len(SECTORS) + 1
"""L changes slowest; the last region is where L or MLT is not known or lies outside."""


ROWS_AT_ONCE = 16_384
"""Records that are read at a time (chosen)."""


@dataclass(frozen=True)
class Sums:
    """Sums over records. The last class stands for the records without one.

    Parameters
    ----------
    counts : ndarray of int64, shape (class + 1, phase, region)
    cells : ndarray of int64, shape (class + 1, phase, L, MLT)
        Records by the bins of `padflow.maps.grid`.
    ratio, squares, number : ndarray of float64, shape (class + 1, phase, region, energy, pitch_angle)
        Sums of flux over its average over pitch angle, of the squares of these, and their number.
    days : ndarray of datetime64[D], shape (day,)
    by_day : ndarray of int64, shape (day, class + 1)
    """

    counts: np.ndarray
    cells: np.ndarray
    ratio: np.ndarray
    squares: np.ndarray
    number: np.ndarray
    days: np.ndarray
    by_day: np.ndarray


def sum_records(results: xr.Dataset, archive: xr.Dataset, *, classes: int) -> Sums:
    """Sum up the records of one spacecraft.

    Parameters
    ----------
    results : xarray.Dataset
        As `padflow.open_results` returns it; with ``storm_phase`` where storms are known, see `padflow.join_storms`.
    archive : xarray.Dataset
        As `padflow.open_archive` returns it, at the same times; of its energies all are taken.
    classes : int

    Raises
    ------
    PadflowError
        Where the archive has no MLT, or neither L nor L_star.
    """
    l_name = next((name for name in ("L", "L_star") if name in archive.variables), None)
    if l_name is None or "MLT" not in archive.variables:
        raise PadflowError("The archive has no MLT, or neither L nor L_star: the explorer shows classes by these.")
    phases = len(PHASES) if "storm_phase" in results else 1
    days = np.unique(results["time"].values.astype("datetime64[D]"))
    groups, bins = (classes + 1) * phases * REGIONS, archive.sizes["energy"] * archive.sizes["pitch_angle"]
    counts, cells = np.zeros(groups, np.int64), np.zeros((classes + 1) * phases * CELLS.size, np.int64)
    pads, by_day = np.zeros((3, groups, bins)), np.zeros(len(days) * (classes + 1), np.int64)
    counts_per_flux = archive["counts_per_flux"].values
    for records, flux in _chunks(results, archive, l_name):
        pad_class = records["pad_class"].values.astype(int)
        outcome = np.where(pad_class < 0, classes, pad_class)
        if phases > 1:
            outcome = outcome * phases + (records["storm_phase"].values - min(PHASES.values()))
        l_value, mlt = records[l_name].values, records["MLT"].values
        group = outcome * REGIONS + region_of(l_value, mlt)
        counts += np.bincount(group, minlength=groups)
        cell = CELLS.cells({"L": l_value, "MLT": mlt})
        cells += np.bincount((outcome * CELLS.size + cell)[cell >= 0], minlength=len(cells))
        day = np.searchsorted(days, records["time"].values.astype("datetime64[D]"))
        by_day += np.bincount(day * (classes + 1) + outcome // phases, minlength=len(by_day))
        _add_pads(pads, group, shape_ratio(flux.transpose("time", "pitch_angle", "energy").values, counts_per_flux))
    shape = (classes + 1, phases, REGIONS)
    ratio, squares, number = (
        total.reshape(*shape, archive.sizes["pitch_angle"], archive.sizes["energy"]).swapaxes(-1, -2) for total in pads
    )
    return Sums(
        counts.reshape(shape),
        cells.reshape(classes + 1, phases, *CELLS.shape),
        *(ratio, squares, number),
        days,
        by_day.reshape(len(days), classes + 1),
    )


CELLS = Grid({"L": L_EDGES, "MLT": MLT_EDGES})


RINGS = Grid({"L": REGION_L})


def region_of(l_value: np.ndarray, mlt: np.ndarray) -> np.ndarray:
    """Return the number of the region of each record."""
    ring = RINGS.cells({"L": l_value})
    sector = ((np.nan_to_num(mlt) + 3) % 24 // 6).astype(int)
    return np.where((ring >= 0) & np.isfinite(mlt), ring * len(SECTORS) + sector, REGIONS - 1)


def _chunks(results: xr.Dataset, archive: xr.Dataset, l_name: str) -> Iterator[tuple[xr.Dataset, xr.DataArray]]:
    names = [name for name in ("pad_class", "storm_phase") if name in results]
    places = {name: archive[name].variable for name in (l_name, "MLT")}
    records = results[names].assign(places)
    for start in range(0, records.sizes["time"], ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        yield records.isel(time=rows).load(), archive["flux"].isel(time=rows).load()


def _add_pads(pads: np.ndarray, group: np.ndarray, ratio: np.ndarray) -> None:
    """Add the PADs of records to the sums of their groups, (3, group, bin)."""
    order = np.argsort(group, kind="stable")
    present, begins = np.unique(group[order], return_index=True)
    values = ratio.reshape(len(ratio), -1)[order]
    known = np.isfinite(values)
    np.copyto(values, 0, where=~known)
    for total, added in zip(pads, (values, np.square(values), known), strict=True):
        total[present] += np.add.reduceat(added, begins, axis=0, dtype="f8")
