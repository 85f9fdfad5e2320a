# SPDX-License-Identifier: BSD-3-Clause
"""What is compiled: denoise and measure pitch-angle distributions (PADs), many at a time.

`measure_pads` takes blocks of `WIDTH` PADs through all steps, so that what is between two steps stays in a processor's
nearest caches. Each number of a PAD is computed in the same order wherever the PAD stands: its bits do not depend on
other PADs. Arrays are float32, and their last axis is that of the PADs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from padflow.compiling import compiled

WIDTH = 256
"""PADs that are measured at a time (chosen: their numbers fit into a processor's nearest caches)."""


ZERO, HALF, ONE, TWO, ROOT_HALF = map(np.float32, (0, 0.5, 1, 2, 0.5**0.5))


ERF = tuple(map(np.float32, (0.0705230784, 0.0422820123, 0.0092705272, 0.0001520143, 0.0002765672, 0.0000430638)))
FARTHEST = np.float32(10)
"""Coefficients of `normal_probabilities`, and the argument beyond which nothing changes."""


LOG = (
    *map(np.float32, (7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1)),
    *map(np.float32, (-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1)),
)
EXP = (
    *map(np.float32, (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3)),
    *map(np.float32, (4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)),
)
LN_2_HIGH, LN_2_LOW, LOG2_E = map(np.float32, (0.693359375, -2.12194440e-4, 1.44269504088896341))
"""Coefficients of `logarithms` and `exponentials` (Moshier, Cephes, single precision), and ln 2 in two parts."""


TINY = np.float32(1e-12)
"""Least variance."""


class Matrices(NamedTuple):
    """What the denoising of PADs with the same bins takes; float32 where nothing else is said.

    Parameters
    ----------
    joined : ndarray, shape (angles,)
        Bins of the instrument in each.
    basis, transposed : ndarray, shape (angles, terms) and (terms, angles)
    prior_mean, prior_variance : ndarray, shape (terms,)
    pairs : ndarray of int64, shape (pairs, 2)
        Terms that have a covariance.
    products : ndarray, shape (pairs, angles)
    of_series, of_rest : ndarray, shape (errors, pairs) and (errors, angles)
        What gives the errors (see `padflow.shapes.denoising`) from the covariances of terms and the noise of the rest.
    unmixing : ndarray, shape (4, terms, 1)
        What makes c0, c2, c4, c6 of the terms.
    weights : ndarray, shape (4, angles)
        What makes the logarithms of flux at 90, 60, 45 and 30 degrees of those in the bins.
    least_flux : ndarray, shape (angles,)
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
    unmixing: np.ndarray
    weights: np.ndarray
    least_flux: np.ndarray
    least_expected: np.float32
    freedom: np.float32


class Limits(NamedTuple):
    """What the names of PADs with the same bins take: see `padflow.shapes.names` and `padflow.shapes.measures`.

    Parameters
    ----------
    angle, log_sine : ndarray, shape (angles,)
        Folded pitch angles in degrees, and the logarithms of their sines; that of 0 degrees is not finite.
    beside_90 : int
        Bins that are not at 90 degrees.
    codes : ndarray, shape (6,)
        Codes of pancake, cap, flattop, butterfly, isotropic and field-aligned.
    """

    angle: np.ndarray
    log_sine: np.ndarray
    beside_90: int
    codes: np.ndarray
    unclear: np.float32
    least_probability: np.float32
    error_factor: np.float32
    butterfly_index: np.float32
    isotropic_ratio: np.float32
    field_aligned_share: np.float32
    flattop_ratio: np.float32
    cap_factor: np.float32
    cap_excess: np.float32
    inner_step: np.float32
    outer_step: np.float32
    fewest_counts: np.float32


@compiled
def measure_pads(
    shares: np.ndarray, counts: np.ndarray, equatorial: np.ndarray, matrices: Matrices, limits: Limits, out: np.ndarray
) -> None:
    """Measure PADs of records at some energies.

    Parameters
    ----------
    shares : ndarray, shape (angles, energies, records)
    counts : ndarray, shape (energies, records)
        What the shares are multiplied by. Of a PAD with less than `limits.fewest_counts` nothing is measured.
    equatorial : ndarray, shape (4, terms, records), or of size 0
        What makes coefficients in the equatorial pitch angle of the terms.
    out : ndarray, shape (measures, records, energies)
        Filled with what `padflow.shapes.measures.MEASURED` names; without `equatorial` it has 16 rows, not 22.
    """
    bins, energies, records = shares.shape
    block, measured = np.ones((bins, WIDTH), np.float32), np.empty((len(out), WIDTH), np.float32)
    rows = np.ones((4, len(matrices.prior_mean), WIDTH), np.float32)
    for start in range(0, records, WIDTH):
        for energy in range(energies):
            some = counts[energy, start : start + WIDTH]
            _take(shares, some, energy, start, limits.fewest_counts, block)
            flux, errors, projected, covariance = denoise_block(block, matrices)
            logs, at = _flux_at(flux, matrices)
            variance, with_90, of_pairs = errors[:bins], errors[bins : 2 * bins], errors[2 * bins :]
            _name(_chances(flux, variance, with_90, of_pairs, logs, at, limits), limits, measured[:3])
            series_of_terms(matrices.unmixing, projected, covariance, matrices.pairs, measured[3:9])
            fit_powers(block, matrices.joined, limits.log_sine, measured[9:11])
            _measure_ratios(flux, variance, with_90, of_pairs, at, limits.angle, measured[11:16])
            if equatorial.size:
                _take_rows(equatorial, start, len(some), rows)
                series_of_terms(rows, projected, covariance, matrices.pairs, measured[16:22])
            _put(measured, some, energy, start, limits, out)


# Numba compiles loops in a fraction of the time that it needs for assignments to slices.
@compiled
def _take(
    shares: np.ndarray, counts: np.ndarray, energy: int, start: int, fewest: np.float32, block: np.ndarray
) -> None:
    """Fill a block with counts, and with one a bin where there are too few: they must not change the bits of others."""
    for k in range(len(shares)):
        for i in range(len(counts)):
            block[k, i] = shares[k, energy, start + i] * counts[i] if counts[i] >= fewest else ONE


@compiled
def _take_rows(equatorial: np.ndarray, start: int, width: int, rows: np.ndarray) -> None:
    for n in range(len(rows)):
        for m in range(rows.shape[1]):
            for i in range(width):
                rows[n, m, i] = equatorial[n, m, start + i]


@compiled
def _put(measured: np.ndarray, counts: np.ndarray, energy: int, start: int, limits: Limits, out: np.ndarray) -> None:
    for row in range(len(out)):
        missing = limits.unclear if row < 2 else np.float32(np.nan)
        for i in range(len(counts)):
            out[row, start + i, energy] = measured[row, i] if counts[i] >= limits.fewest_counts else missing


@compiled
def denoise_block(counts: np.ndarray, matrices: Matrices) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Denoise `WIDTH` PADs, see `padflow.shapes.denoising`.

    Parameters
    ----------
    counts : ndarray, shape (angles, pads)
        More than none in each PAD.

    Returns
    -------
    flux : ndarray, shape (angles, pads)
        Likely counts per bin of the instrument.
    errors : ndarray, shape (errors, pads)
        Variances and covariances, in the order that `padflow.shapes.denoising` gives.
    projected, covariance : ndarray, shape (terms, pads) and (pairs, pads)
        The counts in the orthogonal terms of the series, and the covariances of `matrices.pairs` of these.
    """
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
    for k in range(len(flux)):
        for i in range(WIDTH):
            flux[k, i] += share[i] * rest[k, i]
            noise[k, i] *= share[i]
    errors = _product(matrices.of_series, _shrunk(covariance, root, matrices.pairs))
    _add_product(matrices.of_rest, noise, errors)
    return flux, errors, projected, covariance


@compiled
def _product(matrix: np.ndarray, values: np.ndarray) -> np.ndarray:
    out = np.zeros((len(matrix), WIDTH), np.float32)
    _add_product(matrix, values, out)
    return out


@compiled
def _add_product(matrix: np.ndarray, values: np.ndarray, out: np.ndarray) -> None:
    fours = len(values) // 4 * 4  # four at a time: `out` is read and written a quarter as often
    for row in range(len(matrix)):
        for k in range(0, fours, 4):
            a, b, c, d = matrix[row, k], matrix[row, k + 1], matrix[row, k + 2], matrix[row, k + 3]
            for i in range(WIDTH):
                first = (out[row, i] + a * values[k, i]) + b * values[k + 1, i]
                out[row, i] = (first + c * values[k + 2, i]) + d * values[k + 3, i]
        for k in range(fours, len(values)):
            factor = matrix[row, k]
            for i in range(WIDTH):
                out[row, i] += factor * values[k, i]


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
    likely, root = projected.copy(), np.ones((len(projected), WIDTH), np.float32)
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
def _flux_at(flux: np.ndarray, matrices: Matrices) -> tuple[np.ndarray, np.ndarray]:
    """Return the logarithms of flux at 90, 60, 45 and 30 degrees, and the fluxes."""
    logs = np.empty_like(flux)
    for k in range(len(flux)):
        for i in range(WIDTH):
            logs[k, i] = max(flux[k, i], matrices.least_flux[k])
    logarithms(logs)
    between = _product(matrices.weights, logs)
    at = between.copy()
    exponentials(at)
    return between, at


@compiled
def logarithms(values: np.ndarray) -> None:
    """Turn positive normal numbers into their logarithms, in place (Moshier, Cephes: within two units of the last bit).

    There is no branch in it, so that a processor computes eight at a time.
    """
    bits = values.view(np.int32)
    for row in range(len(values)):
        for i in range(values.shape[1]):
            power = (bits[row, i] >> np.int32(23)) - np.int32(126)
            bits[row, i] = (bits[row, i] & np.int32(0x007FFFFF)) | np.int32(0x3F000000)  # mantissa, from 0.5 to 1
            x = values[row, i]
            low = x < ROOT_HALF
            x = (x + x if low else x) - ONE
            e = np.float32(power - np.int32(1)) if low else np.float32(power)
            z = x * x
            y = LOG[0]
            y = y * x + LOG[1]
            y = y * x + LOG[2]
            y = y * x + LOG[3]
            y = y * x + LOG[4]
            y = y * x + LOG[5]
            y = y * x + LOG[6]
            y = y * x + LOG[7]
            y = y * x + LOG[8]
            values[row, i] = (x + ((y * x * z + LN_2_LOW * e) - HALF * z)) + LN_2_HIGH * e


@compiled
def exponentials(values: np.ndarray) -> None:
    """Turn numbers from -87 to 88 into their exponentials, in place (Moshier, Cephes)."""
    powers = np.empty(values.shape, np.int32)
    for row in range(len(values)):
        for i in range(values.shape[1]):
            x = values[row, i]
            n = np.floor(LOG2_E * x + HALF)
            powers[row, i] = (np.int32(n) + np.int32(127)) << np.int32(23)
            x = x - n * LN_2_HIGH - n * LN_2_LOW
            y = EXP[0]
            y = y * x + EXP[1]
            y = y * x + EXP[2]
            y = y * x + EXP[3]
            y = y * x + EXP[4]
            y = y * x + EXP[5]
            values[row, i] = y * x * x + x + ONE
    scale = powers.view(np.float32)
    for row in range(len(values)):
        for i in range(values.shape[1]):
            values[row, i] *= scale[row, i]


@compiled
def _chances(
    flux: np.ndarray,
    variance: np.ndarray,
    with_90: np.ndarray,
    of_pairs: np.ndarray,
    logs: np.ndarray,
    at: np.ndarray,
    limits: Limits,
) -> np.ndarray:
    """Return how likely each holds: a minimum at 90 degrees, one bin too low, field-aligned, a flat top, a bump."""
    out = np.full((5, WIDTH), -np.inf, np.float32)
    beside, of_90 = limits.beside_90, of_pairs[0]
    _raise_to_excess(flux[:beside], variance, with_90, at[0], of_90, limits.butterfly_index, ONE, out[0])
    _raise_to_excess(flux[:beside], variance, with_90, at[0], of_90, limits.isotropic_ratio, -ONE, out[1])
    largest = flux[0].copy()
    for k in range(1, len(flux)):
        for i in range(WIDTH):
            largest[i] = max(largest[i], flux[k, i])
    for i in range(WIDTH):
        rise = (flux[0, i] - at[2, i]) - limits.field_aligned_share * (largest[i] - at[0, i])
        out[2, i] = rise / np.sqrt(max(of_pairs[6, i], TINY))
        flat = at[1, i] - limits.flattop_ratio * at[0, i]
        out[3, i] = flat / _error(of_pairs[1, i], of_pairs[3, i], of_90[i], limits.flattop_ratio)
    _bump(of_pairs, logs, at, limits, out[4])
    for row in range(len(out)):
        for i in range(WIDTH):
            out[row, i] /= limits.error_factor
    normal_probabilities(out)
    return out


@compiled
def _error(variance: np.float32, covariance: np.float32, of_other: np.float32, factor: np.float32) -> np.float32:
    """Return the standard error of a - factor b from var(a), cov(a, b) and var(b)."""
    return np.sqrt(max(variance - TWO * factor * covariance + factor * factor * of_other, TINY))


@compiled
def _raise_to_excess(
    flux: np.ndarray,
    variance: np.ndarray,
    with_90: np.ndarray,
    at_90: np.ndarray,
    of_90: np.ndarray,
    factor: np.float32,
    sign: np.float32,
    out: np.ndarray,
) -> None:
    """Raise `out` to how far the flux of any bin exceeds `factor` times that at 90 degrees, in errors.

    Where the sign is -1: how far it falls below.
    """
    for k in range(len(flux)):
        for i in range(WIDTH):
            error = _error(variance[k, i], with_90[k, i], of_90[i], factor)
            out[i] = max(out[i], sign * (flux[k, i] - factor * at_90[i]) / error)


@compiled
def _bump(of_pairs: np.ndarray, logs: np.ndarray, at: np.ndarray, limits: Limits, out: np.ndarray) -> None:
    """Fill `out` with by how many errors the criterion of a cap is fulfilled."""
    for i in range(WIDTH):
        inner, outer = (logs[0, i] - logs[1, i]) / limits.inner_step, (logs[1, i] - logs[3, i]) / limits.outer_step
        factor = limits.cap_factor if outer > ZERO else ZERO
        by_90 = ONE / (limits.inner_step * at[0, i])
        by_60 = -(ONE / limits.inner_step + factor / limits.outer_step) / at[1, i]
        by_30 = factor / (limits.outer_step * at[3, i])
        variance = by_90 * by_90 * of_pairs[0, i] + by_60 * by_60 * of_pairs[1, i] + by_30 * by_30 * of_pairs[2, i]
        variance += TWO * (by_90 * by_60 * of_pairs[3, i] + by_90 * by_30 * of_pairs[4, i])
        variance += TWO * by_60 * by_30 * of_pairs[5, i]
        out[i] = (inner - factor * outer - limits.cap_excess) / np.sqrt(max(variance, TINY))


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
def _name(chances: np.ndarray, limits: Limits, out: np.ndarray) -> None:
    """Fill `out` with the name, unclear where its probability is low, the likeliest name, and its probability."""
    names = np.empty((6, WIDTH), np.float32)
    for i in range(WIDTH):
        # A minimum at 90 degrees, a flat top and the rest follow one another as the flux at 90 degrees grows: their
        # probabilities are steps between two limits, and not products.
        minimum = chances[0, i]
        flat = max(chances[3, i] - minimum, ZERO)
        rest = ONE - minimum - flat
        aligned = minimum * chances[2, i]
        isotropic = min(max(ONE - chances[1, i] - minimum, ZERO), flat)  # neither one bin too low, nor one too high
        cap = rest * chances[4, i]
        names[0, i], names[1, i], names[2, i] = rest - cap, cap, flat - isotropic
        names[3, i], names[4, i], names[5, i] = minimum - aligned, isotropic, aligned
    for i in range(WIDTH):
        out[1, i], out[2, i] = limits.codes[0], names[0, i]
    for row in range(1, 6):
        code = limits.codes[row]
        for i in range(WIDTH):
            before, likeliest, chance = out[2, i], out[1, i], names[row, i]
            out[1, i] = code if chance > before else likeliest
            out[2, i] = chance if chance > before else before
    for i in range(WIDTH):
        out[0, i] = out[1, i] if out[2, i] >= limits.least_probability else limits.unclear


@compiled
def series_of_terms(
    rows: np.ndarray, projected: np.ndarray, covariance: np.ndarray, pairs: np.ndarray, out: np.ndarray
) -> None:
    """Fill `out`, shape (6, pads), with c2, c4, c6 over c0 and their standard errors, of `WIDTH` PADs.

    Parameters
    ----------
    rows : ndarray, shape (4, terms, pads or 1)
        What makes the coefficients of the terms; the same for all PADs where its last axis is 1.
    projected, covariance : ndarray, shape (terms, pads) and (pairs, pads)
    pairs : ndarray of int64, shape (pairs, 2)
    """
    of_rows = np.empty((4, rows.shape[1], WIDTH), np.float32)
    for n in range(4):
        for m in range(rows.shape[1]):
            for i in range(WIDTH):
                of_rows[n, m, i] = rows[n, m, i if rows.shape[2] > 1 else 0]
    first = _weighted_sum(of_rows[0], projected)
    for n in range(1, 4):
        value = _weighted_sum(of_rows[n], projected)
        for i in range(WIDTH):
            value[i] /= first[i]
        error = _error_of_ratio(of_rows[n], of_rows[0], value, covariance, pairs)
        for i in range(WIDTH):
            out[n - 1, i] = value[i]
            out[n + 2, i] = error[i] / abs(first[i])


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
def fit_powers(counts: np.ndarray, joined: np.ndarray, log_sine: np.ndarray, out: np.ndarray) -> None:
    """Fill `out`, shape (2, pads), with n of the sin^n that fits best, and its standard error.

    A line of log flux against log sin(pitch angle), weighted by counts. Half a count is added to each bin (Haldane
    1956), so that bins without counts take part.

    Parameters
    ----------
    counts : ndarray, shape (angles, pads)
    joined, log_sine : ndarray, shape (angles,)
        A bin whose `log_sine` is not finite is left out.
    """
    weight, logs = np.empty_like(counts), np.empty_like(counts)
    total, mean = np.zeros(WIDTH, np.float32), np.zeros(WIDTH, np.float32)
    spread, slope = np.zeros(WIDTH, np.float32), np.zeros(WIDTH, np.float32)
    for k in range(len(counts)):
        inside = np.isfinite(log_sine[k])
        position, over = log_sine[k] if inside else ZERO, ONE / joined[k]
        for i in range(WIDTH):
            weight[k, i] = counts[k, i] + HALF if inside else ZERO
            logs[k, i] = (counts[k, i] + HALF) * over
            total[i] += weight[k, i]
            mean[i] += position * weight[k, i]
    logarithms(logs)
    for i in range(WIDTH):
        mean[i] /= total[i]
    for k in range(len(counts)):
        position = log_sine[k] if np.isfinite(log_sine[k]) else ZERO
        for i in range(WIDTH):
            away = position - mean[i]
            spread[i] += weight[k, i] * away * away
            slope[i] += weight[k, i] * away * logs[k, i]
    for i in range(WIDTH):
        out[0, i] = slope[i] / spread[i]
        out[1, i] = ONE / np.sqrt(spread[i])


@compiled
def _measure_ratios(
    flux: np.ndarray,
    variance: np.ndarray,
    with_90: np.ndarray,
    of_pairs: np.ndarray,
    at: np.ndarray,
    angle: np.ndarray,
    out: np.ndarray,
) -> None:
    """Fill `out` with max/j90, its standard error, j60/j90, its standard error, and where the largest flux is."""
    largest, of_largest, its_with_90 = flux[0].copy(), variance[0].copy(), with_90[0].copy()
    for k in range(len(flux)):
        for i in range(WIDTH):
            more = k == 0 or flux[k, i] > largest[i]
            largest[i] = flux[k, i] if more else largest[i]
            of_largest[i] = variance[k, i] if more else of_largest[i]
            its_with_90[i] = with_90[k, i] if more else its_with_90[i]
            out[4, i] = angle[k] if more else out[4, i]
    for i in range(WIDTH):
        out[0, i], out[2, i] = largest[i] / at[0, i], at[1, i] / at[0, i]
        out[1, i] = _error(of_largest[i], its_with_90[i], of_pairs[0, i], out[0, i]) / at[0, i]
        out[3, i] = _error(of_pairs[1, i], of_pairs[3, i], of_pairs[0, i], out[2, i]) / at[0, i]
