"""How many counts the shares of a network stand for: the concentration of a Dirichlet prior at each energy."""

from __future__ import annotations

import numpy as np

CONCENTRATIONS = np.geomspace(1, 1e5, 161).astype(np.float32)
"""Concentrations that are tried: steps of 7.5 % (chosen)."""


FEWEST_COUNTS = 20
"""Fewest counts of an energy for its scatter to tell anything beyond counting noise (chosen)."""


FEWEST_RECORDS = 100
"""Fewest records with so many counts for an energy to have a concentration of its own (chosen)."""


def estimate_concentration(counts: np.ndarray, shares: np.ndarray, *, energies: int) -> np.ndarray:
    """Estimate the concentration from how counts scatter about predicted shares beyond counting noise.

    Where true shares follow a Dirichlet distribution of concentration K about the prediction, the chi2 of N counts is
    larger than its degrees of freedom f by v = (N + K) / (1 + K) (Mosimann 1962, 10.2307/2333468). K is the one of
    `CONCENTRATIONS` with the largest quasi-likelihood, in which chi2 / v has a chi2 distribution: that with the least
    mean of log v + chi2 / (f v).

    Parameters
    ----------
    counts : numpy.ndarray
        Counts that the prediction did not see, shape (n, pitch angles x energies), energy fastest, float32.
    shares : numpy.ndarray
        Predicted shares of each energy's counts, of the same shape.
    energies : int
        Number of energies.

    Returns
    -------
    numpy.ndarray
        Shape (energies,), float32. An energy with fewer than `FEWEST_RECORDS` records of `FEWEST_COUNTS` counts takes
        the largest of the others, and the largest that is tried where there are no others.
    """
    by_angle, predicted = (values.reshape(len(values), -1, energies) for values in (counts, shares))
    found = np.array([_concentration(by_angle[..., e], predicted[..., e]) for e in range(energies)], np.float32)
    known = np.isfinite(found)
    return np.where(known, found, found[known].max() if known.any() else CONCENTRATIONS[-1])


def _concentration(counts: np.ndarray, shares: np.ndarray) -> float:
    """Return the concentration at one energy, or NaN where too few records tell it."""
    total = counts.sum(axis=1)
    chosen = total >= FEWEST_COUNTS
    if chosen.sum() < FEWEST_RECORDS:
        return np.nan
    total = total[chosen]
    expected = total[:, None] * np.maximum(shares[chosen], np.finfo(np.float32).tiny)
    chi2 = ((counts[chosen] - expected) ** 2 / expected).sum(axis=1, dtype="f8") / (counts.shape[1] - 1)

    def misfit(concentration: np.float32) -> float:
        excess = (total + concentration) / (1 + concentration)
        return float(np.mean(np.log(excess) + chi2 / excess))

    return float(min(CONCENTRATIONS, key=misfit))
