# SPDX-License-Identifier: BSD-3-Clause
"""The arithmetic of preprocessing on arrays: fold, count, average over time, normalise.

Each function works on one block of records, small enough for the processor's cache. Most blocks of most archives
lack no value, so each looks for NaN with one cheap pass before it makes masks. A row's bits depend on the rows of
its window alone, whether others lack values or not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from padflow.features.compiled import find_bounds, put_channels, put_root_count_shares, put_window_counts

FEWEST_COUNTS = np.float32(2.0**-100)
"""Smaller sums of counts are taken for none: single precision cannot divide by them. One count is 1."""


def fold_flux(flux: np.ndarray) -> np.ndarray:
    """Average each pitch angle with its mirror about 90 degrees, ignoring NaN.

    Parameters
    ----------
    flux : ndarray of float32, shape (records, pitch_angle, energy)

    Returns
    -------
    ndarray of float32, shape (records, (pitch_angle + 1) // 2, energy)
        From the smallest pitch angle up to 90 degrees.
    """
    return take_channels(flux, slice(0, flux.shape[2]), fold=True)[0]


def take_channels(
    flux: np.ndarray, channels: slice, *, fold: bool, counts_per_flux: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Take the flux of some channels, folded as by `fold_flux` if asked, and add up the counts of each record.

    Parameters
    ----------
    flux : ndarray of float32, shape (records, pitch_angle, energy)
    counts_per_flux : ndarray of float32, shape (channels,), optional
        Counts that unit flux gives in a bin; without it there are no counts.

    Returns
    -------
    flux : ndarray of float32, shape (records, pitch_angle, channels)
    counts : ndarray of float64, shape (records,)
        With NaN as 0. Added up in float32: right to about one part in a million.
    finite : bool
        Whether all of the flux is finite.
    """
    number = channels.stop - channels.start
    if counts_per_flux is None:
        counts_per_flux = np.zeros(number, np.float32)
    angles = (flux.shape[1] + 1) // 2 if fold else flux.shape[1]
    taken, counts = np.empty((len(flux), angles, number), np.float32), np.empty(len(flux))
    flux = np.ascontiguousarray(flux, np.float32)
    finite = put_channels(flux, channels.start, fold, counts_per_flux, taken, counts)
    return taken, counts, finite


def _has_nan(values: np.ndarray) -> bool:
    # The largest value is NaN where any is: one pass without a mask.
    return values.size > 0 and bool(np.isnan(values.max()))


def all_finite(values: np.ndarray) -> bool:
    """Return whether there is neither NaN nor infinity."""
    return values.size == 0 or bool(np.isfinite(values.max()) and values.min() > -np.inf)


def bins_flat(flux: np.ndarray) -> np.ndarray:
    """Return flux (records, pitch_angle, energy) as (records, bins): a view where its memory allows."""
    return flux.reshape(len(flux), math.prod(flux.shape[1:]))


@dataclass(frozen=True)
class RunningWindows:
    """A running window for each of some rows, and how its sum is made of sums of 1, 2, 4, ... neighbouring rows.

    So a sum's bits depend on the rows of its window alone, and a long window costs little more than a short one.

    Parameters
    ----------
    length : ndarray of int64, shape (rows,)
        Rows in each window, its own included.
    steps : tuple of (int, index, index)
        Number of rows that are added at once, for which windows, and from which row on.
    """

    length: np.ndarray
    steps: tuple[tuple[int, slice | np.ndarray, slice | np.ndarray], ...]

    def sum(self, values: np.ndarray) -> np.ndarray:
        """Add up the rows of each window: (records, ...) to (rows, ...), of the same dtype."""
        total = np.zeros((len(self.length), *values.shape[1:]), values.dtype)
        size, sums = 1, values  # sums[j]: of rows [j, j + size)
        for wanted, rows, first in self.steps:
            while size < wanted:
                sums = sums[:-size] + sums[size:]
                size *= 2
            total[rows] += sums[first]
        return total

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Average the rows of each window, leaving out NaN bin by bin; NaN where no row has a value.

        Parameters
        ----------
        values : ndarray of float32 or float64, shape (records, bins)
        """
        if not _has_nan(values):
            total = self.sum(values)
            equal = len(self.length) and (self.length == self.length[0]).all()  # then one number serves, much faster
            count = self.length[:1] if equal else self.length[:, None]
        else:
            valid = ~np.isnan(values)
            total = self.sum(np.where(valid, values, values.dtype.type(0)))
            count = self.sum(valid.astype(np.min_scalar_type(int(self.length.max(initial=0)))))
        with np.errstate(divide="ignore", invalid="ignore"):
            total *= np.reciprocal(count.astype(values.dtype))  # infinite where no row has a value: 0 times it is NaN
        return total


def find_windows(time: np.ndarray, core: slice, *, window_seconds: float, max_gap_seconds: float) -> RunningWindows:
    """Find the running window of each row of `core`: the rows near in time, never across a gap.

    A row's window holds every row whose time differs by at most half of `window_seconds`, provided that no
    step between them is longer than `max_gap_seconds`.

    Parameters
    ----------
    time : ndarray of datetime64[ns], shape (records,)
        Ascending.
    """
    start, stop, _ = core.indices(len(time))
    first, end = np.empty((2, max(stop - start, 0)), np.int64)
    half_window, max_gap = round(window_seconds * 1e9 / 2), round(max_gap_seconds * 1e9)
    alike = find_bounds(np.ascontiguousarray(time.view(np.int64)), start, half_window, max_gap, first, end)
    length = end - first
    if alike and len(first):  # as nearly always
        return _equal_windows(int(first[0]), length)
    steps = []
    for power in range(int(length.max(initial=0)).bit_length()):
        rows = np.flatnonzero(length & (1 << power))
        if len(rows):
            steps.append((1 << power, as_slice(rows), as_slice(first[rows])))
            first[rows] += 1 << power
    return RunningWindows(length, tuple(steps))


def _equal_windows(first: int, length: np.ndarray) -> RunningWindows:
    rows, steps = len(length), []
    for power in range(int(length[0]).bit_length()):
        size = 1 << power
        if length[0] & size:
            steps.append((size, slice(0, rows), slice(first, first + rows)))
            first += size
    return RunningWindows(length, tuple(steps))


def as_slice(index: np.ndarray) -> np.ndarray | slice:
    """Return an ascending index as a slice, which is a view, where it has no holes."""
    first, last = int(index[0]), int(index[-1])
    consecutive = last - first == len(index) - 1 and bool((np.diff(index) == 1).all())
    return slice(first, last + 1) if consecutive else index


def peak_flux(flux: np.ndarray) -> np.ndarray:
    """Return the largest value of each record, shape (records,); 0 where it has none."""
    return np.fmax.reduce(bins_flat(flux), axis=1, initial=0.0)


def filled_share(flux: np.ndarray) -> np.ndarray:
    """Return the share of the bins with a value whose flux is above zero.

    Parameters
    ----------
    flux : ndarray of float32, shape (records, pitch_angle, energy)

    Returns
    -------
    ndarray of float64, shape (records,)
        From 0 to 1; 0 where a record has no value.
    """
    rows = bins_flat(flux)
    valid = np.isfinite(rows)
    return np.count_nonzero(valid & (rows > 0), axis=1) / np.maximum(1, np.count_nonzero(valid, axis=1))


def normalise_flux(flux: np.ndarray, method: str, *, middle: int, peak: np.ndarray | None = None) -> np.ndarray:
    """Scale each record; 0 where the divisor is 0 or missing, and where a bin is missing.

    Parameters
    ----------
    flux : ndarray of float32, shape (records, pitch_angle, energy)
    method : {"max", "pa90", "energy_max", "none"}
        See `PreprocessConfig.normalise`.
    middle : int
        Index of the pitch angle at (or nearest to) 90 degrees.
    peak : ndarray of float32, shape (records,), optional
        `peak_flux`, where it is known.

    Returns
    -------
    ndarray of float32, shape (records, pitch_angle, energy)
        A new array.
    """
    if not all_finite(flux):
        flux = np.where(np.isfinite(flux), flux, np.float32(0))
        peak = None
    if method == "none":
        return flux.copy()
    if method == "max":
        divisor = (peak_flux(flux) if peak is None else peak)[:, None, None]
    elif method == "energy_max":
        divisor = flux.max(axis=1, keepdims=True)
    else:
        divisor = flux[:, middle : middle + 1]
    # Dividing by infinity gives the 0 that is wanted, faster than leaving records out.
    divisor = np.where(divisor > np.finfo(np.float32).tiny, divisor, np.float32(np.inf))
    # A tiny divisor can overflow a quotient; such a bin carries no information.
    with np.errstate(over="ignore"):
        scaled = flux / divisor
    if method == "pa90":
        scaled[np.isinf(scaled)] = 0
    return scaled


def window_counts(flux: np.ndarray, counts_per_flux: np.ndarray, *, averaged: np.ndarray) -> np.ndarray:
    """Return the counts of a window from its mean flux.

    Parameters
    ----------
    flux : ndarray of float32, shape (records, pitch_angle, energy)
        Where a bin lacks some of the records, its mean stands for these too; NaN counts as 0.
    counts_per_flux : ndarray of float32, shape (pitch_angle, energy)
        Counts that unit flux gives in each bin of one record.
    averaged : ndarray, shape (records,)
        Number of records in the window of each.

    Returns
    -------
    ndarray of float32, shape (records, pitch_angle, energy)
        In memory bins come first, as what follows takes them.
    """
    records, angles, energies = flux.shape
    counts = np.empty((angles, energies, records), np.float32)
    rows = np.ascontiguousarray(bins_flat(flux), np.float32)
    put_window_counts(rows, counts_per_flux.ravel(), averaged.astype(np.float32), counts.reshape(-1, records))
    return counts.transpose(2, 0, 1)


def root_count_shares(counts: np.ndarray, *, prior_counts: float) -> np.ndarray:
    """Return the square root of the share of each energy's counts in each pitch angle.

    The shares are those expected after a multinomial draw, when `prior_counts` counts with the shape of all
    energies together were there before it (a Dirichlet prior): an energy with few counts takes that shape. Their
    square roots have about the same noise in all bins (Bartlett 1936, 10.2307/2983678), and differences of them
    are Hellinger distances.

    Parameters
    ----------
    counts : ndarray of float32, shape (records, pitch_angle, energy)
        See `window_counts`.

    Returns
    -------
    ndarray of float32, shape (records, pitch_angle, energy)
        Between 0 and 1; the squares of each energy add up to 1, or all are 0 in a record without counts, or in an
        energy without any where there is no prior. What does not reach `FEWEST_COUNTS` is none. In memory bins come
        first.
    """
    by_bin = np.ascontiguousarray(counts.transpose(1, 2, 0))
    shares = np.empty(by_bin.shape, np.float32)
    put_root_count_shares(by_bin, np.float32(prior_counts), FEWEST_COUNTS, shares)
    return shares.transpose(2, 0, 1)
