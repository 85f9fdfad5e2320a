# SPDX-License-Identifier: BSD-3-Clause
"""Simulated days: fluxes, counts and populations against independent calculations."""

from __future__ import annotations

import datetime

import numpy as np
import pytest

from padflow.simulation.day import (
    DELTA_MINUS,
    DELTA_PLUS,
    Day,
    Noise,
    Settings,
    expected_flux,
    make_day,
    second_invariant,
)
from padflow.simulation.families import FAMILIES
from padflow.simulation.populations import POPULATIONS

QUIET = Noise(gaps_per_day=0, fills_per_day=0)


def test_second_invariant_against_integration_along_a_dipole_line() -> None:
    shell, mirror = 4.0, np.radians(15)
    latitude = np.linspace(-mirror, mirror, 200_001)
    ratio = np.sqrt(1 + 3 * np.sin(latitude) ** 2) / np.cos(latitude) ** 6
    top = ratio[-1]
    length = shell * np.cos(latitude) * np.sqrt(1 + 3 * np.sin(latitude) ** 2)
    integral = np.trapezoid(np.sqrt(np.maximum(1 - ratio / top, 0)) * length, latitude)
    assert second_invariant(np.array([shell]), np.array([1 / top]))[0] == pytest.approx(integral, rel=0.02)


def test_counts_are_poisson_about_the_expected_flux() -> None:
    settings = Settings(2, FAMILIES["separated"], Noise(gaps_per_day=0, fills_per_day=0, background_per_second=0.5))
    day_of = datetime.date(2013, 3, 6)
    day = make_day(settings, "rbspa", day_of)
    flux, _, _ = expected_flux(settings, "rbspa", day.time_ms, day_of)
    bin_seconds = day.spin_seconds / 17
    factor = 0.2 * bin_seconds * (DELTA_MINUS + DELTA_PLUS)
    counts = day.flux * factor
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-6)
    L = day.ephemeris["L"]
    outside = L > 3.5  # where the background is the cosmic one alone
    expected = (flux * factor)[outside] + 0.5 * bin_seconds / (1 + np.exp(-(L[outside] - 2.2) / 0.3))[:, None, None]
    pull = (counts[outside] - expected) / np.sqrt(expected)
    number = pull.size
    assert abs(pull.mean()) < 5 / np.sqrt(number)
    # The variance of a squared Poisson pull is 2 + 1 / mean.
    spread = np.sqrt((2 + 1 / expected).mean() / number)
    assert abs((pull**2).mean() - 1) < 5 * spread
    np.testing.assert_allclose(day.expected_counts, (flux * factor).sum(axis=(1, 2)), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(day.expected_counts_by_energy, (flux * factor).sum(axis=1), rtol=1e-3, atol=1e-3)
    folded = np.stack([flux[:, [i, 16 - i]].mean(axis=1) for i in range(9)], axis=1)
    np.testing.assert_allclose(day.pad * 1e-4, folded / folded.max(axis=1, keepdims=True), atol=6e-5)


@pytest.fixture(scope="module")
def season() -> Day:
    """Return twenty days near midnight, coarse."""
    settings = Settings(0, FAMILIES["separated"], QUIET, records_per_day=1000)
    days = [make_day(settings, "rbspa", datetime.date(2013, 3, 1) + datetime.timedelta(i)) for i in range(20)]
    names = days[0].ephemeris
    return Day(
        time_ms=np.concatenate([d.time_ms for d in days]),
        flux=np.concatenate([d.flux for d in days]),
        ephemeris={name: np.concatenate([d.ephemeris[name] for d in days]) for name in names},
        population=np.concatenate([d.population for d in days]),
        expected_counts=np.concatenate([d.expected_counts for d in days]),
        expected_counts_by_energy=np.concatenate([d.expected_counts_by_energy for d in days]),
        pad=np.concatenate([d.pad for d in days]),
        spin_seconds=days[0].spin_seconds,
    )


def test_butterflies_prevail_at_night_at_high_L(season: Day) -> None:
    L, MLT = season.ephemeris["L"], season.ephemeris["MLT"]
    names = [p.name for p in POPULATIONS]
    night = (L > 5.5) & ((MLT >= 20) | (MLT < 4)) & (season.population >= 0)
    share = np.bincount(season.population[night], minlength=6) / night.sum()
    assert night.sum() > 1000
    assert 0.6 < share[names.index("night butterfly")] < 0.92
    assert share[names.index("night butterfly")] > share[names.index("pancake")] * 3
    inner = (L < 4.5) & (season.population >= 0)
    assert np.mean(season.population[inner] == names.index("night butterfly")) < 0.15


def test_classes_can_be_seen_in_the_counts_but_not_easily(season: Day) -> None:
    """The means of populations show their shapes; single records at high energy have hardly any counts."""
    names = [p.name for p in POPULATIONS]
    flux = {n: season.flux[season.population == names.index(n)] for n in ("pancake", "night butterfly")}
    ratio = {name: values[:, 5, 1].sum() / values[:, 8, 1].sum() for name, values in flux.items()}
    assert ratio["pancake"] < 1
    assert ratio["night butterfly"] > 1.2
    trapped = season.population >= 0
    assert (season.flux[trapped][:, :, 7] == 0).mean() > 0.7
    assert (season.flux[trapped][:, :, 0] == 0).mean() < 0.3
    slot = (season.ephemeris["L"] > 2.1) & (season.ephemeris["L"] < 2.6)
    assert (season.flux[slot] > 0).mean() < 0.05
    perigee = season.ephemeris["L"] < 1.12
    assert (season.flux[perigee] == 0).all(axis=(1, 2)).any()


def test_populations_last_for_minutes(season: Day) -> None:
    changes = np.count_nonzero(np.diff(season.population))
    assert 5 < len(season.population) / changes < 60  # records of 86 s


def test_coordinates_and_invariants(season: Day) -> None:
    place = season.ephemeris
    known = place["L_star"] > -1e30
    assert (place["L_star"][known] < place["L"][known]).all()
    assert (place["L_star"][known] > 0.75 * place["L"][known]).all()
    assert 0.5 < known.mean() < 1
    assert ((place["MLT"] >= 0) & (place["MLT"] < 24)).all()
    assert np.abs(place["MLAT"]).max() < 22
    assert (place["L"][~known] > 4).sum() > 0
