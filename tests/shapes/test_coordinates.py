# SPDX-License-Identifier: BSD-3-Clause
"""Coordinates of shapes: borders between names are where they change sign."""

from __future__ import annotations

import numpy as np

from padflow.shapes.coordinates import border_coordinates
from padflow.shapes.names import BUTTERFLY_INDEX, FLATTOP_RATIO


def test_they_change_sign_at_the_limits_of_the_names() -> None:
    above, below = 1 + 1e-5, 1 - 1e-5
    found = border_coordinates(
        np.array([[FLATTOP_RATIO * above, FLATTOP_RATIO * below]]),
        np.array([[BUTTERFLY_INDEX * below, BUTTERFLY_INDEX * above]]),
    )
    assert np.sign(found).tolist() == [[1, -1, -1, 1]]


def test_they_keep_the_order_of_ratios_and_end() -> None:
    ratios = np.array([0.0, 1e-30, 0.1, 0.5, 0.9, 1.2, 30, 1e30])[:, None]
    found = border_coordinates(ratios, ratios + 1)
    assert found.shape == (8, 2)
    assert (np.diff(found, axis=0) >= 0).all()
    assert (np.diff(found[1:6], axis=0) > 0).all()
    assert np.abs(found).max() <= np.float32(np.pi / 2)


def test_a_missing_ratio_is_missing() -> None:
    found = border_coordinates(np.array([[np.nan], [0.8]]), np.array([[1.0], [np.nan]]))
    assert np.isnan(found).tolist() == [[True, False], [False, True]]
