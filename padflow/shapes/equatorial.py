# SPDX-License-Identifier: BSD-3-Clause
"""Legendre coefficients in the equatorial pitch angle from those in the local one.

By the first adiabatic invariant sin^2 a_eq = (B_Eq / B) sin^2 a. So the squared cosines of the two are linear in one
another, a series to P6 in one is a series to P6 in the other, and a least squares fit of one is the fit of the other.
"""

from __future__ import annotations

from math import comb

import numpy as np

LEAST_REACH = 70.0
"""Equatorial pitch angle, in degrees, that the local angles must reach: of a PAD that is seen only further down, the
series is a guess where it matters most (chosen)."""


LEAST_FIELD_RATIO = float(np.sin(np.radians(LEAST_REACH)) ** 2)
"""B_Eq over B from which the local angles reach `LEAST_REACH`."""


TERMS = 4
ENTRIES = [(j, k) for k in range(TERMS) for j in range(k + 1)]  # of the change between powers of the squared cosines


def field_ratio(b_eq: np.ndarray, b_local: np.ndarray) -> np.ndarray:
    """Return B_Eq over B, at most 1, NaN where it is not known or `LEAST_REACH` is not reached."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.minimum(b_eq / b_local, 1.0)
    return np.where(ratio >= LEAST_FIELD_RATIO, ratio, np.nan)


def equatorial_matrix(unmixing: np.ndarray) -> np.ndarray:
    """Return the part of `equatorial_rows` that does not depend on the field, shape (4, terms, 10).

    Parameters
    ----------
    unmixing : ndarray, shape (4, terms)
        What makes c0, c2, c4, c6 in the local pitch angle.
    """
    powers = np.zeros((TERMS, TERMS))  # of the squared cosine, in P0, P2, P4, P6
    for n in range(TERMS):
        series = np.polynomial.legendre.leg2poly([0] * (2 * n) + [1])
        powers[: n + 1, n] = series[::2]
    back, there = np.linalg.inv(powers), powers @ unmixing
    return np.stack([np.outer(back[:, j], there[k]) for j, k in ENTRIES], axis=-1).astype(np.float32)


def equatorial_rows(matrix: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    """Return what makes c0, c2, c4, c6 in the equatorial pitch angle, float32 of shape (4, terms, pads).

    Parameters
    ----------
    matrix : ndarray, shape (4, terms, 10)
        `equatorial_matrix`.
    ratio : ndarray of float32, shape (pads,)
        `field_ratio`.
    """
    # cos^2 a = (cos^2 a_eq + below) / ratio, to the power k
    below, over = [np.ones_like(ratio)], [np.ones_like(ratio)]
    for _ in range(1, TERMS):
        below.append(below[-1] * (ratio - 1))
        over.append(over[-1] / ratio)
    change = np.stack([comb(k, j) * below[k - j] * over[k] for j, k in ENTRIES])
    return (matrix.reshape(-1, len(ENTRIES)) @ change).reshape(*matrix.shape[:2], -1)
