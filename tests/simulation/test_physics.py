"""Orbit, field, flux, shapes and counts of simulated days against independent calculations."""

from __future__ import annotations

import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from padflow.simulation.belt import outer_belt, storm_indices, storms_between
from padflow.simulation.day import (
    DELTA_MINUS,
    DELTA_PLUS,
    ENERGIES,
    PITCH_ANGLES,
    Day,
    Noise,
    Settings,
    expected_flux,
    make_day,
    second_invariant,
)
from padflow.simulation.orbit import ORBITS, eccentric_anomaly, inertial_position, sun_direction, track, unix_ms
from padflow.simulation.populations import POPULATIONS, Population, blended_shapes, pad_shapes, smooth_noise

START_MS = unix_ms(datetime.date(2013, 3, 1))
MINUTE_MS = 60_000
DAY_MS = 86_400_000
QUIET = Noise(gaps_per_day=0, fills_per_day=0)


@given(st.floats(0, 6.28), st.floats(0, 0.8))
def test_kepler_equation_against_bisection(mean_anomaly: float, eccentricity: float) -> None:
    expected = brentq(lambda E: E - eccentricity * np.sin(E) - mean_anomaly, -1, 8, xtol=1e-13)
    assert eccentric_anomaly(np.array([mean_anomaly]), eccentricity)[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("spacecraft", ["rbspa", "rbspb"])
def test_orbit_obeys_gravity(spacecraft: str) -> None:
    step_s = 20.0
    time_ms = START_MS + (np.arange(3000) * step_s * 1000).astype(np.int64)
    position = inertial_position(ORBITS[spacecraft], time_ms)
    acceleration = (position[2:] - 2 * position[1:-1] + position[:-2]) / step_s**2
    radius = np.linalg.norm(position[1:-1], axis=1, keepdims=True)
    # J2, which only precesses this orbit, is 1e-3 at most; the finite difference errs most at perigee.
    error = np.linalg.norm(acceleration + 398600.44 * position[1:-1] / radius**3, axis=1)
    assert (error < 3e-3 * 398600.44 / radius[:, 0] ** 2).all()


def test_orbit_has_the_period_heights_and_inclination_of_the_probes() -> None:
    time_ms = START_MS + np.arange(0, 3 * DAY_MS, 10_000)
    position = inertial_position(ORBITS["rbspa"], time_ms)
    radius = np.linalg.norm(position, axis=1)
    perigees = time_ms[1:-1][(radius[1:-1] < radius[:-2]) & (radius[1:-1] <= radius[2:])]
    assert np.diff(perigees).mean() / 3_600_000 == pytest.approx(9.0, abs=0.02)
    assert radius.min() - 6371.2 == pytest.approx(600, abs=5)
    assert radius.max() - 6371.2 == pytest.approx(30_600, abs=5)
    assert np.degrees(np.arcsin(np.abs(position[:, 2] / radius).max())) == pytest.approx(10.2, abs=0.1)


def test_apogee_drifts_through_all_local_times_in_about_two_years() -> None:
    days = np.arange(0, 760)
    apogee = []
    for day in days:
        time_ms = START_MS + day * DAY_MS + np.arange(0, 9 * 60, 5) * MINUTE_MS
        path = track("rbspa", time_ms)
        apogee.append(path.MLT[np.linalg.norm(path.position, axis=1).argmax()])
    apogee = np.unwrap(np.array(apogee), period=24)
    assert min(apogee[0] % 24, 24 - apogee[0] % 24) < 2  # near midnight in March 2013, as the real mission
    slope = np.polyfit(days, apogee, 1)[0]
    assert 1.6 < -24 / slope / 365.25 < 2.1


def test_dipole_field_against_the_gradient_of_its_potential() -> None:
    time_ms = START_MS + np.arange(0, 9 * 60, 20) * MINUTE_MS
    path = track("rbspb", time_ms)
    g11, h11, g10 = -1501.77, 4795.99, -29441.46

    def potential(r: np.ndarray) -> np.ndarray:
        return 6371.2**3 * (g10 * r[..., 2] + g11 * r[..., 0] + h11 * r[..., 1]) / np.linalg.norm(r, axis=-1) ** 3

    steps = np.eye(3)
    field = np.stack([potential(path.position - s) - potential(path.position + s) for s in steps], axis=-1) / 2
    np.testing.assert_allclose(path.B_Calc, np.linalg.norm(field, axis=1), rtol=1e-5)
    np.testing.assert_allclose(path.B_Eq, np.sqrt(g11**2 + h11**2 + g10**2) / path.L**3, rtol=1e-12)
    radius = np.linalg.norm(path.position, axis=1) / 6371.2
    np.testing.assert_allclose(path.L, radius / np.cos(np.radians(path.MLAT)) ** 2, rtol=1e-9)
    assert 1.05 < path.L.min() < 1.3
    assert 5.7 < path.L.max() < 6.8
    assert (path.B_Calc >= path.B_Eq * (1 - 1e-12)).all()


def test_noon_faces_the_sun_and_midnight_does_not() -> None:
    time_ms = START_MS + np.arange(0, 9 * 60) * MINUTE_MS
    path = track("rbspa", time_ms)
    position = inertial_position(ORBITS["rbspa"], time_ms)
    sun = sun_direction(time_ms)
    cosine = (position * sun).sum(axis=1) / np.linalg.norm(position, axis=1)
    np.testing.assert_allclose(cosine, -np.cos(path.MLT * np.pi / 12), atol=0.35)  # tilts bend it by 20 degrees
    equinox = sun_direction(np.array([unix_ms(datetime.date(2013, 3, 20)) + 11 * 3_600_000]))[0]
    np.testing.assert_allclose(equinox, [1, 0, 0], atol=2e-3)


def test_second_invariant_against_integration_along_a_dipole_line() -> None:
    shell, mirror = 4.0, np.radians(15)
    latitude = np.linspace(-mirror, mirror, 200_001)
    ratio = np.sqrt(1 + 3 * np.sin(latitude) ** 2) / np.cos(latitude) ** 6
    top = ratio[-1]
    length = shell * np.cos(latitude) * np.sqrt(1 + 3 * np.sin(latitude) ** 2)
    integral = np.trapezoid(np.sqrt(np.maximum(1 - ratio / top, 0)) * length, latitude)
    assert second_invariant(np.array([shell]), np.array([1 / top]))[0] == pytest.approx(integral, rel=0.02)


def test_counts_are_poisson_about_the_expected_flux() -> None:
    settings = Settings(2, POPULATIONS[:6], Noise(gaps_per_day=0, fills_per_day=0, background_per_second=0.5))
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


def pure_shape(population: Population) -> np.ndarray:
    parameters = blended_shapes((population,), np.zeros((1, 1)), np.zeros((1, 5)))
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


def test_smooth_noise_has_unit_variance_and_goes_on_over_midnight() -> None:
    today = START_MS // DAY_MS
    pieces = []
    for day in range(today, today + 6):
        time_ms = day * DAY_MS + np.arange(0, DAY_MS, 10_000)
        pieces.append(smooth_noise(0, 0, time_ms, day))
    noise = np.concatenate(pieces)
    assert np.abs(noise.mean(axis=0)).max() < 0.25
    np.testing.assert_allclose(noise.var(axis=0), 1, atol=0.25)
    jumps = np.abs(np.diff(noise, axis=0))
    border = np.cumsum([len(p) for p in pieces[:-1]])
    assert jumps[border - 1].max() < jumps.max() < 0.4
    correlation = np.corrcoef(noise.T) - np.eye(noise.shape[1])
    assert np.abs(correlation).max() < 0.35
    assert not np.array_equal(pieces[0], smooth_noise(0, 1, today * DAY_MS + np.arange(0, DAY_MS, 10_000), today))


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


@pytest.fixture(scope="module")
def season() -> Day:
    """Return twenty days near midnight, coarse."""
    settings = Settings(0, POPULATIONS[:6], QUIET, records_per_day=1000)
    days = [make_day(settings, "rbspa", datetime.date(2013, 3, 1) + datetime.timedelta(i)) for i in range(20)]
    names = days[0].ephemeris
    return Day(
        time_ms=np.concatenate([d.time_ms for d in days]),
        flux=np.concatenate([d.flux for d in days]),
        ephemeris={name: np.concatenate([d.ephemeris[name] for d in days]) for name in names},
        population=np.concatenate([d.population for d in days]),
        expected_counts=np.concatenate([d.expected_counts for d in days]),
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
