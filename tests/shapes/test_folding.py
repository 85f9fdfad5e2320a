# SPDX-License-Identifier: BSD-3-Clause
"""Folding about 90 degrees and reading between bins, against shapes that are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from padflow.shapes.folding import Folded, mirror_bins

REPT = (np.arange(17) + 0.5) * 180 / 17
EVEN = np.arange(9.0, 180, 18)
HOPE = np.array([4.5, 18, 36, 54, 72, 90, 108, 126, 144, 162, 175.5])


@pytest.mark.parametrize("angles", [REPT, EVEN, HOPE, REPT[:9], np.arange(0.0, 181, 22.5)])
def test_each_bin_joins_its_mirror(angles: np.ndarray) -> None:
    folded, members = mirror_bins(angles)
    assert (np.diff(folded) > 1).all()
    assert (members.sum(axis=0) == 1).all()
    for angle, member in zip(folded, members, strict=True):
        np.testing.assert_allclose(np.minimum(angles, 180 - angles)[member == 1], angle)


def test_axes_that_differ_from_their_mirror_by_rounding_are_folded() -> None:
    folded, members = mirror_bins(np.array([10.0, 50.1, 90, 129.8, 170.3]))
    np.testing.assert_allclose(folded, [9.85, 50.15, 90])
    assert members.sum(axis=1).tolist() == [2, 2, 1]


@given(st.lists(st.floats(0.1, 10) | st.just(np.nan), min_size=17, max_size=17))
def test_the_mean_of_two_mirrors_or_the_one_that_is_there(values: list[float]) -> None:
    folded = Folded.of(REPT, np.array(values))
    pairs = [[v for v in {values[i], values[16 - i]} if np.isfinite(v)] for i in range(9)]
    expected = [(REPT[i], np.mean(pair)) for i, pair in enumerate(pairs) if pair]
    assert folded.number == len(expected)
    for i, (angle, flux) in enumerate(expected):
        assert folded.angle[i] == pytest.approx(angle)
        assert folded.flux[i] == pytest.approx(flux)
    assert np.isinf(folded.angle[len(expected) :]).all()


@given(power=st.floats(0, 8), degrees=st.floats(15, 90), missing=st.sets(st.integers(0, 8), max_size=6))
@pytest.mark.parametrize("angles", [REPT, EVEN, HOPE], ids=["rept", "even", "hope"])
def test_powers_of_the_sine_are_read_exactly_at_every_angle(angles, power, degrees, missing) -> None:
    pad = 3 * np.sin(np.radians(angles)) ** power
    folded = np.round(np.minimum(angles, 180 - angles), 6)
    gone = np.unique(folded)[[i for i in missing if i < len(np.unique(folded))]]
    pad[np.isin(folded, gone)] = np.nan
    if len(np.unique(folded)) - len(gone) >= 2:
        expected = 3 * np.sin(np.radians(degrees)) ** power
        assert Folded.of(angles, pad).flux_at(degrees) == pytest.approx(expected, rel=1e-6)


def test_where_flux_is_not_positive_it_is_linear_in_the_sine() -> None:
    sine = np.sin(np.radians(REPT))
    read = Folded.of(REPT, sine - 0.7).flux_at(45)
    assert read == pytest.approx(np.sqrt(0.5) - 0.7, abs=1e-12)
    assert Folded.of(np.array([0.0, 60.0, 80.0]), np.array([1.0, 2, 3])).flux_at(30) == pytest.approx(
        1 + 0.5 / np.sqrt(0.75)
    )


@pytest.mark.parametrize("known", [0, 1])
def test_fewer_than_two_values_give_nothing_to_read(known: int) -> None:
    pad = np.where(np.arange(9) < known, 1.0, np.nan)
    assert Folded.of(REPT[:9], pad).flux_at(60) == 0
