# SPDX-License-Identifier: BSD-3-Clause

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from padflow.cdf import clean
from padflow.cdf.clean import clean_ephemeris, clean_flux, fill_numbers

odd = st.sampled_from(
    [-1e31, float(np.float32(-1e31)), -1e30, float(np.float32(-1e30)), -9.8e29, -1.0, -0.0, 0.0, 1e39, 3e38, 1e35, 5.0]
)
values = st.one_of(odd, st.floats(width=64))


def one(value: float, fill: float, factor: float) -> tuple[float, str]:
    if np.isnan(value) or value <= -9.9e29 or value == fill:
        return np.nan, "fill"
    if value * factor < 0 and np.float32(value * factor) != 0:
        return np.nan, "negative"
    with np.errstate(over="ignore"):
        result = np.float32(np.float64(value) * factor)
    return (np.nan, "nonfinite") if np.isinf(result) else (result, "good")


@given(
    arrays(np.float64, array_shapes(max_dims=3), elements=values),
    st.sampled_from([5.0, -1e31, -1e30, 0.25]),
    st.sampled_from([1, 1000, 10**6]),
    st.sampled_from([1, 7, clean.BLOCK_VALUES]),
)
def test_one_by_one(raw, fill, factor, block_values):
    before = raw.copy()
    with mock.patch.object(clean, "BLOCK_VALUES", block_values):
        flux, notes = clean_flux(raw, [None, np.float64(fill)], factor)
    expected = [one(value, fill, factor) for value in raw.ravel().tolist()]
    np.testing.assert_array_equal(flux.ravel(), [value for value, _ in expected])
    for kind, number in notes.items():
        assert number == sum(found == kind for _, found in expected)
    np.testing.assert_array_equal(raw, before)
    assert flux.dtype == np.float32
    assert flux.flags.c_contiguous


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f4", ">f8"])
def test_the_fill_of_either_type_is_found_in_either_type(dtype):
    raw = np.array([-1e31, np.float32(-1e31), 2.0], dtype)
    for fill in (np.float32(-1e31), np.float64(-1e31), None, "none", np.float64("nan")):
        flux, notes = clean_flux(raw, [fill], 1000)
        np.testing.assert_array_equal(flux, [np.nan, np.nan, 2000])
        assert notes["fill"] == 2


def test_a_fill_of_another_type_than_the_values():
    flux, notes = clean_flux(np.array([0.1, 7], np.float32), [np.float64(0.1)], 1)
    assert notes["fill"] == 1
    assert flux[1] == 7


def test_zero_is_valid_even_if_the_file_calls_it_fill():
    flux, notes = clean_flux(np.zeros(3), [np.float64(0)], 1)
    assert (flux == 0).all()
    assert notes["fill"] == 0


def test_whole_numbers():
    flux, notes = clean_flux(np.array([-2147483648, -1, 0, 5], np.int32), [np.int32(-2147483648)], 1000)
    np.testing.assert_array_equal(flux, [np.nan, np.nan, 0, 5000])
    assert (notes["fill"], notes["negative"]) == (1, 1)


def test_what_was_never_written_is_missing_whatever_its_pad():
    raw = np.array([[0, 3], [0, 0], [5, 7]], np.int32)
    flux, notes = clean_flux(raw, [None, np.int32(0)], 1, never_written=np.array([False, True, False]))
    np.testing.assert_array_equal(flux, [[0, 3], [np.nan, np.nan], [5, 7]])
    assert notes["fill"] == 2


def test_places_may_be_negative():
    found = clean_ephemeris(np.array([[-1e31, -6e4, 1e39, np.inf, np.nan, 99.0]]), [np.float64(99)])
    np.testing.assert_array_equal(found, [[np.nan, -6e4, np.nan, np.nan, np.nan, np.nan]])
    assert found.dtype == np.float32


@pytest.mark.parametrize(
    ("fill", "numbers"),
    [
        (None, []),
        (" ", []),
        ("999", [999]),
        (" -1.0E+31 ", [-1e31]),
        ("-1.0d31", [-1e31]),
        (np.int64(-(2**63)), [-(2**63)]),
        (np.array([5, 6], np.int32), [5, 6]),
        ("none", None),
        ("999, -999", None),
        (np.array(["a"]), None),
    ],
)
def test_what_numbers_a_fill_gives(fill, numbers):
    found = fill_numbers(fill)
    assert found is None if numbers is None else found.tolist() == numbers


@pytest.mark.parametrize("dtype", ["f4", ">f8", "i2", "u1", "i8"])
@pytest.mark.parametrize(("fill", "number"), [("99", 99), (np.array([99.0, 98.0]), 99), (np.int8(99), 99)])
def test_a_fill_that_is_text_or_several_is_found(dtype, fill, number):
    raw = np.array([1, number, 7], dtype)
    flux, notes = clean_flux(raw, [fill], 10)
    np.testing.assert_array_equal(flux, [10, np.nan, 70])
    assert notes["fill"] == 1
    np.testing.assert_array_equal(clean_ephemeris(raw, [fill]), [1, np.nan, 7])
