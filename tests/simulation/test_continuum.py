# SPDX-License-Identifier: BSD-3-Clause
"""The continuum: its series against another calculation, and that it looks like measured shapes."""

from __future__ import annotations

import datetime

import numpy as np
import pytest
from numpy.polynomial import legendre

from padflow.simulation.conditions import Conditions, smooth_noise
from padflow.simulation.continuum import FLOOR, Continuum, legendre_coefficients
from padflow.simulation.day import ENERGIES, PITCH_ANGLES, Noise, Settings, make_day
from padflow.simulation.families import FAMILIES
from padflow.simulation.orbit import unix_ms

DAY_MS = 86_400_000
START_MS = unix_ms(datetime.date(2013, 3, 1))
AT_2_MEV = 1


def conditions(**values: np.ndarray | float) -> Conditions:
    """Return quiet conditions on the equator at L 5 and noon without noise, but for ``values``."""
    number = max(len(value) if np.ndim(value) else 1 for value in values.values())
    usual = {"L": 5.0, "MLT": 12.0, "dst": -12.0, "main": 0.0, "recovery": 0.0, "field_ratio": 1.0, "time_ms": 0}
    arrays = {name: np.broadcast_to(value, number) for name, value in (usual | values).items() if name != "latent"}
    return Conditions(latent=values.get("latent", np.zeros((number, 13), np.float32)), **arrays)


def largest_over_middle(pads: np.ndarray) -> np.ndarray:
    return pads.max(axis=1) / pads[:, 8]


def test_series_against_legendre_polynomials_at_mapped_angles() -> None:
    random = np.random.default_rng(0)
    here = conditions(
        L=random.uniform(1.5, 6.8, 50),
        MLT=random.uniform(0, 24, 50),
        dst=random.uniform(-120, 0, 50),
        field_ratio=random.uniform(0.2, 1, 50),
        latent=random.standard_normal((50, 13)).astype(np.float32),
    )
    pads, population = Continuum().pads(here, PITCH_ANGLES, ENERGIES)
    coefficients = legendre_coefficients(here, ENERGIES)
    for row in range(50):
        equatorial = np.arcsin(np.sqrt(here.field_ratio[row]) * np.sin(np.radians(PITCH_ANGLES)))
        for energy in range(12):
            c2, c4, c6 = coefficients[row, :, energy]
            expected = legendre.legval(np.cos(equatorial), [1, 0, c2, 0, c4, 0, c6])
            expected = np.maximum(expected, FLOOR)
            weight = np.sin(np.radians(PITCH_ANGLES))
            expected /= (expected * weight).sum() / weight.sum()
            np.testing.assert_allclose(pads[row, :, energy], expected, rtol=1e-4, atol=1e-5)
    assert pads.min() > 0
    assert pads.dtype == np.float32
    assert (population == -1).all()


def test_pancakes_by_day_steepen_and_butterflies_by_night_deepen_with_storms() -> None:
    day = Continuum().pads(conditions(dst=np.array([-12.0, -60.0])), PITCH_ANGLES, ENERGIES)[0]
    steepness = day[:, 8] / day[:, 3]
    assert (largest_over_middle(day)[:, :6] == 1).all()
    assert (np.diff(steepness[:, :6], axis=1) > 0).all()
    assert (steepness[1, :3] > steepness[0, :3]).all()
    night = conditions(L=5.9, MLT=0.0, dst=np.array([-12.0, -40.0, -60.0]))
    depth = largest_over_middle(Continuum().pads(night, PITCH_ANGLES, ENERGIES)[0])[:, AT_2_MEV]
    assert 1.1 < depth[0] < depth[1] < depth[2]


@pytest.fixture(scope="module")
def two_years() -> tuple[Conditions, np.ndarray]:
    """Return conditions and PADs of a hundred days along all local times, on the equator."""
    kept: list[tuple[Conditions, np.ndarray]] = []

    class Kept(Continuum):
        def pads(self, here: Conditions, *axes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            level = Conditions(**(vars(here) | {"field_ratio": np.ones(len(here.L))}))
            kept.append((level, super().pads(level, *axes)[0]))
            return super().pads(here, *axes)

    settings = Settings(1, Kept(), Noise(), 300)
    for day in range(0, 700, 7):
        make_day(settings, "rbspa", datetime.date(2013, 3, 1) + datetime.timedelta(day))
    arrays = {
        name: np.concatenate([getattr(here, name) for here, _ in kept]) for name in ("L", "MLT", "dst", "time_ms")
    }
    return arrays, np.concatenate([pads for _, pads in kept])


def test_butterflies_are_where_they_were_measured(two_years: tuple) -> None:
    """Shares as in Zhao 2018: 20 to 60 % by night beyond L 5.5, hardly any by day; 4 % are deeper than 1.3."""
    places, pads = two_years
    L, hours = places["L"], (places["MLT"] + 12) % 24 - 12
    depth = largest_over_middle(pads)
    butterfly = depth[:, AT_2_MEV] > 1.1
    night, noon = np.abs(hours) < 4, np.abs(hours) > 8
    assert 0.35 < butterfly[night & (L > 5.5)].mean() < 0.65
    assert 0.05 < butterfly[night & (L > 4.6) & (L < 5.5)].mean() < 0.3
    assert butterfly[noon & (L > 3)].mean() < 0.03
    assert butterfly[(L > 3) & (L < 4.6)].mean() < 0.03
    assert 0.02 < (depth[L > 3, 2] > 1.3).mean() < 0.06
    assert (depth[L > 3, 2] > 2).mean() < 0.01


def test_shapes_drift_along_the_orbit_and_near_energies_deviate_alike() -> None:
    today = START_MS // DAY_MS
    time_ms = START_MS + np.arange(0, DAY_MS, 10_000)
    latent = smooth_noise(0, 0, time_ms, today)
    values = legendre_coefficients(conditions(latent=latent), ENERGIES)
    c2 = values[:, 0, AT_2_MEV]
    correlation = [np.corrcoef(c2[:-lag], c2[lag:])[0, 1] for lag in (1, 6, 60, 720)]
    assert correlation[0] > 0.99  # one spin
    assert correlation[1] > 0.9  # a minute
    assert 0.2 < correlation[2] < 0.7  # ten minutes
    assert abs(correlation[3]) < 0.25  # two hours
    between = np.corrcoef(values[:, 0].T)
    assert between[1, 2] > 0.98
    assert 0.7 < between[0, 5] < 0.9
    assert -0.9 < np.corrcoef(values[:, 0, 1], values[:, 1, 1])[0, 1] < -0.3
    doubled = Conditions(**(vars(conditions(latent=latent)) | {"scatter": 2.0}))
    wide = legendre_coefficients(doubled, ENERGIES)[:, 0, AT_2_MEV]
    np.testing.assert_allclose(wide.std(), 2 * c2.std(), rtol=1e-4)
    assert FAMILIES["continuum"].population_names == ()
