# SPDX-License-Identifier: BSD-3-Clause
"""One simulated day of one spacecraft: what REPT would have counted, before any trouble with files."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import numpy as np

from padflow.simulation.belt import STORM_MEMORY_DAYS, outer_belt, storm_indices, storms_between, stream
from padflow.simulation.conditions import NO_POPULATION, Conditions, smooth_noise
from padflow.simulation.families import Family
from padflow.simulation.orbit import MS_PER_DAY, track, unix_ms

DAY_STREAM = 3


SPACECRAFT = ("rbspa", "rbspb")


FILL = -1e31


ENERGIES = np.array([1.8, 2.1, 2.6, 3.4, 4.2, 5.2, 6.3, 7.7, 9.9, 12.3, 15.2, 20.0])  # MeV, from a real file


PITCH_ANGLES = (np.arange(17) + 0.5) * 180 / 17  # degrees


FOLDED_PITCH_ANGLES = PITCH_ANGLES[:9]  # degrees


PAD_STEP = 1e-4  # of the largest flux: in such steps the truth keeps a PAD


# Channels meet at the geometric means of their energies (chosen); the outermost are symmetric in log energy.
EDGES = np.concatenate(
    [
        ENERGIES[:1] ** 1.5 / ENERGIES[1:2] ** 0.5,
        np.sqrt(ENERGIES[1:] * ENERGIES[:-1]),
        ENERGIES[-1:] ** 1.5 / ENERGIES[-2:-1] ** 0.5,
    ]
)


DELTA_MINUS, DELTA_PLUS = ENERGIES - EDGES[:-1], EDGES[1:] - ENERGIES


GEOMETRIC_FACTOR = 0.2  # cm^2 sr (Baker 2013, 10.1007/s11214-012-9950-9)


RECORDS_PER_DAY = (7735, 7905)  # spins in a day: real files hold 7,731 to 7,910


CLASSIFIABLE_COUNTS = 20.0  # expected electrons in a record below which it belongs to no population (chosen)


@dataclass(frozen=True)
class Noise:
    """How clean and how complete a simulated archive is.

    Parameters
    ----------
    flux_factor : float
        Multiplies the electrons' flux; below 1 there are fewer counts.
    background_per_second : float
        Background counts per second in each channel, in the outer belt and beyond.
    contamination_per_second : float
        The same at the heart of the inner belt (penetrating protons).
    scatter : float
        Multiplies the spread of shapes within a population.
    mixing : float
        Size of the smooth noise that mixes populations at their borders, natural logarithm of probability.
    gaps_per_day, gap_minutes : float
        Mean number of gaps without records and their median length; long ones last for hours.
    fills_per_day : float
        Mean number of stretches, of each of three kinds, with fill: one channel, all flux, ``L_star``.
    """

    flux_factor: float = 1.0
    background_per_second: float = 0.03
    contamination_per_second: float = 2.0
    scatter: float = 1.0
    mixing: float = 0.8
    gaps_per_day: float = 0.6
    gap_minutes: float = 15.0
    fills_per_day: float = 0.5


@dataclass(frozen=True)
class Settings:
    """What a day's content depends on besides its spacecraft and date."""

    seed: int
    family: Family
    noise: Noise
    records_per_day: int | None = None


@dataclass(frozen=True)
class Day:
    """A day's records in time order.

    Parameters
    ----------
    time_ms : ndarray of int64, shape (records,)
        Unix time, milliseconds, midpoint of the spin.
    flux : ndarray of float64, shape (records, 17, 12)
        cm^-2 s^-1 sr^-1 MeV^-1, fill -1e31.
    ephemeris : dict of str to ndarray of float64
        ``L``, ``L_star``, ``I``, ``B_Calc``, ``B_Eq``, ``MLT``, ``MLAT``, ``Position``; fill -1e31.
    population : ndarray of int8
        Number of the record's population; -1 where there are too few electrons, only fill, or no populations.
    expected_counts : ndarray of float32
        Electrons expected in the whole record, without background.
    expected_counts_by_energy : ndarray of float32, shape (records, 12)
        The same in all bins of an energy.
    pad : ndarray of uint16, shape (records, 9, 12)
        Noiseless flux in steps of 1e-4 of the largest at each energy, folded about 90 degrees.
    spin_seconds : float
        The day's spin period.
    """

    time_ms: np.ndarray
    flux: np.ndarray
    ephemeris: dict[str, np.ndarray]
    population: np.ndarray
    expected_counts: np.ndarray
    expected_counts_by_energy: np.ndarray
    pad: np.ndarray
    spin_seconds: float


