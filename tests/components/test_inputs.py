# SPDX-License-Identifier: BSD-3-Clause
"""What components are fitted to."""

from __future__ import annotations

import numpy as np

from padflow.components.inputs import PRIOR_COUNTS, component_inputs, input_size, input_slopes
from padflow.config.sections import PreprocessConfig


def test_of_an_autoencoder_the_codes(factories) -> None:
    network = factories.network(12, code_size=5)
    rows = np.random.default_rng(0).random((30, 12), dtype=np.float32)
    assert input_size(network) == 5
    np.testing.assert_array_equal(component_inputs(network, rows), network.encode(rows))
    mean = network.encode(rows).mean(axis=0)
    np.testing.assert_array_equal(input_slopes(network, mean), network.decoder_slopes(mean))


def test_of_a_denoiser_the_root_shares(factories, loops) -> None:
    network = factories.denoising_network(27, 3)
    counts = np.random.default_rng(1).poisson(4, (50, 9, 3)).astype(np.float32)
    rows = counts.reshape(50, 27)
    assert input_size(network) == 27
    expected = loops.shapes(counts, np.ones((9, 3), np.float32), np.ones(50), PRIOR_COUNTS)
    np.testing.assert_allclose(component_inputs(network, rows).reshape(counts.shape), expected, atol=1e-4)
    np.testing.assert_array_equal(input_slopes(network, rows.mean(axis=0)), np.eye(27))
    assert PreprocessConfig().prior_counts == PRIOR_COUNTS
