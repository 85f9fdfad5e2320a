# SPDX-License-Identifier: BSD-3-Clause
"""The maps of a run: L by time and L by magnetic local time, counted part by part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from padflow.maps.grid import L_EDGES, MLT_EDGES, Grid
from padflow.maps.orbits import OrbitCounts, OrbitSums
from padflow.maps.outcomes import Outcomes
from padflow.maps.tables import as_dataset

MAPS = {"l_time": ("L", "time"), "l_mlt": ("L", "MLT")}
"""By name, the variables of a map. In ``summary.nc`` the name stands before those of the map's variables."""


@dataclass(frozen=True)
class MapCounter:
    """Counts the records of parts for each map.

    Parameters
    ----------
    edges_ns : tuple of int
        Edges of the bins of time, in ns since 1970.
    outcomes : Outcomes
    """

    edges_ns: tuple[int, ...]
    outcomes: Outcomes

    @property
    def grids(self) -> dict[str, Grid]:
        """The cells of each map."""
        edges = {"L": L_EDGES, "MLT": MLT_EDGES, "time": np.array(self.edges_ns).astype("datetime64[ns]")}
        return {name: Grid({variable: edges[variable] for variable in by}) for name, by in MAPS.items()}

    def count(self, values: Mapping[str, np.ndarray], outcome: np.ndarray, begins: np.ndarray) -> dict[str, np.ndarray]:
        """Return the counts of a part, to be written into an ``.npz``.

        Parameters
        ----------
        values : dict of str to ndarray, shape (records,)
            ``time``, and ``L`` and ``MLT`` where they are known; a map whose variable is not is left out.
        outcome : ndarray of int64
            See `Outcomes.of`.
        begins : ndarray of bool, shape (records,)
            See `padflow.maps.orbits.begins_of_orbits`.
        """
        arrays = {"orbits_begun": np.array(int(begins.sum()))}
        for name, grid in self.grids.items():
            if set(grid.names) <= values.keys():
                size = (grid.size, self.outcomes.size)
                counts = OrbitCounts.of(begins, grid.cells(values), outcome, size=size)
                arrays |= {f"{name}_key": counts.key, f"{name}_count": counts.count}
        return arrays


class MapSums:
    """Adds up the counts of parts. Those of one spacecraft follow one another in the order of time.

    Parameters
    ----------
    counter : MapCounter
    """

    def __init__(self, counter: MapCounter):
        self._counter, self._sums, self._group = counter, dict[str, OrbitSums](), ""

    def add(self, group: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Add a part of a spacecraft: what `MapCounter.count` gave."""
        if group != self._group:
            self._finish()
            self._group = group
        outcomes = self._counter.outcomes
        for name, grid in self._counter.grids.items():
            if f"{name}_key" in arrays:
                if name not in self._sums:
                    self._sums[name] = OrbitSums(grid.size, outcomes.size, complete=outcomes.complete)
                key, count = (arrays[f"{name}_{what}"] for what in ("key", "count"))
                self._sums[name].add(OrbitCounts(key, count, int(arrays["orbits_begun"])))

    def dataset(self, energy: np.ndarray) -> xr.Dataset:
        """Return all maps, as ``summary.nc`` holds them: see `map_of`.

        Parameters
        ----------
        energy : ndarray, shape (shape_energy,)
            MeV, of the shapes.
        """
        self._finish()
        maps = []
        for name, sums in self._sums.items():
            found = as_dataset(sums, self._counter.grids[name], self._counter.outcomes, energy=energy)
            maps.append(found.rename({variable: f"{name}_{variable}" for variable in found.data_vars}))
        merged = xr.merge(maps, combine_attrs="override", join="exact", compat="equals") if maps else xr.Dataset()
        return merged.rename(energy="shape_energy") if "energy" in merged.dims else merged

    def _finish(self) -> None:
        for sums in self._sums.values():
            sums.finish()


def map_of(summary: xr.Dataset, name: str) -> xr.Dataset:
    """Return one map of a summary: the Dataset of `padflow.occurrence`, with the dimension ``shape_energy``.

    Where the summary has no such map, it has no variables.
    """
    variables = {v: str(v).removeprefix(f"{name}_") for v in summary.data_vars if str(v).startswith(f"{name}_")}
    return summary.drop_vars([v for v in summary.data_vars if v not in variables]).rename(variables)
