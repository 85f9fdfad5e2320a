# SPDX-License-Identifier: BSD-3-Clause
"""Components of a fit."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from padflow.autoencoder.network import Network
from padflow.components.fit import fit_components_to
from padflow.components.moments import CodeStatistics, Moments
from padflow.config.sections import PcaConfig


@given(
    seed=st.integers(0, 2**32 - 1),
    logs=st.lists(st.floats(-3, 3), min_size=12, max_size=12),
    order=st.permutations(range(12)),
)
@settings(max_examples=25, deadline=None)
def test_scores_do_not_depend_on_the_scale_and_order_of_hidden_units(seed, logs, order):
    rng = np.random.default_rng(seed)
    w1, w2 = rng.normal(size=(14, 12)) / 4, rng.normal(size=(12, 14)) / 4
    records = np.sin(np.arange(500)[:, None] / rng.uniform(5, 50, 14)) + 0.3 * rng.normal(size=(500, 14))
    scale = np.exp(logs)
    networks = [
        Network(w1, np.full(12, 2), w2, np.zeros(14)),
        Network((w1 * scale)[:, order], 2 * scale[order], (w2 / scale[:, None])[order], np.zeros(14)),
    ]
    scores = []
    for network in networks:
        codes = network.encode(records.astype("f4")).astype("f8")
        statistics = CodeStatistics(Moments.of(codes), codes[1:] - codes[:-1])
        projection, _ = fit_components_to(statistics, PcaConfig(components=2, scale="noise"), network=network)
        scores.append(replace(projection, softening=0).score(codes))
    np.testing.assert_allclose(scores[1], scores[0], rtol=0.01, atol=0.01 * scores[0].std())
