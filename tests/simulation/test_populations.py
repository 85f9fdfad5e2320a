# SPDX-License-Identifier: BSD-3-Clause
"""Populations: their shapes against the formula, and how they change."""

from __future__ import annotations

import numpy as np

from padflow.simulation.day import (
    ENERGIES,
    PITCH_ANGLES,
)
from padflow.simulation.populations import BLENDED, POPULATIONS, Population, blended_shapes, pad_shapes


def pure_shape(population: Population) -> np.ndarray:
    parameters = blended_shapes((population,), np.zeros((1, 1)), np.zeros((1, 5)), BLENDED)
    return pad_shapes(parameters, PITCH_ANGLES, ENERGIES)[0]


def test_shapes_against_the_formula_and_their_names() -> None:
    angle = np.radians(PITCH_ANGLES)
    for population in POPULATIONS:
        shape = pure_shape(population)
        np.testing.assert_allclose(shape, shape[::-1], rtol=1e-5)
        np.testing.assert_allclose((shape * np.sin(angle)[:, None]).sum(0) / np.sin(angle).sum(), 1, rtol=1e-4)
        n = population.steepness * (ENERGIES / 2.6) ** population.steepness_slope
        dip = np.clip(population.dip * (ENERGIES / 2.6) ** population.dip_slope, 0, 0.92)
        hole = np.exp(-0.5 * ((PITCH_ANGLES - 90) / population.dip_width_degrees) ** 2)
        base = 1 - np.abs(np.cos(angle)) ** population.plateau
        expected = base[:, None] ** (np.minimum(n, 8) / 2) * (1 - hole[:, None] * dip)
        np.testing.assert_allclose(shape / shape[3], expected / expected[3], rtol=1e-3)
        index = shape.max(axis=0) / shape[8]  # butterfly index of Yang 2017
        width = (shape > 0.9 * shape.max(axis=0)).sum(axis=0)[1]
        if "butterfly" in population.name:
            assert index[4 if population.dip_slope > 0 else 1] > 1.3
        else:
            assert (index < 1.01).all()
            assert (width >= 7) == (population.name in ("flattop", "narrowing flattop", "shallow pancake"))


def test_energy_dependence_of_the_shapes() -> None:
    named = {p.name: pure_shape(p) for p in POPULATIONS}
    index = named["low-energy butterfly"].max(axis=0) / named["low-energy butterfly"][8]
    assert index[0] > 1.3
    assert index[6] < 1.05
    for name in ("pancake", "steep pancake", "narrowing flattop"):
        edge = named[name][2] / named[name][8]
        assert (np.diff(edge[:10]) < 0).all()  # until the exponent's upper limit
