# SPDX-License-Identifier: BSD-3-Clause
"""The concentration of a prior, on draws whose concentration is known."""

from __future__ import annotations

import numpy as np
import pytest

from padflow.autoencoder.concentration import FEWEST_COUNTS, LIKELY, estimate_concentration
from padflow.autoencoder.denoiser import concentration_at

ANGLES, RECORDS = 9, 40_000


def drawn(
    concentration: float, half_counts: float = 1, *, counts: tuple[float, float], seed: int = 0
) -> tuple[np.ndarray, ...]:
    """Dirichlet-multinomial counts about predicted shares, these, and what was seen, (records, angles) each."""
    rng = np.random.default_rng([9, seed])
    shares = rng.dirichlet(np.full(ANGLES, 5.0), RECORDS)
    total = np.exp(rng.uniform(*np.log(counts), RECORDS)).astype(int)
    certain = concentration_at(total, concentration, half_counts)
    true = shares if np.isinf(concentration) else rng.standard_gamma(certain[:, None] * shares)
    true /= true.sum(axis=1, keepdims=True)
    seen = np.zeros(shares.shape)
    seen[:, 0] = total
    return rng.multinomial(total, true), shares, seen


def estimated(*energies: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
    counts, shares, seen = (np.stack(arrays, axis=2, dtype="f4") for arrays in zip(*energies, strict=True))
    counts, shares, seen = (values.reshape(RECORDS, -1) for values in (counts, shares, seen))
    return estimate_concentration(counts, shares, seen=seen, energies=len(energies))


def test_known_concentrations_are_found():
    known = {30: (20, 4000), 300: (20, 3000), 3000: (100, 30_000), 20_000: (300, 100_000)}
    found = estimated(*(drawn(concentration, counts=counts) for concentration, counts in known.items()))
    assert found[0].dtype == found[1].dtype == np.float32
    many = [counts[1] for counts in known.values()]
    np.testing.assert_allclose(concentration_at(np.array(many), *found), list(known), rtol=0.1)


def test_a_network_that_knows_less_where_counts_are_few():
    known = np.array([(5000.0, 1000.0), (1000.0, 3000.0), (10_000.0, 8000.0)])
    found = estimated(*(drawn(*pair, counts=(20, 100_000), seed=seed) for seed, pair in enumerate(known)))
    np.testing.assert_allclose(found, known.T, rtol=0.25)
    counts = np.array([50.0, 500, 5000, 50_000])[:, None]
    np.testing.assert_allclose(concentration_at(counts, *found), concentration_at(counts, *known.T), rtol=0.15)


def test_counting_noise_alone_leaves_a_large_concentration():
    assert estimated(drawn(np.inf, counts=(1000, 3000)))[0] > 30_000


@pytest.mark.parametrize("records", [0, 2])
def test_few_records_with_counts_leave_what_is_likely(records):
    scarce = drawn(30, counts=(20, 400))
    scarce[0][records:] = 0
    some = drawn(30, counts=(2, FEWEST_COUNTS))
    concentration, half_counts = estimated(scarce, drawn(100, counts=(20, 3000)), some)
    for energy in (0, 2):
        np.testing.assert_allclose(concentration[energy], LIKELY[0], rtol=0.5)
        np.testing.assert_allclose(half_counts[energy], LIKELY[1], rtol=0.5)
    assert concentration[1] < 150


def test_a_share_of_nothing_is_no_error():
    counts, shares, seen = drawn(300, counts=(20, 3000))
    shares[:, 0], counts[:, 0] = 0, 0
    assert np.isfinite(estimated((counts, shares, seen))).all()
