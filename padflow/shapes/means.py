# SPDX-License-Identifier: BSD-3-Clause
"""The mean pitch-angle distributions of classes: sums over records that can be added part by part."""

from __future__ import annotations

import numpy as np

from padflow.blas import one_blas_thread
from padflow.records import BLOCK_ROWS

MIN_COUNTS = 10
"""Counts an energy of a record needs to take part in the mean shape, where counts are known (chosen)."""


MIN_RECORDS = 5
"""Records a class needs at an energy for a mean shape."""


def sum_shapes(
    flux: np.ndarray, pad_class: np.ndarray, k: int, *, counts_per_flux: np.ndarray
) -> dict[str, np.ndarray]:
    """Sum flux, and flux divided by its average over pitch angle (`shape_ratio`), by class and bin.

    Parameters
    ----------
    flux : ndarray of float32, shape (records, pitch_angle, energy)
    pad_class : ndarray of int, shape (records,)
        Negative for records without a class, which are left out.
    k : int
        Number of classes.
    counts_per_flux : ndarray, shape (energy,)

    Returns
    -------
    dict of str to ndarray of float64, shape (k, pitch_angle, energy)
        ``flux_sum``, ``flux_n``, ``ratio_sum``, ``ratio_squares`` and ``ratio_n``: sums over the values that are
        there, of the ratios' squares too, and their number.
    """
    names = ("flux_sum", "flux_n", "ratio_sum", "ratio_squares", "ratio_n")
    sums = {name: np.zeros((k, *flux.shape[1:])) for name in names}

    def add(name: str, members: np.ndarray, values: np.ndarray) -> None:
        sums[name] += (members @ values.reshape(len(values), -1)).reshape(k, *values.shape[1:])

    classified = np.flatnonzero(pad_class >= 0)
    with one_blas_thread():
        for start in range(0, len(classified), BLOCK_ROWS):
            rows = classified[start : start + BLOCK_ROWS]
            members = (pad_class[rows] == np.arange(k)[:, None]).astype("f8")
            values = flux[rows].astype("f8")
            valid = np.isfinite(values)
            if valid.all():
                valid = valid[:, :1]  # stands for all pitch angles
            else:
                values[~valid] = 0
            scale = np.nan_to_num(_one_over_average(values, valid, counts_per_flux))
            add("flux_sum", members, values)
            add("flux_n", members, valid)
            values *= scale
            add("ratio_sum", members, values)
            add("ratio_n", members, valid & (scale > 0))
            values *= values
            add("ratio_squares", members, values)
    return sums


def standard_error(total: np.ndarray, squares: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Return the standard error of means from the sums of values and of their squares; NaN for fewer than two."""
    several = np.maximum(number, 2)
    variance = np.maximum(squares - total**2 / several, 0) / (several - 1)
    return np.where(number >= 2, np.sqrt(variance / several), np.nan)


def mean_ratio(sums: dict[str, np.ndarray]) -> np.ndarray:
    """Return the mean shapes of classes, (k, pitch_angle, energy), from `sum_shapes`; NaN from too few records."""
    few = sums["ratio_n"] < MIN_RECORDS
    return np.where(few, np.nan, sums["ratio_sum"] / np.maximum(sums["ratio_n"], 1))


def shape_ratio(flux: np.ndarray, counts_per_flux: np.ndarray) -> np.ndarray:
    """Divide flux by its average over pitch angle at each energy.

    Parameters
    ----------
    flux : ndarray, shape (records, pitch_angle, energy)
    counts_per_flux : ndarray, shape (energy,)
        Where it is known, energies with fewer than `MIN_COUNTS` counts in a record become NaN: division by
        so few would only show noise.
    """
    valid = np.isfinite(flux)
    scale = _one_over_average(np.where(valid, flux, 0).astype("f8"), valid, counts_per_flux)
    return (flux * scale).astype(np.float32)


def _one_over_average(values: np.ndarray, valid: np.ndarray, counts_per_flux: np.ndarray) -> np.ndarray:
    """Return one over the average of the valid values over pitch angle, (records, 1, energy); NaN for too few counts.

    Values that are not valid must be 0. `valid` may have one pitch angle that stands for all.
    """
    total = values.sum(axis=1, keepdims=True)
    needed = np.where(np.isfinite(counts_per_flux), MIN_COUNTS / counts_per_flux, 0.0)
    enough = (total > 0) & (total >= needed)
    number = valid.sum(axis=1, keepdims=True) * (values.shape[1] // valid.shape[1])
    return np.divide(number, total, out=np.full(total.shape, np.nan), where=enough)
