# SPDX-License-Identifier: BSD-3-Clause
"""Measure the shapes of pitch-angle distributions (PADs) from counts: names with probabilities, values with errors.

Each criterion of `padflow.shapes.names` compares fluxes of the denoised PAD (`padflow.shapes.denoising`). Their
difference over its error gives the probability that it holds.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from padflow.blas import one_blas_thread
from padflow.shapes.compiled import TINY, find_largest, fit_powers, normal_probabilities, raise_to_excess, take_rows
from padflow.shapes.denoising import Denoised, Denoiser, denoiser_of
from padflow.shapes.folding import Folded
from padflow.shapes.names import (
    BUTTERFLY,
    BUTTERFLY_INDEX,
    CAP,
    CAP_EXCESS,
    CAP_FACTOR,
    FIELD_ALIGNED,
    FIELD_ALIGNED_SHARE,
    FLATTOP,
    FLATTOP_RATIO,
    ISOTROPIC,
    ISOTROPIC_RATIO,
    PANCAKE,
    SHAPES,
    UNCLEAR,
    is_covered,
)

LEAST_PROBABILITY = 0.6
"""Probability of the likeliest name below which a shape is unclear. On PADs drawn from the tables of Zhao et al. 2018
nine in ten names of means over two minutes at 1.8 to 3.4 MeV are then right, and nine in ten PADs have one (chosen)."""


ERROR_FACTOR = 1.15
"""What errors are multiplied by before they give a probability: a linear error is too small where the shape itself is
uncertain (chosen so that of names with 0.9 nine in ten are right, see ``tests/shapes/test_measures.py``)."""


FEWEST_COUNTS = 1.0
"""Counts below which nothing is measured."""


@dataclass(frozen=True)
class Measures:
    """What is measured of PADs. Arrays have the shape of the PADs, float32 where nothing else is said.

    All are NaN, and the shapes are unclear, where too few bins have a value or there is not one count.

    Parameters
    ----------
    shape : ndarray of int8
        Likeliest name, a code of `SHAPES`; unclear where its probability is below `LEAST_PROBABILITY`.
    likeliest_shape : ndarray of int8
        The same, however low its probability.
    shape_probability : ndarray
        Probability of the likeliest name.
    c2, c4, c6, c2_error, c4_error, c6_error : ndarray
        Legendre coefficients over c0 in the local pitch angle, by least squares, and their standard errors.
    c2_equatorial, c4_equatorial, c6_equatorial, and the same with _error : ndarray
        As these, in the equatorial pitch angle; NaN where the local angles do not reach far enough.
    sin_n, sin_n_error : ndarray
        n of the sin^n that fits best, and its standard error.
    max_over_j90, max_over_j90_error, j60_over_j90, j60_over_j90_error : ndarray
        Ratios of the denoised flux, and their standard errors.
    peak_pitch_angle : ndarray
        Folded bin with the largest denoised flux, in degrees.
    """

    shape: np.ndarray
    likeliest_shape: np.ndarray
    shape_probability: np.ndarray
    c2: np.ndarray
    c4: np.ndarray
    c6: np.ndarray
    c2_error: np.ndarray
    c4_error: np.ndarray
    c6_error: np.ndarray
    c2_equatorial: np.ndarray
    c4_equatorial: np.ndarray
    c6_equatorial: np.ndarray
    c2_equatorial_error: np.ndarray
    c4_equatorial_error: np.ndarray
    c6_equatorial_error: np.ndarray
    sin_n: np.ndarray
    sin_n_error: np.ndarray
    max_over_j90: np.ndarray
    max_over_j90_error: np.ndarray
    j60_over_j90: np.ndarray
    j60_over_j90_error: np.ndarray
    peak_pitch_angle: np.ndarray


NAMED = ("shape", "likeliest_shape")
"""The measures that are codes of names."""


def measure_counts(
    angle: np.ndarray, joined: np.ndarray, counts: np.ndarray, *, field_ratio: np.ndarray | float = np.nan
) -> Measures:
    """Measure PADs that are given as counts, or as shares times a number of effective counts.

    Parameters
    ----------
    angle, joined : ndarray, shape (angles,)
        Folded pitch angles in degrees, ascending, and how many bins are added up in each
        (`padflow.shapes.folding.mirror_bins` gives both).
    counts : ndarray, shape (angles, ...)
        NaN where a bin has no value.
    field_ratio : ndarray, shape (...), or float
        B_Eq over B, as `padflow.shapes.equatorial.field_ratio` gives it.

    Returns
    -------
    Measures
        Of shape (...).
    """
    flat = np.ascontiguousarray(counts, np.float32).reshape(len(angle), -1)
    ratio = np.broadcast_to(np.asarray(field_ratio, np.float32), counts.shape[1:]).ravel()
    out = {field.name: np.full(flat.shape[1], np.nan, np.float32) for field in fields(Measures)}
    out |= {name: np.full(flat.shape[1], UNCLEAR, np.int8) for name in NAMED}
    with one_blas_thread(), np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for bins, pads in _alike(flat):
            if not len(pads) or not is_covered(Folded(angle[bins], angle[bins], np.array(len(bins)))):
                continue
            chosen = flat if len(bins) * len(pads) == flat.size else flat[np.ix_(bins, pads)]
            for name, values in measure_whole(angle[bins], joined[bins], chosen, ratio[pads]).items():
                out[name][pads] = values
    return Measures(**{name: values.reshape(counts.shape[1:]) for name, values in out.items()})


def _alike(counts: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Sort PADs by which bins have a value: for each such set the bins, and the PADs that have counts in them."""
    total = counts.sum(axis=0)
    if np.isfinite(total).all():  # as nearly always: one pass without masks
        return [(np.arange(len(counts)), np.flatnonzero(total >= FEWEST_COUNTS))]
    valid = np.isfinite(counts)
    enough = np.where(valid, counts, 0).sum(axis=0) >= FEWEST_COUNTS
    patterns, which = np.unique(valid, axis=1, return_inverse=True)
    return [(np.flatnonzero(pattern), np.flatnonzero((which == i) & enough)) for i, pattern in enumerate(patterns.T)]


