# SPDX-License-Identifier: BSD-3-Clause
"""Modes against scikit-learn's mean shift on the same sample, and repeats."""

from __future__ import annotations

import time

import numpy as np
import pytest
from sklearn.cluster import MeanShift, estimate_bandwidth, get_bin_seeds

from padflow.clustering.mean_shift import _seeds, find_modes
from padflow.errors import PadflowError


def test_equal_to_scikit_learn(three_blobs):
    scores = three_blobs()
    modes = find_modes(scores, quantile=0.2, bandwidth_samples=600, min_share=0, seed=3)
    bandwidth = estimate_bandwidth(scores, quantile=0.2, n_samples=600, random_state=3)
    reference = MeanShift(bandwidth=bandwidth, bin_seeding=True).fit(scores)
    assert modes.bandwidth == bandwidth
    assert modes.n_modes == modes.n_all == len(reference.cluster_centers_)
    share = np.bincount(reference.labels_) / len(scores)
    order = np.argsort(-share)
    np.testing.assert_array_equal(modes.share, share[order])
    np.testing.assert_allclose(modes.modes, reference.cluster_centers_[order], rtol=0, atol=1e-10)


@pytest.mark.parametrize("components", [1, 2, 5])
@pytest.mark.parametrize("starts", [None, 40])
def test_touching_populations_equal_scikit_learn(components, starts):
    random = np.random.default_rng(components)
    scores = random.normal(size=(1500, components)) * random.choice([0.3, 1, 2], (1500, 1)) + random.choice(
        4, (1500, 1)
    )
    modes = find_modes(scores, bandwidth=0.8, starts=starts, min_share=0, seed=7)
    drawn = np.sort(np.random.default_rng(7).choice(1500, 40, replace=False))
    reference = MeanShift(bandwidth=0.8, bin_seeding=True, seeds=None if starts is None else scores[drawn]).fit(scores)
    shares = np.bincount(reference.labels_, minlength=len(reference.cluster_centers_)) / len(scores)
    assert modes.n_modes == len(shares) > 1
    np.testing.assert_array_equal(np.sort(modes.share), np.sort(shares))
    order = [np.lexsort(found.T) for found in (modes.modes, reference.cluster_centers_)]
    np.testing.assert_allclose(modes.modes[order[0]], reference.cluster_centers_[order[1]], rtol=0, atol=1e-10)


def test_minimum_share_leaves_out_specks(three_blobs, three_centres):
    scores = three_blobs()
    modes = find_modes(scores, bandwidth=2.0, min_share=0.01)
    assert (modes.n_all, modes.n_modes) == (4, 3)
    np.testing.assert_allclose(modes.modes, three_centres, atol=0.15)
    np.testing.assert_allclose(modes.share, [0.498, 0.2988, 0.1992], atol=0.001)
    assert find_modes(scores, bandwidth=2.0, min_share=0).n_modes == 4
    with pytest.raises(PadflowError, match=r"mean_shift\.min_share"):
        find_modes(scores, bandwidth=2.0, min_share=0.9)


def test_float32_is_computed_in_float64(three_blobs):
    scores = three_blobs().astype(np.float32)
    one, other = find_modes(scores), find_modes(scores.astype(np.float64))
    assert one.modes.dtype == np.float64
    np.testing.assert_array_equal(one.modes, other.modes)


def test_identical_records_have_no_bandwidth():
    with pytest.raises(PadflowError, match="bandwidth of 0"):
        find_modes(np.ones((500, 3)))


@pytest.mark.parametrize("bandwidth", [1e-3, 1e-9, 1e-320])
def test_far_too_small_bandwidth_is_refused_at_once(bandwidth: float):
    scores = np.random.default_rng(0).normal(size=(20_000, 3))
    began = time.monotonic()
    with pytest.raises(PadflowError, match=r"mean_shift\.bandwidth = .* too small .* The estimate is [01]\.\d+;"):
        find_modes(scores, bandwidth=bandwidth)
    assert time.monotonic() - began < 20


def test_seeds_are_those_of_scikit_learn():
    scores = np.random.default_rng(0).normal(size=(2000, 3))
    for bandwidth in (0.3, 0.7, 2.0):
        np.testing.assert_array_equal(_seeds(scores, bandwidth), get_bin_seeds(scores, bandwidth))


def test_drawn_starts_find_the_modes_of_binned_ones():
    random = np.random.default_rng(3)
    scores = np.concatenate([random.normal(centre, 1, (800, 5)) for centre in (0, 8, -8)])
    binned = find_modes(scores[:600], bandwidth=4.0, min_share=0.05)
    drawn = find_modes(scores, bandwidth=4.0, starts=60, min_share=0.05, seed=2)
    assert binned.n_modes <= drawn.n_modes == 3
    reference = MeanShift(bandwidth=4.0, bin_seeding=False).fit(scores[::6])
    distance = np.linalg.norm(drawn.modes[:, None] - reference.cluster_centers_[None], axis=2)
    assert distance.min(axis=1).max() < 0.6
    again = find_modes(scores, bandwidth=4.0, starts=60, min_share=0.05, seed=2)
    np.testing.assert_array_equal(again.modes, drawn.modes)
