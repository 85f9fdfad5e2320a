# SPDX-License-Identifier: BSD-3-Clause
"""Sums over orbits as a Dataset of shares and their intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from padflow.maps.grid import Grid
from padflow.maps.intervals import shares_of
from padflow.maps.orbits import OrbitSums
from padflow.maps.outcomes import NO_CLASS, Outcomes
from padflow.shapes.names import SHAPES

METHOD = "95 % interval from the scatter of orbits (padflow.occurrence)"


WORDS = {
    "class_share": "share of all records of the cell that have the class",
    "no_class_share": "share of all records of the cell that have no class, by reason",
    "shape_share": "share of all records of the cell that have the shape at the energy",
}


def as_dataset(sums: OrbitSums, grid: Grid, outcomes: Outcomes, *, energy: np.ndarray) -> xr.Dataset:
    """Return what `padflow.occurrence` returns.

    Parameters
    ----------
    sums : OrbitSums
        All orbits are closed.
    energy : ndarray, shape (energies,)
        MeV, of the shapes.
    """
    cells = grid.names
    kinds: dict[str, tuple[tuple[str, ...], slice]] = {
        "class_share": (("pad_class",), slice(0, outcomes.classes)),
        "no_class_share": (("no_class",), slice(outcomes.classes, outcomes.complete)),
    }
    if outcomes.energies:
        kinds["shape_share"] = (("energy", "shape"), slice(outcomes.complete, outcomes.size))
    sizes = {"energy": outcomes.energies, "shape": len(SHAPES)}
    data: dict[str, Any] = {
        "records": (cells, sums.records.reshape(grid.shape), {"long_name": "all records of the cell"}),
        "orbits": (cells, sums.orbits.reshape(grid.shape), {"long_name": "orbits with a record in the cell"}),
    }
    ends = dict(zip(("", "_low", "_high"), shares_of(sums), strict=True))
    for name, (dims, columns) in kinds.items():
        for end, values in ends.items():
            chosen = values[:, columns].T
            shape = tuple(sizes[dim] for dim in dims) if len(dims) > 1 else (len(chosen),)
            words = WORDS[name] + (f"; {end[1:]} end of the {METHOD}" if end else "")
            data[name + end] = (
                (*dims, *cells),
                chosen.reshape(*shape, *grid.shape).astype(np.float32),
                {"units": "1", "long_name": words},
            )
    coords: dict[str, Any] = {
        "pad_class": np.arange(outcomes.classes),
        "no_class": [reason.name.lower() for reason in NO_CLASS],
    }
    if outcomes.energies:
        coords |= {"energy": ("energy", energy, {"units": "MeV"}), "shape": list(SHAPES)}
    for name, edges in grid.edges.items():
        coords[name] = (name, edges[:-1] + (edges[1:] - edges[:-1]) / 2, {"long_name": f"middle of the bin of {name}"})
        coords[f"{name}_edges"] = (f"{name}_edge", edges)
    dataset = xr.Dataset(data, coords=coords, attrs={"method": METHOD})
    for name, edges in grid.edges.items():
        if edges.dtype.kind == "M":
            for variable in (name, f"{name}_edges"):
                dataset[variable].encoding = {
                    "units": "seconds since 1970-01-01",
                    "calendar": "standard",
                    "dtype": "i8",
                }
    return dataset
