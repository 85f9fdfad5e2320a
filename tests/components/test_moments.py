# SPDX-License-Identifier: BSD-3-Clause
"""Moments of rows: exact whatever the blocks, the order and the threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

import padflow.components.moments
from padflow.components.moments import Moments
from padflow.errors import PadflowError


def correlated(rows: int, features: int, *, seed: int = 0) -> np.ndarray:
    """Rows whose variances along their axes differ clearly, for the axes to be well defined."""
    rng = np.random.default_rng(seed)
    scale = 0.7 ** np.arange(features)
    rotation = np.linalg.qr(rng.normal(size=(features, features)))[0]
    return (rng.normal(size=(rows, features)) * scale) @ rotation + rng.normal(size=features)


def test_large_mean_and_small_variance():
    # A sum of squares would be lost in 1e16; without mending its mean the scatter is off by more than 1e-5.
    values = 1e8 + 1e-4 * np.random.default_rng(0).normal(size=(30_000, 4))
    near = values - 1e8  # exact
    total = Moments.of(values[:1])
    for chunk in np.array_split(values[1:], 9):
        total = total.merge(Moments.of(chunk))
    for moments in (total, Moments.of(values)):
        np.testing.assert_allclose(moments.mean - 1e8, near.mean(axis=0), rtol=0, atol=2 * np.spacing(1e8))
        expected = (len(values) - 1) * np.cov(near.T)
        np.testing.assert_allclose(moments.scatter, expected, rtol=0, atol=3e-6 * expected.max())


def test_blocks_change_nothing_but_memory(monkeypatch):
    values = correlated(1000, 5)
    whole = Moments.of(values)
    monkeypatch.setattr(padflow.components.moments, "MOMENT_ROWS", 33)
    np.testing.assert_allclose(Moments.of(values).scatter, whole.scatter, rtol=1e-10, atol=1e-10)


def test_bits_do_not_depend_on_the_number_of_blas_threads():
    values = correlated(8192, 102)
    moments = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            moments.append(Moments.of(values))
    np.testing.assert_array_equal(moments[0].scatter, moments[1].scatter)


@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(0, 9), features=st.integers(1, 5), mapped=st.integers(1, 7))
def test_mapped_moments_are_those_of_the_mapped_rows(seed, rows, features, mapped):
    rng = np.random.default_rng(seed)
    values, matrix = rng.normal(size=(rows, features)), rng.normal(size=(features, mapped))
    found, expected = Moments.of(values).mapped(matrix), Moments.of(values @ matrix)
    assert found.n == expected.n
    np.testing.assert_allclose(found.mean, expected.mean, atol=1e-12)
    np.testing.assert_allclose(found.scatter, expected.scatter, atol=1e-10)


def test_values_that_are_not_finite():
    for bad in (np.nan, np.inf):
        with pytest.raises(PadflowError, match="NaN or infinity"):
            Moments.of(np.array([[0.0, 1.0], [bad, 2.0]]))
    with pytest.raises(ValueError, match="cannot be merged"):
        Moments.of(np.ones((2, 2))).merge(Moments.of(np.ones((2, 3))))
