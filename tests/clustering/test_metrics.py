# SPDX-License-Identifier: BSD-3-Clause
"""Metrics from merged statistics against scikit-learn's metrics of all records."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score

from padflow.clustering import metrics
from padflow.clustering.metrics import ClassStatistics, calinski_harabasz, davies_bouldin, inertia, silhouette

K = 5


def labelled(rows: int, *, seed: int, offset: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return scores and classes; one class has no records, some records have no class."""
    rng = np.random.default_rng(seed)
    pad_class = rng.choice([-1, 0, 1, 3, 4], size=rows, p=[0.2, 0.4, 0.2, 0.15, 0.05])
    pad_class[:6] = [0, 0, 1, 1, 3, 3]
    values = offset + 3 * rng.normal(size=(K, 3))[pad_class] + rng.normal(size=(rows, 3))
    values[pad_class < 0] = np.nan
    return values, pad_class


def two_passes(values: np.ndarray, pad_class: np.ndarray, cuts: list[int]) -> ClassStatistics:
    def merged(**options):
        pieces = zip(np.split(values, cuts), np.split(pad_class, cuts), strict=True)
        return reduce(ClassStatistics.merge, [ClassStatistics.of(v, c, K, **options) for v, c in pieces])

    return merged(centroids=merged().mean)


def exact_davies_bouldin(values: np.ndarray, pad_class: np.ndarray) -> float:
    """Return the index by its definition; scikit-learn's distances cancel to 1e-8 of the scores."""
    members = [values[pad_class == k] for k in np.unique(pad_class)]
    means = np.array([m.mean(axis=0) for m in members])
    extent = np.array([np.linalg.norm(m - m.mean(axis=0), axis=1).mean() for m in members])
    apart = cdist(means, means) + np.diag(np.full(len(means), np.inf))
    return ((extent[:, None] + extent) / apart).max(axis=1).mean()


@settings(deadline=None, max_examples=50)
@given(st.integers(10, 200), st.integers(0, 999), st.lists(st.integers(0, 200), max_size=6))
def test_equal_to_scikit_learn_under_any_chunking(rows, seed, cuts):
    values, pad_class = labelled(rows, seed=seed)
    statistics = two_passes(values, pad_class, sorted(cuts))
    used = pad_class >= 0
    values, pad_class = values[used], pad_class[used]
    expected = calinski_harabasz_score(values, pad_class)
    np.testing.assert_allclose(calinski_harabasz(statistics), expected, rtol=1e-9)
    np.testing.assert_allclose(davies_bouldin(statistics), exact_davies_bouldin(values, pad_class), rtol=1e-9)
    np.testing.assert_allclose(davies_bouldin(statistics), davies_bouldin_score(values, pad_class), rtol=1e-6)
    within = sum(
        ((values[pad_class == k] - values[pad_class == k].mean(axis=0)) ** 2).sum() for k in np.unique(pad_class)
    )
    np.testing.assert_allclose(inertia(statistics), within, rtol=1e-9)
    np.testing.assert_array_equal(statistics.n, np.bincount(pad_class, minlength=K))


def test_blocks_and_float32(monkeypatch):
    values, pad_class = labelled(3000, seed=1)
    values = values.astype(np.float32)
    monkeypatch.setattr(metrics, "METRIC_ROWS", 101)
    statistics = two_passes(values, pad_class, [])
    used = pad_class >= 0
    exact = values[used].astype(np.float64)
    np.testing.assert_allclose(
        calinski_harabasz(statistics), calinski_harabasz_score(exact, pad_class[used]), rtol=1e-9
    )
    np.testing.assert_allclose(davies_bouldin(statistics), davies_bouldin_score(exact, pad_class[used]), rtol=1e-9)


def test_scores_far_from_the_origin():
    values, pad_class = labelled(5000, seed=2, offset=1e7)
    near = values - 1e7  # exact, so the truth is that of these
    used = pad_class >= 0
    statistics = two_passes(values, pad_class, [1000, 1001, 4000])
    means = np.array([near[pad_class == k].mean(axis=0) for k in np.unique(pad_class[used])])
    np.testing.assert_allclose(statistics.mean[statistics.n > 0] - 1e7, means, rtol=0, atol=2 * np.spacing(1e7))
    expected = calinski_harabasz_score(near[used], pad_class[used])
    np.testing.assert_allclose(calinski_harabasz(statistics), expected, rtol=1e-7)
    expected = davies_bouldin_score(near[used], pad_class[used])
    np.testing.assert_allclose(davies_bouldin(statistics), expected, rtol=1e-7)


def test_degenerate_clusters_as_in_scikit_learn():
    points = np.array([[0.0, 0], [0, 0], [1, 1], [1, 1]])
    pad_class = np.array([0, 0, 1, 1])
    statistics = two_passes(points, pad_class, [])
    assert calinski_harabasz(statistics) == calinski_harabasz_score(points, pad_class) == 1
    assert davies_bouldin(statistics) == davies_bouldin_score(points, pad_class) == 0
    coincident = np.array([[-1.0, 0], [1, 0], [0, -1], [0, 1]])
    statistics = two_passes(coincident, pad_class, [])
    assert davies_bouldin(statistics) == davies_bouldin_score(coincident, pad_class) == 0
    assert calinski_harabasz(statistics) == 0


@pytest.mark.parametrize("pad_class", [[-1, -1, -1], [0, 0, 0], [0, 1, 2]])
def test_undefined_is_nan(pad_class):
    values, pad_class = np.arange(6.0).reshape(3, 2), np.array(pad_class)
    statistics = two_passes(values, pad_class, [])
    assert np.isnan([calinski_harabasz(statistics), davies_bouldin(statistics), silhouette(values, pad_class)]).all()


def test_davies_bouldin_needs_the_second_pass():
    values, pad_class = labelled(50, seed=0)
    first = ClassStatistics.of(values, pad_class, K)
    with pytest.raises(ValueError, match="second pass"):
        davies_bouldin(first)
    with pytest.raises(ValueError, match="only one"):
        first.merge(ClassStatistics.of(values, pad_class, K, centroids=first.mean))


def test_silhouette_is_scikit_learns_on_its_own_draw():
    values, pad_class = labelled(2000, seed=3)
    used = pad_class >= 0
    expected = silhouette_score(values[used], pad_class[used], sample_size=300, random_state=5)
    assert silhouette(values, pad_class, samples=300, seed=5) == expected
    np.testing.assert_allclose(silhouette(values, pad_class), silhouette_score(values[used], pad_class[used]))
