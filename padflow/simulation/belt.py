# SPDX-License-Identifier: BSD-3-Clause
"""Storms and the outer belt's electron flux they leave behind.

Everything derives from the seed and the absolute time, so any day can be made alone, and both spacecraft
meet the same storms. Times are in days of Unix time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STORM_STREAM = 1  # first word of a random stream's key: streams of different use never meet


STORM_BLOCK_DAYS = 27.27 / 2  # half a solar rotation: fast streams return with the Sun


STORM_MEMORY_DAYS = 110.0  # older storms have decayed to nothing


QUIET_DST_NT = -12.0  # chosen


QUIET_FLUX = 2500.0  # at 2 MeV and the peak, chosen: some 30 times below an active belt


REFILL_DAYS = 3.0  # in which a quiet belt returns after a loss (chosen)


BARRIER_L = 2.8  # no ultrarelativistic electrons further in (Baker 2014, 10.1038/nature13956)


def stream(seed: int, *key: int) -> np.random.Generator:
    """Return the random stream of a key of non-negative integers."""
    return np.random.default_rng(np.random.SeedSequence([seed, *key]))


@dataclass(frozen=True)
class Storm:
    """One storm: times in days of Unix time, depth of Dst in nT, log10 of the 2 MeV flux it makes."""

    onset: float
    minimum: float
    depth: float
    recovery_days: float
    strength: float
    lost_decades: float

    @property
    def peak_L(self) -> float:
        """L of the new belt's peak: |Dst| = 2.75e4 / L^4 (Tverskaya 2003, Adv. Space Res. 31)."""
        return min((2.75e4 / self.depth) ** 0.25, 4.9)


