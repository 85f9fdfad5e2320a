"""The concentration of a prior, on draws whose concentration is known."""

from __future__ import annotations

import numpy as np
import pytest

from padflow.autoencoder.concentration import CONCENTRATIONS, FEWEST_COUNTS, FEWEST_RECORDS, estimate_concentration

ANGLES, RECORDS = 9, 3000


def drawn(concentration: float, *, counts: tuple[float, float], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Dirichlet-multinomial counts about predicted shares, both (records, angles)."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(ANGLES, 5.0), RECORDS)
    true = shares if np.isinf(concentration) else np.array([rng.dirichlet(concentration * row) for row in shares])
    total = rng.integers(*counts, RECORDS)
    return rng.multinomial(total, true).astype("f4"), shares.astype("f4")


def estimated(*energies: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    counts, shares = (np.stack(arrays, axis=2).reshape(RECORDS, -1) for arrays in zip(*energies, strict=True))
    return estimate_concentration(counts, shares, energies=len(energies))


def test_known_concentrations_are_found_whatever_the_counts():
    known = {30: (20, 400), 300: (20, 3000), 3000: (1000, 30_000), 20_000: (3000, 100_000)}
    found = estimated(*(drawn(concentration, counts=counts) for concentration, counts in known.items()))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, list(known), rtol=0.1)


def test_counting_noise_alone_leaves_a_large_concentration():
    assert estimated(drawn(np.inf, counts=(1000, 3000)))[0] > 30_000


@pytest.mark.parametrize("few", ["counts", "records"])
def test_an_energy_with_few_counts_takes_the_largest_of_the_others(few):
    counts, shares = drawn(30, counts=(20, 400))
    if few == "counts":
        counts, shares = drawn(30, counts=(1, FEWEST_COUNTS))
    else:
        counts[FEWEST_RECORDS - 1 :] = 0
    known = [drawn(300, counts=(20, 3000)), drawn(100, counts=(20, 3000))]
    found = estimated(known[0], (counts, shares), known[1])
    assert found[1] == found[0] > found[2]
    assert estimated((counts, shares)) == CONCENTRATIONS[-1]


def test_a_share_of_nothing_is_no_error():
    counts, shares = drawn(300, counts=(20, 3000))
    shares[:, 0], counts[:, 0] = 0, 0
    assert np.isfinite(estimated((counts, shares))).all()