def spin_times(
    random: np.random.Generator, day: datetime.date, records_per_day: int | None
) -> tuple[np.ndarray, float]:
    """Return midpoints of a day's spins (Unix ms, whole) and the spin period (s)."""
    spin_seconds = 86_400 / random.uniform(*RECORDS_PER_DAY)
    step_ms = MS_PER_DAY / records_per_day if records_per_day else spin_seconds * 1000
    places = (np.arange(int(MS_PER_DAY // step_ms)) + 0.5) * step_ms
    places += np.clip(random.normal(0, 3, len(places)), -20, 20)  # the spin's period is not quite steady
    return unix_ms(day) + np.rint(places).astype(np.int64), spin_seconds


def runs(
    random: np.random.Generator,
    time_ms: np.ndarray,
    day: datetime.date,
    mean_number: float,
    median_minutes: float,
) -> np.ndarray:
    """Mark the records within randomly placed stretches of log-normal length; bool, shape (records,)."""
    inside = np.zeros(len(time_ms), bool)
    for _ in range(random.poisson(mean_number)):
        start = unix_ms(day) + random.random() * MS_PER_DAY
        length_ms = 60_000 * median_minutes * np.exp(1.0 * random.standard_normal())
        inside |= (time_ms >= start) & (time_ms < start + length_ms)
    return inside


def counts_per_flux(spin_seconds: float) -> np.ndarray:
    """Return counts expected in a bin for unit flux, shape (energy,): geometric factor x time x width."""
    return GEOMETRIC_FACTOR * spin_seconds / len(PITCH_ANGLES) * (EDGES[1:] - EDGES[:-1])


def background(noise: Noise, L: np.ndarray) -> np.ndarray:
    """Return background counts per second and channel, shape (records,).

    Galactic cosmic rays, kept out by the geomagnetic cutoff at low L, and protons of the inner belt near
    L 1.6, where there are no significant MeV electrons (Fennell 2015, 10.1002/2014GL062874). Profiles chosen.
    """
    cosmic = noise.background_per_second / (1 + np.exp(-(L - 2.2) / 0.3))
    return cosmic + noise.contamination_per_second * np.exp(-0.5 * ((L - 1.6) / 0.13) ** 2)


def second_invariant(L: np.ndarray, field_ratio: np.ndarray) -> np.ndarray:
    """Return I of locally mirroring particles, R_E: L Y(y), y^2 = B_Eq / B (Schulz and Lanzerotti 1974)."""
    y = np.sqrt(np.minimum(field_ratio, 1))
    return np.maximum(L * (2.760346 + 2.357194 * y - 5.117540 * y**0.75), 0)


def ephemeris_of(spacecraft: str, time_ms: np.ndarray, dst: np.ndarray) -> dict[str, np.ndarray]:
    """Return the ephemeris of a level-3 file; ``L_star`` and ``I`` are fill where the field model would fail.

    ``L_star`` lies under the dipole's L by a ring-current term, growing with L^3 and with -Dst; drift shells
    are open beyond L 6.5 - |Dst| / 70 nT and not traced below 1.2 (all chosen).
    """
    path = track(spacecraft, time_ms)
    closed = (path.L > 1.2) & (np.abs(dst) / 70 + path.L < 6.5)
    L_star = path.L * (1 - (path.L / 6) ** 3 * (0.03 + np.abs(dst) / 1500))
    return {
        "L": path.L,
        "L_star": np.where(closed, L_star, FILL),
        "I": np.where(closed, second_invariant(path.L, path.B_Eq / path.B_Calc), FILL),
        "B_Calc": path.B_Calc,
        "B_Eq": path.B_Eq,
        "MLT": path.MLT,
        "MLAT": path.MLAT,
        "Position": path.position,
    }


def expected_flux(settings: Settings, spacecraft: str, time_ms: np.ndarray, day: datetime.date) -> tuple:
    """Return the flux before counting (records, 17, 12), the population (records,) and the ephemeris."""
    days = time_ms / MS_PER_DAY
    today = unix_ms(day) / MS_PER_DAY
    storms = storms_between(settings.seed, today - STORM_MEMORY_DAYS, today + 1)
    dst, main, recovery = storm_indices(storms, days)
    ephemeris = ephemeris_of(spacecraft, time_ms, dst)
    latent = smooth_noise(settings.seed, SPACECRAFT.index(spacecraft), time_ms, int(today))
    conditions = Conditions(
        time_ms=time_ms,
        L=ephemeris["L"],
        MLT=ephemeris["MLT"],
        dst=dst,
        main=main,
        recovery=recovery,
        field_ratio=ephemeris["B_Eq"] / ephemeris["B_Calc"],
        latent=latent,
        scatter=settings.noise.scatter,
        mixing=settings.noise.mixing,
    )
    pads, population = settings.family.pads(conditions, PITCH_ANGLES, ENERGIES)
    level = outer_belt(storms, days, conditions.L, ENERGIES) * settings.noise.flux_factor
    # Off the equator only particles of smaller equatorial pitch angle arrive; sin^1 is a typical PAD.
    level *= np.sqrt(conditions.field_ratio)[:, None]
    level *= np.exp(0.15 * latent[:, -1:])  # a few minutes' ripple, 15 % (chosen)
    return pads * level[:, None, :].astype(np.float32), population, ephemeris


def folded_pads(flux: np.ndarray) -> np.ndarray:
    """Return the shapes of ``flux`` as ``Day.pad`` holds them; 0 where there is no flux."""
    half = len(FOLDED_PITCH_ANGLES)
    folded = flux[:, :half] + flux[:, : -half - 1 : -1]
    largest = np.maximum(folded.max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return np.rint(folded / largest / PAD_STEP).astype(np.uint16)


def make_day(settings: Settings, spacecraft: str, day: datetime.date) -> Day:
    """Simulate one day; the same arguments give the same values, whatever else is simulated."""
    random = stream(settings.seed, DAY_STREAM, SPACECRAFT.index(spacecraft), day.toordinal())
    time_ms, spin_seconds = spin_times(random, day, settings.records_per_day)
    noise = settings.noise
    time_ms = time_ms[~runs(random, time_ms, day, noise.gaps_per_day, noise.gap_minutes)]
    flux, population, ephemeris = expected_flux(settings, spacecraft, time_ms, day)

    pad = folded_pads(flux)
    factor = counts_per_flux(spin_seconds)
    electrons = flux * factor.astype(np.float32)
    expected = electrons.sum(axis=1)
    bin_seconds = spin_seconds / len(PITCH_ANGLES)
    rate = electrons + (background(noise, ephemeris["L"]) * bin_seconds)[:, None, None]
    flux = random.poisson(rate) / factor

    fill_one = runs(random, time_ms, day, noise.fills_per_day, 20)
    flux[fill_one, :, random.integers(len(ENERGIES))] = FILL
    fill_all = runs(random, time_ms, day, noise.fills_per_day, 4)
    flux[fill_all] = FILL
    expected[fill_all] = 0
    ephemeris["L_star"][runs(random, time_ms, day, noise.fills_per_day, 30)] = FILL
    expected_in_record = expected.sum(axis=1)
    population[expected_in_record < CLASSIFIABLE_COUNTS] = NO_POPULATION
    return Day(time_ms, flux, ephemeris, population, expected_in_record, expected, pad, spin_seconds)
