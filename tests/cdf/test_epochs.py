# SPDX-License-Identifier: BSD-3-Clause

from __future__ import annotations

import numpy as np
import pycdfpp
import pytest
from cdflib.epochs import CDFepoch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from padflow.cdf.epochs import EARLIEST, LATEST, to_datetime64, to_tt2000
from padflow.cdf.reader import leap_seconds

YEAR_0_MS = 62_167_219_200_000
LEAP = leap_seconds()

seconds_1972_2199 = st.integers(63_072_000, 7_258_118_399)
arrays_of_64_bits = arrays(np.int64, st.integers(0, 8), elements=st.integers(-(2**63), 2**63 - 1))


@given(st.lists(seconds_1972_2199, min_size=1, max_size=20), st.integers(0, 999))
def test_epoch_equals_cdflib(seconds, ms):
    raw = np.array(seconds) * 1000.0 + ms + YEAR_0_MS
    np.testing.assert_array_equal(to_datetime64(raw, LEAP), CDFepoch.to_datetime(raw))


@given(st.lists(seconds_1972_2199, min_size=1, max_size=20), st.integers(0, 10**12 - 1))
def test_epoch16_equals_cdflib(seconds, picoseconds):
    raw = np.array(seconds) + YEAR_0_MS / 1000 + 1j * picoseconds
    np.testing.assert_array_equal(to_datetime64(raw, LEAP), CDFepoch.to_datetime(raw))


@given(st.lists(st.integers(-883_655_957_816_000_000, 6_311_347_269_183_999_999), min_size=1, max_size=20))
def test_tt2000_equals_cdflib(raw):
    raw = np.array(raw)
    np.testing.assert_array_equal(to_datetime64(raw, LEAP), CDFepoch.to_datetime(raw))


@given(st.integers(-883_655_957_816_000_000, 6_311_347_269_183_999_999))
def test_tt2000_equals_pycdfpp(raw):
    assert to_datetime64(np.array([raw]), LEAP)[0] == pycdfpp.to_datetime64(pycdfpp.tt2000_t(raw))


@given(st.lists(seconds_1972_2199, min_size=1, max_size=20), st.integers(0, 10**9 - 1))
def test_times_become_tt2000_and_come_back(seconds, ns):
    times = (np.array(seconds) * 10**9 + ns).view("M8[ns]")
    raw = to_tt2000(times, LEAP)
    np.testing.assert_array_equal(to_datetime64(raw, LEAP), times)
    assert pycdfpp.to_datetime64(pycdfpp.tt2000_t(int(raw[0]))) == times[0]


@given(st.floats(6.23e13, 6.9e13))
def test_epoch_equals_pycdfpp_to_its_own_rounding(raw):
    difference = to_datetime64(np.array([raw]), LEAP)[0] - pycdfpp.to_datetime64(pycdfpp.epoch(raw))
    # pycdfpp multiplies in doubles, whose step near 1e18 ns is 256 ns
    assert abs(difference) <= np.timedelta64(1000, "ns")


@pytest.mark.parametrize("day", ["1972-07-01", "2012-07-01", "2015-07-01", "2017-01-01"])
def test_leap_second_days(day):
    midnight = np.datetime64(day, "ns")
    raw = pycdfpp.to_tt2000(midnight.astype("datetime64[us]").item()).nseconds
    steps = np.array([-1_500_000_000, -1_000_000_001, -1_000_000_000, -500_000_000, -1, 0, 1])
    found = to_datetime64(raw + steps, LEAP) - midnight
    # the second before `raw` is 23:59:60 and falls on the next day's first second
    expected = np.array([-500_000_000, -1, 0, 500_000_000, 999_999_999, 0, 1])
    np.testing.assert_array_equal(found.astype(np.int64), expected)
    by_pycdfpp = [pycdfpp.to_datetime64(pycdfpp.tt2000_t(int(raw + step))) for step in steps]
    np.testing.assert_array_equal(found + midnight, by_pycdfpp)
    ordinary = steps[[0, 1, 5, 6]]  # inside the leap second of 1972, cdflib repeats the second before
    np.testing.assert_array_equal(to_datetime64(raw + ordinary, LEAP), CDFepoch.to_datetime(raw + ordinary))


def test_sub_millisecond_digits_are_kept():
    raw = np.array([YEAR_0_MS + 1_354_320_017_864.0 + 1 / 128])
    assert to_datetime64(raw, LEAP)[0] == np.datetime64("2012-12-01T00:00:17.864007812", "ns")


@pytest.mark.parametrize(
    "raw",
    [
        np.array([-1e31, 0.0, np.nan, np.inf, -np.inf, 1e300, YEAR_0_MS - 1.0, 9.9e15]),
        np.array([-1e31 - 1e31j, 0j, complex(np.nan, 0), 6.3e10 - 1j, 6.3e10 + 1e12j, complex(6.3e10, np.nan)]),
        np.array([-(2**63), -(2**63) + 1, 2**63 - 1, -883_655_957_816_000_001]),
    ],
)
def test_fills_and_absurd_values_are_nat(raw):
    assert np.isnat(to_datetime64(raw, LEAP)).all()


@given(arrays_of_64_bits)
def test_any_bits_give_a_time_within_limits_or_nat(bits):
    raws = [bits, bits.view(np.float64), bits[: len(bits) // 2 * 2].view(np.complex128)]
    for raw in raws:
        times = to_datetime64(raw, LEAP)
        assert times.shape == raw.shape
        valid = times[~np.isnat(times)]
        assert ((valid >= EARLIEST) & (valid < LATEST)).all()


def test_limits_belong_where_they_say():
    raw = np.array([YEAR_0_MS + 63_072_000_000.0, YEAR_0_MS + 7_258_118_400_000.0])
    first, beyond = to_datetime64(raw, LEAP)
    assert first == EARLIEST
    assert np.isnat(beyond)


def test_other_types_are_refused():
    with pytest.raises(TypeError, match="float64, complex128 or int64"):
        to_datetime64(np.zeros(3, np.uint8), LEAP)


def test_input_is_left_alone_and_shapes_are_kept():
    raw = np.full((2, 3), YEAR_0_MS + 1e12)
    before = raw.copy()
    assert to_datetime64(raw, LEAP).shape == (2, 3)
    np.testing.assert_array_equal(raw, before)
