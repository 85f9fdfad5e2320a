"""Families of pitch-angle distributions (PADs), where and when each prevails."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from padflow.simulation.belt import stream

LATENT_STREAM = 2


LATENT_COLUMNS = 13  # 8 populations at most, then 5 that scatter the shapes' parameters


KNOTS_PER_DAY = (288, 36)  # smooth noise of 5 and of 40 minutes: what a population lasts


REFERENCE_MEV = 2.6  # energy at which a population's parameters are given


BLEND_SHARPNESS = 10.0  # at a border of two populations the shapes mix over about 1/10 of a logit (chosen)


@dataclass(frozen=True)
class Population:
    """A population: the shape of its PADs and the region it prefers.

    The flux at pitch angle a and energy E is proportional to
    ``(1 - |cos a|^plateau)^(n / 2) * (1 - dip * exp(-((a - 90) / dip_width)^2 / 2))``: with plateau 2 and no
    dip it is ``sin^n a``; a plateau of 5 or more makes a flattop; a dip makes a butterfly. ``n`` and ``dip``
    vary with energy as ``(E / 2.6 MeV)^slope``. Pitch angles are local ones, as the instrument sees them.

    Which population prevails: the largest of ``log(weight) - ((L - L0) / L_width)^2 / 2 + MLT_focus
    cos(MLT - MLT0) + main_phase * m + recovery * r`` plus smooth noise.
    """

    name: str
    weight: float
    steepness: float
    steepness_slope: float
    plateau: float
    dip: float
    dip_slope: float
    dip_width_degrees: float
    L: float
    L_width: float
    MLT: float
    MLT_focus: float
    main_phase: float
    recovery: float


SHAPE = tuple(f.name for f in fields(Population) if f.name.startswith(("steepness", "plateau", "dip")))


# Two each of pancake, flattop and butterfly (Killey 2025, 10.1029/2024GL112900), then two more. Butterflies:
# at 20-04 MLT beyond L 5.5, and at 11-15 MLT near L 4 (Ni 2016, 10.1002/2016GL069350). Numbers are chosen.
POPULATIONS = (
    Population("pancake", 0.30, 1.0, 0.35, 2.0, 0.0, 0.0, 25, 4.4, 1.3, 12, 0.2, -0.3, 0.0),
    Population("flattop", 0.22, 2.0, 0.1, 8.0, 0.0, 0.0, 25, 5.2, 0.8, 9, 0.4, 0.8, 0.0),
    Population("night butterfly", 0.24, 1.3, 0.3, 2.0, 0.75, -0.1, 26, 6.0, 0.6, 0, 0.9, 0.8, 0.0),
    Population("steep pancake", 0.16, 3.6, 0.35, 2.0, 0.0, 0.0, 25, 3.7, 0.7, 15, 0.1, -0.3, 0.8),
    Population("narrowing flattop", 0.14, 1.0, 1.3, 5.0, 0.0, 0.0, 25, 4.6, 0.6, 18, 0.5, 0.0, 0.4),
    Population("low-energy butterfly", 0.28, 1.5, 0.5, 2.0, 0.6, -1.2, 25, 4.0, 0.45, 13, 0.8, -0.2, 0.3),
    Population("shallow pancake", 0.20, 0.5, 0.2, 2.0, 0.0, 0.0, 25, 5.6, 0.6, 6, 0.7, 1.0, -0.3),
    Population("high-energy butterfly", 0.12, 1.2, 0.2, 2.0, 0.45, 0.6, 30, 5.1, 0.5, 19, 0.7, 0.6, -0.2),
)


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


def logits(
    populations: tuple[Population, ...],
    L: np.ndarray,
    MLT: np.ndarray,
    main: np.ndarray,
    recovery: np.ndarray,
) -> np.ndarray:
    """Return how well each population's conditions are met, (records, population), natural logarithm."""
    columns = [
        np.log(p.weight)
        - 0.5 * ((L - p.L) / p.L_width) ** 2
        + p.MLT_focus * np.cos((MLT - p.MLT) * np.pi / 12)
        + p.main_phase * main
        + p.recovery * recovery
        for p in populations
    ]
    return np.stack(columns, axis=1)


def blended_shapes(populations: tuple[Population, ...], strength: np.ndarray, scatter: np.ndarray) -> np.ndarray:
    """Return the shape parameters of each record, float32 of shape (records, 6), in the order of ``SHAPE``.

    Parameters
    ----------
    strength : ndarray, shape (records, population)
        Logits with their noise.
    scatter : ndarray, shape (records, 5)
        Smooth noise of variance about 1 that varies steepness, plateau, dip, dip width and slope.
    """
    share = np.exp(BLEND_SHARPNESS * (strength - strength.max(axis=1, keepdims=True)))
    share /= share.sum(axis=1, keepdims=True)
    table = np.array([[getattr(p, name) for name in SHAPE] for p in populations])
    steepness, slope, plateau, dip, dip_slope, width = np.einsum("nk,kj->jn", share, table)
    return np.stack(
        [
            steepness * np.exp(0.1 * scatter[:, 0]),
            slope + 0.06 * scatter[:, 4],
            np.maximum(plateau * np.exp(0.06 * scatter[:, 1]), 1.7),
            dip * np.exp(0.08 * scatter[:, 2]),
            dip_slope,
            width * np.exp(0.06 * scatter[:, 3]),
        ],
        axis=1,
    ).astype(np.float32)


def pad_shapes(parameters: np.ndarray, pitch_angles: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """Return PADs whose mean over all directions is 1, float32 of shape (records, pitch_angle, energy).

    Parameters
    ----------
    parameters : ndarray, shape (records, 6)
        As ``blended_shapes`` returns them.
    pitch_angles : ndarray, shape (pitch_angle,)
        Degrees, symmetric about 90.
    energies : ndarray, shape (energy,)
        MeV.
    """
    half = (len(pitch_angles) + 1) // 2  # the shapes are symmetric: compute one half, mirror it
    angle = pitch_angles[:half].astype(np.float32)
    steepness, slope, plateau, dip, dip_slope, width = (column[:, None] for column in parameters.T)
    log_energy = np.log(energies / REFERENCE_MEV).astype(np.float32)[None, :]
    exponent = np.minimum(steepness * np.exp(slope * log_energy), 8) / 2
    depth = np.clip(dip * np.exp(dip_slope * log_energy), 0, 0.92)
    log_cosine = np.log(np.maximum(np.abs(np.cos(np.radians(angle))), 1e-20)).astype(np.float32)
    log_base = np.log1p(-np.exp(plateau * log_cosine))
    hole = np.exp(-0.5 * ((angle - 90) / width) ** 2)
    shapes = np.exp(log_base[:, :, None] * exponent[:, None, :])
    shapes *= 1 - hole[:, :, None] * depth[:, None, :]
    shapes = np.concatenate([shapes, shapes[:, len(pitch_angles) - half - 1 :: -1]], axis=1)
    solid_angle = np.sin(np.radians(pitch_angles)).astype(np.float32)
    mean = np.einsum("nae,a->ne", shapes, solid_angle / solid_angle.sum())
    return shapes / mean[:, None, :]
