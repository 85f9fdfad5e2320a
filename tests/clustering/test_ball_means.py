# SPDX-License-Identifier: BSD-3-Clause
"""Means within balls against looking at every point."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn

from padflow.clustering.ball_means import BallMeans

halves = st.integers(-20, 20).map(lambda i: i / 2)  # points on the sphere itself, and points that coincide


clouds = st.integers(1, 4).flatmap(
    lambda components: stn.arrays(float, st.tuples(st.integers(1, 300), st.just(components)), elements=halves)
)


@settings(deadline=None)  # the first example compiles
@given(points=clouds, radius=st.sampled_from([0.5, 1.0, 2.5, 8.0, 100.0]), seed=st.integers(0, 9))
def test_equal_to_brute_force(points, radius, seed):
    random = np.random.default_rng(seed)
    centres = np.concatenate([points[:20], random.integers(-24, 24, (20, points.shape[1])) / 2])
    mean, count = BallMeans(points, radius)(centres)
    near = ((points[None] - centres[:, None]) ** 2).sum(axis=2) <= radius**2
    np.testing.assert_array_equal(count, near.sum(axis=1))
    some = count > 0
    assert np.isnan(mean[~some]).all()
    expected = [points[rows].mean(axis=0) for rows in near[some]]
    np.testing.assert_allclose(mean[some], np.reshape(expected, (-1, points.shape[1])), rtol=0, atol=1e-12)


def test_far_from_the_origin_no_digits_are_lost():
    points = np.random.default_rng(0).normal(size=(5000, 3)) + 1e6
    mean, count = BallMeans(points, 1.5)(points[:50])
    for centre, one, number in zip(points[:50], mean, count, strict=True):
        near = points[np.linalg.norm(points - centre, axis=1) <= 1.5]
        assert number == len(near)
        np.testing.assert_allclose(one - 1e6, (near - 1e6).mean(axis=0), rtol=0, atol=1e-9)
