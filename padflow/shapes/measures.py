# SPDX-License-Identifier: BSD-3-Clause
"""Measure the shapes of pitch-angle distributions (PADs) from counts: names with probabilities, values with errors.

Each criterion of `padflow.shapes.names` compares fluxes of the denoised PAD (`padflow.shapes.denoising`). Their
difference over its error gives the probability that it holds.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np

from padflow.blas import one_blas_thread
from padflow.shapes.compiled import Limits, measure_pads
from padflow.shapes.denoising import denoising_of
from padflow.shapes.equatorial import equatorial_rows
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


COEFFICIENTS = ("c2", "c4", "c6", "c2_error", "c4_error", "c6_error")


EQUATORIAL = tuple(f"{name[:2]}_equatorial{name[2:]}" for name in COEFFICIENTS)


RATIOS = ("max_over_j90", "max_over_j90_error", "j60_over_j90", "j60_over_j90_error")


MEASURED = (
    *(*NAMED, "shape_probability", *COEFFICIENTS, "sin_n", "sin_n_error", *RATIOS, "peak_pitch_angle"),
    *EQUATORIAL,
)
"""All measures, in the order in which `padflow.shapes.compiled.measure_pads` gives them."""


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
            one = np.ones((1, len(pads)), np.float32)
            measured = measure_whole(angle[bins], joined[bins], chosen[:, None], one, ratio[pads])
            for name, values in zip(MEASURED, measured, strict=False):
                out[name][pads] = values[:, 0]
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
    angle: np.ndarray, joined: np.ndarray, shares: np.ndarray, counts: np.ndarray, ratio: np.ndarray | None = None
) -> np.ndarray:
    """Measure PADs without a missing bin, whose angles suffice.

    Parameters
    ----------
    angle, joined : ndarray, shape (angles,)
        As `measure_counts` takes them.
    shares : ndarray of float32, shape (angles, energies, records)
    counts : ndarray of float32, shape (energies, records)
        What the shares are multiplied by.
    ratio : ndarray of float32, shape (records,), optional
        B_Eq over B.

    Returns
    -------
    ndarray of float32, shape (measures, records, energies)
        In the order of `MEASURED`, names as codes; without those in the equatorial pitch angle if no ratio is finite.
        Where there are less than `FEWEST_COUNTS`, names are unclear and the others NaN.
    """
    denoising = denoising_of(tuple(angle.tolist()), tuple(joined.tolist()))
    known = ratio is not None and bool(np.isfinite(ratio).any())
    rows = np.empty((0, 0, 0), np.float32)
    if ratio is not None and known:
        rows = equatorial_rows(denoising.equatorial, ratio)
    out = np.empty((len(MEASURED) - (0 if known else len(EQUATORIAL)), *counts.shape[::-1]), np.float32)
    measure_pads(np.ascontiguousarray(shares), counts, rows, denoising.matrices, limits_of(tuple(angle.tolist())), out)
    return out


INNER_STEP, OUTER_STEP = -np.log(np.sqrt(0.75)), np.log(np.sqrt(3.0))
"""Differences of log sin(pitch angle) from 60 to 90, and from 30 to 60 degrees."""


@lru_cache(maxsize=1024)
def limits_of(angle: tuple[float, ...]) -> Limits:
    """Return the limits of names for PADs with some folded pitch angles, in degrees."""
    angles = np.array(angle)
    with np.errstate(divide="ignore"):
        log_sine = np.log(np.sin(np.radians(angles)))
    codes = np.array([PANCAKE, CAP, FLATTOP, BUTTERFLY, ISOTROPIC, FIELD_ALIGNED], np.float32)
    numbers = (
        *(UNCLEAR, LEAST_PROBABILITY, ERROR_FACTOR, BUTTERFLY_INDEX, 1 / ISOTROPIC_RATIO, FIELD_ALIGNED_SHARE),
        *(FLATTOP_RATIO, CAP_FACTOR, CAP_EXCESS, INNER_STEP, OUTER_STEP, FEWEST_COUNTS),
    )
    beside_90 = int(np.count_nonzero(angles <= 90 - 1e-6))
    return Limits(angles.astype(np.float32), log_sine.astype(np.float32), beside_90, codes, *map(np.float32, numbers))
