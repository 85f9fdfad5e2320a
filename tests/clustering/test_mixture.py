# SPDX-License-Identifier: BSD-3-Clause
"""Classes as t distributions against scipy's density, scikit-learn's discriminant analysis, and known populations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import mahalanobis
from scipy.special import softmax
from scipy.stats import multivariate_t, norm
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis

from padflow.clustering import mixture
from padflow.clustering.assignment import assign
from padflow.clustering.mixture import DEGREES, Likeliest, fit_mixture


def populations(seed: int, rows: int = 3000) -> tuple[np.ndarray, np.ndarray]:
    """Return scores and population of a wide, a long and a small population in three dimensions."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, rows, p=[0.6, 0.3, 0.1])
    spread = np.array([[3.0, 3.0, 3.0], [0.5, 4.0, 1.0], [0.7, 0.7, 0.7]])
    place = np.array([[0.0, 0, 0], [8, 0, 0], [0, 6, 0]])
    return place[truth] + rng.normal(size=(rows, 3)) * spread[truth], truth


def log_probability(scores: np.ndarray, fitted: Likeliest) -> np.ndarray:
    """Return ln(share times density) of each record in each class, but for what is the same in all."""
    found = []
    for centre, whitening, penalty in zip(fitted.centres, fitted.whitening, fitted.penalty, strict=True):
        factor = np.linalg.inv(whitening)
        shape = factor @ factor.T
        share = np.exp((np.linalg.slogdet(shape)[1] - penalty) / 2)
        assert 0 < share <= 1
        found.append(np.log(share) + multivariate_t(centre, shape, df=DEGREES).logpdf(scores))
    return np.stack(found, axis=1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_record_takes_the_class_of_the_highest_density(dtype):
    scores, _ = populations(0)
    fitted = fit_mixture(scores, np.array([[0.0, 0, 0], [8, 0, 0], [0, 6, 0]]))
    scores = (scores * 1.5).astype(dtype)
    pad_class, probability, distance, margin = fitted.assign(scores).values()
    assert probability.dtype == np.float32
    assert (pad_class.dtype, distance.dtype, margin.dtype) == (np.int16, np.float32, np.float32)
    expected = log_probability(scores.astype("f8"), fitted)
    np.testing.assert_array_equal(pad_class, expected.argmax(axis=1))
    assert len(set(pad_class)) == 3
    second, first = np.sort(expected, axis=1)[:, -2:].T
    np.testing.assert_allclose(margin, 1 - np.exp(second - first), atol=1e-5)
    np.testing.assert_allclose(probability, softmax(expected, axis=1).max(axis=1), atol=1e-5)
    for row in range(0, len(scores), 100):
        own = pad_class[row]
        inverse = fitted.whitening[own].T @ fitted.whitening[own]
        away = mahalanobis(scores[row].astype("f8"), fitted.centres[own], inverse)
        np.testing.assert_allclose(distance[row], away, rtol=1e-5)


def test_one_round_with_normal_tails_is_quadratic_discriminant_analysis(monkeypatch):
    scores, _ = populations(1)
    start = np.array([[0.0, 0, 0], [8, 0, 0], [0, 6, 0]])
    for name, value in {"ROUNDS": 1, "DEGREES": 1e12, "POOLED": 0.0, "RIDGE": 0.0}.items():
        monkeypatch.setattr(mixture, name, value)
    fitted = fit_mixture(scores, start)
    pad_class, _, _ = assign(scores, start)
    reference = QuadraticDiscriminantAnalysis().fit(scores, pad_class)
    np.testing.assert_allclose(fitted.centres, reference.means_, rtol=1e-9)
    for number in range(3):
        factor = np.linalg.inv(fitted.whitening[number])
        expected = np.cov(scores[pad_class == number].T, ddof=0)
        np.testing.assert_allclose(factor @ factor.T, expected, rtol=1e-8, atol=1e-10)
        share = np.exp(np.log(np.diag(factor)).sum() - fitted.penalty[number] / 2)
        np.testing.assert_allclose(share, reference.priors_[number], rtol=1e-9)
    # Its covariances may be divided by one less, so that records next to a border may differ.
    assert (fitted.assign(scores)["pad_class"] == reference.predict(scores)).mean() > 0.995


@pytest.mark.parametrize("seed", range(3))
def test_borders_come_near_those_of_who_knows_the_populations(seed):
    scores, truth = populations(seed, 20_000)
    start = np.array([scores[truth == c].mean(axis=0) for c in range(3)])
    halfway = (assign(scores, start)[0] == truth).mean()
    likeliest = (fit_mixture(scores, start).assign(scores)["pad_class"] == truth).mean()
    place = np.array([[0.0, 0, 0], [8, 0, 0], [0, 6, 0]])
    spread = np.array([[3.0, 3.0, 3.0], [0.5, 4.0, 1.0], [0.7, 0.7, 0.7]])
    density = norm(place, spread).logpdf(scores[:, None]).sum(axis=2) + np.log([0.6, 0.3, 0.1])
    best = (density.argmax(axis=1) == truth).mean()
    assert best > halfway + 0.1
    assert likeliest > halfway + 0.6 * (best - halfway)


def test_records_far_from_all_move_their_class_less_than_its_mean():
    scores, _ = populations(3)
    start = np.array([[0.0, 0, 0], [8, 0, 0], [0, 6, 0]])
    more = np.vstack([scores, np.full((15, 3), -30.0)])
    usual, moved = (fit_mixture(values, start).centres for values in (scores, more))
    first, last = (values[assign(values, start)[0] == 0].mean(axis=0) for values in (scores, more))
    assert np.abs(moved - usual)[0].max() < 0.4 * np.abs(last - first).max()


def test_a_class_without_records_is_left_out_and_a_component_needs_no_spread():
    scores, _ = populations(4, 500)
    scores[:, 2] = 7.0
    fitted = fit_mixture(scores, np.array([[100.0, 100, 7], [0, 0, 7], [8, 0, 7]]))
    assert len(fitted.centres) == 2
    np.testing.assert_allclose(fitted.centres[:, 0], [0, 8], atol=0.7)
    for values in (fitted.whitening, fitted.penalty, *fitted.assign(scores).values()):
        assert np.isfinite(values).all()
    assert set(fitted.assign(scores)["pad_class"]) == {0, 1}


def test_a_class_that_loses_its_records_to_another_is_left_out():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(3000, 2))
    # One population, and a centre in its tail that a few records are nearest to.
    assert (assign(scores, np.array([[0.0, 0], [5.2, 0]]))[0] == 1).sum() > 5
    assert len(fit_mixture(scores, np.array([[0.0, 0], [5.2, 0]])).centres) == 1


