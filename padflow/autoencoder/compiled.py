# SPDX-License-Identifier: BSD-3-Clause
"""What is compiled of the denoiser: one pass over the arrays where NumPy takes several.

Arrays are float32 and bins first. A column's numbers are computed in the same order wherever it stands.
"""

from __future__ import annotations

import numpy as np

from padflow.compiling import compiled

ZERO, ONE = np.float32(0), np.float32(1)


@compiled
def add_bias(bias: np.ndarray, rectify: bool, values: np.ndarray) -> None:
    """Add a bias (outputs,) to values (outputs, rows), and then set what is negative to zero if asked; in place."""
    lowest = ZERO if rectify else np.float32(-np.inf)
    for k in range(len(values)):
        for i in range(values.shape[1]):
            values[k, i] = max(values[k, i] + bias[k], lowest)


@compiled
def put_root_shares(counts: np.ndarray, total: np.ndarray, out: np.ndarray) -> None:
    """Fill `out` with the roots of the shares of counts, and `total` with the counts of each energy.

    Parameters
    ----------
    counts, out : ndarray, shape (angles, energies, rows)
    total : ndarray, shape (energies, rows)
    """
    total[:] = ZERO
    for k in range(len(counts)):
        for e in range(len(total)):
            for i in range(total.shape[1]):
                total[e, i] += counts[k, e, i]
    for k in range(len(counts)):
        for e in range(len(total)):
            for i in range(total.shape[1]):
                out[k, e, i] = np.sqrt(counts[k, e, i] / max(total[e, i], ONE))


@compiled
def subtract_largest(logits: np.ndarray) -> None:
    """Subtract the largest over angles from logits (angles, energies, rows), in place."""
    largest = np.empty(logits.shape[2], np.float32)
    for e in range(logits.shape[1]):
        largest[:] = logits[0, e]
        for k in range(1, len(logits)):
            for i in range(len(largest)):
                largest[i] = max(largest[i], logits[k, e, i])
        for k in range(len(logits)):
            for i in range(len(largest)):
                logits[k, e, i] -= largest[i]


@compiled
def divide_by_sum(values: np.ndarray) -> None:
    """Divide values (angles, energies, rows) by their sums over angles, in place."""
    over = np.empty(values.shape[2], np.float32)
    for e in range(values.shape[1]):
        over[:] = ZERO
        for k in range(len(values)):
            for i in range(len(over)):
                over[i] += values[k, e, i]
        for i in range(len(over)):
            over[i] = ONE / over[i]
        for k in range(len(values)):
            for i in range(len(over)):
                values[k, e, i] *= over[i]


@compiled
def put_posterior(
    shares: np.ndarray,
    counts: np.ndarray,
    roots: np.ndarray,
    total: np.ndarray,
    prior: np.ndarray,
    out: np.ndarray,
    error: np.ndarray,
) -> None:
    """Fill `out` with posterior shares, and `error` with the mean squared difference of roots.

    Parameters
    ----------
    shares, counts, roots, out : ndarray, shape (angles, energies, rows)
        Of the network, of the data, the roots of the shares of the data, and (counts + prior shares) / (total + prior).
    total : ndarray, shape (energies, rows)
    prior : ndarray, shape (energies,)
    error : ndarray, shape (rows,)
    """
    error[:] = ZERO
    over = np.empty(len(error), np.float32)
    for e in range(len(total)):
        for i in range(len(over)):
            over[i] = ONE / (total[e, i] + prior[e])
        for k in range(len(shares)):
            for i in range(len(over)):
                away = np.sqrt(shares[k, e, i]) - roots[k, e, i]
                error[i] += away * away
                out[k, e, i] = (counts[k, e, i] + prior[e] * shares[k, e, i]) * over[i]
    number = np.float32(shares.shape[0] * shares.shape[1])
    for i in range(len(error)):
        error[i] /= number
