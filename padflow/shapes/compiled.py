# SPDX-License-Identifier: BSD-3-Clause
"""What is compiled: the arithmetic of `denoising` and `measures`, along many PADs at a time.

Each number of a PAD is computed in the same order wherever the PAD stands: its bits do not depend on other PADs.
Arrays are float32, and their last axis is that of the PADs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import njit

WIDTH = 128
"""PADs that are denoised at a time (chosen: their numbers fit into a processor's nearest caches)."""


ZERO, HALF, ONE, TWO, ROOT_HALF = map(np.float32, (0, 0.5, 1, 2, 0.5**0.5))


ERF = tuple(map(np.float32, (0.0705230784, 0.0422820123, 0.0092705272, 0.0001520143, 0.0002765672, 0.0000430638)))
FARTHEST = np.float32(10)
"""Coefficients of `normal_probability`, and the argument beyond which nothing changes."""


TINY = np.float32(1e-12)
"""Least variance."""


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function, and keep the machine code for the next process where a folder can be written."""
    try:
        return njit(function, cache=True, nogil=True, error_model="numpy")
    except RuntimeError:  # neither beside the module nor in the user's own folder
        return njit(function, nogil=True, error_model="numpy")


class Matrices(NamedTuple):
    """What `denoise_pads` takes of `padflow.shapes.denoising.Denoiser`; float32 where nothing else is said.

    Parameters
    ----------
    joined : ndarray, shape (angles,)
    basis, transposed : ndarray, shape (angles, terms) and (terms, angles)
    prior_mean, prior_variance : ndarray, shape (terms,)
    pairs : ndarray of int64, shape (pairs, 2)
        Terms that have a covariance.
    products : ndarray, shape (pairs, angles)
    of_series, of_rest : ndarray, shape (errors, pairs) and (errors, angles)
    least_expected, freedom : float32
    """

    joined: np.ndarray
    basis: np.ndarray
    transposed: np.ndarray
    prior_mean: np.ndarray
    prior_variance: np.ndarray
    pairs: np.ndarray
    products: np.ndarray
    of_series: np.ndarray
    of_rest: np.ndarray
    least_expected: np.float32
    freedom: np.float32


@compiled
def denoise_pads(
    counts: np.ndarray,
    matrices: Matrices,
    flux: np.ndarray,
    errors: np.ndarray,
    projected: np.ndarray,
    covariance: np.ndarray,
) -> None:
    """Fill the arrays of `padflow.shapes.denoising.Denoised`, each of shape (..., pads), from counts (angles, pads)."""
    block = np.ones((len(counts), WIDTH), np.float32)
    for start in range(0, counts.shape[1], WIDTH):
        width = min(WIDTH, counts.shape[1] - start)
        for k in range(len(counts)):
            for i in range(width):
                block[k, i] = counts[k, start + i]
        found = _denoise_block(block, matrices)
        _put(found[0], flux, start, width)
        _put(found[1], errors, start, width)
        _put(found[2], projected, start, width)
        _put(found[3], covariance, start, width)


@compiled
def _put(block: np.ndarray, out: np.ndarray, start: int, width: int) -> None:
    for row in range(len(block)):
        for i in range(width):
            out[row, start + i] = block[row, i]


@compiled
def _denoise_block(counts: np.ndarray, matrices: Matrices) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    projected = _product(matrices.transposed, counts)
    # The noise of coefficients depends on the counts that are expected, and these on the coefficients: two rounds.
    likely, root = _draw_to_prior(projected, _inverse_totals(counts, len(projected)), matrices)
    noise = _product(matrices.basis, likely)
    _limit_below(noise, matrices.joined, matrices.least_expected)
    covariance = _product(matrices.products, noise)
    likely, root = _draw_to_prior(projected, _relative_variances(covariance, projected, matrices.pairs), matrices)
    rest = _product(matrices.basis, projected)
    share = _share_to_keep(counts, rest, noise, matrices)
    flux = _product(matrices.basis, likely)
    _add_scaled(share, rest, flux)
    errors = _product(matrices.of_series, _shrunk(covariance, root, matrices.pairs))
    _add_scaled(share, _product(matrices.of_rest, noise), errors)
    return flux, errors, projected, covariance


@compiled
def _product(matrix: np.ndarray, values: np.ndarray) -> np.ndarray:
    out = np.zeros((len(matrix), WIDTH), np.float32)
    for row in range(len(matrix)):
        for k in range(len(values)):
            factor = matrix[row, k]
            for i in range(WIDTH):
                out[row, i] += factor * values[k, i]
    return out


@compiled
def _add_scaled(scale: np.ndarray, values: np.ndarray, out: np.ndarray) -> None:
    for row in range(len(out)):
        for i in range(WIDTH):
            out[row, i] += scale[i] * values[row, i]


@compiled
def _inverse_totals(counts: np.ndarray, terms: int) -> np.ndarray:
    """Return one over the counts of each PAD, once for each term."""
    out = np.zeros((terms, WIDTH), np.float32)
    for k in range(len(counts)):
        for i in range(WIDTH):
            out[0, i] += counts[k, i]
    for m in range(terms - 1, -1, -1):
        for i in range(WIDTH):
            out[m, i] = ONE / out[0, i]
    return out


@compiled
def _relative_variances(covariance: np.ndarray, projected: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Return the variances of terms over the square of the first term."""
    out = np.empty_like(projected)
    for t in range(len(pairs)):
        if pairs[t, 0] == pairs[t, 1]:
            for i in range(WIDTH):
                out[pairs[t, 0], i] = covariance[t, i] / (projected[0, i] * projected[0, i])
    return out


@compiled
def _draw_to_prior(
    projected: np.ndarray, relative_variance: np.ndarray, matrices: Matrices
) -> tuple[np.ndarray, np.ndarray]:
    """Return likely terms, and the root of the share of each that is kept."""
    likely, root = np.empty_like(projected), np.ones_like(projected)
    likely[0] = projected[0]
    for m in range(1, len(projected)):
        mean, variance = matrices.prior_mean[m], matrices.prior_variance[m]
        for i in range(WIDTH):
            kept = variance / (variance + relative_variance[m, i])
            prior = mean * projected[0, i]
            likely[m, i] = prior + kept * (projected[m, i] - prior)
            root[m, i] = np.sqrt(kept)
    return likely, root


@compiled
def _limit_below(flux: np.ndarray, joined: np.ndarray, least: np.float32) -> None:
    """Turn fluxes into the counts that are expected, in place."""
    for k in range(len(flux)):
        for i in range(WIDTH):
            flux[k, i] = max(flux[k, i] * joined[k], least)


@compiled
def _share_to_keep(counts: np.ndarray, rest: np.ndarray, noise: np.ndarray, matrices: Matrices) -> np.ndarray:
    """Return the share of the rest to keep; turn a series into the rest, and expected counts into noise, in place."""
    chi2 = np.zeros(WIDTH, np.float32)
    for k in range(len(counts)):
        over = ONE / matrices.joined[k]
        for i in range(WIDTH):
            noise[k, i] *= over * over
            rest[k, i] = counts[k, i] * over - rest[k, i]
            chi2[i] += rest[k, i] * rest[k, i] / noise[k, i]
    for i in range(WIDTH):
        chi2[i] = max(ONE - matrices.freedom / max(chi2[i], TINY), ZERO)
    return chi2


@compiled
def _shrunk(covariance: np.ndarray, root: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    out = np.empty_like(covariance)
    for t in range(len(pairs)):
        first, second = root[pairs[t, 0]], root[pairs[t, 1]]
        for i in range(WIDTH):
            out[t, i] = first[i] * second[i] * covariance[t, i]
    return out


@compiled
def series_of_terms(
    rows: np.ndarray, projected: np.ndarray, covariance: np.ndarray, pairs: np.ndarray, out: np.ndarray
) -> None:
    """Fill `out`, shape (6, pads), with c2, c4, c6 over c0 and their standard errors.

    Parameters
    ----------
    rows : ndarray, shape (4, terms, pads or 1)
        What makes the coefficients of the terms; the same for all PADs where its last axis is 1.
    projected, covariance : ndarray, shape (terms, pads) and (pairs, pads)
    pairs : ndarray of int64, shape (pairs, 2)
    """
    coefficients, terms, _ = rows.shape
    of_rows = np.empty((coefficients, terms, WIDTH), np.float32)
    of_rows[:] = rows[:, :, :1]
    of_terms, of_pairs = np.ones((terms, WIDTH), np.float32), np.ones((len(pairs), WIDTH), np.float32)
    for start in range(0, projected.shape[1], WIDTH):
        width = min(WIDTH, projected.shape[1] - start)
        if rows.shape[2] > 1:
            of_rows[:, :, :width] = rows[:, :, start : start + width]
        of_terms[:, :width] = projected[:, start : start + width]
        of_pairs[:, :width] = covariance[:, start : start + width]
        first = _weighted_sum(of_rows[0], of_terms)
        for n in range(1, coefficients):
            value = _weighted_sum(of_rows[n], of_terms)
            for i in range(WIDTH):
                value[i] /= first[i]
            error = _error_of_ratio(of_rows[n], of_rows[0], value, of_pairs, pairs)
            for i in range(width):
                out[n - 1, start + i] = value[i]
            for i in range(width):
                out[n + 2, start + i] = error[i] / abs(first[i])


@compiled
def _weighted_sum(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    out = np.zeros(WIDTH, np.float32)
    for m in range(len(values)):
        for i in range(WIDTH):
            out[i] += weights[m, i] * values[m, i]
    return out


@compiled
def _error_of_ratio(
    row: np.ndarray, first_row: np.ndarray, ratio: np.ndarray, covariance: np.ndarray, pairs: np.ndarray
) -> np.ndarray:
    """Return the standard error of a ratio of weighted sums, times the second sum."""
    relative, out = np.empty_like(row), np.zeros(WIDTH, np.float32)
    for m in range(len(row)):
        for i in range(WIDTH):
            relative[m, i] = row[m, i] - ratio[i] * first_row[m, i]
    for t in range(len(pairs)):
        a, b = pairs[t]
        times = ONE if a == b else TWO
        for i in range(WIDTH):
            out[i] += times * relative[a, i] * relative[b, i] * covariance[t, i]
    for i in range(WIDTH):
        out[i] = np.sqrt(max(out[i], ZERO))
    return out


@compiled
def fit_powers(counts: np.ndarray, logs: np.ndarray, position: np.ndarray, out: np.ndarray) -> None:
    """Fill `out`, shape (2, pads), with the slopes of lines through logs, weighted by counts, and standard errors.

    Parameters
    ----------
    counts, logs : ndarray, shape (angles, pads)
    position : ndarray, shape (angles,)
    """
    pads = counts.shape[1]
    total, mean, spread, slope = np.zeros((4, pads), np.float32)
    for k in range(len(counts)):
        for i in range(pads):
            total[i] += counts[k, i]
            mean[i] += position[k] * counts[k, i]
    for i in range(pads):
        mean[i] /= total[i]
    for k in range(len(counts)):
        for i in range(pads):
            away = position[k] - mean[i]
            spread[i] += counts[k, i] * away * away
            slope[i] += counts[k, i] * away * logs[k, i]
    for i in range(pads):
        out[0, i] = slope[i] / spread[i]
    for i in range(pads):
        out[1, i] = ONE / np.sqrt(spread[i])


@compiled
def raise_to_excess(
    flux: np.ndarray,
    variance: np.ndarray,
    with_90: np.ndarray,
    at_90: np.ndarray,
    of_90: np.ndarray,
    factor: np.float32,
    out: np.ndarray,
) -> None:
    """Raise `out`, shape (pads,), to how far the flux of any bin exceeds `factor` times that at 90 degrees, in errors.

    A negative factor stands for how far it falls below.

    Parameters
    ----------
    flux, variance, with_90 : ndarray, shape (angles, pads)
    at_90, of_90 : ndarray, shape (pads,)
        The flux at 90 degrees, and its variance.
    """
    sign, factor = np.float32(np.sign(factor)), abs(factor)
    for k in range(len(flux)):
        for i in range(len(out)):
            of_both = variance[k, i] - TWO * factor * with_90[k, i] + factor * factor * of_90[i]
            excess = sign * (flux[k, i] - factor * at_90[i]) / np.sqrt(max(of_both, TINY))
            out[i] = max(out[i], excess)


@compiled
def normal_probabilities(values: np.ndarray) -> None:
    """Turn values into the integral of the normal distribution up to them, within 1e-6, in place.

    Abramowitz and Stegun 1964, 7.1.28: there is no exponential in it, so that a processor computes eight at a time.
    """
    for row in range(len(values)):
        for i in range(values.shape[1]):
            value = values[row, i]
            x = min(abs(value) * ROOT_HALF, FARTHEST)
            series = ONE + x * (ERF[0] + x * (ERF[1] + x * (ERF[2] + x * (ERF[3] + x * (ERF[4] + x * ERF[5])))))
            series *= series
            series *= series
            series *= series
            series *= series
            outside = HALF / series
            values[row, i] = ONE - outside if value > ZERO else outside


@compiled
def find_largest(values: np.ndarray, row: np.ndarray, largest: np.ndarray) -> None:
    """Fill `row`, int32, with the first row that has the largest value of each column, and `largest` with the value."""
    row[:], largest[:] = 0, values[0]
    for k in range(1, len(values)):
        number = np.int32(k)
        for i in range(len(row)):
            before, value, number_before = largest[i], values[k, i], row[i]
            row[i] = number if value > before else number_before
            largest[i] = value if value > before else before


@compiled
def take_rows(values: np.ndarray, row: np.ndarray, out: np.ndarray) -> None:
    """Fill `out` with the value of each column in the row that is chosen."""
    for k in range(len(values)):
        for i in range(len(row)):
            value, before = values[k, i], out[i]
            out[i] = value if row[i] == k else before
