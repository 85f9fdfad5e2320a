# SPDX-License-Identifier: BSD-3-Clause
"""Compiled steps of the denoiser against NumPy in float64."""

from __future__ import annotations

import numpy as np
import pytest

from padflow.autoencoder import compiled

ANGLES, ENERGIES, ROWS = 9, 3, 50


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("rectify", [True, False])
def test_biases_are_added_and_negatives_set_to_zero(rectify: bool) -> None:
    values, bias = random(7, ROWS), random(7, seed=1)
    expected = values + bias[:, None]
    compiled.add_bias(bias, rectify, values)
    assert values.tolist() == (np.maximum(expected, 0) if rectify else expected).tolist()


def test_root_shares_and_totals() -> None:
    counts = np.random.default_rng(2).poisson(0.4, (ANGLES, ENERGIES, ROWS)).astype(np.float32)
    counts[:, 1, 5] = 0
    total, out = np.empty((ENERGIES, ROWS), np.float32), np.empty_like(counts)
    compiled.put_root_shares(counts, total, out)
    assert total.tolist() == counts.sum(axis=0).tolist()
    np.testing.assert_allclose(out**2, counts.astype("f8") / np.maximum(counts.sum(axis=0), 1), atol=1e-6)
    assert (out[:, 1, 5] == 0).all()


def test_logits_become_shares() -> None:
    logits = 20 * random(ANGLES, ENERGIES, ROWS)
    exact = np.exp(logits.astype("f8"))
    compiled.subtract_largest(logits)
    assert (logits.max(axis=0) == 0).all()
    shares = np.exp(logits)
    compiled.divide_by_sum(shares)
    np.testing.assert_allclose(shares, exact / exact.sum(axis=0), rtol=1e-4, atol=1e-12)


def test_posterior_shares_and_errors() -> None:
    draw = np.random.default_rng(3)
    counts = draw.poisson(4, (ANGLES, ENERGIES, ROWS)).astype(np.float32)
    shares, roots = draw.random((2, ANGLES, ENERGIES, ROWS)).astype(np.float32)
    total, prior = counts.sum(axis=0), np.float32([5, 50, 500])
    out, error = np.empty_like(shares), np.empty(ROWS, np.float32)
    compiled.put_posterior(shares, counts, roots, total, prior, out, error)
    weight = prior[:, None].astype("f8")
    np.testing.assert_allclose(out, (counts + weight * shares) / (total + weight), rtol=1e-5)
    np.testing.assert_allclose(error, ((np.sqrt(shares.astype("f8")) - roots) ** 2).mean(axis=(0, 1)), rtol=1e-4)
