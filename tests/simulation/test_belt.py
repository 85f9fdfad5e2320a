# SPDX-License-Identifier: BSD-3-Clause
"""The radiation belt: storms, slot and spectrum."""

from __future__ import annotations

import datetime
from dataclasses import replace

import numpy as np
import pytest

from padflow.simulation.belt import Storm, outer_belt, spectrum_of, storm_indices, storms_between
from padflow.simulation.day import (
    ENERGIES,
)
from padflow.simulation.orbit import unix_ms

START_MS = unix_ms(datetime.date(2013, 3, 1))


DAY_MS = 86_400_000


def test_storms_empty_the_belt_then_fill_it_slowly_decaying() -> None:
    first = START_MS / DAY_MS
    storms = storms_between(0, first - 400, first + 400)
    assert 700 / 13.6 < len(storms) < 2 * 800 / 13.6
    inside = storms_between(0, first - 100, first + 100)
    assert inside == [s for s in storms if first - 100 <= s.onset <= first + 100]
    storm = max(storms, key=lambda s: s.strength)
    shell = np.full(4, storm.peak_L + 0.3)
    moments = np.array([storm.onset - 0.1, storm.minimum, storm.minimum + 2.0, storm.minimum + 9.0])
    flux = outer_belt([storm], moments, shell, ENERGIES)
    assert (flux[1] < 0.5 * flux[0]).all()
    assert (flux[2] > 3 * flux[0]).all()
    assert (flux[3] < flux[2])[:4].all()
    dst, main, recovery = storm_indices([storm], moments)
    assert dst[1] == pytest.approx(-12 - storm.depth, rel=1e-3)
    assert main[1] > 0.9 * min(storm.depth / 80, 1) > recovery[1]
    assert recovery[2] > main[2]


def test_belt_has_a_slot_a_peak_and_a_falling_spectrum() -> None:
    shells = np.linspace(1.2, 6.5, 200)
    flux = outer_belt([], np.full(200, START_MS / DAY_MS), shells, ENERGIES)
    assert 4 < shells[flux[:, 1].argmax()] < 5
    assert flux[shells < 2.6].max() < 1e-3 * flux.max()
    assert (np.diff(flux[100:180], axis=1) < 0).all()


def test_flux_is_that_of_AE8_and_of_a_real_storm() -> None:
    """At 2.1 MeV and L 4.5 to 5, per cm2 s sr MeV: AE8 has 5e4 to 7e4, one real storm hour 2e4 at 90 degrees."""
    flux = []
    for seed in range(4):
        for day in range(15_700, 16_300, 3):
            storms = storms_between(seed, day - 110, day + 1)
            flux.append(outer_belt(storms, np.full(2, float(day)), np.array([4.5, 5.0]), ENERGIES)[:, 1].mean())
    assert 2e4 < np.mean(flux) < 7e4
    assert ((np.array(flux) > 5e3) & (np.array(flux) < 7e4)).mean() > 0.45
    assert np.quantile(flux, 0.99) < 3e5
    quiet = outer_belt([], np.full(2, 15_700.0), np.array([4.5, 5.0]), ENERGIES)[:, 1].mean()
    assert 5e4 / 40 < quiet < 7e4 / 20
    assert (np.array(flux) > quiet / 2).mean() > 0.85


def test_quiet_belt_returns_after_storms_that_only_empty_it() -> None:
    storm = Storm(onset=100.0, minimum=100.4, depth=100.0, recovery_days=1.0, strength=0.0, lost_decades=1.5)
    again = replace(storm, onset=115.0, minimum=115.4)
    moments = np.array([99.0, 100.4, 101.5, 115.0, 130.0])
    flux = outer_belt([storm, again], moments, np.full(5, 5.0), ENERGIES)[:, 1]
    assert flux[1] < 0.01 * flux[0]
    assert flux[1] < flux[2] < 0.3 * flux[0]
    np.testing.assert_allclose(flux[3:], flux[0], rtol=0.05)


def test_spectrum_falls_by_e_in_half_a_MeV_and_faster_beyond_four() -> None:
    energies = np.linspace(1.8, 12, 500)
    folding = -np.gradient(energies, np.log(spectrum_of(energies, np.full(1, 4.5))))
    np.testing.assert_allclose(folding[energies < 3.9], 0.5, rtol=1e-3)
    np.testing.assert_allclose(folding[energies > 5.1], 0.3, rtol=1e-3)
    assert (np.diff(folding) < 1e-3).all()
    assert spectrum_of(np.array([2.0]), np.array([3.0]))[0] == 1
    assert spectrum_of(np.array([4.0]), np.array([3.0]))[0] > spectrum_of(np.array([4.0]), np.array([6.0]))[0]
