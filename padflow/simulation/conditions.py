# SPDX-License-Identifier: BSD-3-Clause
"""What a family of pitch-angle distributions is told of each record: place, time, storms, and smooth noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from padflow.simulation.belt import stream

LATENT_STREAM = 2


LATENT_COLUMNS = 13


NO_POPULATION = -1  # of a record that belongs to no population


KNOTS_PER_DAY = (288, 36)  # smooth noise of 5 and of 40 minutes: what a shape lasts


@dataclass(frozen=True)
class Conditions:
    """The conditions of a day's records; arrays are of shape (records,) unless another is given.

    Parameters
    ----------
    time_ms : ndarray of int64
        Unix time, milliseconds.
    L, MLT : ndarray of float64
        Dipole L, and magnetic local time in hours.
    dst : ndarray of float64
        Dst, nT.
    main, recovery : ndarray of float64
        How far a storm's main phase and its recovery are on, 0 to 1.
    field_ratio : ndarray of float64
        ``B_Eq / B_Calc``, 0 to 1.
    latent : ndarray of float32, shape (records, 13)
        Noise of mean 0 and variance 1, smooth along the orbit (``smooth_noise``). Columns are independent. The last
        one also makes the flux ripple.
    scatter, mixing : float
        From ``Noise``: how many times the usual spread of shapes, and how far smooth noise moves borders.
    """

    time_ms: np.ndarray
    L: np.ndarray
    MLT: np.ndarray
    dst: np.ndarray
    main: np.ndarray
    recovery: np.ndarray
    field_ratio: np.ndarray
    latent: np.ndarray
    scatter: float = 1.0
    mixing: float = 0.8


def smooth_noise(seed: int, spacecraft: int, time_ms: np.ndarray, day: int) -> np.ndarray:
    """Return noise of mean 0 and variance 1, continuous in time, float32 of shape (records, 13).

    Normal values at fixed knots, smoothly interpolated, at two time scales of equal power. The knots of each
    day have their own stream, so the noise goes on over midnight although days are made alone.

    Parameters
    ----------
    day : int
        Days since 1970-01-01 to which ``time_ms`` belongs.
    """
    total = np.zeros((len(time_ms), LATENT_COLUMNS))
    for scale, knots in enumerate(KNOTS_PER_DAY):
        values = np.concatenate(
            [
                stream(seed, LATENT_STREAM, scale, spacecraft, d).standard_normal((knots, LATENT_COLUMNS))
                for d in (day, day + 1)
            ]
        )
        place = (time_ms / 86_400_000 - day) * knots
        knot = np.clip(place.astype(int), 0, 2 * knots - 2)
        fraction = np.clip(place - knot, 0, 1)
        weight = (fraction**2 * (3 - 2 * fraction))[:, None]
        # Dividing by the root of the summed squares keeps the variance 1 between knots too.
        total += (values[knot] * (1 - weight) + values[knot + 1] * weight) / np.hypot(weight, 1 - weight)
    return (total / np.sqrt(len(KNOTS_PER_DAY))).astype(np.float32)
