# SPDX-License-Identifier: BSD-3-Clause
"""The flux of pitch-angle distributions (PADs) as it is likely to be without counting noise, and how well it is known.

Everything is linear algebra with one set of matrices for all PADs that have the same bins:

1. The counts are projected on c0, c2, c4, c6 of a Legendre series in the cosine of the pitch angle, made orthogonal.
2. Each coefficient over c0 is drawn towards its mean in the radiation belts, the more so the fewer its counts are: the
   posterior mean of a normal prior.
3. What the series leaves is kept as far as it stands out over noise: times 1 - 3 f / chi2, f the degrees of freedom
   (the positive part of James and Stein's estimate, 1961, which has f - 2 where 3 f stands; chosen).

So few counts give a smooth likely shape, and many give the bins themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from padflow.shapes.compiled import Matrices
from padflow.shapes.equatorial import equatorial_matrix
from padflow.shapes.folding import interpolation_weights
from padflow.shapes.names import FIELD_ALIGNED_SHARE

PRIOR_MEAN, PRIOR_SPREAD = np.array([1.0, -0.35, 0.0, 0.0]), np.array([0.55, 0.25, 0.12])
"""c0, c2, c4, c6 over c0 that are likely, and the spread of the last three (chosen: wide enough for the means of Zhao
et al. 2018, 10.1029/2018JA025277, and for the shapes of textbooks)."""


RESIDUAL_FACTOR = 3.0
"""How many times its degrees of freedom the chi2 of a residual must be for any of it to be kept (chosen on simulated
draws)."""


LEAST_EXPECTED = 0.3
"""Counts of a bin that its noise is taken from where fewer are expected (chosen)."""


LEAST_FLUX = 0.25
"""Counts of a bin in whose place smaller ones are taken, where logarithms are (chosen)."""


TERMS = 4
PAIRS = [(m, n) for m in range(TERMS) for n in range(m, TERMS)]  # of coefficients that have a covariance


DEGREES = (90.0, 60.0, 45.0, 30.0)
COVARIANCES = [(90.0, 90.0), (60.0, 60.0), (30.0, 30.0), (60.0, 90.0), (30.0, 90.0), (30.0, 60.0)]
"""Pitch angles at which the flux is known between bins too, and the pairs of them whose covariance is.

The errors of a PAD are the variance of the flux in each bin, its covariance with that at 90 degrees, the covariances of
these pairs, and the variance of what a PAD is called field-aligned by (`padflow.shapes.names.FIELD_ALIGNED_SHARE`)."""


@dataclass(frozen=True)
class Denoising:
    """What denoises the PADs that have the same bins.

    Parameters
    ----------
    matrices : Matrices
    equatorial : ndarray, shape (4, terms, 10)
        See `padflow.shapes.equatorial.equatorial_matrix`.
    """

    matrices: Matrices
    equatorial: np.ndarray


@lru_cache(maxsize=1024)
def denoising_of(angle: tuple[float, ...], joined: tuple[float, ...]) -> Denoising:
    """Return what denoises PADs with some bins, made once.

    Parameters
    ----------
    angle : tuple of float
        Folded pitch angles that have a value, in degrees, ascending; at least four.
    joined : tuple of float
        Bins of the instrument whose counts are added up in each.
    """
    angles, bins = np.array(angle), np.array(joined)
    series = np.polynomial.legendre.legvander(np.cos(np.radians(angles)), 6)[:, ::2]
    root = np.sqrt(bins)[:, None]
    basis, mixing = np.linalg.qr(series * root)
    sign = np.sign(np.diag(mixing))
    basis, mixing = basis * sign / root, mixing * sign[:, None]
    weights = np.array([interpolation_weights(angles, degrees) for degrees in DEGREES])
    matrices = Matrices(
        bins.astype(np.float32),
        np.ascontiguousarray(basis, np.float32),
        np.ascontiguousarray(basis.T, np.float32),
        *_prior(mixing),
        np.array(PAIRS),
        np.stack([basis[:, m] * basis[:, n] for m, n in PAIRS]).astype(np.float32),
        *_errors(basis, bins, weights),
        np.ascontiguousarray(np.linalg.inv(mixing)[:, :, None], np.float32),
        weights.astype(np.float32),
        (LEAST_FLUX / bins).astype(np.float32),
        np.float32(LEAST_EXPECTED),
        np.float32(RESIDUAL_FACTOR * (len(angles) - TERMS)),
    )
    return Denoising(matrices, equatorial_matrix(np.linalg.inv(mixing)))


def _errors(basis: np.ndarray, joined: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what gives the errors from the covariances of the series' terms, and from the noise of the rest."""
    bins = np.eye(len(joined))
    at_90, at_60, at_45, at_30 = weights
    rise = (bins[0] - at_45) - FIELD_ALIGNED_SHARE * (bins[0] - at_90)
    rows = np.array([*bins, at_90, at_60, at_30, rise])
    place = {90.0: len(bins), 60.0: len(bins) + 1, 30.0: len(bins) + 2}
    pairs = [(k, k) for k in range(len(bins))] + [(k, place[90.0]) for k in range(len(bins))]
    pairs += [(place[a], place[b]) for a, b in COVARIANCES] + [(len(rows) - 1, len(rows) - 1)]
    rest = rows - rows @ basis @ (basis * joined[:, None]).T
    of_rest = np.stack([rest[a] * rest[b] for a, b in pairs]).astype(np.float32)
    return _symmetric(rows @ basis, pairs), of_rest


def _prior(mixing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the means and variances of the terms over the first one."""
    first = mixing[0] @ PRIOR_MEAN
    variance = mixing[:, 1:] ** 2 @ PRIOR_SPREAD**2
    return (mixing @ PRIOR_MEAN / first).astype(np.float32), (variance / first**2).astype(np.float32)


def _symmetric(rows: np.ndarray, pairs: list[tuple[int, int]]) -> np.ndarray:
    """Return what gives the covariances of pairs of rows (…, TERMS) from those of `PAIRS` of coefficients."""
    return np.array(
        [[rows[a, m] * rows[b, n] + (rows[a, n] * rows[b, m] if m != n else 0) for m, n in PAIRS] for a, b in pairs],
        np.float32,
    )
