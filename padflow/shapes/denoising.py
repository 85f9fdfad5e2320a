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
VARIANCES = [PAIRS.index((m, m)) for m in range(1, TERMS)]


@dataclass(frozen=True)
class Denoised:
    """Fluxes of PADs in units of counts per bin and record, and their errors; ... stands for the PADs.

    Parameters
    ----------
    flux : ndarray of float32, shape (angles, ...)
        By folded bin, from the smallest pitch angle up.
    variance, with_90 : ndarray, shape (angles, ...)
        Variances of `flux`, and their covariances with the flux at 90 degrees.
    at : dict of float to ndarray
        Fluxes at 90, 60, 45 and 30 degrees.
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
    at: dict[float, np.ndarray]
    covariance: dict[tuple[float, float], np.ndarray]
    rise_variance: np.ndarray
    projected: np.ndarray
    terms_covariance: np.ndarray


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
        self._set_prior(mixing)
        self.unmixing = np.linalg.inv(mixing).astype(np.float32)
        self.equatorial = equatorial_matrix(np.linalg.inv(mixing))
        self._set_covariances(basis, joined)
        self.basis = basis.astype(np.float32)
        self.products = np.stack([basis[:, m] * basis[:, n] for m, n in PAIRS]).astype(np.float32)

    def _set_prior(self, mixing: np.ndarray) -> None:
        first = mixing[0] @ PRIOR_MEAN
        self.prior_mean = ((mixing[1:] @ PRIOR_MEAN) / first).astype(np.float32)[:, None]
        variance = (mixing[1:, 1:] ** 2 @ PRIOR_SPREAD**2) / first**2
        self.prior_variance = variance.astype(np.float32)[:, None]

    def _set_covariances(self, basis: np.ndarray, joined: np.ndarray) -> None:
        bins = np.eye(len(self.angle))
        self.weights = {degrees: interpolation_weights(self.angle, degrees) for degrees in (90.0, 60.0, 45.0, 30.0)}
        at_90, at_60, at_45, at_30 = self.weights.values()
        rise = (bins[0] - at_45) - FIELD_ALIGNED_SHARE * (bins[0] - at_90)
        rows = np.array([*bins, at_90, at_60, at_30, rise])
        place = {90.0: len(bins), 60.0: len(bins) + 1, 30.0: len(bins) + 2}
        pairs = [(k, k) for k in range(len(bins))] + [(k, place[90.0]) for k in range(len(bins))]
        pairs += [(place[a], place[b]) for a, b in COVARIANCES] + [(len(rows) - 1, len(rows) - 1)]
        rest = rows - rows @ basis @ (basis * joined[:, None]).T
        self.of_series = _symmetric(rows @ basis, pairs)
        self.of_rest = np.stack([rest[a] * rest[b] for a, b in pairs]).astype(np.float32)

    def __call__(self, counts: np.ndarray) -> Denoised:
        """Denoise PADs.

        Parameters
        ----------
        counts : ndarray of float32, shape (angles, pads)
            At least one in each PAD.
        """
        joined = self.joined[:, None]
        projected = self.basis.T @ counts
        first, relative = projected[:1], projected[1:] / projected[:1]
        # The noise of coefficients depends on the counts that are expected, and these on the coefficients: two rounds.
        kept = self.prior_variance / (self.prior_variance + 1 / counts.sum(axis=0))
        expected = np.maximum(self._smooth(first, relative, kept) * joined, LEAST_EXPECTED)
        covariance = self.products @ expected
        kept = self.prior_variance / (self.prior_variance + covariance[VARIANCES] / first**2)
        noise = expected / joined**2
        rest = counts / joined - self.basis @ projected
        chi2 = (rest**2 / noise).sum(axis=0)
        freedom = RESIDUAL_FACTOR * (len(self.angle) - TERMS)
        share = np.maximum(1 - np.divide(freedom, chi2, out=np.ones_like(chi2), where=chi2 > freedom), 0)
        flux = self._smooth(first, relative, kept) + share * rest
        root = np.sqrt(np.concatenate([np.ones_like(first), kept]))
        shrunk = np.stack([root[m] * root[n] for m, n in PAIRS]) * covariance
        errors = self.of_series @ shrunk + share * (self.of_rest @ noise)
        return self._described(flux, errors, projected, covariance)

    def _smooth(self, first: np.ndarray, relative: np.ndarray, kept: np.ndarray) -> np.ndarray:
        likely = self.prior_mean + kept * (relative - self.prior_mean)
        return self.basis[:, :1] * first + self.basis[:, 1:] @ (likely * first)

    def _described(
        self, flux: np.ndarray, errors: np.ndarray, projected: np.ndarray, covariance: np.ndarray
    ) -> Denoised:
        bins = len(self.angle)
        logs = np.log(np.maximum(flux, LEAST_FLUX / self.joined[:, None]))
        return Denoised(
            flux,
            errors[:bins],
            errors[bins : 2 * bins],
            {degrees: np.exp(weights.astype(np.float32) @ logs) for degrees, weights in self.weights.items()},
            dict(zip(COVARIANCES, errors[2 * bins : -1], strict=True)),
            errors[-1],
            projected,
            covariance,
        )

    def series(self, pad: Denoised, ratio: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return c2, c4, c6 over c0 by least squares, and their standard errors, both of shape (3, pads).

        Parameters
        ----------
        ratio : ndarray, shape (pads,), optional
            B_Eq over B: the series is then one in the equatorial pitch angle.
        """
        rows = self.unmixing[:, :, None] if ratio is None else equatorial_rows(self.equatorial, ratio)
        values = np.stack([sum(row[m] * pad.projected[m] for m in range(TERMS)) for row in rows])
        over_first = values[1:] / values[0]
        relative = rows[1:] - over_first[:, None] * rows[0]  # what an error of the ratio is made of
        variance = sum(
            (1 if m == n else 2) * relative[:, m] * relative[:, n] * pad.terms_covariance[i]
            for i, (m, n) in enumerate(PAIRS)
        )
        return over_first, np.sqrt(np.maximum(variance, 0)) / np.abs(values[0])


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
