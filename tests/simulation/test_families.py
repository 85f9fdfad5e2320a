# SPDX-License-Identifier: BSD-3-Clause
"""Families of simulated archives: what each promises, and one's own."""

from __future__ import annotations

import datetime
import re

import numpy as np
import pytest

from padflow.cli import making
from padflow.errors import ConfigError
from padflow.simulation.conditions import Conditions
from padflow.simulation.day import ENERGIES, PITCH_ANGLES, Day, Noise, Settings, make_day
from padflow.simulation.families import FAMILIES, choose_family
from padflow.simulation.populations import BLENDED, POPULATIONS, Populations

START = datetime.date(2013, 3, 1)
QUIET = Noise(gaps_per_day=0, fills_per_day=0)


def day_of(family: str, noise: Noise = QUIET) -> Day:
    return make_day(Settings(0, FAMILIES[family], noise), "rbspa", START)


def pads_of(day: Day) -> np.ndarray:
    """Return flux over its largest, shape (records, 9, energy), outside the slot."""
    return day.pad[day.ephemeris["L"] > 3.5] * 1e-4


@pytest.mark.parametrize("name", FAMILIES)
def test_pads_have_mean_one_over_all_directions_and_follow_the_orbit(name: str) -> None:
    kept = []

    class Kept:
        name, population_names = "kept", ()

        def parameters(self) -> dict:
            return {}

        def pads(self, conditions: Conditions, *axes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            found = FAMILIES[name].pads(conditions, *axes)
            kept.append((conditions, *found))
            return found

    day = make_day(Settings(3, Kept(), QUIET), "rbspb", START)
    ((conditions, pads, population),) = kept
    weight = np.sin(np.radians(PITCH_ANGLES))
    assert pads.shape == (len(day.time_ms), 17, len(ENERGIES))
    assert pads.dtype == np.float32
    assert (pads > 0).all()
    np.testing.assert_allclose(np.einsum("nae,a->ne", pads, weight) / weight.sum(), 1, rtol=1e-4)
    np.testing.assert_allclose(pads, pads[:, ::-1], rtol=1e-4)
    assert population.dtype == np.int8
    assert population.max() == len(FAMILIES[name].population_names) - 1
    # Neighbours are far more alike than records of different hours.
    outside = pads[conditions.L > 3.5][:, :, 1]
    step, spread = np.abs(np.diff(outside, axis=0)).mean(), np.abs(outside[1000:] - outside[:-1000]).mean()
    assert step < 0.2 * spread


def test_one_population_scatters_a_little() -> None:
    day = day_of("single")
    assert set(np.unique(day.population)) == {-1, 0}
    steepness = np.log(pads_of(day)[:, 3, 1]) / np.log(np.sin(np.radians(PITCH_ANGLES[3])))
    assert 0.05 < steepness.std() / steepness.mean() < 0.2
    assert (pads_of(day)[:, 8] == 1).all()


def test_wide_populations_scatter_more_have_sharp_edges_and_wandering_borders() -> None:
    usual, wide = day_of("separated"), day_of("wide")

    def spread(day: Day) -> float:
        """Return the spread of half of the pancakes' steepness: those not mixed at borders."""
        pancakes = day.pad[(day.population == 0) & (day.ephemeris["L"] > 3.5)] * 1e-4
        return float(np.subtract(*np.quantile(np.log(pancakes[:, 3, 1]), [0.75, 0.25])))

    assert 1.7 < spread(wide) / spread(usual) < 3.5

    def jumps(day: Day) -> np.ndarray:
        """Return how far PADs jump where the population changes."""
        changed = (np.diff(day.population) != 0) & (day.population[1:] >= 0) & (day.population[:-1] >= 0)
        return np.abs(np.diff(day.pad[:, :, 1] * 1e-4, axis=0)).max(axis=1)[changed]

    assert np.median(jumps(wide)) > 3 * np.median(jumps(usual))
    assert len(jumps(wide)) > 20
    lasting = len(wide.population) / (np.count_nonzero(np.diff(wide.population)) + 1)
    assert 10 < lasting < 200  # records of 11 s


def test_names_are_those_of_the_command_line() -> None:
    assert tuple(FAMILIES) == making.FAMILIES


def test_separated_populations_can_be_chosen() -> None:
    assert choose_family("separated", None) is FAMILIES["separated"]
    three = choose_family("separated", 3)
    assert isinstance(three, Populations)
    assert (three.populations, three.scatter, three.sharpness) == (POPULATIONS[:3], 1.0, BLENDED)
    assert choose_family("separated", POPULATIONS[2:6]).population_names == tuple(p.name for p in POPULATIONS[2:6])


@pytest.mark.parametrize(
    ("family", "populations", "words"),
    [
        ("narrow", None, "family='narrow': choose one of separated, continuum, wide, single"),
        ("wide", 4, "for the family separated, not for wide"),
        (FAMILIES["single"], POPULATIONS, "not for single"),
        ("separated", 2, "between 3 and 8"),
        ("separated", POPULATIONS[:1], "between 3 and 8"),
    ],
)
def test_refusals(family: object, populations: object, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        choose_family(family, populations)
