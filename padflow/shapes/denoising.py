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

from padflow.shapes.compiled import Matrices, denoise_pads, series_of_terms
from padflow.shapes.equatorial import equatorial_matrix, equatorial_rows
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


@dataclass(frozen=True)
class Denoised:
    """Fluxes of PADs in units of counts per bin and record, and their errors; ... stands for the PADs.

    Parameters
    ----------
    flux : ndarray of float32, shape (angles, ...)
        By folded bin, from the smallest pitch angle up.
    variance, with_90 : ndarray, shape (angles, ...)
        Variances of `flux`, and their covariances with the flux at 90 degrees.
    logs, at : dict of float to ndarray
        Logarithms of the fluxes at 90, 60, 45 and 30 degrees, and the fluxes.
    covariance : dict of (float, float) to ndarray
        Of the fluxes at 90, 60 and 30 degrees.
    rise_variance : ndarray
        Of what a PAD is called field-aligned by.
    projected, terms_covariance : ndarray, shape (4, ...) and (10, ...)
        The counts in the orthogonal terms of the series, and the covariances of `PAIRS` of these.
    """

    flux: np.ndarray
    variance: np.ndarray
    with_90: np.ndarray
    logs: dict[float, np.ndarray]
    at: dict[float, np.ndarray]
    covariance: dict[tuple[float, float], np.ndarray]
    rise_variance: np.ndarray
    projected: np.ndarray
    terms_covariance: np.ndarray


DEGREES = (90.0, 60.0, 45.0, 30.0)
COVARIANCES = [(90.0, 90.0), (60.0, 60.0), (30.0, 30.0), (60.0, 90.0), (30.0, 90.0), (30.0, 60.0)]


class Denoiser:
    """The matrices for PADs with the same bins.

    Parameters
    ----------
    angle : ndarray, shape (angles,)
        Folded pitch angles that have a value, in degrees, ascending; at least four.
    joined : ndarray, shape (angles,)
        Bins whose counts are added up in each.
    """

    def __init__(self, angle: np.ndarray, joined: np.ndarray) -> None:
        self.angle, self.joined = angle, joined.astype(np.float32)
        series = np.polynomial.legendre.legvander(np.cos(np.radians(angle)), 6)[:, ::2]
        root = np.sqrt(joined)[:, None]
        basis, mixing = np.linalg.qr(series * root)
        sign = np.sign(np.diag(mixing))
        basis, mixing = basis * sign / root, mixing * sign[:, None]
        self._unmixing = np.ascontiguousarray(np.linalg.inv(mixing)[:, :, None], np.float32)
        self._equatorial = equatorial_matrix(np.linalg.inv(mixing))
        self._matrices = Matrices(
            self.joined,
            np.ascontiguousarray(basis, np.float32),
            np.ascontiguousarray(basis.T, np.float32),
            *_prior(mixing),
            np.array(PAIRS),
            np.stack([basis[:, m] * basis[:, n] for m, n in PAIRS]).astype(np.float32),
            *self._errors(basis, joined),
            np.float32(LEAST_EXPECTED),
            np.float32(RESIDUAL_FACTOR * (len(angle) - TERMS)),
        )

    def _errors(self, basis: np.ndarray, joined: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what gives (co)variances of fluxes from those of the series' terms, and from the noise of the rest."""
        bins = np.eye(len(self.angle))
        self._weights = np.array([interpolation_weights(self.angle, degrees) for degrees in DEGREES])
        at_90, at_60, at_45, at_30 = self._weights
        rise = (bins[0] - at_45) - FIELD_ALIGNED_SHARE * (bins[0] - at_90)
        rows = np.array([*bins, at_90, at_60, at_30, rise])
        place = {90.0: len(bins), 60.0: len(bins) + 1, 30.0: len(bins) + 2}
        pairs = [(k, k) for k in range(len(bins))] + [(k, place[90.0]) for k in range(len(bins))]
        pairs += [(place[a], place[b]) for a, b in COVARIANCES] + [(len(rows) - 1, len(rows) - 1)]
        rest = rows - rows @ basis @ (basis * joined[:, None]).T
        of_rest = np.stack([rest[a] * rest[b] for a, b in pairs]).astype(np.float32)
        return _symmetric(rows @ basis, pairs), of_rest

    def __call__(self, counts: np.ndarray) -> Denoised:
        """Denoise PADs.

        Parameters
        ----------
        counts : ndarray of float32, shape (angles, pads)
            At least one in each PAD.
        """
        bins, pads = counts.shape
        sizes = (bins, len(self._matrices.of_series), TERMS, len(PAIRS))
        flux, errors, projected, covariance = (np.empty((size, pads), np.float32) for size in sizes)
        denoise_pads(np.ascontiguousarray(counts), self._matrices, flux, errors, projected, covariance)
        logs = self._weights.astype(np.float32) @ np.log(np.maximum(flux, LEAST_FLUX / self.joined[:, None]))
        return Denoised(
            flux,
            errors[:bins],
            errors[bins : 2 * bins],
            dict(zip(DEGREES, logs, strict=True)),
            dict(zip(DEGREES, np.exp(logs), strict=True)),
            dict(zip(COVARIANCES, errors[2 * bins : -1], strict=True)),
            errors[-1],
            projected,
            covariance,
        )

    def series(self, pad: Denoised, ratio: np.ndarray | None = None) -> np.ndarray:
        """Return c2, c4, c6 over c0 by least squares, and then their standard errors, shape (6, pads).

        Parameters
        ----------
        ratio : ndarray, shape (pads,), optional
            B_Eq over B: the series is then one in the equatorial pitch angle.
        """
        rows = self._unmixing if ratio is None else equatorial_rows(self._equatorial, ratio)
        out = np.empty((6, pad.flux.shape[1]), np.float32)
        series_of_terms(rows, pad.projected, pad.terms_covariance, self._matrices.pairs, out)
        return out


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


@lru_cache(maxsize=1024)
def denoiser_of(angle: tuple[float, ...], joined: tuple[float, ...]) -> Denoiser:
    """Return the denoiser of some bins, made once."""
    return Denoiser(np.array(angle), np.array(joined))
