# SPDX-License-Identifier: BSD-3-Clause
"""What is compiled of preprocessing and of storing shapes: one pass over the rows where NumPy takes several."""

from __future__ import annotations

import numpy as np

from padflow.compiling import compiled

ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)


LINE = 16
"""Numbers of float32 in a line (64 bytes) of the processor's cache."""


LEAST_NORMAL_HALF, HALVES_IN_ONE, HALF_NAN = np.float32(2.0**-14), np.float32(2.0**24), np.int32(0x7E00)
"""Of float16: the smallest number with all its digits, how many of the smallest steps are 1, and the bits of NaN."""


@compiled
def put_window_counts(flux: np.ndarray, counts_per_flux: np.ndarray, averaged: np.ndarray, out: np.ndarray) -> None:
    """Fill `out` with `padflow.features.kernels.window_counts`, bins first.

    It turns `LINE` records at a time. So each line of memory is filled while the processor's cache holds it.

    Parameters
    ----------
    flux : ndarray of float32, shape (records, bins)
    counts_per_flux : ndarray of float32, shape (bins,)
    averaged : ndarray of float32, shape (records,)
    out : ndarray of float32, shape (bins, records)
    """
    records, bins = flux.shape
    counts = np.empty((LINE, bins), np.float32)
    for start in range(0, records, LINE):
        some = min(LINE, records - start)
        for row in range(some):
            for b in range(bins):
                count = flux[start + row, b] * counts_per_flux[b]
                counts[row, b] = (ZERO if np.isnan(count) else count) * averaged[start + row]
        for b in range(bins):
            for row in range(some):
                out[b, start + row] = counts[row, b]


@compiled
def put_root_count_shares(
    counts: np.ndarray, prior_counts: np.float32, fewest_counts: np.float32, out: np.ndarray
) -> None:
    """Fill `out` with `padflow.features.kernels.root_count_shares`, bins first.

    Parameters
    ----------
    counts, out : ndarray of float32, shape (pitch_angle, energy, records)
    fewest_counts : float32
        What does not reach it is none.
    """
    angles, energies, records = counts.shape
    total, overall = np.empty((energies, records), np.float32), np.empty((angles, records), np.float32)
    scale = np.empty(records, np.float32)
    total[:], overall[:], scale[:] = ZERO, ZERO, ZERO
    for k in range(angles):
        for e in range(energies):
            for i in range(records):
                overall[k, i] += counts[k, e, i]
                total[e, i] += counts[k, e, i]
        for i in range(records):
            scale[i] += overall[k, i]
    for i in range(records):
        scale[i] = prior_counts / scale[i] if scale[i] > fewest_counts else ZERO
    for e in range(energies):
        for i in range(records):
            total[e, i] += prior_counts
            total[e, i] = ONE / total[e, i] if total[e, i] > fewest_counts else ZERO
    for k in range(angles):
        for i in range(records):
            overall[k, i] *= scale[i]
        for e in range(energies):
            for i in range(records):
                out[k, e, i] = np.sqrt((counts[k, e, i] + overall[k, i]) * total[e, i])


@compiled
def find_bounds(
    time: np.ndarray, start: int, half_window: int, max_gap: int, first: np.ndarray, end: np.ndarray
) -> bool:
    """Find the running windows of rows from `start` on, see `padflow.features.kernels.find_windows`.

    Parameters
    ----------
    time : ndarray of int64, shape (records,)
        Ascending.
    half_window, max_gap : int
        In the unit of `time`.
    first, end : ndarray of int64, shape (rows,)
        Filled with the first row whose time differs by at most `half_window`, and with one after the last such row.

    Returns
    -------
    bool
        Whether each window is that of the row before, one row further.
    """
    low = high = 0
    alike = True
    for row in range(start + len(first)):
        if row and time[row] - time[row - 1] > max_gap:
            low = row
        while time[low] < time[row] - half_window:
            low += 1
        if row < start:
            continue
        high = max(high, row + 1)
        while high < len(time) and time[high] <= time[row] + half_window and time[high] - time[high - 1] <= max_gap:
            high += 1
        first[row - start], end[row - start] = low, high
        alike = alike and (row == start or (low - first[row - start - 1] == 1 and high - end[row - start - 1] == 1))
    return alike


