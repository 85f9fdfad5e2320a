# SPDX-License-Identifier: BSD-3-Clause
"""Ward's clustering of a subsample and its spread to all records, by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score

from padflow.clustering import ward
from padflow.clustering.ward import NearestSample, fit_ward
from padflow.errors import ConfigError, PadflowError


def records(rows: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = np.array([[0.0, 0, 0], [4, 0, 0], [0, 4, 0], [4, 4, 4]])
    return (centres[rng.choice(4, size=rows, p=[0.1, 0.2, 0.3, 0.4])] + rng.normal(size=(rows, 3))).astype("f4")


def test_fit_is_scikit_learns_numbered_by_size():
    sample = records(600)
    fit = fit_ward(sample, 4)
    assert (fit.sample.dtype, fit.label.dtype) == (np.float32, np.int16)
    reference = AgglomerativeClustering(4).fit_predict(sample.astype(np.float64))
    assert adjusted_rand_score(fit.label, reference) == 1
    sizes = np.bincount(fit.label)
    np.testing.assert_array_equal(sizes, np.sort(np.bincount(reference))[::-1])
    np.testing.assert_allclose(fit.centres[2], fit.sample[fit.label == 2].astype("f8").mean(axis=0))


def test_assignment_by_brute_force(monkeypatch):
    monkeypatch.setattr(ward, "NEIGHBOUR_ROWS", 64)
    fit, scores = fit_ward(records(300), 4), records(500, seed=1)
    scores[7, 1] = np.nan
    finite = np.arange(500) != 7
    pad_class, _, distance, margin = fit.assign(scores).values()
    assert (pad_class.dtype, distance.dtype, margin.dtype) == (np.int16, np.float32, np.float32)
    assert pad_class[7] == -1
    assert np.isnan([distance[7], margin[7]]).all()

    away = cdist(scores[finite].astype(np.float64), fit.sample.astype(np.float64))
    own = fit.label[away.argmin(axis=1)]
    np.testing.assert_array_equal(pad_class[finite], own)
    other = np.where(fit.label == own[:, None], np.inf, away).min(axis=1)
    np.testing.assert_allclose(margin[finite], 1 - away.min(axis=1) / other, atol=1e-6)
    centre_distance = np.linalg.norm(scores[finite] - fit.centres[own], axis=1)
    np.testing.assert_allclose(distance[finite], centre_distance, rtol=1e-6)
    assert ((margin[finite] >= 0) & (margin[finite] <= 1)).all()

    part = fit.assign(scores[100:103]).values()
    for one, whole in zip(part, (pad_class, np.full(500, np.nan), distance, margin), strict=True):
        np.testing.assert_array_equal(one, whole[100:103])


def test_samples_keep_their_cluster_with_full_margin():
    fit = fit_ward(records(200), 3)
    pad_class, _, _, margin = fit.assign(fit.sample).values()
    np.testing.assert_array_equal(pad_class, fit.label)
    np.testing.assert_array_equal(margin, np.ones(200))


def test_wrong_use():
    with pytest.raises(ConfigError, match="at least 2"):
        fit_ward(records(10), 1)
    with pytest.raises(PadflowError, match="cannot make 11"):
        fit_ward(records(10), 11)


def test_classes_are_restored_from_their_arrays_among_others():
    fit, scores = fit_ward(records(200), 3), records(50, seed=2)
    found = NearestSample.from_arrays(fit.to_arrays() | {"modes": np.zeros((1, 3))})
    for again, once in zip(found.assign(scores).values(), fit.assign(scores).values(), strict=True):
        np.testing.assert_array_equal(again, once)
