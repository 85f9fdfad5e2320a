# SPDX-License-Identifier: BSD-3-Clause
"""Shares and steepness in the few regions that published results tell of, counted part by part, by orbits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.stats import t as student

from padflow.maps.intervals import shares_of
from padflow.maps.orbits import OrbitCounts, OrbitSums
from padflow.maps.outcomes import Outcomes
from padflow.shapes.names import SHAPES, UNCLEAR


@dataclass(frozen=True)
class Region:
    """A range of L and of magnetic local time, from the first hour on to the second, over midnight where it is less.

    Where a latitude is given, records count up to so many degrees from the magnetic equator.
    """

    l_range: tuple[float, float]
    hours: tuple[float, float] = (0.0, 24.0)
    latitude: float | None = None

    def holds(self, l_value: np.ndarray, mlt: np.ndarray, mlat: np.ndarray | None = None) -> np.ndarray:
        """Return which records lie in it, bool of shape (records,); none where a latitude is not known.

        MLT is from 0 up to 24 h.
        """
        first, last = self.hours
        inside = (l_value >= self.l_range[0]) & (l_value < self.l_range[1])
        if self.latitude is not None:
            inside &= False if mlat is None else np.abs(mlat) <= self.latitude
        after, before = mlt >= first, mlt < last
        return inside & ((after & before) if first < last else (after | before))


NEAR_EQUATOR = 3.0
"""Degrees of magnetic latitude, of Ni et al. 2016 (10.1002/2016GL069350). Further off, the spacecraft does not meet the
electrons that mirror at the equator, and a minimum at 90 degrees is hidden: on the simulated continuum beyond L 5.5 by
night 38 % of all records are butterflies, and 55 % of those within 3 degrees."""


NIGHT = {
    f"night_{first:02d}_{last:02d}": Region((5.5, 8.0), (first, last), NEAR_EQUATOR)
    for first, last in ((20, 22), (22, 24), (0, 2), (2, 4))
}
NOON = {
    f"noon_{first}_{last}": Region((3.75, 4.25), (first, last), NEAR_EQUATOR) for first, last in ((11, 13), (13, 15))
}
"""Where Ni et al. 2016 saw most butterflies, by two hours (chosen: they give the highest rate within these hours)."""


REGIONS = {
    "outer_belt": Region((3.0, 7.0)),
    **NIGHT,
    **NOON,
    "day_4_to_5_5": Region((4.0, 5.5), (9.0, 15.0)),
    "day_4_to_4_5": Region((4.0, 4.5), (9.0, 15.0)),
    "day_5_5_to_6": Region((5.5, 6.0), (9.0, 15.0)),
}
"""What `padflow.report.known` compares; chosen, but for those of butterflies."""


PER_UNIT = 1000
"""Indices of sin^n are summed as whole numbers of thousandths, so that sums do not depend on parts."""


KINDS = ("class", "name", "sin_n")


@dataclass(frozen=True)
class RegionCounter:
    """Counts the records of parts in each region.

    Parameters
    ----------
    outcomes : Outcomes
    """

    outcomes: Outcomes

    def size_of(self, kind: str) -> tuple[int, int]:
        """Return cells and outcomes of one kind of sums."""
        at_energies = len(REGIONS) * self.outcomes.energies
        return {
            "class": (len(REGIONS), self.outcomes.complete),
            "name": (at_energies, len(SHAPES)),
            "sin_n": (at_energies, 2),
        }[kind]

    def count(
        self,
        place: Mapping[str, np.ndarray],
        pad_class: np.ndarray,
        begins: np.ndarray,
        *,
        shape: np.ndarray | None = None,
        sin_n: np.ndarray | None = None,
    ) -> dict[str, np.ndarray]:
        """Return the counts of a part, to be written into an ``.npz``.

        Parameters
        ----------
        place : dict of str to ndarray, shape (records,)
            ``L`` and ``MLT``, and ``MLAT`` where it is known.
        pad_class : ndarray of int64, shape (records,)
            The first column of `Outcomes.of`.
        begins : ndarray of bool, shape (records,)
            See `padflow.maps.orbits.begins_of_orbits`.
        shape, sin_n : ndarray, shape (records, energy)
            Codes of `SHAPES`, and indices of sin^n, NaN where there is none.
        """
        at = place["L"], place["MLT"] % 24, place.get("MLAT")
        inside = np.stack([region.holds(*at) for region in REGIONS.values()], axis=1)
        record, region = np.nonzero(inside)
        orbit = np.cumsum(begins)[record]
        found = {"class": OrbitCounts.of_numbers(orbit, region, pad_class[record, None], size=self.size_of("class"))}
        if shape is not None and sin_n is not None:
            energies = np.arange(self.outcomes.energies)
            cell = (region[:, None] * len(energies) + energies).ravel()
            orbit = np.repeat(orbit, len(energies))
            names = shape[record].ravel().astype(np.int64)
            named = np.where(names == UNCLEAR, -1, names)[:, None]
            found["name"] = OrbitCounts.of_numbers(orbit, cell, named, size=self.size_of("name"))
            value = sin_n[record].ravel().astype(np.float64)
            known = np.isfinite(value)
            found["sin_n"] = _summed(orbit[known], cell[known], value[known], size=self.size_of("sin_n"))
        arrays = {f"region_{kind}_{what}": getattr(counts, what) for kind, counts in found.items() for what in _ARRAYS}
        return arrays | {"region_begun": np.array(int(begins.sum()))}


_ARRAYS = ("key", "count")


def _summed(orbit: np.ndarray, cell: np.ndarray, value: np.ndarray, *, size: tuple[int, int]) -> OrbitCounts:
    """Return, by orbit and cell, how many values there are (outcome 0) and their sum in `PER_UNIT` (outcome 1)."""
    visit, of_value = np.unique(orbit * size[0] + cell, return_inverse=True)
    number = np.bincount(of_value, minlength=len(visit))
    total = np.bincount(of_value, np.round(value * PER_UNIT), len(visit)).astype(np.int64)
    key = visit[:, None] * size[1] + np.arange(2)
    return OrbitCounts(key.ravel(), np.stack([number, total], axis=1).ravel(), 0)


class RegionSums:
    """Adds up the counts of parts. Those of one spacecraft follow one another in the order of time.

    Parameters
    ----------
    counter : RegionCounter
    """

    def __init__(self, counter: RegionCounter):
        self._counter, self._group = counter, ""
        self._sums: dict[str, OrbitSums] = {}

    def add(self, group: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Add a part of a spacecraft: what `RegionCounter.count` gave."""
        if group != self._group:
            self._finish()
            self._group = group
        for kind in KINDS:
            if f"region_{kind}_key" in arrays:
                cells, outcomes = self._counter.size_of(kind)
                complete = {"class": outcomes, "name": outcomes, "sin_n": 1}[kind]
                sums = self._sums.setdefault(kind, OrbitSums(cells, outcomes, complete=complete))
                key, count = (arrays[f"region_{kind}_{what}"] for what in _ARRAYS)
                sums.add(OrbitCounts(key, count, int(arrays["region_begun"])))

    def dataset(self) -> xr.Dataset:
        """Return the regions as ``summary.nc`` holds them; shares of names are of the records with a name."""
        self._finish()
        out = xr.Dataset()
        if "class" in self._sums:
            self._add_shares(out, "class", ("region", "region_outcome"), self._sums["class"])
            out["region_orbits"] = ("region", self._sums["class"].orbits)
            out = out.assign_coords(region=list(REGIONS))
        if "name" in self._sums:
            out = out.assign_coords(shape=list(SHAPES))
            self._add_shares(out, "name", ("region", "shape_energy", "shape"), self._sums["name"])
            mean, half = mean_of(self._sums["sin_n"])
            shape = (len(REGIONS), self._counter.outcomes.energies)
            words = "mean index of sin^n", "half of its 95 % interval"
            for name, values, long_name in zip(("sin_n", "sin_n_half"), (mean, half), words, strict=True):
                out[f"region_{name}"] = (("region", "shape_energy"), values.reshape(shape), {"long_name": long_name})
        return out

    def _add_shares(self, out: xr.Dataset, kind: str, dims: tuple[str, ...], sums: OrbitSums) -> None:
        shape = (len(REGIONS), -1, sums.count.shape[1])[:: 2 if len(dims) == 2 else 1]
        for end, values in zip(("", "_low", "_high"), shares_of(sums), strict=True):
            out[f"region_{kind}_share{end}"] = (dims, values.reshape(shape))

    def _finish(self) -> None:
        for sums in self._sums.values():
            sums.finish()


def mean_of(sums: OrbitSums) -> tuple[np.ndarray, np.ndarray]:
    """Return means, and half of their 95 % intervals, from the scatter of orbits.

    Parameters
    ----------
    sums : OrbitSums
        Outcome 0 counts values, outcome 1 sums them up in `PER_UNIT`.

    Returns
    -------
    mean, half : ndarray of float64, shape (cells,)
        NaN where there is no value; `half` is NaN where fewer than two orbits were there.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        number, orbits = sums.records.astype(float), sums.orbits.astype(float)
        mean = sums.count[:, 1] / number
        squares = sums.squares[:, 1] - 2 * mean * sums.products[:, 1] + mean**2 * sums.record_squares
        error = np.sqrt(orbits / (orbits - 1) * np.maximum(squares, 0)) / number
    half = np.where(orbits > 1, student.ppf(0.975, np.maximum(orbits - 1, 1)) * error, np.nan)
    return mean / PER_UNIT, half / PER_UNIT
