# SPDX-License-Identifier: BSD-3-Clause
"""Populations of pitch-angle distributions (PADs): their shapes, where and when each prevails."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from padflow.simulation.conditions import Conditions

REFERENCE_MEV = 2.6  # energy at which a population's parameters are given


BLENDED, SHARP = (
    10.0,
    1e6,
)  # at a border the shapes of two populations mix over about 1/10 of a logit, or do not (chosen)


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


@dataclass(frozen=True)
class Populations:
    """A family of populations, each of which prevails somewhere: see `padflow.simulation.families.Family`.

    Parameters
    ----------
    name : str
        The family's.
    populations : tuple of Population
        At most 8.
    scatter : float
        Multiplies the spread of shapes within a population.
    wander : float
        Multiplies how far borders wander with the smooth noise.
    sharpness : float
        The greater, the narrower the border where shapes of two populations mix.
    """

    name: str
    populations: tuple[Population, ...]
    scatter: float = 1.0
    wander: float = 1.0
    sharpness: float = BLENDED

    @property
    def population_names(self) -> tuple[str, ...]:
        """The populations' names."""
        return tuple(p.name for p in self.populations)

    def parameters(self) -> dict[str, Any]:
        """Return all fields but the name."""
        return {key: value for key, value in asdict(self).items() if key != "name"}

    def pads(
        self, conditions: Conditions, pitch_angles: np.ndarray, energies: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return PADs whose mean over directions is 1, and the population that prevails in each record."""
        strength = logits(self.populations, conditions)
        strength += self.wander * conditions.mixing * conditions.latent[:, : len(self.populations)]
        scatter = self.scatter * conditions.scatter * conditions.latent[:, -5:]
        shapes = blended_shapes(self.populations, strength, scatter, self.sharpness)
        return pad_shapes(shapes, pitch_angles, energies), strength.argmax(axis=1).astype(np.int8)


def logits(populations: tuple[Population, ...], conditions: Conditions) -> np.ndarray:
    """Return how well each population's conditions are met, (records, population), natural logarithm."""
    columns = [
        np.log(p.weight)
        - 0.5 * ((conditions.L - p.L) / p.L_width) ** 2
        + p.MLT_focus * np.cos((conditions.MLT - p.MLT) * np.pi / 12)
        + p.main_phase * conditions.main
        + p.recovery * conditions.recovery
        for p in populations
    ]
    return np.stack(columns, axis=1)


def blended_shapes(
    populations: tuple[Population, ...], strength: np.ndarray, scatter: np.ndarray, sharpness: float
) -> np.ndarray:
    """Return the shape parameters of each record, float32 of shape (records, 6), in the order of ``SHAPE``.

    Parameters
    ----------
    strength : ndarray, shape (records, population)
        Logits with their noise.
    scatter : ndarray, shape (records, 5)
        Smooth noise of variance about 1 that varies steepness, plateau, dip, dip width and slope.
    sharpness : float
        Factor of the logits where shapes are mixed.
    """
    share = np.exp(sharpness * (strength - strength.max(axis=1, keepdims=True)))
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
