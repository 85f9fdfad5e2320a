# SPDX-License-Identifier: BSD-3-Clause
"""What travels: rows with their halo, and what the bins of their distributions stand for."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from padflow.records import BLOCK_ROWS, Axes, Records, Rows, halo_rows, uniform_hash

SECOND = np.timedelta64(1, "s")


def records(rows: int) -> Records:
    """One a second, of a flux that is its row number."""
    time = np.datetime64("2013-03-17", "ns") + np.arange(rows) * SECOND
    return Records(time, np.arange(rows, dtype="f4")[:, None, None])


@given(start=st.integers(0, 9000), length=st.integers(0, 9000), halo=st.integers(0, 40), spare=st.integers(0, 30))
def test_blocks_cover_the_rows_end_at_fixed_places_and_have_their_halo(start, length, halo, spare):
    stop, first = start + length, max(0, start - halo - spare)
    rows = Rows("rbspa", start, stop, records(19_000).take(slice(first, stop + halo + spare)), first)
    blocks = list(rows.blocks(halo))
    assert [number for _, block in blocks for number in block.numbers.tolist()] == list(range(start, stop))
    assert all(block.stop % BLOCK_ROWS == 0 for _, block in blocks[:-1])
    for where, block in blocks:
        assert 0 < len(block) <= BLOCK_ROWS
        assert (where.start, where.stop, block.group) == (block.start - start, block.stop - start, "rbspa")
        assert block.flux[:, 0, 0].tolist() == list(range(block.start, block.stop))
        np.testing.assert_array_equal(block.time, rows.time[where])
        near = block.records.flux[:, 0, 0]
        assert (block.first, near[0], near[-1]) == (max(0, block.start - halo),) * 2 + (block.stop + halo - 1,)


def test_rows_of_which_only_the_times_are_known():
    rows = Rows.of_times("rbspa", 70, records(5).time)
    assert (len(rows), rows.numbers.tolist()) == (5, [70, 71, 72, 73, 74])
    assert rows.numbers.dtype == np.uint64
    np.testing.assert_array_equal(rows.time, records(5).time)


# Few numbers: rows that lie exactly at the end of the reach are common.
@given(steps=st.lists(st.integers(0, 3), max_size=24), halo=st.integers(0, 6), draw=st.data())
def test_halo_rows_are_those_within_reach(steps, halo, draw):
    time = np.datetime64("2013-03-17", "ns") + np.cumsum([0, *steps]) * np.timedelta64(1, "s")
    start = draw.draw(st.integers(0, len(time)))
    stop = draw.draw(st.integers(start, len(time)))
    first, end = halo_rows(time, start, stop, halo_seconds=halo)
    if start == stop or not halo:
        assert (first, end) == (start, stop)
    else:
        reach = np.timedelta64(halo, "s")
        near = np.flatnonzero((time >= time[start] - reach) & (time <= time[stop - 1] + reach))
        assert (first, end) == (near[0], near[-1] + 1)


def test_axes_of_a_dataset_are_its_own_and_counts_may_be_unknown(factories):
    dataset = factories.dataset(factories.records(3))
    found = Axes.of_dataset(dataset)
    for field in fields(Axes):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(factories.AXES, field.name))
    uncounted = Axes.of_dataset(dataset.drop_vars("counts_per_flux"))
    assert np.isnan(uncounted.counts_per_flux).all()
    assert uncounted.counts_per_flux.shape == uncounted.energy.shape


@pytest.mark.parametrize(
    ("name", "change", "same"),
    [
        ("energy", lambda values: values * 1.0015, True),
        ("energy", lambda values: values * 1.01, False),
        ("energy", lambda values: values[:-1], False),
        ("pitch_angle", lambda values: np.round(values, 2), True),
        ("pitch_angle", lambda values: values + 1, False),
        ("pitch_angle", lambda values: values[1:-1], False),
        ("counts_per_flux", lambda values: values * 2, True),
    ],
)
def test_axes_match_up_to_rounding_and_say_which_differ(factories, name, change, same):
    other = replace(factories.AXES, **{name: change(getattr(factories.AXES, name))})
    assert factories.AXES.matches(other) == same
    assert factories.AXES.differing(other) == (() if same else (name,))


def test_axes_are_restored_from_their_arrays_among_others(factories):
    arrays = replace(factories.AXES, energy=factories.ENERGY.astype("f4")).to_arrays()
    assert {name: values.dtype for name, values in arrays.items()} == {
        "axis_pitch_angle": np.float64,
        "axis_energy": np.float64,
        "axis_counts_per_flux": np.float64,
    }
    found = Axes.from_arrays(arrays | {"centres": np.zeros((2, 3))})
    np.testing.assert_array_equal(found.energy, factories.ENERGY.astype("f4"))
    np.testing.assert_array_equal(found.counts_per_flux, factories.COUNTS_PER_FLUX)


def test_hash_is_splitmix64():
    """Against integers of any size, as the paper writes it."""
    offset = int(np.random.SeedSequence([7, *b"rbspa"]).generate_state(1, np.uint64)[0])
    for row in (0, 1, 12345, 40_000_000):
        x = (row * 0x9E3779B97F4A7C15 + offset) % 2**64
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
        x ^= x >> 31
        assert uniform_hash(7, "rbspa", np.array([row], np.uint64))[0] == (x >> 11) / 2**53


def test_hash_is_uniform():
    values = uniform_hash(1, "rbspa", np.arange(100_000, dtype=np.uint64))
    assert values.min() >= 0
    assert values.max() < 1
    counts = np.histogram(values, 100, (0, 1))[0]
    assert ((counts - 1000) ** 2 / 1000).sum() < 149  # chi squared of 99 degrees of freedom: p = 0.001
