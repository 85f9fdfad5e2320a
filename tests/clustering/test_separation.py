# SPDX-License-Identifier: BSD-3-Clause
"""Valleys between modes, against densities that are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from padflow.clustering.mean_shift import Modes, find_modes
from padflow.clustering.separation import SHALLOWEST, Separation, separation_of


def two_populations(distance: float, components: int = 2, share: float = 0.5) -> np.ndarray:
    """Draw from two normal distributions of width 1."""
    random = np.random.default_rng(3)
    scores = random.normal(0.0, 1.0, (40_000, components))
    scores[: round(share * len(scores)), 0] += distance
    return scores


@pytest.mark.parametrize("components", [1, 3])
@pytest.mark.parametrize("distance", [3.0, 4.0, 6.0])
def test_the_valley_of_two_normal_distributions(distance: float, components: int) -> None:
    scores = two_populations(distance, components)
    places = np.zeros((2, components))
    places[1, 0] = distance
    modes = Modes(0.6, places, np.array([0.5, 0.5]), 2)

    valleys = separation_of(scores, modes).valleys

    # On the line between them; the kernel of 0.2 widens both.
    width = np.hypot(1, 0.2)
    expected = 2 * norm.pdf(distance / 2, 0, width) / (norm.pdf(0, 0, width) + norm.pdf(distance, 0, width))
    assert valleys[0, 1] == valleys[1, 0] == pytest.approx(expected, abs=0.08)
    assert (np.diag(valleys) == 0).all()


def test_separate_populations_are_separated() -> None:
    scores = two_populations(6.0)
    found = separation_of(scores, find_modes(scores))

    assert found.separated
    assert found.valleys.max() < 0.1
    assert found.populations.tolist() == [0, 1]
    assert found.describe(2)["separated"] is True
    because = found.describe(2)["separated_because"]
    assert because.startswith("2 groups of records have gaps between them, in which the scores are at most 0.0")


def test_two_places_on_a_ridge_are_not_separated() -> None:
    random = np.random.default_rng(0)
    scores = np.stack([random.uniform(0, 10, 20_000), random.normal(0, 1, 20_000)], axis=1)
    modes = Modes(2.0, np.array([[2.5, 0.0], [7.5, 0.0]]), np.array([0.5, 0.5]), 2)

    found = separation_of(scores, modes)

    assert not found.separated
    assert found.valleys.max() > 0.85
    assert found.describe(2)["separated"] is False
    because = found.describe(2)["separated_because"]
    assert because.startswith("2 of the 2 modes are not parted from another")
    assert because.endswith(f"more than {SHALLOWEST} times as dense as at the smaller mode")


VALLEYS = np.array([[0, 0.1, 0.2, 0], [0.1, 0, 0.8, 0.3], [0.2, 0.8, 0, 0.95], [0, 0.3, 0.95, 0]])
"""The second and third mode are of one group, and the third and fourth are one population."""


def test_modes_without_a_valley_are_one_population() -> None:
    found = Separation(VALLEYS, np.array([0.4, 0.3, 0.2, 0.1]))
    assert found.separated
    assert found.groups.tolist() == [0, 1, 1, 1]
    assert found.populations.tolist() == [0, 1, 2]
    because = found.describe(3)["separated_because"]
    assert because.startswith("2 groups of records have gaps between them, in which the scores are at most 0.20 times")
    assert because.endswith("parted less clearly: 1; modes that are not parted from another and were joined to it: 1")


def test_a_speck_beside_a_continuum_is_no_separation() -> None:
    valleys = np.array([[0, 0.8, 0.1], [0.8, 0, 0.1], [0.1, 0.1, 0]])
    assert not Separation(valleys, np.array([0.5, 0.45, 0.05])).separated
    assert Separation(valleys, np.array([0.4, 0.3, 0.3])).separated


def test_another_number_of_classes_than_of_populations_is_not_separated() -> None:
    found = Separation(np.array([[0, 0.1], [0.1, 0]]), np.array([0.5, 0.5])).describe(3)
    assert found == {"separated": False, "separated_because": "3 classes were made of 2 populations"}


def test_a_single_mode_is_not_separated() -> None:
    found = separation_of(two_populations(0.0), Modes(1.0, np.zeros((1, 2)), np.ones(1), 1))
    assert not found.separated
    because = "mean shift found no two modes in the density of the scores"
    assert found.describe(1) == {"separated": False, "separated_because": because}


def test_empty_space_is_a_valley() -> None:
    scores = two_populations(60.0)
    modes = Modes(0.5, np.array([[0.0, 0.0], [60.0, 0.0]]), np.array([0.5, 0.5]), 2)
    assert separation_of(scores, modes).valleys[0, 1] == 0


def test_a_small_population_beside_a_large_one() -> None:
    scores = two_populations(6.0, share=0.02)
    assert separation_of(scores, Modes(1.0, np.array([[0.0, 0.0], [6.0, 0.0]]), np.array([0.7, 0.3]), 2)).separated