def measure_whole(
    angle: np.ndarray, joined: np.ndarray, counts: np.ndarray, ratio: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Measure PADs without a missing bin, whose angles suffice and of which each has a count.

    Parameters
    ----------
    angle, joined : ndarray, shape (angles,)
        As `measure_counts` takes them.
    counts : ndarray of float32, shape (angles, pads)
    ratio : ndarray, shape (pads,), optional
        B_Eq over B.

    Returns
    -------
    dict of str to ndarray, shape (pads,)
        The arrays of `Measures`, names as int32; without those in the equatorial pitch angle where no ratio is finite.
    """
    denoiser = denoiser_of(tuple(angle.tolist()), tuple(joined.tolist()))
    denoised = denoiser(counts)
    likeliest, largest = _largest(name_probabilities(angle, denoised))
    return {
        "shape": np.where(largest >= LEAST_PROBABILITY, likeliest, np.int32(UNCLEAR)),
        "likeliest_shape": likeliest,
        "shape_probability": largest,
        **dict(zip(COEFFICIENTS, denoiser.series(denoised), strict=True)),
        **_equatorial(denoiser, denoised, ratio),
        **dict(zip(("sin_n", "sin_n_error"), _sine_power(angle, joined, counts), strict=True)),
        **_ratios(angle, denoised),
    }


def _largest(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the row with the largest value of each column, and the value."""
    row, largest = np.empty(values.shape[1], np.int32), np.empty(values.shape[1], np.float32)
    find_largest(values, row, largest)
    return row, largest


def _ratios(angle: np.ndarray, pad: Denoised) -> dict[str, np.ndarray]:
    peak, at_peak = _largest(pad.flux)
    of_peak, peak_with_90 = np.empty((2, len(peak)), np.float32)
    take_rows(pad.variance, peak, of_peak)
    take_rows(pad.with_90, peak, peak_with_90)
    at_90, of_90, of_60 = pad.at[90.0], pad.covariance[90.0, 90.0], pad.covariance[60.0, 60.0]
    largest, ratio_60 = at_peak / at_90, pad.at[60.0] / at_90
    return {
        "max_over_j90": largest,
        "max_over_j90_error": _error(of_peak, peak_with_90, of_90, largest) / at_90,
        "j60_over_j90": ratio_60,
        "j60_over_j90_error": _error(of_60, pad.covariance[60.0, 90.0], of_90, ratio_60) / at_90,
        "peak_pitch_angle": angle.astype(np.float32)[peak],
    }


COEFFICIENTS = ("c2", "c4", "c6", "c2_error", "c4_error", "c6_error")


EQUATORIAL = tuple(f"{name[:2]}_equatorial{name[2:]}" for name in COEFFICIENTS)


def _equatorial(denoiser: Denoiser, pad: Denoised, ratio: np.ndarray | None) -> dict[str, np.ndarray]:
    if ratio is None or not np.isfinite(ratio).any():
        return {}
    return dict(zip(EQUATORIAL, denoiser.series(pad, ratio), strict=True))


def _error(
    variance: np.ndarray, covariance: np.ndarray, of_other: np.ndarray, factor: float | np.ndarray
) -> np.ndarray:
    """Return the standard error of a - factor b from var(a), cov(a, b) and var(b)."""
    return np.sqrt(np.maximum(variance - 2 * factor * covariance + factor**2 * of_other, TINY))


def _sine_power(angle: np.ndarray, joined: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Fit log flux by n log sin(pitch angle) + constant, weighted by counts; return n and its standard error.

    Half a count is added to each bin (Haldane 1956), so that bins without counts take part.
    """
    inside = angle > 0
    position = np.log(np.sin(np.radians(angle[inside]))).astype(np.float32)
    weight = counts[inside] + np.float32(0.5)
    out = np.empty((2, counts.shape[1]), np.float32)
    fit_powers(weight, np.log(weight / joined[inside, None].astype(np.float32)), position, out)
    return out


def name_probabilities(angle: np.ndarray, pad: Denoised) -> np.ndarray:
    """Return the probability of each of `SHAPES`, (shapes, pads); unclear has none.

    Parameters
    ----------
    angle : ndarray, shape (angles,)
        Folded pitch angles in degrees.
    """
    of_90, at_90 = pad.covariance[90.0, 90.0], pad.at[90.0]
    beside = slice(0, len(angle) - (angle[-1] > 90 - 1e-6))  # bins that are not at 90 degrees
    bins = pad.flux[beside], pad.variance[beside], pad.with_90[beside], at_90, of_90
    minimum, too_low, aligned, flat, bump = chances = np.full((5, len(at_90)), -np.inf, np.float32)
    raise_to_excess(*bins, np.float32(BUTTERFLY_INDEX), minimum)
    raise_to_excess(*bins, np.float32(-1 / ISOTROPIC_RATIO), too_low)
    rise = (pad.flux[0] - pad.at[45.0]) - FIELD_ALIGNED_SHARE * (pad.flux.max(axis=0) - at_90)
    aligned[:] = rise / np.sqrt(np.maximum(pad.rise_variance, TINY))
    of_flat = _error(pad.covariance[60.0, 60.0], pad.covariance[60.0, 90.0], of_90, FLATTOP_RATIO)
    flat[:] = (pad.at[60.0] - FLATTOP_RATIO * at_90) / of_flat
    bump[:] = _bump(pad)
    chances /= np.float32(ERROR_FACTOR)
    normal_probabilities(chances)
    # A minimum at 90 degrees, a flat top and the rest follow one another as the flux at 90 degrees grows: their
    # probabilities are steps between two limits, and not products.
    flat = np.maximum(flat - minimum, 0)
    rest = 1 - minimum - flat
    out = np.zeros((len(SHAPES), len(at_90)), np.float32)
    out[FIELD_ALIGNED] = minimum * aligned
    out[BUTTERFLY] = minimum - out[FIELD_ALIGNED]
    out[ISOTROPIC] = np.clip(1 - too_low - minimum, 0, flat)  # neither one bin too low, nor one too high
    out[FLATTOP] = flat - out[ISOTROPIC]
    out[CAP] = rest * bump
    out[PANCAKE] = rest - out[CAP]
    return out


INNER_STEP, OUTER_STEP = np.float32(-np.log(np.sqrt(0.75))), np.float32(np.log(np.sqrt(3.0)))
"""Differences of log sin(pitch angle) from 60 to 90, and from 30 to 60 degrees."""


def _bump(pad: Denoised) -> np.ndarray:
    """Return by how many errors the criterion of a cap is fulfilled."""
    at_90, at_60, at_30 = (pad.at[degrees] for degrees in (90.0, 60.0, 30.0))
    log_90, log_60, log_30 = (pad.logs[degrees] for degrees in (90.0, 60.0, 30.0))
    inner, outer = (log_90 - log_60) / INNER_STEP, (log_60 - log_30) / OUTER_STEP
    factor = np.where(outer > 0, np.float32(CAP_FACTOR), np.float32(0))
    by_90 = 1 / (INNER_STEP * at_90)
    by_60 = -(1 / INNER_STEP + factor / OUTER_STEP) / at_60
    by_30 = factor / (OUTER_STEP * at_30)
    covariance = pad.covariance
    variance = (
        by_90**2 * covariance[90.0, 90.0]
        + by_60**2 * covariance[60.0, 60.0]
        + by_30**2 * covariance[30.0, 30.0]
        + 2 * by_90 * by_60 * covariance[60.0, 90.0]
        + 2 * by_90 * by_30 * covariance[30.0, 90.0]
        + 2 * by_60 * by_30 * covariance[30.0, 60.0]
    )
    return (inner - factor * outer - np.float32(CAP_EXCESS)) / np.sqrt(np.maximum(variance, TINY))
