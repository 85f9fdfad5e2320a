# SPDX-License-Identifier: BSD-3-Clause
"""Fold, average, peak, normalise and shape, against loops that follow the definitions word by word."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from padflow.features.kernels import (
    find_windows,
    fold_flux,
    normalise_flux,
    peak_flux,
    root_count_shares,
    take_channels,
    window_counts,
)
from padflow.records import halo_rows

T0 = np.datetime64("2013-03-17T00:00:00", "ns")
present = st.one_of(st.just(0.0), st.floats(2.0**-20, 1e6, width=32))
flux_values = st.one_of(st.just(np.float32("nan")), present)
missing = pytest.mark.filterwarnings("ignore:Mean of empty slice")


def seconds(*offsets: float) -> np.ndarray:
    return T0 + np.round(np.array(offsets) * 1e9).astype("timedelta64[ns]")


# --- folding -----------------------------------------------------------------------------------------------


@given(arrays(np.float32, st.tuples(st.integers(0, 4), st.integers(1, 7), st.integers(1, 3)), elements=flux_values))
def test_fold_is_the_mean_of_mirrored_pitch_angles(flux):
    folded = fold_flux(flux)
    n, pitch_angles, energies = flux.shape
    half = (pitch_angles + 1) // 2
    assert folded.shape == (n, half, energies)
    assert folded.dtype == np.float32
    for i, a, e in np.ndindex(folded.shape):
        pair = [v for v in (flux[i, a, e], flux[i, pitch_angles - 1 - a, e]) if not np.isnan(v)]
        expected = np.mean(pair, dtype="f8") if pair else np.nan
        np.testing.assert_allclose(folded[i, a, e], expected, rtol=1e-6)


# --- averaging ---------------------------------------------------------------------------------------------


@st.composite
def series(draw, *, most: int = 24):
    rows = draw(st.integers(0, most))
    steps = draw(st.lists(st.integers(0, 40), min_size=rows, max_size=rows))
    elements = flux_values if draw(st.booleans()) else present
    values = draw(arrays(np.float32, (rows, draw(st.integers(1, 3))), elements=elements))
    # Whole and odd numbers of seconds: window and gap limits are met exactly as well as missed.
    return values, T0 + np.cumsum(np.array(steps, np.int64) * 10**9).astype("timedelta64[ns]")


def average(values, time, *, window_seconds, max_gap_seconds, sum_only=False):
    windows = find_windows(time, slice(None), window_seconds=window_seconds, max_gap_seconds=max_gap_seconds)
    return windows.sum(np.nan_to_num(values)) if sum_only else windows.mean(values)


@settings(max_examples=150, deadline=None)
@given(series(), st.integers(1, 120), st.integers(1, 50), st.booleans())
def test_average_equals_the_mean_over_all_pairs(loops, data, window, gap, sum_only):
    values, time = data
    found = average(values, time, window_seconds=window, max_gap_seconds=gap, sum_only=sum_only)
    expected = loops.average(values, time.astype(np.int64), window * 10**9, gap * 10**9, sum_only=sum_only)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@settings(max_examples=150, deadline=None)
@given(series(most=40), st.integers(1, 120), st.integers(1, 50), st.data())
def test_average_has_the_same_bits_whatever_lies_around_its_halo(data, window, gap, draw):
    values, time = data
    options = {"window_seconds": window, "max_gap_seconds": gap}
    whole = average(values, time, **options)
    start = draw.draw(st.integers(0, len(time)))
    stop = draw.draw(st.integers(start, len(time)))
    low, high = halo_rows(time, start, stop, halo_seconds=window / 2)
    low, high = draw.draw(st.integers(0, low)), draw.draw(st.integers(high, len(time)))
    part = average(values[low:high], time[low:high], **options)[start - low : stop - low]
    assert part.tobytes() == whole[start:stop].tobytes()


def test_average_at_the_very_edges_of_window_and_gap():
    values = np.array([[1], [2], [4], [8], [16]], np.float32)
    time = seconds(0, 60, 120.000000001, 180, 240.000000001)
    both = average(values, time, window_seconds=120, max_gap_seconds=60.000000001, sum_only=True)
    assert both[:, 0].tolist() == [3, 3, 12, 12, 16]
    less = average(values, time, window_seconds=120.000000002, max_gap_seconds=60, sum_only=True)
    assert less[:, 0].tolist() == [3, 3, 12, 12, 16]
    all_three = average(values, time, window_seconds=120.000000002, max_gap_seconds=61, sum_only=True)
    assert all_three[:, 0].tolist() == [3, 7, 14, 28, 24]


def test_average_does_not_change_its_input():
    values = np.ones((5, 2), np.float32)
    average(values, seconds(0, 1, 2, 3, 4), window_seconds=10, max_gap_seconds=60)
    assert (values == 1).all()


@settings(max_examples=100, deadline=None)
@given(series(most=40), st.integers(1, 120), st.data())
def test_average_of_some_rows_has_the_bits_of_all(data, window, draw):
    values, time = data
    start = draw.draw(st.integers(0, len(time)))
    core = slice(start, draw.draw(st.integers(start, len(time))))
    options = {"window_seconds": window, "max_gap_seconds": 25}
    found = find_windows(time, core, **options).mean(values)
    assert found.tobytes() == find_windows(time, slice(None), **options).mean(values)[core].tobytes()


@settings(max_examples=100, deadline=None)
@given(series(most=40), st.integers(1, 120), st.data())
def test_what_others_lack_does_not_change_the_bits_of_a_bin(data, window, draw):
    values, time = data
    values = np.nan_to_num(values)
    windows = find_windows(time, slice(None), window_seconds=window, max_gap_seconds=25)
    beside = np.concatenate([values, np.full((len(values), 1), np.nan, np.float32)], axis=1)
    assert windows.mean(beside)[:, :-1].tobytes() == windows.mean(values).tobytes()


@given(
    arrays(np.float32, st.tuples(st.integers(0, 5), st.integers(1, 7), st.just(4)), elements=flux_values), st.booleans()
)
def test_channels_are_taken_and_their_counts_are_the_weighted_sum_of_what_is_there(flux, fold):
    weights = np.linspace(0.1, 3, 2, dtype="f4")
    before = flux.copy()
    found, counts, finite = take_channels(flux, slice(1, 3), fold=fold, counts_per_flux=weights)
    assert (found.dtype, counts.dtype) == (np.float32, np.float64)
    taken = np.ascontiguousarray(before[:, :, 1:3])
    np.testing.assert_array_equal(found, fold_flux(taken) if fold else taken)
    np.testing.assert_allclose(counts, np.nansum(taken.astype("f8") * weights, axis=(1, 2)), rtol=2e-6)
    assert finite == np.isfinite(taken).all()
    np.testing.assert_array_equal(flux, before)


@given(arrays(np.float32, (3, 2, 4), elements=flux_values))
def test_the_peak_is_the_largest_value_or_nothing(flux):
    assert peak_flux(flux).tolist() == [max([0, *record[~np.isnan(record)].tolist()]) for record in flux]


# --- normalising -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["max", "pa90", "energy_max", "none"])
@given(data=st.data())
def test_normalise_follows_its_definition(loops, method, data):
    shape = (data.draw(st.integers(0, 4)), 5, data.draw(st.integers(1, 3)))
    odd = st.sampled_from([0, np.nan, np.inf, -np.inf, 1e-30])
    flux = data.draw(arrays(np.float32, shape, elements=st.one_of(odd, st.floats(2.0**-20, 1e6, width=32))))
    before = flux.copy()
    found = normalise_flux(flux, method, middle=2)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, loops.normalise(flux, method, 2), rtol=1e-6)
    np.testing.assert_array_equal(flux, before)


@pytest.mark.parametrize("method", ["max", "pa90", "energy_max"])
@given(flux=arrays(np.float32, (2, 3, 2), elements=st.floats(0, 2.0**127, width=32)))
def test_normalised_values_are_finite_even_beside_denormal_ones(method, flux):
    scaled = normalise_flux(flux, method, middle=1)
    assert np.isfinite(scaled).all()
    if method != "pa90":
        assert scaled.min() >= 0
        assert scaled.max() <= 1


# --- shapes ------------------------------------------------------------------------------------------------


@given(data=st.data(), prior=st.sampled_from([0.0, 3.0, 50.0]))
def test_shapes_of_channels_follow_their_definition(loops, data, prior):
    records, angles, energies = (data.draw(st.integers(1, 5)) for _ in range(3))
    values = st.floats(0, 1e6, width=32) | st.just(np.nan)
    flux = data.draw(arrays(np.float32, (records, angles, energies), elements=values))
    per_flux = data.draw(arrays(np.float32, (angles, energies), elements=st.floats(0.125, 8, width=32)))
    averaged = data.draw(arrays(np.int64, records, elements=st.integers(1, 12)))
    counts = window_counts(flux, per_flux, averaged=averaged)
    before = counts.copy()
    found = root_count_shares(counts, prior_counts=prior)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(counts, before)
    np.testing.assert_allclose(found, loops.shapes(flux, per_flux, averaged, prior), atol=2e-4)
