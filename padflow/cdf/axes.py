"""Which axis of a file's flux is pitch angle and which is energy, and what becomes of the channels of each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from padflow.cdf.regrid import reflected
from padflow.cdf.values import Variable
from padflow.instruments.instrument import FluxAxes

ORDERS: tuple[FluxAxes, ...] = (("pitch_angle", "energy"), ("energy", "pitch_angle"))


LARGEST_ENERGY_MEV = 1e6  # what is above it is a fill, such as 1e31, that the file does not declare


@dataclass(frozen=True)
class Axis:
    """An axis of the file and what it becomes.

    Parameters
    ----------
    values : ndarray of float64, shape (1 or records, channels)
        Degrees or MeV, NaN where the file gives none; one row if it is the same in all records.
    target : ndarray of float64
        The axis of the archive, ascending.
    order : ndarray of int, optional
        The channels that become the target's; None if flux is interpolated.
    """

    values: np.ndarray
    target: np.ndarray
    order: np.ndarray | None


def without_ones(dims: Sequence[int], rank: int) -> tuple[int, ...]:
    """Return the dimensions without those of size 1 that are more than ``rank``."""
    kept = list(dims)
    while len(kept) > rank and 1 in kept:
        kept.remove(1)
    return tuple(kept)


def fitting_orders(flux: Variable, axes: Mapping[str, Variable]) -> dict[FluxAxes, tuple[int, int]]:
    """Return the orders of the flux's two axes that agree with the sizes of their variables.

    Parameters
    ----------
    flux : Variable
        Dimensions of size 1 beyond two do not count.
    axes : mapping of str to Variable
        The variables with the pitch angles (``pitch_angle``) and energies (``energy``).

    Returns
    -------
    dict
        Sizes of the two axes by order; empty where the flux has not two axes or none fits.
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
    """Whether a variable is an axis of ``size`` values, fixed or one for each record."""
    if variable.dims == () and variable.records == size:  # an axis written as one value per record
        return True
    longest = max(variable.dims, default=1)
    return math.prod(variable.dims) == size == longest and variable.records in (1, records)


def order_by_depend(depends: Sequence[object], names: Mapping[str, str]) -> FluxAxes | None:
    """Return the order of the axes that the attributes DEPEND_1, DEPEND_2, ... of the flux give.

    Parameters
    ----------
    depends : sequence of object
        Their values in order, None where there is none.
    names : mapping of str to str
        Names of the variables with the pitch angles (``pitch_angle``) and energies (``energy``).

    Returns
    -------
    tuple of (str, str), optional
        None where neither variable is named, or the one that is named does not tell its place among two.
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
    """Return the values of an axis, degrees or MeV, with NaN for those that can be none."""
    if role == "energy":
        return np.where((values > 0) & (values < LARGEST_ENERGY_MEV), values, np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def common_row(values: np.ndarray) -> np.ndarray | None:
    """Return the one row that all rows of ``values`` repeat, whatever is missing in some of them, or None."""
    valid = np.isfinite(values)
    row = values[valid.argmax(axis=0), np.arange(values.shape[1])]
    with np.errstate(invalid="ignore"):
        return row if (~valid | (np.abs(values - row) <= 1e-5 * np.abs(row))).all() else None


def is_axis(role: str, values: np.ndarray) -> bool:
    """Whether sorted values differ and lie within what the role allows: 0 to 180 degrees, or above 0 MeV."""
    low, high = (0, 180) if role == "pitch_angle" else (0, np.inf)
    return bool(((values >= low) & (values <= high)).all() and (np.diff(values) > 0).all())


def matched(role: str, values: np.ndarray, grid: np.ndarray | None) -> Axis | None:
    """Decide how a file's channels become those of the archive.

    Parameters
    ----------
    values : ndarray of float64, shape (1 or records, channels)
        As `usable` gives them.
    grid : ndarray of float64, optional
        The archive's axis; without it, the file's own is.

    Returns
    -------
    Axis or None
        None for values that change from record to record where there is no grid.
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
