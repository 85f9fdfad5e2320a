# SPDX-License-Identifier: BSD-3-Clause
"""The class of a record: the nearest centre, and how clear that is."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from padflow.clustering import assignment
from padflow.clustering.assignment import assign


def blobs(rows: int, k: int, *, components: int = 3, spread: float = 1.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = 2 * rng.normal(size=(k, components))
    weight = rng.dirichlet(np.full(k, 2.0))
    return centres[rng.choice(k, size=rows, p=weight)] + spread * rng.normal(size=(rows, components))


@settings(deadline=None)
@given(st.integers(0, 999), st.integers(1, 8), st.integers(1, 6), st.sampled_from([np.float32, np.float64]))
def test_assign_against_all_distances(seed, k, components, dtype):
    rng = np.random.default_rng(seed)
    scores, centres = rng.normal(size=(50, components)).astype(dtype), rng.normal(size=(k, components))
    pad_class, distance, margin = assign(scores, centres)
    assert (pad_class.dtype, distance.dtype, margin.dtype) == (np.int16, np.float32, np.float32)
    expected = cdist(scores.astype(np.float64), centres)
    np.testing.assert_array_equal(pad_class, expected.argmin(axis=1))
    ordered = np.sort(np.column_stack([expected, np.full(50, np.inf)]), axis=1)
    np.testing.assert_allclose(distance, ordered[:, 0], rtol=1e-6)
    np.testing.assert_allclose(margin, 1 - ordered[:, 0] / ordered[:, 1], atol=1e-6)
    assert ((margin >= 0) & (margin <= 1)).all()


def test_a_record_has_the_same_bits_in_any_company(monkeypatch):
    monkeypatch.setattr(assignment, "DISTANCE_ROWS", 97)
    scores, centres = blobs(1000, 5).astype(np.float32), blobs(8, 3, seed=1)
    whole = assign(scores, centres)
    for index in (np.arange(0, 1), np.arange(3, 500), np.arange(999, -1, -3)):
        for one, all_of_them in zip(assign(scores[index], centres), whole, strict=True):
            np.testing.assert_array_equal(one, all_of_them[index])


def test_assign_at_centres_on_borders_and_without_scores():
    centres = np.array([[0.0, 0], [2, 0], [2, 0]])
    scores = np.array([[0.0, 0], [1, 0], [2, 0], [np.nan, 0], [np.inf, 1], [-1, 0]])
    pad_class, distance, margin = assign(scores, centres)
    np.testing.assert_array_equal(pad_class, [0, 0, 1, -1, -1, 0])
    np.testing.assert_array_equal(distance, np.float32([0, 1, 0, np.nan, np.nan, 1]))
    np.testing.assert_array_equal(margin, np.float32([1, 0, 0, np.nan, np.nan, 1 - 1 / 3]))
    assert [len(part) for part in assign(np.empty((0, 2)), centres)] == [0, 0, 0]
