# SPDX-License-Identifier: BSD-3-Clause
"""A continuum of pitch-angle distributions (PADs) that looks like what REPT measured."""

from __future__ import annotations

from typing import Any

import numpy as np

from padflow.simulation.conditions import NO_POPULATION, Conditions

REFERENCE_MEV, LARGEST_MEV = 2.1, 5.2  # shapes depend on log energy about the first, and no more beyond the second


L_RANGE = (3.0, 6.0)  # of the published tables; shapes further in or out are those of the nearest L


FLOOR = 0.02  # of c0: the least flux, where a series of three terms would be below (chosen)


# c2, c4, c6 (rows) at 2.1 MeV as sums of these columns, and what a unit of log energy adds. Rounded; chosen to look
# like the medians of Zhao 2018 (10.1029/2018JA025277).
LEVELS = np.array(  # 1; L - 4.5; day x outer; storm x inner; storm x day x outer
    [
        [-0.50, 0.02, -0.40, -0.20, -0.30],
        [-0.18, -0.01, 0.24, 0.02, 0.24],
        [-0.08, 0.03, 0.04, 0.10, 0.10],
    ]
)


SLOPES = np.array([[-0.38, 0.10], [0.16, 0.14], [0.12, -0.14]])  # inner; day x outer


# Standard deviations of c2, c4, c6: everywhere, what is added at the largest L, and there by night. Some three
# quarters of those of Zhao 2018, which hold counting noise too.
SPREADS = np.array([[0.12, 0.13, 0.06], [0.08, 0.02, 0.00], [0.06, 0.03, 0.03]])


C4_FOLLOWS_C2 = -0.35  # how much of a deviation of c2 that of c4 has: pancakes that steepen, dips that deepen (chosen)


DECORRELATION = 0.6  # radians per unit of log energy: deviations at 1.8 and 5.2 MeV correlate by 0.8 (chosen)


class Continuum:
    """PADs without populations: j(a) = c0 (1 + c2 P2(cos a) + c4 P4 + c6 P6) of the equatorial pitch angle a.

    c2, c4, c6 are smooth functions of energy, L, MLT and Dst, and scatter smoothly along the orbit. Pancakes prevail by
    day and inside L 5, and steepen with energy and in storms; by night butterflies grow beyond L 5, deeper in storms.
    """

    name = "continuum"
    population_names: tuple[str, ...] = ()

    def parameters(self) -> dict[str, Any]:
        """Return nothing: no parameter can be chosen."""
        return {}

    def pads(
        self, conditions: Conditions, pitch_angles: np.ndarray, energies: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return PADs at local pitch angles whose mean over directions is 1, and no population (-1) for any.

        See `padflow.simulation.families.Family.pads`.
        """
        coefficients = legendre_coefficients(conditions, energies)
        pads = pads_of_series(coefficients, conditions.field_ratio, pitch_angles)
        return pads, np.full(len(pads), NO_POPULATION, np.int8)


def pads_of_series(coefficients: np.ndarray, field_ratio: np.ndarray, pitch_angles: np.ndarray) -> np.ndarray:
    """Return PADs at local pitch angles whose mean over directions is 1, from series in the equatorial one.

    Parameters
    ----------
    coefficients : ndarray of float32, shape (records, 3, energy)
        c2, c4, c6 over c0.
    field_ratio : ndarray, shape (records,)
        ``B_Eq / B_Calc``.
    pitch_angles : ndarray, shape (pitch_angle,)
        Local ones, degrees, symmetric about 90.

    Returns
    -------
    ndarray of float32, shape (records, pitch_angle, energy)
        The least flux before scaling is `FLOOR`.
    """
    half = (len(pitch_angles) + 1) // 2  # symmetric: compute one half, mirror it
    local = np.sin(np.radians(pitch_angles[:half])) ** 2
    # The first invariant: sin^2(a_eq) = B_Eq / B_Calc sin^2(a).
    terms = legendre_terms(1 - np.minimum(field_ratio, 1)[:, None] * local)
    shapes = np.maximum(1 + np.matmul(terms.astype(np.float32), coefficients), FLOOR)
    shapes = np.concatenate([shapes, shapes[:, len(pitch_angles) - half - 1 :: -1]], axis=1)
    solid_angle = np.sin(np.radians(pitch_angles)).astype(np.float32)
    mean = np.einsum("nae,a->ne", shapes, solid_angle / solid_angle.sum())
    return shapes / mean[:, None, :]


def legendre_terms(squared_cosine: np.ndarray) -> np.ndarray:
    """Return P2, P4, P6 along a new last axis, from the squared cosine of the pitch angle."""
    x = squared_cosine
    return np.stack(
        [
            (3 * x - 1) / 2,
            ((35 * x - 30) * x + 3) / 8,
            (((231 * x - 315) * x + 105) * x - 5) / 16,
        ],
        axis=-1,
    )


def legendre_coefficients(conditions: Conditions, energies: np.ndarray) -> np.ndarray:
    """Return c2, c4, c6 over c0 of the equatorial PADs, float32 of shape (records, 3, energy)."""
    shell = np.clip(conditions.L, *L_RANGE)
    day = -np.cos(conditions.MLT * np.pi / 12)  # 1 at noon, -1 at midnight
    outer = np.clip((shell - 4) / 2, 0, 1) ** 2  # 0 up to L 4, 1 at L 6
    inner = np.clip((shell - 3) / 1.2, 0, 1)  # 0 at L 3, 1 from L 4.2
    storm = np.clip((-conditions.dst - 12) / 50, 0, 1.5)  # 0 at the quiet level, 1 at -62 nT
    one = np.ones_like(shell)
    level = np.stack([one, shell - 4.5, day * outer, storm * inner, storm * day * outer], axis=1)
    slope = np.stack([inner, day * outer], axis=1)
    spread = np.stack([one, outer, outer * np.maximum(-day, 0)], axis=1) @ SPREADS.T
    log_energy = np.log(np.minimum(energies, LARGEST_MEV) / REFERENCE_MEV)
    mean = (level @ LEVELS.T)[:, :, None] + (slope @ SLOPES.T)[:, :, None] * log_energy
    deviation = deviations(conditions.latent, log_energy) * (conditions.scatter * spread)[:, :, None]
    deviation[:, 1] += C4_FOLLOWS_C2 * deviation[:, 0]
    return (mean + deviation).astype(np.float32)


def deviations(latent: np.ndarray, log_energy: np.ndarray) -> np.ndarray:
    """Return what c2, c4, c6 deviate by, in standard deviations, shape (records, 3, energy).

    Two columns of smooth noise make each: their mixture turns with energy, so that near energies deviate alike.
    """
    angle = DECORRELATION * log_energy
    return latent[:, :3, None] * np.cos(angle) + latent[:, 3:6, None] * np.sin(angle)
