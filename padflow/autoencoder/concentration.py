# SPDX-License-Identifier: BSD-3-Clause
"""How many counts the shares of a network stand for: the concentration of a Dirichlet prior at each energy."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from padflow.autoencoder.denoiser import concentration_at

LIKELY = (5000.0, 2000.0)
"""K and H that are likely (chosen: about those of archives with measured shapes)."""


SPREAD = 1.0
"""Spread of the natural logarithms of K and H about those of `LIKELY` (chosen)."""


RECORDS_TOGETHER = 10
"""Records that tell as much as one alone (chosen): windows of neighbours hold the same spins."""


FEWEST_COUNTS = 20
"""Fewest counts of an energy for its scatter to tell anything beyond counting noise (chosen)."""


def estimate_concentration(
    counts: np.ndarray, shares: np.ndarray, *, seen: np.ndarray, energies: int
) -> tuple[np.ndarray, np.ndarray]:
    """Estimate the concentration from how counts scatter about predicted shares beyond counting noise.

    Where true shares follow a Dirichlet distribution of concentration C about the prediction, the chi2 of n counts is
    larger than its degrees of freedom f by v = (n + C) / (1 + C) (Mosimann 1962, 10.2307/2333468). C is
    `concentration_at` the counts that the network saw. K and H in it are the likeliest. For this, chi2 / v is taken to
    have a chi2 distribution, and the logarithms of K and H a normal one (`LIKELY`, `SPREAD`).

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
    concentration, half_counts : numpy.ndarray
        K and H of each energy, shape (energies,), float32. Few records with `FEWEST_COUNTS` leave them near `LIKELY`.
    """
    by_angle, predicted = (values.reshape(len(values), -1, energies) for values in (counts, shares))
    total_seen = seen.reshape(by_angle.shape).sum(axis=1)
    found = [_of_energy(by_angle[..., e], predicted[..., e], total_seen[:, e]) for e in range(energies)]
    concentration, half_counts = np.exp(found).astype(np.float32).T
    return concentration, half_counts


def _of_energy(counts: np.ndarray, shares: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return the logarithms of K and H of one energy."""
    total = counts.sum(axis=1)
    chosen = total >= FEWEST_COUNTS
    counts, total, seen = counts[chosen], total[chosen].astype("f8"), seen[chosen].astype("f8")
    expected = total[:, None] * np.maximum(shares[chosen], np.finfo(np.float32).tiny)
    freedom = counts.shape[1] - 1
    chi2 = ((counts - expected) ** 2 / expected).sum(axis=1) / freedom

    def misfit(logarithms: np.ndarray) -> float:
        concentration = concentration_at(seen, *np.exp(logarithms))
        excess = (total + concentration) / (1 + concentration)
        scatter = freedom / 2 * np.sum(np.log(excess) + chi2 / excess) / RECORDS_TOGETHER
        return float(scatter + np.sum((logarithms - np.log(LIKELY)) ** 2) / (2 * SPREAD**2))

    return minimize(misfit, np.log(LIKELY), method="Nelder-Mead", options={"xatol": 0.01, "fatol": 1e-3}).x
