# SPDX-License-Identifier: BSD-3-Clause
"""Mergeable moments and the PCA from them, against scikit-learn's full PCA."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.utils.estimator_checks import parametrize_with_checks

import padflow.components.pca
from padflow.components.moments import Moments
from padflow.components.pca import IncrementalPCA
from padflow.errors import ConfigError, PadflowError

ATTRIBUTES = [
    "components_",
    "explained_variance_",
    "explained_variance_ratio_",
    "singular_values_",
    "mean_",
    "noise_variance_",
]


def correlated(rows: int, features: int, *, seed: int = 0) -> np.ndarray:
    """Rows whose variances along their axes differ clearly, for the axes to be well defined."""
    rng = np.random.default_rng(seed)
    scale = 0.7 ** np.arange(features)
    rotation = np.linalg.qr(rng.normal(size=(features, features)))[0]
    return (rng.normal(size=(rows, features)) * scale) @ rotation + rng.normal(size=features)


def assert_same_pca(pca: IncrementalPCA, reference: PCA) -> None:
    for name in ATTRIBUTES:
        expected = getattr(reference, name)
        np.testing.assert_allclose(getattr(pca, name), expected, rtol=1e-6, atol=1e-6, err_msg=name)
    assert pca.n_components_ == reference.n_components_
    assert pca.n_features_in_ == reference.n_features_in_


@st.composite
def merge_trees(draw):
    """Moments of random chunks (some empty, some of one row), merged pairwise in random order."""
    values = correlated(draw(st.integers(6, 60)), draw(st.integers(1, 5)), seed=draw(st.integers(0, 99)))
    cuts = sorted(draw(st.lists(st.integers(0, len(values)), max_size=8)))
    moments = [Moments.of(chunk) for chunk in np.split(values, cuts)]
    while len(moments) > 1:
        first = moments.pop(draw(st.integers(0, len(moments) - 1)))
        second = moments.pop(draw(st.integers(0, len(moments) - 1)))
        moments.append(first.merge(second))
    return values, moments[0]


@settings(deadline=None)
@given(merge_trees(), st.integers(1, 5))
def test_any_chunks_and_any_order_of_merging_give_the_full_pca(case, n_components):
    values, moments = case
    n_components = min(n_components, values.shape[1])
    assert moments.n == len(values)
    np.testing.assert_allclose(moments.mean, values.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(moments.scatter, len(values) * np.cov(values.T, bias=True), atol=1e-10)
    pca = IncrementalPCA(n_components).merge(moments)
    reference = PCA(n_components, svd_solver="full").fit(values)
    assert_same_pca(pca, reference)
    np.testing.assert_allclose(pca.mean_log_likelihood_, reference.score(values), rtol=1e-6)
    np.testing.assert_allclose(pca.transform(values), reference.transform(values), atol=1e-6)


@pytest.mark.parametrize("n_components", [3, 102, None])
def test_encoded_records_in_float32_chunks(n_components):
    values = np.maximum(correlated(20_000, 102, seed=1), 0).astype(np.float32)
    values[:, 7] = 0  # a unit that never fires
    pca = IncrementalPCA(n_components)
    for chunk in np.array_split(values, 7):
        pca.partial_fit(chunk)
    reference = PCA(n_components, svd_solver="full").fit(values.astype(np.float64))
    np.testing.assert_allclose(pca.components_[:3], reference.components_[:3], atol=1e-6)
    np.testing.assert_allclose(pca.explained_variance_, reference.explained_variance_, atol=1e-9)
    np.testing.assert_allclose(pca.noise_variance_, reference.noise_variance_, rtol=1e-9, atol=1e-12)
    assert pca.n_samples_seen_ == 20_000
    scores = pca.transform(values)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores[:, :3], reference.transform(values.astype(float))[:, :3], atol=1e-6)
    np.testing.assert_allclose(pca.inverse_transform(scores), reference.inverse_transform(scores), atol=1e-6)


def test_a_dask_array_is_fitted_block_by_block_and_scored_lazily():
    values = correlated(500, 6).astype("f4")
    lazy = da.from_array(values, chunks=(170, 4))
    pca, reference = IncrementalPCA(2).fit(lazy), IncrementalPCA(2).fit(values)
    assert_same_pca(pca, PCA(2, svd_solver="full").fit(values.astype("f8")))
    assert pca.partial_fit(lazy[:9]).n_samples_seen_ == 509
    scores = reference.transform(lazy)
    back = reference.inverse_transform(scores)
    assert isinstance(scores, da.Array)
    assert isinstance(back, da.Array)
    np.testing.assert_array_equal(scores.compute(), reference.transform(values))
    np.testing.assert_allclose(back.compute(), reference.inverse_transform(reference.transform(values)))
    np.testing.assert_allclose(reference.score(lazy), reference.score(values))


def test_scores_of_new_records_and_likelihood():
    fitted, new = correlated(500, 6), correlated(300, 6, seed=3)
    for n_components in (2, 6):
        pca, reference = (p.fit(fitted) for p in (IncrementalPCA(n_components), PCA(n_components)))
        np.testing.assert_allclose(pca.score(new), reference.score(new), rtol=1e-9)
        np.testing.assert_allclose(pca.score(fitted), pca.mean_log_likelihood_, rtol=1e-9)


def test_fewer_rows_than_features():
    values = correlated(5, 8)
    pca, reference = IncrementalPCA(2).fit(values), PCA(2, svd_solver="full").fit(values)
    assert_same_pca(pca, reference)
    np.testing.assert_allclose(pca.mean_log_likelihood_, reference.score(values), rtol=1e-6)


def test_empty_and_single_rows():
    empty = Moments.of(np.empty((0, 3)))
    one = Moments.of(np.array([[1.0, 2, 3]]))
    assert empty.n == 0
    for merged in (empty.merge(one), one.merge(empty)):
        assert merged.n == 1
        np.testing.assert_array_equal(merged.mean, [1, 2, 3])
        np.testing.assert_array_equal(merged.scatter, np.zeros((3, 3)))
    pca = IncrementalPCA(1).partial_fit(np.empty((0, 3))).partial_fit(np.array([[1.0, 2, 3]]))
    assert pca.n_samples_seen_ == 1
    with pytest.raises(ConfigError, match="at least two"):
        _ = pca.components_
    pca.partial_fit(np.array([[1.0, 2, 5]]))
    np.testing.assert_allclose(pca.components_, [[0, 0, 1]])
    np.testing.assert_allclose(pca.explained_variance_, [2])


def test_decomposes_once_when_asked(monkeypatch):
    calls = []
    decompose = padflow.components.pca._decompose
    monkeypatch.setattr(padflow.components.pca, "_decompose", lambda *a: calls.append(1) or decompose(*a))
    pca = IncrementalPCA(2)
    for chunk in np.array_split(correlated(60, 4), 6):
        pca.partial_fit(chunk)
    assert not calls
    assert pca.components_.shape == (2, 4)
    assert pca.noise_variance_ > 0
    assert len(calls) == 1
    variance = pca.explained_variance_
    pca.partial_fit(10 * correlated(60, 4, seed=1))
    assert (pca.explained_variance_ > variance).all()


def test_fit_forgets_and_merge_adds():
    first, second = correlated(40, 3), 5 + correlated(50, 3, seed=1)
    assert IncrementalPCA().fit(first).fit(second).n_samples_seen_ == 50
    merged = IncrementalPCA(2).fit(first).merge(IncrementalPCA(2).fit(second))
    assert_same_pca(merged, PCA(2, svd_solver="full").fit(np.concatenate([first, second])))


@pytest.mark.parametrize(("rows", "n_components"), [(50, 5), (3, 4), (50, 0), (50, 1.5)])
def test_impossible_number_of_components(rows, n_components):
    with pytest.raises(ConfigError, match=r"pca\.components"):
        IncrementalPCA(n_components).fit(correlated(rows, 4))


def test_records_that_do_not_vary():
    pca = IncrementalPCA(1).fit(np.full((10, 3), 0.1))
    np.testing.assert_allclose(pca.explained_variance_, [0], atol=1e-30)
    flat = np.zeros((10, 3))
    flat[:, 0] = np.arange(10)
    pca = IncrementalPCA(1).fit(flat)
    assert pca.explained_variance_ratio_ == [1]
    assert IncrementalPCA(1).fit(np.zeros((10, 3))).explained_variance_ratio_ == [0]
    assert pca.mean_log_likelihood_ == np.inf
    with pytest.raises(PadflowError, match="density"):
        pca.score(flat)


@parametrize_with_checks([IncrementalPCA()])
def test_scikit_learn_contract(estimator, check):
    check(estimator)