def storms_between(seed: int, first: float, last: float) -> list[Storm]:
    """Return the storms whose onset lies within [first, last], oldest first.

    One or two storms in each half solar rotation; depths log-normal with median 60 nT, so that about one in
    four is below -80 nT (chosen to resemble 2013-2016). About half enhance the belt, a quarter leave it
    alike, the rest deplete it (Reeves 2003, 10.1029/2002GL016513).
    """
    storms = []
    for block in range(int(first // STORM_BLOCK_DAYS), int(last // STORM_BLOCK_DAYS) + 1):
        random = stream(seed, STORM_STREAM, block)
        for part in range(1 + int(random.random() < 0.4)):
            onset = (block + (part + random.random()) / 2) * STORM_BLOCK_DAYS
            depth = float(np.clip(60 * np.exp(0.45 * random.standard_normal()), 35, 220))
            minimum = onset + random.uniform(5, 14) / 24
            kind = random.choice([5.25, 4.25, 2.55], p=[0.53, 0.28, 0.19])
            strength = kind + 0.25 * random.standard_normal() + 0.5 * np.log10(depth / 60)
            recovery_days, lost = random.uniform(0.8, 2.0), random.uniform(0.4, 1.5)
            storms.append(Storm(onset, minimum, depth, recovery_days, float(strength), lost))
    return sorted((s for s in storms if first <= s.onset <= last), key=lambda storm: storm.onset)


def since(time: np.ndarray, moment: float) -> np.ndarray:
    """Days since ``moment``, 0 before it."""
    return np.maximum(time - moment, 0)


def main_phase(storm: Storm, time: np.ndarray) -> np.ndarray:
    """0 before the onset, rising smoothly to 1 at the minimum, and exponential recovery after it."""
    progress = np.clip((time - storm.onset) / (storm.minimum - storm.onset), 0, 1)
    return progress**2 * (3 - 2 * progress) * np.exp(-since(time, storm.minimum) / storm.recovery_days)


def storm_indices(storms: list[Storm], time: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return Dst (nT) and how far main phase and recovery are on (0 to 1), each of shape (records,)."""
    dst = np.full(len(time), QUIET_DST_NT)
    main, recovery = np.zeros(len(time)), np.zeros(len(time))
    for storm in storms:
        profile, size = main_phase(storm, time), min(storm.depth / 80, 1.0)
        dst -= storm.depth * profile
        ends = np.exp(-since(time, storm.minimum) / 0.25)  # the main phase's marks fade within 6 h
        main = np.maximum(main, size * np.clip(profile * 2, 0, 1) * ends)
        started = np.where(time > storm.minimum, 1 - np.exp(-since(time, storm.minimum) / 0.25), 0)
        recovery = np.maximum(recovery, size * started * np.exp(-since(time, storm.minimum) / 4))
    return dst, main, recovery


def outer_belt(storms: list[Storm], time: np.ndarray, L: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """Return the direction-averaged electron flux, shape (records, energy), cm^-2 s^-1 sr^-1 MeV^-1.

    A quiet belt and, storm after storm, a loss of what was there (main-phase dropout, part of which returns)
    and a new belt that rises within one to three days, later at higher energies, and then decays. The quiet belt
    returns within days.
    Constants without source are chosen so that the flux at 2.1 MeV and L 4.5 to 5 is mostly 5e3 to 7e4 while the
    belt is active: AE8 has 5e4 to 7e4 there, one hour of a real storm had 2e4 at 90 degrees (REPT, 2017-09-08).
    """
    energies = energies[None, :]
    shell, time = L[:, None], time[:, None]
    lifetime = 5.0 * (4.5 / np.clip(shell, 2.5, 7)) ** 2.5 * (energies / 2) ** 0.2
    rise_days = 0.8 * np.sqrt(energies / 2)
    peak_shift = -0.1 * np.log(energies / 2)
    quiet_decades, made = np.zeros_like(shell), np.zeros((len(L), energies.size))
    for storm in storms:
        after = since(time, storm.minimum)
        begun = np.clip((time - storm.onset) / (storm.minimum - storm.onset), 0, 1)
        outside = 1 / (1 + np.exp(-(shell - storm.peak_L + 0.1) / 0.3))
        dropout = 1.3 * begun * np.exp(-after / 0.4)
        made *= 10 ** (-(storm.lost_decades * begun + dropout) * outside)
        quiet_decades += (storm.lost_decades * begun * np.exp(-after / REFILL_DAYS) + dropout) * outside
        made += new_belt(storm, after, shell, storm.peak_L + peak_shift, rise_days, lifetime)
    quiet = QUIET_FLUX * np.exp(radial_exponent(shell, 4.5 + peak_shift, 0.6, 0.9))
    flux = spectrum_of(energies, shell) * (made + quiet * 10**-quiet_decades)
    return flux / (1 + np.exp(-np.clip((shell - BARRIER_L) / 0.06, -60, 60)))


def new_belt(
    storm: Storm, after: np.ndarray, L: np.ndarray, peak: np.ndarray, rise_days: np.ndarray, lifetime: np.ndarray
) -> np.ndarray:
    """Return the flux at 2 MeV's level that a storm makes, ``after`` days after its minimum (records, energy)."""
    flux = 10**storm.strength * np.exp(radial_exponent(L, peak, 0.38, 0.8) - after / lifetime)
    risen = after.min() > 7 * rise_days.max()  # what is left to rise is below the precision of a number
    return flux if risen else flux * (1 - np.exp(-((after / rise_days) ** 2)))


def spectrum_of(energies: np.ndarray, L: np.ndarray) -> np.ndarray:
    """Return flux over that at 2 MeV; folding energies at L 4.5 of 0.5 MeV up to 4 MeV and 0.3 from 5 on.

    So AE8 has it; harder at low L (chosen).
    """
    beyond = np.clip(energies - 4, 0, 1)  # from 4 to 5 MeV the inverse of the folding energy grows linearly
    foldings = (energies - 2) / 0.5 + (1 / 0.3 - 1 / 0.5) * (beyond**2 / 2 + np.maximum(energies - 5, 0))
    return np.exp(-foldings / np.clip(1 - 0.055 * (L - 4.5), 0.86, 1.1))


def radial_exponent(L: np.ndarray, peak: np.ndarray, inner_width: float, outer_width: float) -> np.ndarray:
    """Return the logarithm of a Gaussian in L with a steeper inner than outer side (chosen)."""
    return -0.5 * ((L - peak) / np.where(peak > L, inner_width, outer_width)) ** 2
