# SPDX-License-Identifier: BSD-3-Clause
"""From codes to scores, and how scores are softened."""

from __future__ import annotations

import numpy as np
import pytest

from padflow.components.projection import Projection, soften, soften_length, unsoften


@pytest.mark.parametrize("softening", [0.0, 3.0])
def test_scores_are_deviations_along_the_axes_softened(softening):
    random = np.random.default_rng(1)
    mean, axes = random.normal(size=5), random.normal(size=(2, 5))
    codes = random.normal(scale=20, size=(7, 5)).astype("f4")
    projection = Projection(mean, axes, softening)
    found = projection.score(codes)
    for code, scores in zip(codes, found, strict=True):
        for axis, score in zip(axes, scores, strict=True):
            plain = sum((float(c) - m) * a for c, m, a in zip(code, mean, axis, strict=True))
            expected = softening * np.arcsinh(plain / softening) if softening else plain
            assert score == pytest.approx(expected, rel=1e-12)
    assert (found.dtype, projection.components) == (np.float64, 2)


def test_it_is_restored_from_its_arrays_among_others():
    projection = Projection(np.arange(3.0), np.eye(2, 3), 12.0)
    found = Projection.from_arrays(projection.to_arrays() | {"centres": np.zeros((2, 2))})
    np.testing.assert_array_equal(found.mean, projection.mean)
    np.testing.assert_array_equal(found.axes, projection.axes)
    assert found.softening == projection.softening


def test_softened_scores_keep_their_order_and_are_equal_near_zero():
    scores = np.linspace(-100, 100, 2001)
    soft = soften(scores, 4.0)
    assert (np.diff(soft) > 0).all()
    np.testing.assert_allclose(soft[np.abs(scores) < 0.5], scores[np.abs(scores) < 0.5], rtol=3e-3)
    np.testing.assert_allclose(soft[-1], 4 * np.log(2 * 100 / 4), rtol=1e-3)
    np.testing.assert_array_equal(soften(scores, 0.0), scores)
    for softening in (4.0, 0.0):
        np.testing.assert_allclose(unsoften(soften(scores, softening), softening), scores, rtol=1e-12, atol=1e-12)


def test_softened_length_keeps_directions_and_narrows_all_components():
    random = np.random.default_rng(0)
    scores = np.vstack([np.zeros(3), random.normal(size=(500, 3)) * 30, random.normal(size=(500, 3)) * 0.1])
    soft = soften_length(scores, 4.0)
    lengths, softened = np.linalg.norm(scores, axis=1), np.linalg.norm(soft, axis=1)
    np.testing.assert_allclose(softened, soften(lengths, 4.0), rtol=1e-12)
    np.testing.assert_allclose(soft * lengths[:, None], scores * softened[:, None], rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(soften_length(scores, 0.0), scores)
    far = np.array([20.0, 3.0, -3.0])
    assert (np.abs(soften_length(far, 4.0)[1:]) < 0.5 * np.abs(soften(far, 4.0)[1:]) + 0.1).all()
