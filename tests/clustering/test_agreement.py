# SPDX-License-Identifier: BSD-3-Clause
"""Modes that repeats agree on, however they are counted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from padflow.clustering.agreement import RepeatedModes, agreed_modes, confirmed, repeat_modes, same_modes
from padflow.clustering.mean_shift import Modes, find_modes
from padflow.errors import PadflowError


def test_modes_of_two_thirds_of_the_repeats_are_kept_at_their_median(three_blobs):
    samples = [three_blobs(0), three_blobs(1, specks=0), lambda: three_blobs(2, specks=0)]
    repeated = repeat_modes(samples, bandwidth=2.0, min_share=0)
    assert [modes.n_modes for modes in repeated.repeats] == [4, 3, 3]
    assert repeated.counts == {3: 2, 4: 1}
    assert repeated.n_modes == repeated.modes.n_modes == 3
    places = [[modes.modes[k] for modes in repeated.repeats] for k in range(3)]
    np.testing.assert_allclose(repeated.modes.modes, np.median(places, axis=1))
    np.testing.assert_allclose(repeated.modes.share, [0.5, 0.3, 0.2], atol=0.003)
    with ThreadPoolExecutor(2) as pool:
        threaded = repeat_modes(samples, apply=pool.map, bandwidth=2.0, min_share=0)
    for one, other in zip(threaded.repeats, repeated.repeats, strict=True):
        np.testing.assert_array_equal(one.modes, other.modes)


def modes_at(*places: float, bandwidth: float = 1.0) -> Modes:
    return Modes(bandwidth, np.array(places)[:, None], np.arange(len(places), 0, -1) / 10, len(places))


def test_modes_that_differ_in_most_repeats_are_left_out_although_their_number_is_the_same():
    agreed = agreed_modes([modes_at(0, 5, 9), modes_at(0.2, 5.3, 20), modes_at(4.9, 0.1, 30)])
    np.testing.assert_allclose(agreed.modes, [[0.1], [5]])
    np.testing.assert_allclose(agreed.share, [0.3, 0.2])


@pytest.mark.parametrize(("repeats", "enough"), [(2, 2), (3, 2), (5, 4), (9, 6), (15, 10)])
def test_two_thirds_of_the_repeats_are_enough_and_fewer_are_not(repeats, enough):
    for votes in (enough - 1, enough):
        counted = [modes_at(0, 5) for _ in range(votes)] + [modes_at(0)] * (repeats - votes)
        assert agreed_modes(counted).n_modes == 1 + (votes == enough)
        found, places = agreed(modes_at(0, 5)), np.array([[0.0], [5]])
        assert confirmed(found, places, counted).n_modes == 1 + (votes == enough)


def test_a_single_repeat_is_kept_as_it_is(three_blobs):
    modes = find_modes(three_blobs(), bandwidth=2.0, min_share=0)
    kept = agreed_modes([modes])
    assert (kept.bandwidth, kept.n_all) == (modes.bandwidth, modes.n_all)
    np.testing.assert_array_equal(kept.modes, modes.modes)
    np.testing.assert_array_equal(kept.share, modes.share)


def test_repeats_that_agree_on_nothing_are_refused():
    with pytest.raises(PadflowError, match="two thirds of the 2 subsamples"):
        agreed_modes([modes_at(0, 5), modes_at(10, 15)])


def test_modes_are_kept_that_most_other_repeats_found_as_well():
    found = agreed(modes_at(0, 5, 6.5, 9))
    places = np.array([[0.0], [50], [65], [90]])  # ten times as far among the other scores
    others = [modes_at(1, 53, 91, bandwidth=10.0), modes_at(88, 54, bandwidth=10.0), modes_at(41, 2, bandwidth=10.0)]
    kept = confirmed(found, places, others)
    np.testing.assert_array_equal(kept.modes.modes, [[0], [5], [9]])
    np.testing.assert_array_equal(kept.modes.share, found.modes.share[[0, 1, 3]])
    assert (kept.n_modes, kept.n_agreed, kept.repeats) == (3, 4, found.repeats)
    assert kept.unconfirmed == (found.modes.share[2],)


def test_one_other_mode_confirms_one_mode():
    others = [modes_at(5.5)] * 3
    assert confirmed(agreed(modes_at(0, 5, 6.1)), np.array([[0.0], [5], [6.1]]), others).modes.modes == [[5]]


def test_the_order_of_other_repeats_confirms_nothing_else():
    places = np.array([[0.0], [4.0]])
    others = [modes_at(1.05, 4), *[modes_at(0.9, 4)] * 5]
    for turn in range(len(others)):
        kept = confirmed(agreed(modes_at(0, 4)), places, [*others[turn:], *others[:turn]])
        np.testing.assert_array_equal(kept.modes.modes, [[0], [4]])


def test_modes_that_no_other_repeat_found_are_refused():
    with pytest.raises(PadflowError, match="None of the 2 modes"):
        confirmed(agreed(modes_at(0, 5)), np.array([[0.0], [5]]), [modes_at(20, 30)])


def agreed(modes: Modes) -> RepeatedModes:
    return RepeatedModes([modes], modes)


@given(
    st.lists(st.lists(st.floats(0, 20), min_size=1, max_size=5, unique=True), min_size=1, max_size=5),
    st.floats(0.1, 3),
)
def test_groups_hold_every_mode_once_and_one_of_a_repeat(places, radius):
    repeats = [modes_at(*some) for some in places]
    groups = same_modes(repeats, radius)
    members = sorted(member for group in groups for member in group)
    assert members == [(r, m) for r, some in enumerate(places) for m in range(len(some))]
    assert [len(group) for group in groups] == sorted(map(len, groups), reverse=True)
    for group in groups:
        assert len({repeat for repeat, _ in group}) == len(group)
        found = np.array([places[r][m] for r, m in group])
        assert np.abs(found - found[:, None]).max(axis=1).min() <= radius * (1 + 1e-9)


@given(st.permutations(range(7)))
def test_a_mode_that_moves_on_a_ridge_is_one_whatever_the_order_of_the_repeats(order):
    # Two populations that touch: most repeats find one mode somewhere on the ridge, one finds two.
    ridge = [(0.0,), (0.2,), (0.5,), (0.6,), (1.0,), (1.1,), (-0.1, 1.15)]
    repeats = [modes_at(*ridge[which]) for which in order]
    first, second = same_modes(repeats, 0.7)
    assert (len(first), len(second)) == (7, 1)
    assert agreed_modes(repeats).n_modes == 1


def test_modes_of_two_repeats_are_the_same_within_seven_tenths_of_the_bandwidth():
    for bandwidth in (1.0, 4.0):
        near = [modes_at(0.0, bandwidth=bandwidth), modes_at(0.69 * bandwidth, bandwidth=bandwidth)]
        np.testing.assert_allclose(agreed_modes(near).modes, [[0.345 * bandwidth]])
        far = [modes_at(0.0, bandwidth=bandwidth), modes_at(0.71 * bandwidth, bandwidth=bandwidth)]
        with pytest.raises(PadflowError, match="No mode was found in two thirds"):
            agreed_modes(far)
