# SPDX-License-Identifier: BSD-3-Clause
"""Scores of made-up populations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

CENTRES = np.array([[0.0, 0, 0], [8, 0, 0], [0, 8, 0]])


@pytest.fixture(scope="session")
def three_centres() -> np.ndarray:
    """Centres of the populations of `three_blobs`."""
    return CENTRES


@pytest.fixture(scope="session")
def three_blobs() -> Callable[..., np.ndarray]:
    """Make scores of three populations of 50, 30 and 20 percent, and a few far from all."""

    def make(seed: int = 0, specks: int = 4) -> np.ndarray:
        rng = np.random.default_rng(seed)
        near = CENTRES[np.repeat([0, 1, 2], [500, 300, 200])] + 0.5 * rng.normal(size=(1000, 3))
        return rng.permutation(np.concatenate([near, np.full((specks, 3), 40.0) + 0.1 * rng.normal(size=(specks, 3))]))

    return make
