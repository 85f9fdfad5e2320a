# SPDX-License-Identifier: BSD-3-Clause
"""An epoch as one graph: its gradients against TensorFlow itself."""

from __future__ import annotations

import numpy as np
import pytest

from padflow.autoencoder.epoch_graph import gradient_sums
from padflow.autoencoder.tensorflow import load_tensorflow


def test_gradients_match_automatic_differentiation():
    tf, _ = load_tensorflow()
    rng = np.random.default_rng(5)
    rows = tf.constant(rng.random((37, 9)), tf.float32)
    weights = [tf.Variable(tf.constant(rng.normal(0, 1, shape), tf.float32)) for shape in ((9, 5), 5, (5, 9), 9)]
    with tf.GradientTape() as tape:
        code = tf.nn.relu(rows @ weights[0] + weights[1])
        expected_loss = tf.reduce_sum(tf.square(tf.sigmoid(code @ weights[2] + weights[3]) - rows)) / 2
    loss, gradients = gradient_sums(tf, rows, weights, tf.transpose(weights[2]))
    assert float(loss) == pytest.approx(float(expected_loss), rel=1e-6)
    for gradient, expected in zip(gradients, tape.gradient(expected_loss, weights), strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-5)
