"""Names of pitch-angle distributions, against shapes that are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import eval_legendre

from padflow.shapes.names import (
    BUTTERFLY_INDEX,
    FLATTOP_RATIO,
    class_names,
    legendre_fit,
    main_shape,
    name_shape,
    shape_of_name,
    shapes_of_classes,
)

REPT = (np.arange(17) + 0.5) * 180 / 17
FOLDED = REPT[:9]
HOPE = np.array([4.5, 18, 36, 54, 72, 90, 108, 126, 144, 162, 175.5])
SINE = np.sin(np.radians(REPT))


def form(pitch_angle: np.ndarray, c0: float, c2: float, c4: float) -> np.ndarray:
    x = np.cos(np.radians(pitch_angle))
    return c0 + c2 * eval_legendre(2, x) + c4 * eval_legendre(4, x)


coefficient = st.floats(-1, 1).filter(lambda c: abs(c) > 1e-6)


@given(c0=st.floats(0.1, 10), c2=coefficient, c4=coefficient)
def test_fit_finds_the_coefficients_it_was_given(c0, c2, c4):
    for angles in (REPT, FOLDED, HOPE):
        np.testing.assert_allclose(legendre_fit(angles, form(angles, c0, c2, c4)), [c0, c2, c4], atol=1e-9)


def test_fit_leaves_out_what_is_missing():
    pad = form(REPT, 2, -1, 0.3)
    pad[[0, 5, 16]] = np.nan
    np.testing.assert_allclose(legendre_fit(REPT, pad), [2, -1, 0.3], atol=1e-9)


@pytest.mark.parametrize("known", range(5))
def test_fit_needs_four_values(known):
    pad = np.where(np.arange(17) < known, 1.0, np.nan)
    assert np.isfinite(legendre_fit(REPT, pad)).all() == (known >= 4)
    assert (name_shape(REPT, pad) == "unclear") == (known < 4)


@given(c2=coefficient, c4=coefficient)
def test_minimum_at_90_degrees_is_where_c2_exceeds_two_and_a_half_c4(c2, c4):
    if abs(c2 - 2.5 * c4) < 1e-3:
        return
    at_90, beside = form(np.array([90.0, 89.9]), 1, c2, c4)
    assert (beside > at_90) == (c2 > 2.5 * c4)


@given(c0=st.floats(0.5, 2), c2=coefficient, c4=coefficient)
def test_butterflies_are_the_forms_with_a_minimum_and_enough_flux_beside_it(c0, c2, c4):
    grid = np.arange(np.ceil(REPT[0]), 91)
    values = form(grid, c0, c2, c4)
    index = values.max() / values[-1]
    pad = form(REPT, c0, c2, c4)
    seen = pad.max() / pad[8]
    # Left out: on the border, or a peak between two of the bins that takes the index over it.
    if abs(c2 - 2.5 * c4) < 1e-6 or abs(index - BUTTERFLY_INDEX) < 1e-6 or (seen > 1.1) != (index > 1.1):
        return
    minimum = form(np.array([89.999]), c0, c2, c4)[0] > values[-1]
    expected = minimum and (index > BUTTERFLY_INDEX or values[-1] <= 0)
    assert (name_shape(REPT, pad) == "butterfly") == expected


@pytest.mark.parametrize(("ratio", "butterfly"), [(2.3, False), (2.49, False), (2.51, True), (2.7, True)])
def test_the_minimum_must_be_at_90_degrees_and_not_beside_it(ratio, butterfly):
    assert (name_shape(REPT, form(REPT, 0.5, 0.3 * ratio, 0.3)) == "butterfly") == butterfly


@pytest.mark.parametrize("angles", [REPT, FOLDED, HOPE], ids=["rept", "folded", "hope"])
@pytest.mark.parametrize("power", np.arange(0.25, 6.01, 0.25))
def test_pancakes_are_never_butterflies_however_steep(angles, power):
    pad = np.sin(np.radians(angles)) ** power
    name = name_shape(angles, 1e4 * pad)
    assert name in ("pancake", "flattop")
    if abs(power - 0.73) > 0.3:  # where the fit is far enough from the border between the two
        assert name == ("flattop" if 0.866**power >= FLATTOP_RATIO else "pancake")


@pytest.mark.parametrize("depth", [0.3, 0.45, 0.6])
@pytest.mark.parametrize("angles", [REPT, FOLDED, HOPE], ids=["rept", "folded", "hope"])
def test_a_dip_at_90_degrees_is_a_butterfly(angles, depth):
    radians = np.radians(angles)
    pad = np.sin(radians) ** 0.5 * (1 - depth * np.exp(-(((angles - 90) / 35) ** 2)))
    assert name_shape(angles, pad) == "butterfly"


@pytest.mark.parametrize("power", [0.0, 0.5, 1, 2, 3])
@pytest.mark.parametrize("shoulder", [30, 37.5, 45])
def test_plateaus_are_flat_on_top_however_sharp_their_shoulders(power, shoulder):
    pad = np.minimum(SINE, np.sin(np.radians(shoulder))) ** power
    assert name_shape(REPT, pad) == "flattop"


def test_a_shallow_dip_is_no_butterfly():
    pad = form(REPT, 1, 0.03, 0)
    assert pad.max() / pad[8] < BUTTERFLY_INDEX
    assert name_shape(REPT, pad) == "flattop"


@given(scale=st.floats(1e-8, 1e8), power=st.floats(0.1, 6))
def test_the_name_does_not_depend_on_the_unit(scale, power):
    pad = SINE**power
    if abs(name_ratio(pad) - FLATTOP_RATIO) > 1e-6:
        assert name_shape(REPT, scale * pad) == name_shape(REPT, pad)


def name_ratio(pad: np.ndarray) -> float:
    at_60, at_90 = form(np.array([60.0, 90.0]), *legendre_fit(REPT, pad))
    return at_60 / at_90


@pytest.mark.parametrize("pad", [np.zeros(17), -np.ones(17), np.full(17, np.nan)])
def test_without_flux_there_is_no_name(pad):
    assert name_shape(REPT, pad) == "unclear"


def test_classes_are_named_by_the_shape_known_best_and_their_number():
    pads = np.stack([np.stack([SINE**4, SINE * np.nan], axis=1), np.stack([SINE * np.nan, SINE**0.3], axis=1)])
    shapes = shapes_of_classes(REPT, np.concatenate([pads, np.full((1, 17, 2), np.nan)]))
    assert shapes == [["pancake", "unclear"], ["unclear", "flattop"], ["unclear", "unclear"]]
    assert [main_shape(of_class) for of_class in shapes] == ["pancake", "flattop", "unclear"]
    assert class_names(shapes) == ("pancake_0", "flattop_1", "unclear_2")
    assert [shape_of_name(name) for name in ("pancake_12", "class_0", "cap", "my_cap", "_3")] == [
        *("pancake", "class", "cap", "my_cap", "_3")
    ]
