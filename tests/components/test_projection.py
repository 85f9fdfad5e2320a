"""Scores made softer: their order, their direction and what they are near zero."""

import numpy as np

from padflow.components.projection import soften, soften_length, unsoften


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
