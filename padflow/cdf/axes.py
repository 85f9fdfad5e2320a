# SPDX-License-Identifier: BSD-3-Clause
"""Find which axis of the flux is pitch angle and which is energy, and map the channels of a file to the archive."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from padflow.cdf.regrid import reflected
from padflow.cdf.values import Variable
from padflow.instruments.instrument import FluxAxes

ORDERS: tuple[FluxAxes, ...] = (("pitch_angle", "energy"), ("energy", "pitch_angle"))


LARGEST_ENERGY_MEV = 1e6
"""Larger energies are fill that the file does not declare, such as 1e31 (chosen)."""


@dataclass(frozen=True)
class Axis:
    """An axis of the file, and the axis of the archive that it becomes.

    Parameters
    ----------
    values : ndarray of float64, shape (1 or records, channels)
        Degrees or MeV; NaN where the file has no value. One row where the axis is the same in all records.
    target : ndarray of float64
        The axis of the archive, ascending.
    order : ndarray of int, optional
        Channels in the order of the target; None where flux is interpolated.
    """

    values: np.ndarray
    target: np.ndarray
    order: np.ndarray | None


def without_ones(dims: Sequence[int], rank: int) -> tuple[int, ...]:
    """Return the dimensions, without some of size 1 where there are more than ``rank``."""
    kept = list(dims)
    while len(kept) > rank and 1 in kept:
        kept.remove(1)
    return tuple(kept)


def fitting_orders(flux: Variable, axes: Mapping[str, Variable]) -> dict[FluxAxes, tuple[int, int]]:
    """Return the possible orders of the two axes of the flux, by the sizes of their variables.

    Parameters
    ----------
    flux : Variable
        Where it has more than two dimensions, those of size 1 do not count.
    axes : mapping of str to Variable
        The variables with the pitch angles (``pitch_angle``) and energies (``energy``).

    Returns
    -------
    dict
        Sizes of the two axes by order; empty where the flux does not have two axes or no order fits.
    """
    sizes = without_ones(flux.dims, 2)
    if len(sizes) != 2:
        return {}
    return {
        order: sizes
        for order in ORDERS
        if all(_holds_axis(axes[role], size, flux.records) for role, size in zip(order, sizes, strict=True))
    }


def _holds_axis(variable: Variable, size: int, records: int) -> bool:
    """Return whether a variable is an axis of ``size`` values, fixed or different in each record."""
    if variable.dims == () and variable.records == size:  # an axis that is written as one value in each record
        return True
    longest = max(variable.dims, default=1)
    return math.prod(variable.dims) == size == longest and variable.records in (1, records)


def order_by_depend(depends: Sequence[object], names: Mapping[str, str]) -> FluxAxes | None:
    """Return the order of the axes according to the attributes DEPEND_1, DEPEND_2, ... of the flux.

    Parameters
    ----------
    depends : sequence of object
        Values of the attributes in order; None where one is missing.
    names : mapping of str to str
        Names of the variables with the pitch angles (``pitch_angle``) and energies (``energy``).

    Returns
    -------
    tuple of (str, str), optional
        None where they name neither variable, or only one whose place is not clear.
    """
    stated = [value.strip().lower() if isinstance(value, str) else "" for value in depends]
    places = {role: stated.index(name.lower()) for role, name in names.items() if name.lower() in stated}
    if len(places) == 2 and len(set(places.values())) == 2:
        return min(ORDERS, key=lambda order: places[order[0]])
    if len(places) == 1 and not any(stated[2:]):
        ((role, place),) = places.items()
        return next(order for order in ORDERS if order[place] == role)
    return None


def usable(role: str, values: np.ndarray) -> np.ndarray:
    """Return the values of an axis, degrees or MeV, with NaN for impossible values."""
    if role == "energy":
        return np.where((values > 0) & (values < LARGEST_ENERGY_MEV), values, np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def common_row(values: np.ndarray) -> np.ndarray | None:
    """Return the row that all rows of ``values`` repeat, where some values may be missing; None where rows differ."""
    valid = np.isfinite(values)
    row = values[valid.argmax(axis=0), np.arange(values.shape[1])]
    with np.errstate(invalid="ignore"):
        return row if (~valid | (np.abs(values - row) <= 1e-5 * np.abs(row))).all() else None


def is_axis(role: str, values: np.ndarray) -> bool:
    """Return whether sorted values differ, and lie between 0 and 180 degrees or above 0 MeV."""
    low, high = (0, 180) if role == "pitch_angle" else (0, np.inf)
    return bool(((values >= low) & (values <= high)).all() and (np.diff(values) > 0).all())


def matched(role: str, values: np.ndarray, grid: np.ndarray | None) -> Axis | None:
    """Map the channels of a file to those of the archive.

    Parameters
    ----------
    values : ndarray of float64, shape (1 or records, channels)
        As `usable` returns them.
    grid : ndarray of float64, optional
        Axis of the archive. Without it, the axis of the file is used.

    Returns
    -------
    Axis or None
        None where values change from record to record and there is no grid.
    """
    if role == "pitch_angle" and grid is not None:
        values = reflected(values)
    fixed = common_row(values)
    if fixed is None:
        return None if grid is None else Axis(values, grid, None)
    order = np.argsort(fixed, kind="stable")[: np.isfinite(fixed).sum()]
    target = fixed[order]
    if grid is None:
        return Axis(fixed[np.newaxis], target, order)
    same = target.shape == grid.shape and np.allclose(target, grid, rtol=1e-5, atol=0)
    return Axis(fixed[np.newaxis], grid, order if same else None)
