"""How many counts the shares of a network stand for: the concentration of a Dirichlet prior at each energy."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from padflow.autoencoder.denoiser import concentration_at

MOST = 1e5
"""Largest concentration, and largest number of counts at which it is half (chosen)."""


START = (3000.0, 300.0)
"""Where the search begins (chosen)."""


FEWEST_COUNTS = 20
"""Fewest counts of an energy for its scatter to tell anything beyond counting noise (chosen)."""


FEWEST_RECORDS = 300
"""Fewest records with so many counts for an energy to have a concentration of its own (chosen)."""


def estimate_concentration(
    counts: np.ndarray, shares: np.ndarray, *, seen: np.ndarray, energies: int
) -> tuple[np.ndarray, np.ndarray]:
    """Estimate the concentration from how counts scatter about predicted shares beyond counting noise.

    Where true shares follow a Dirichlet distribution of concentration C about the prediction, the chi2 of n counts is
    larger than its degrees of freedom f by v = (n + C) / (1 + C) (Mosimann 1962, 10.2307/2333468). C is
    `concentration_at` the counts that the network saw; K and H in it are those with the largest quasi-likelihood, in
    which chi2 / v has a chi2 distribution: with the least mean of log v + chi2 / (f v).

    Parameters
    ----------
    counts : numpy.ndarray
        Counts that the network did not see, shape (n, pitch angles x energies), energy fastest, float32.
    shares : numpy.ndarray
        Predicted shares of each energy's counts, of the same shape.
    seen : numpy.ndarray
        Counts that they were predicted from, of the same shape.
    energies : int
        Number of energies.

    Returns
    -------
    concentration : numpy.ndarray
        K of each energy, shape (energies,), float32. An energy with fewer than `FEWEST_RECORDS` records of
        `FEWEST_COUNTS` counts takes the largest of the others; where there are no others, 1: counts alone decide.
    half_counts : numpy.ndarray
        H of each energy, in the same way.
    """
    by_angle, predicted = (values.reshape(len(values), -1, energies) for values in (counts, shares))
    total_seen = seen.reshape(by_angle.shape).sum(axis=1)
    found = [_of_energy(by_angle[..., e], predicted[..., e], total_seen[:, e]) for e in range(energies)]
    known = np.array([pair for pair in found if pair is not None] or [(1.0, 1.0)])
    largest = tuple(known.max(axis=0))
    concentration, half_counts = np.array([largest if pair is None else pair for pair in found], np.float32).T
    return concentration, half_counts


def _of_energy(counts: np.ndarray, shares: np.ndarray, seen: np.ndarray) -> tuple[float, float] | None:
    """Return K and H of one energy, or None where too few records tell them."""
    total = counts.sum(axis=1)
    chosen = total >= FEWEST_COUNTS
    if chosen.sum() < FEWEST_RECORDS:
        return None
    counts, total, seen = counts[chosen], total[chosen].astype("f8"), seen[chosen].astype("f8")
    expected = total[:, None] * np.maximum(shares[chosen], np.finfo(np.float32).tiny)
    chi2 = ((counts - expected) ** 2 / expected).sum(axis=1) / (counts.shape[1] - 1)

    def misfit(logarithms: np.ndarray) -> float:
        concentration = concentration_at(seen, *np.exp(logarithms))
        excess = (total + concentration) / (1 + concentration)
        return float(np.mean(np.log(excess) + chi2 / excess))

    bounds = [(0, np.log(MOST))] * 2
    found = minimize(misfit, np.log(START), method="Nelder-Mead", bounds=bounds, options={"xatol": 0.01, "fatol": 1e-7})
    concentration, half_counts = np.exp(found.x)
    return float(concentration), float(half_counts)
