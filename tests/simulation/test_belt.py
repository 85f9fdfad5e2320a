"""The radiation belt: storms, slot and spectrum."""

from __future__ import annotations

import datetime

import numpy as np
import pytest

from padflow.simulation.belt import outer_belt, storm_indices, storms_between
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
