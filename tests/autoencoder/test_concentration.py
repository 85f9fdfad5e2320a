"""The concentration of a prior, on draws whose concentration is known."""

from __future__ import annotations

import numpy as np
import pytest

from padflow.autoencoder.concentration import FEWEST_COUNTS, FEWEST_RECORDS, estimate_concentration
from padflow.autoencoder.denoiser import concentration_at

ANGLES, RECORDS = 9, 8000


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
    found, half_counts = estimated(*(drawn(concentration, counts=counts) for concentration, counts in known.items()))
    assert found.dtype == half_counts.dtype == np.float32
    np.testing.assert_allclose(found, list(known), rtol=0.15)
    assert (half_counts < 50).all()


def test_a_network_that_knows_less_where_counts_are_few():
    known = np.array([(5000.0, 1000.0), (1000.0, 3000.0), (10_000.0, 300.0)])
    found = estimated(*(drawn(*pair, counts=(20, 100_000), seed=seed) for seed, pair in enumerate(known)))
    np.testing.assert_allclose(found, known.T, rtol=0.25)
    counts = np.array([50.0, 500, 5000, 50_000])[:, None]
    np.testing.assert_allclose(concentration_at(counts, *found), concentration_at(counts, *known.T), rtol=0.15)


def test_counting_noise_alone_leaves_a_large_concentration():
    assert estimated(drawn(np.inf, counts=(1000, 3000)))[0] > 30_000


@pytest.mark.parametrize("few", ["counts", "records"])
def test_an_energy_with_few_counts_takes_the_largest_of_the_others(few):
    scarce = drawn(30, counts=(1, FEWEST_COUNTS) if few == "counts" else (20, 400))
    if few == "records":
        scarce[0][FEWEST_RECORDS - 1 :] = 0
    known = [drawn(1000, 30, counts=(20, 3000)), drawn(100, 1, counts=(20, 3000))]
    concentration, half_counts = estimated(known[0], scarce, known[1])
    assert concentration[1] == concentration.max()
    assert half_counts[1] == half_counts.max()
    assert [values.tolist() for values in estimated(scarce)] == [[1], [1]]


def test_a_share_of_nothing_is_no_error():
    counts, shares, seen = drawn(300, counts=(20, 3000))
    shares[:, 0], counts[:, 0] = 0, 0
    assert np.isfinite(estimated((counts, shares, seen))).all()
