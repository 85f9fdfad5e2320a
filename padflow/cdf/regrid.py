# SPDX-License-Identifier: BSD-3-Clause
"""Interpolate flux onto one grid, from axes that change from record to record."""

from __future__ import annotations

import numpy as np

# Two positions closer than this are the same: the grid's decimals and float32 axes differ in the last digits.
_SAME_LOG_ENERGY = 1e-5


_SAME_DEGREES = 1e-3


_RECORDS_AT_ONCE = 256  # temporary arrays then fit into the cache of a core


def onto_energies(flux: np.ndarray, energy: np.ndarray, grid: np.ndarray) -> tuple[np.ndarray, dict[str, int]]:
    """Interpolate the logarithm of flux in log energy, record by record; flux itself where a neighbour is zero.

    Parameters
    ----------
    flux : ndarray, shape (records, pitch_angle, channels)
        NaN where missing.
    energy : ndarray, shape (records, channels)
        In any order; NaN where unknown. The valid values of channels with equal energy in a record are averaged.
    grid : ndarray, shape (energy,)
        Same unit, ascending.

    Returns
    -------
    flux : ndarray of float32, shape (records, pitch_angle, energy)
        NaN outside the energies of the record, and where one of the two neighbours of a grid point is missing. Where a
        grid point is the energy of a channel (relative difference below 1e-5), it gets the value of the channel.
    notes : dict
        How many values became NaN: ``outside_grid``, outside the energies of the record; ``missing_neighbour``.
    """
    values = flux.transpose(0, 2, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        position = np.log(np.where(energy > 0, energy, np.nan))
    result, notes = _interpolate(values, position, np.log(grid), _SAME_LOG_ENERGY, logarithmic=True)
    return np.ascontiguousarray(result.transpose(0, 2, 1)), notes


def onto_pitch_angles(flux: np.ndarray, angle: np.ndarray, grid: np.ndarray) -> tuple[np.ndarray, dict[str, int]]:
    """Interpolate flux linearly in pitch angle, record by record.

    Parameters
    ----------
    flux : ndarray, shape (records, sectors, energy)
        NaN where missing.
    angle : ndarray, shape (records, sectors)
        Degrees, in any order; NaN where unknown. Angles in -180..0 and 180..360, of sectors past the field line, are
        reflected into 0..180. The valid values of sectors with equal angles in a record are averaged.
    grid : ndarray, shape (pitch_angle,)
        Degrees, ascending.

    Returns
    -------
    flux : ndarray of float32, shape (records, pitch_angle, energy)
        NaN as in `onto_energies`. A grid point within 0.001 degrees of a sector gets the value of the sector.
    notes : dict
        As in `onto_energies`.
    """
    return _interpolate(flux, reflected(angle), grid, _SAME_DEGREES, logarithmic=False)


def reflected(angle: np.ndarray) -> np.ndarray:
    """Return angles reflected into 0..180 degrees: -a becomes a, a > 180 becomes 360 - a, others NaN."""
    with np.errstate(invalid="ignore"):
        size = np.abs(angle)
        folded = np.where(angle > 180, 360 - angle, size)
        return np.where((angle >= -180) & (angle <= 360), folded, np.nan)


def _interpolate(
    values: np.ndarray, position: np.ndarray, grid: np.ndarray, same: float, *, logarithmic: bool
) -> tuple[np.ndarray, dict[str, int]]:
    """Interpolate ``values`` (records, points, others) at ``position`` (records, points) onto ``grid``."""
    result = np.empty((len(values), len(grid), values.shape[2]), np.float32)
    outside = missing = 0
    for start in range(0, len(values), _RECORDS_AT_ONCE):
        block = slice(start, start + _RECORDS_AT_ONCE)
        order = np.argsort(position[block], axis=1, kind="stable")
        x = np.take_along_axis(position[block], order, axis=1)
        y = np.take_along_axis(values[block], order[:, :, None], axis=1).astype(np.float64)
        y = _mean_of_equals(x, y)
        inside, on_point, interpolated = _between(np.where(np.isnan(x), np.inf, x), y, grid, same, logarithmic)
        interpolated[~inside] = np.nan
        result[block] = interpolated
        outside += int(np.count_nonzero(~inside)) * values.shape[2]
        missing += int(np.count_nonzero(np.isnan(interpolated[inside & ~on_point])))
    return result, {"outside_grid": outside, "missing_neighbour": missing}


def _between(
    x: np.ndarray, y: np.ndarray, grid: np.ndarray, same: float, logarithmic: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which grid points lie between the points of a record, which lie on a point, and the values there."""
    below = (x[:, :, None] <= grid + same).sum(axis=1) - 1
    left = np.maximum(below, 0)
    right = np.minimum(left + 1, x.shape[1] - 1)
    x0, x1 = np.take_along_axis(x, left, axis=1), np.take_along_axis(x, right, axis=1)
    on_point = (below >= 0) & (np.abs(grid - x0) <= same)
    inside = on_point | ((below >= 0) & (x1 > x0) & np.isfinite(x1))
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = np.clip(np.where(inside & ~on_point, (grid - x0) / (x1 - x0), 0), 0, 1)[:, :, None]
        y0 = np.take_along_axis(y, left[:, :, None], axis=1)
        y1 = np.take_along_axis(y, right[:, :, None], axis=1)
        result = y0 + weight * (y1 - y0)
        if logarithmic:
            log_y = np.log(y)
            log0 = np.take_along_axis(log_y, left[:, :, None], axis=1)
            log1 = np.take_along_axis(log_y, right[:, :, None], axis=1)
            np.copyto(result, np.exp(log0 + weight * (log1 - log0)), where=(y0 > 0) & (y1 > 0))
    np.copyto(result, y0, where=on_point[:, :, None])
    return inside, on_point, result


def _mean_of_equals(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Give points of a record with the same ``x`` the mean of their valid values; ``x`` is sorted."""
    is_new = np.ones(x.shape, bool)
    is_new[:, 1:] = x[:, 1:] != x[:, :-1]
    if is_new.all():
        return y
    first = np.flatnonzero(is_new)
    flat = y.reshape(-1, y.shape[2])
    valid = np.isfinite(flat)
    total = np.add.reduceat(np.where(valid, flat, 0), first, axis=0)
    number = np.add.reduceat(valid.astype(np.int64), first, axis=0)
    with np.errstate(invalid="ignore"):
        mean = total / number
    return mean[np.cumsum(is_new) - 1].reshape(y.shape)
