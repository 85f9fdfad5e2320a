# SPDX-License-Identifier: BSD-3-Clause
"""Classes with a spread and a share of their own: a mixture of Student's t distributions, begun from k-means.

K-means draws the border between two classes halfway between their centres, as if all populations were equally wide,
round and common. Here a record goes to the class that it most probably came from. Tails are Student's because a
population has more records far from its middle than a normal distribution would (Peel and McLachlan 2000,
10.1023/A:1008981510081); each record counts for its class alone, which is the classification EM of Celeux and Govaert
(1992, 10.1016/0167-9473(92)90042-E).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from padflow.blas import one_blas_thread
from padflow.clustering.assignment import Assigned, OfScores, assign, label_finite, nearest_two

LIKELIHOOD_ROWS = 65_536


DEGREES = 5.0
"""Degrees of freedom of the tails. Chosen on simulated archives, as are the next two."""


ROUNDS = 4
"""Rounds of estimating and assigning. Few: borders are moved, not sought again from the beginning."""


POOLED = 0.1
"""Share of the mean spread of all classes in that of each, which keeps the spread of a small class from collapsing."""


RIDGE = 1e-6
"""Least variance of the mean spread along any direction, over its mean variance."""


@dataclass(frozen=True)
class Likeliest(OfScores):
    """Classes as t distributions: a record takes the class that it most probably came from.

    Parameters
    ----------
    centres : ndarray of float64, shape (pad_class, component)
        Their locations.
    whitening : ndarray of float64, shape (pad_class, component, component)
        Lower triangular: inverse of the Cholesky factor of each one's shape matrix.
    penalty : ndarray of float64, shape (pad_class,)
        ``ln(determinant of the shape matrix) - 2 ln(share of the records)``.
    """

    centres: np.ndarray
    whitening: np.ndarray
    penalty: np.ndarray

    def in_order(self, order: np.ndarray) -> Likeliest:
        """Return the same classes numbered in another order."""
        return Likeliest(self.centres[order], self.whitening[order], self.penalty[order])

    def assign(self, scores: np.ndarray) -> dict[str, np.ndarray]:
        """Give each record the class that it most probably came from.

        Parameters
        ----------
        scores : ndarray of float32 or float64, shape (records, component)

        Returns
        -------
        dict of str to ndarray
            ``pad_class`` : int16, the likeliest class, of equally likely ones the first; -1 for a record that is not
            finite. ``probability`` : float32, of that class among all. ``distance`` : float32, Mahalanobis distance to
            its centre: 1 is about the spread of the class in that direction. ``margin`` : float32, 1 - probability of
            the second likeliest class / probability of the likeliest: 0 on a border, towards 1 where no other class is
            likely. All three are NaN where a record has no class.

        Notes
        -----
        A record's results have the same bits whatever the number of records in the call.
        """
        return label_finite(scores, self._assign, block_rows=LIKELIHOOD_ROWS)

    def _assign(self, scores: np.ndarray) -> Assigned:
        found = _likeliest(scores, self)
        return found.pad_class, found.probability, np.sqrt(found.squared), -np.expm1(-found.excess / 2)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return named arrays, to be written into an ``.npz``."""
        return {"centres": self.centres, "mixture_whitening": self.whitening, "mixture_penalty": self.penalty}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Likeliest:
        """Return the classes that `to_arrays` gave; other names in the mapping are left alone."""
        return cls(arrays["centres"], arrays["mixture_whitening"], arrays["mixture_penalty"])


def fit_mixture(scores: np.ndarray, centres: np.ndarray) -> Likeliest:
    """Move the borders of k-means' classes to where two classes are equally probable.

    Parameters
    ----------
    scores : ndarray of float64, shape (records, components)
        A sample of all that is to be classified, finite.
    centres : ndarray, shape (pad_class, component)
        Of k-means.

    Returns
    -------
    Likeliest
        In the order of `centres`, but without classes that lost all their records to others.
    """
    pad_class, _, _ = assign(scores, centres)
    fitted = _estimate(scores, pad_class, np.ones(len(scores)), centres)
    for _ in range(ROUNDS - 1):
        found = _likeliest(scores, fitted)
        weight = (DEGREES + scores.shape[1]) / (DEGREES + found.squared)
        fitted = _estimate(scores, found.pad_class, weight, fitted.centres)
    return fitted.in_order(np.unique(_likeliest(scores, fitted).pad_class))


def _estimate(scores: np.ndarray, pad_class: np.ndarray, weight: np.ndarray, centres: np.ndarray) -> Likeliest:
    k, components = centres.shape
    count = np.bincount(pad_class, minlength=k)
    means, scatter = np.array(centres, dtype="f8"), np.zeros((k, components, components))
    with one_blas_thread():
        for number in np.flatnonzero(count):
            mine = pad_class == number
            means[number] = np.average(scores[mine], axis=0, weights=weight[mine])
            away = scores[mine] - means[number]
            scatter[number] = (away * weight[mine, None]).T @ away
        pooled = scatter.sum(axis=0) / len(scores)
        variance = np.trace(pooled) / components
        pooled += (RIDGE * variance if variance else 1.0) * np.eye(components)  # each class may be one point
        own = np.where(count, 1 - POOLED, 0.0)[:, None, None]
        shape = own * scatter / np.maximum(count, 1)[:, None, None] + (1 - own) * pooled
        factor = np.linalg.cholesky(shape)
        penalty = 2 * np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
        penalty -= 2 * np.log(np.maximum(count, 1) / len(scores))
        return Likeliest(means, np.linalg.inv(factor), penalty)


@dataclass(frozen=True)
class _Found:
    """The likeliest class, its probability, the squared distance to it, and 2 ln of how much likelier than the next."""

    pad_class: np.ndarray
    probability: np.ndarray
    squared: np.ndarray
    excess: np.ndarray


def _likeliest(scores: np.ndarray, mixture: Likeliest) -> _Found:
    columns = np.ascontiguousarray(scores.T, dtype=np.float64)
    each = zip(mixture.centres, mixture.whitening, strict=True)
    squared = np.stack([_squared(columns, centre, whitening) for centre, whitening in each])
    unlikely = [
        (DEGREES + len(columns)) * np.log1p(row / DEGREES) + penalty
        for row, penalty in zip(squared, mixture.penalty, strict=True)
    ]
    pad_class, least, second = nearest_two(unlikely, len(scores))
    likelihood = np.zeros(len(scores))  # over that of the likeliest
    for row in unlikely:
        likelihood += np.exp((least - row) / 2)
    return _Found(pad_class, 1 / likelihood, squared[pad_class, np.arange(len(scores))], second - least)


def _squared(columns: np.ndarray, centre: np.ndarray, whitening: np.ndarray) -> np.ndarray:
    """Return the squared Mahalanobis distance to one centre, without BLAS, whose bits depend on the number of rows."""
    away = [column - coordinate for column, coordinate in zip(columns, centre, strict=True)]
    squared, whitened, product = (np.empty_like(columns[0]) for _ in range(3))
    squared[:] = 0.0
    for number, row in enumerate(whitening):
        np.multiply(away[0], row[0], out=whitened)
        for other in range(1, number + 1):
            np.add(whitened, np.multiply(away[other], row[other], out=product), out=whitened)
        np.add(squared, np.multiply(whitened, whitened, out=product), out=squared)
    return squared
