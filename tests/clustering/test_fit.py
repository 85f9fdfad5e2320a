# SPDX-License-Identifier: BSD-3-Clause
"""Classes of a fit: from softer scores, and refused where there is one population."""

import dask.array as da
import numpy as np
import pytest

from padflow.clustering.agreement import RepeatedModes
from padflow.clustering.fit import (
    describe_number,
    find_number,
    kmeans_classes,
    mode_scores,
    modes_as_scores,
    near_modes,
)
from padflow.clustering.mean_shift import Modes
from padflow.components.projection import MODE_SOFTENING, SOFTENING, soften, soften_length
from padflow.config.sections import Config
from padflow.errors import PadflowError


def test_one_population_far_out_is_not_several_because_it_is_wide_there():
    config = Config(
        archive={"source": "unused"},
        pca={"components": 3, "scale": "noise"},
        mean_shift={"quantile": 0.15, "min_share": 0.05},
        kmeans={"fit_to": "near_modes"},
    )
    random = np.random.default_rng(4)
    near = random.normal(size=(2000, 3)) * 1.5
    # Along the first component as wide as the distance is large, and in the others clumps, in proportion.
    clumps = np.array([[0.0, 0.0], [0.2, 0.0], [0.0, 0.2]])[random.integers(3, size=900)]
    far = np.column_stack([np.ones(900), clumps + random.normal(size=(900, 2)) * 0.02])
    far *= 30 * np.exp(random.normal(size=(900, 1)) * 0.2)
    scores = soften(np.vstack([near, far]), SOFTENING)
    found = find_number([random.permutation(scores)[:2000] for _ in range(3)], config)
    assert (found.n_agreed, found.n_modes) == (4, 2)
    assert "2 kept (2 more were not found again" in describe_number(found)


def test_a_configured_bandwidth_is_not_used_where_modes_are_confirmed():
    config = Config(
        archive={"source": "unused"},
        pca={"components": 5, "scale": "noise"},
        mean_shift={"quantile": 0.3, "bandwidth": 6.0},
        kmeans={"fit_to": "near_modes"},
    )
    random = np.random.default_rng(1)
    raw = np.repeat([[20.0], [60.0], [180.0]], 400, axis=0) * (1 + random.normal(size=(1200, 5)) * 0.05)
    # Between neighbours there are 9.8 units with each score softened and 4.4 with the length of all, less than 6.
    lengths = np.median(np.linalg.norm(soften_length(raw, MODE_SOFTENING), axis=1).reshape(3, 400), axis=1)
    assert (np.diff(lengths) < 6).all()
    found = find_number([random.permutation(soften(raw, SOFTENING))[:900] for _ in range(3)], config)
    assert (found.n_agreed, found.n_modes, found.modes.bandwidth) == (3, 3, 6.0)


def test_classes_of_one_population_are_refused_where_records_take_the_likeliest():
    config = Config(
        archive={"source": "unused"},
        pca={"components": 2},
        kmeans={"init": "k-means++", "classes": 2, "assign": "likeliest"},
    )
    random = np.random.default_rng(0)
    scores = np.vstack([random.normal(size=(3000, 2)), [[7.0, 0.0]]])
    found = RepeatedModes([], Modes(1.0, np.zeros((1, 2)), np.ones(1), 1))
    options = {"found": found, "samples": [scores], "config": config}
    lazy = da.from_array(np.repeat([[0.0, 0.0], [5.2, 0.0]], 50, axis=0), chunks=(100, 2))
    with pytest.raises(PadflowError, match=r"only one is left.*kmeans\.assign"):
        kmeans_classes(lazy, 2, **options)


@pytest.mark.parametrize(("scale", "softer"), [("noise", True), ("none", False)])
def test_modes_are_sought_among_softer_scores_and_classes_made_among_scores(scale, softer):
    config = Config(
        archive={"source": "unused"},
        pca={"components": 2, "scale": scale},
        mean_shift={"quantile": 0.3},
        kmeans={"fit_to": "near_modes", "starts": 0},
    )
    random = np.random.default_rng(2)
    raw = np.repeat([[0.0, 0.0], [40.0, 0.0]], 500, axis=0) + random.normal(size=(1000, 2)) * np.repeat(
        [[1.0], [4.0]], 500, axis=0
    )
    scores = soften(raw, SOFTENING)
    found = find_number([random.permutation(scores)[:800] for _ in range(3)], config)
    seen = soften(raw, MODE_SOFTENING) if softer else scores
    np.testing.assert_allclose(mode_scores(scores, config), seen, rtol=1e-9, atol=1e-9)
    far = np.argmax(found.modes.modes[:, 0])
    np.testing.assert_allclose(found.modes.modes[far], np.median(seen[500:], axis=0), atol=1)
    np.testing.assert_allclose(modes_as_scores(found, config)[far], np.median(scores[500:], axis=0), atol=1)
    kept = near_modes(scores, found, config)
    distance = np.linalg.norm(seen[:, None] - found.modes.modes, axis=2).min(axis=1)
    np.testing.assert_array_equal(kept, scores[distance <= found.modes.bandwidth])
