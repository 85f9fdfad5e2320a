# SPDX-License-Identifier: BSD-3-Clause
"""Fold pitch-angle distributions about 90 degrees, and read them at an angle between their bins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SAME_ANGLE = 0.5
"""Degrees up to which a pitch angle and the mirror of another are the same: axes differ by rounding (chosen, as in
`padflow.features.preprocessor`)."""


@dataclass(frozen=True)
class Folded:
    """Distributions from their smallest pitch angle up to 90 degrees; bins without a value stand last.

    Parameters
    ----------
    angle : ndarray of float64, shape (angles, ...)
        Degrees, ascending along the first axis; infinite where a distribution has no more values.
    flux : ndarray of float64, shape (angles, ...)
        0 where there is no value.
    number : ndarray of int, shape (...)
        Angles that have a value.
    """

    angle: np.ndarray
    flux: np.ndarray
    number: np.ndarray

    @staticmethod
    def of(pitch_angle: np.ndarray, pads: np.ndarray) -> Folded:
        """Average each bin with its mirror; where one of the two has no value, take the other.

        Parameters
        ----------
        pitch_angle : ndarray, shape (pitch_angle,)
            Degrees, in any order. A bin without a mirror stands alone.
        pads : ndarray, shape (..., pitch_angle)
            Flux; what is not finite is missing.
        """
        angle, members = mirror_bins(pitch_angle)
        columns = np.moveaxis(np.asarray(pads, "f8"), -1, 0)
        valid = np.isfinite(columns)
        total = np.tensordot(members, np.where(valid, columns, 0.0), axes=1)
        known = np.tensordot(members, valid.astype("f8"), axes=1)
        flux = total / np.maximum(known, 1)
        angles = np.broadcast_to(angle.reshape(-1, *[1] * (flux.ndim - 1)), flux.shape)
        return Folded._packed(angles, flux, known > 0)

    @staticmethod
    def _packed(angle: np.ndarray, flux: np.ndarray, valid: np.ndarray) -> Folded:
        """Move the bins without a value behind the others."""
        number = valid.sum(axis=0)
        if not valid.all():
            order = np.argsort(~valid, axis=0, kind="stable")
            angle = np.take_along_axis(np.where(valid, angle, np.inf), order, axis=0)
            flux = np.take_along_axis(flux, order, axis=0)
        return Folded(angle, flux, number)

    def flux_at(self, degrees: float) -> np.ndarray:
        """Return the flux at an angle, shape (...): log flux is linear in log sin(angle), exact for sin^n.

        Flux itself is linear in sin(angle) where one of the two neighbours is not positive. Beyond the first and
        the last bin the line goes on. Distributions with fewer than two values give 0.
        """
        at_or_below = (self.angle <= degrees + 1e-9).sum(axis=0)
        low = np.clip(at_or_below - 1, 0, np.maximum(self.number - 2, 0))
        near, far = (np.minimum(low + i, len(self.angle) - 1)[None] for i in (0, 1))
        angles, fluxes = (
            np.concatenate([np.take_along_axis(values, index, axis=0) for index in (near, far)])
            for values in (self.angle, self.flux)
        )
        return np.where(self.number < 2, 0.0, _between(angles, fluxes, degrees))


def _between(angles: np.ndarray, fluxes: np.ndarray, degrees: float) -> np.ndarray:
    """Return the flux at an angle from two neighbours, both (2, ...); see `Folded.flux_at`."""
    sines = np.sin(np.radians(np.minimum(angles, 90.0)))
    wanted = np.sin(np.radians(degrees))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        logs, steps = np.log(fluxes), np.log(sines)
        power = np.exp(logs[0] + (np.log(wanted) - steps[0]) / (steps[1] - steps[0]) * (logs[1] - logs[0]))
        line = fluxes[0] + (wanted - sines[0]) / (sines[1] - sines[0]) * (fluxes[1] - fluxes[0])
    return np.where((fluxes > 0).all(axis=0) & (sines[0] > 0), power, line)


def mirror_bins(pitch_angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the folded pitch angles, and which bins each of them is made of.

    Returns
    -------
    angle : ndarray of float64, shape (angles,)
        Degrees up to 90, ascending.
    members : ndarray of float64, shape (angles, pitch_angle)
        1 where a bin belongs to an angle, else 0.
    """
    folded = np.minimum(pitch_angle, 180 - np.asarray(pitch_angle, "f8"))
    order = np.argsort(folded, kind="stable")
    group = np.cumsum(np.diff(folded[order], prepend=-np.inf) > SAME_ANGLE) - 1
    members = np.zeros((group[-1] + 1, len(folded)))
    members[group, order] = 1
    return members @ folded / members.sum(axis=1), members


def interpolation_weights(angle: np.ndarray, degrees: float) -> np.ndarray:
    """Return the weights of the bins in a line against log sin(pitch angle), as `Folded.flux_at` draws it.

    Parameters
    ----------
    angle : ndarray, shape (angles,)
        Degrees up to 90, ascending.
    """
    with np.errstate(divide="ignore"):
        position = np.log(np.sin(np.radians(angle)))
    low = int(np.clip(np.searchsorted(angle, degrees + 1e-9) - 1, 0, len(angle) - 2))
    weights = np.zeros(len(angle))
    step = position[low + 1] - position[low]
    weights[low + 1] = (np.log(np.sin(np.radians(degrees))) - position[low]) / step if np.isfinite(step) else 1.0
    weights[low] = 1 - weights[low + 1]
    return weights