@settings(deadline=None)
@given(st.integers(0, 999), st.integers(2, 6), st.integers(1, 5), st.integers(1, 60))
def test_any_sample(seed, k, components, rows):
    rng = np.random.default_rng(seed)
    scores, centres = rng.normal(size=(rows, components)), rng.normal(size=(k, components))
    fitted = fit_mixture(scores, centres)
    pad_class, _, distance, margin = fitted.assign(scores).values()
    k = len(fitted.centres)
    assert set(pad_class) == set(range(k))
    assert (distance >= 0).all()
    assert ((margin >= 0) & (margin <= 1)).all()
    order = rng.permutation(k)
    np.testing.assert_array_equal(order[fitted.in_order(order).assign(scores)["pad_class"]], pad_class)


def test_a_record_has_the_same_bits_in_any_company(monkeypatch):
    monkeypatch.setattr(mixture, "LIKELIHOOD_ROWS", 97)
    scores, _ = populations(5, 1000)
    fitted = fit_mixture(scores, scores[:4])
    whole = fitted.assign(scores).values()
    for index in (np.arange(0, 1), np.arange(3, 500), np.arange(999, -1, -3)):
        for one, all_of_them in zip(fitted.assign(scores[index]).values(), whole, strict=True):
            np.testing.assert_array_equal(one, all_of_them[index])
    assert [len(part) for part in fitted.assign(np.empty((0, 3))).values()] == [0] * 4