@compiled
def put_channels(
    flux: np.ndarray, first: int, fold: bool, counts_per_flux: np.ndarray, out: np.ndarray, counts: np.ndarray
) -> bool:
    """Take the flux of some channels, and add up counts; see `padflow.features.kernels.take_channels`.

    Parameters
    ----------
    flux : ndarray of float32, shape (records, pitch_angle, energy)
    first : int
        The first of the channels.
    counts_per_flux : ndarray of float32, shape (channels,)
    out : ndarray of float32, shape (records, pitch_angle, or half of them if folded, channels)
    counts : ndarray of float64, shape (records,)

    Returns
    -------
    bool
        Whether all of the flux is finite.
    """
    records, angles, _ = flux.shape
    finite = True
    for row in range(records):
        total = ZERO
        for k in range(out.shape[1]):
            mirror = angles - 1 - k if fold else k
            some = ZERO
            unknown = ZERO
            for e in range(len(counts_per_flux)):
                near, far = flux[row, k, first + e], flux[row, mirror, first + e]
                mean = (near + far) * HALF if mirror != k else near
                out[row, k, e] = mean
                unknown += mean - mean  # NaN where any is NaN or infinite
                some += (near + far if mirror != k else near) * counts_per_flux[e]
            if unknown != ZERO:
                finite = False
                some = ZERO
                for e in range(len(counts_per_flux)):
                    near, far = flux[row, k, first + e], flux[row, mirror, first + e]
                    if np.isnan(out[row, k, e]):
                        out[row, k, e] = far if np.isnan(near) else near
                    some += ZERO if np.isnan(near) else near * counts_per_flux[e]
                    if mirror != k:
                        some += ZERO if np.isnan(far) else far * counts_per_flux[e]
            total += some
        counts[row] = total
    return finite


@compiled
def put_halves(values: np.ndarray, chosen: np.ndarray, largest: np.float32, out: np.ndarray) -> None:
    """Round rows of float32 to float16 as NumPy does, half to even; what is beyond `largest` becomes that.

    NumPy's conversion takes four times as long, which was a tenth of the time of scoring.

    Parameters
    ----------
    values : ndarray of float32, shape (rows, numbers), contiguous
    chosen : ndarray of bool, shape (rows,)
        The others become NaN.
    largest : float32
        At most 65504.
    out : ndarray of uint16, shape (rows, numbers), contiguous
        Filled with the bits of float16.
    """
    numbers, halves = values.reshape(-1), out.reshape(-1)
    bits = numbers.view(np.int32)
    top = np.array([largest]).view(np.int32)[0]
    for i in range(len(numbers)):
        magnitude = bits[i] & np.int32(0x7FFFFFFF)
        limited = min(magnitude, top)  # bits of positive numbers are in the order of the numbers
        odd = (limited >> np.int32(13)) & np.int32(1)
        normal = (limited + np.int32(0xFFF) + odd - np.int32(0x38000000)) >> np.int32(13)
        small = np.int32(np.rint(min(abs(numbers[i]), LEAST_NORMAL_HALF) * HALVES_IN_ONE))
        half = normal if magnitude >= np.int32(0x38800000) else small
        half = HALF_NAN if magnitude > np.int32(0x7F800000) else half
        halves[i] = np.uint16(half | ((bits[i] >> np.int32(16)) & np.int32(0x8000)))
    for row in range(len(out)):
        if not chosen[row]:
            for i in range(out.shape[1]):
                out[row, i] = np.uint16(HALF_NAN)
