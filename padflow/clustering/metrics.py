# SPDX-License-Identifier: BSD-3-Clause
"""Metrics of a clustering of all records from statistics that merge; their values are scikit-learn's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn import config_context
from sklearn.metrics import silhouette_score

METRIC_ROWS = 65536


SILHOUETTE_MIB = 64
"""Memory for distances at a time: scikit-learn's own limit of 1 GiB would be the largest demand of a whole run."""


@dataclass(frozen=True)
class ClassStatistics:
    """Sums over the records of each class; those of two sets of records merge into those of both.

    Parameters
    ----------
    n : ndarray of int64, shape (k,)
        Records of each class.
    mean : ndarray of float64, shape (k, components)
        Their mean; zeros where there are none.
    scatter : ndarray of float64, shape (k,)
        Sum of their squared distances to ``mean``.
    distance : ndarray of float64, shape (k,), optional
        Sum of their distances to given centroids; None where none were given.

    Notes
    -----
    Two passes give all metrics: the first without centroids, the second with the ``mean`` of the first.
    """

    n: np.ndarray
    mean: np.ndarray
    scatter: np.ndarray
    distance: np.ndarray | None = None

    @staticmethod
    def of(
        scores: np.ndarray, pad_class: np.ndarray, k: int, *, centroids: np.ndarray | None = None
    ) -> ClassStatistics:
        """Return the statistics of records, accumulated in float64 a block at a time.

        Parameters
        ----------
        scores : ndarray, shape (records, components)
            Scores; those of unlabelled records may be NaN.
        pad_class : ndarray of int, shape (records,)
            Classes 0 to k - 1; records of class -1 are ignored.
        k : int
            Number of classes.
        centroids : ndarray, shape (k, components), optional
            Where distances are measured from: the mean of each class over *all* records, for
            `davies_bouldin`.
        """
        total = ClassStatistics(
            np.zeros(k, dtype=np.int64),
            np.zeros((k, scores.shape[1])),
            np.zeros(k),
            None if centroids is None else np.zeros(k),
        )
        for start in range(0, len(scores), METRIC_ROWS):
            rows = slice(start, start + METRIC_ROWS)
            labelled = pad_class[rows] >= 0
            block = scores[rows][labelled].astype(np.float64)
            total = total.merge(_block_statistics(block, pad_class[rows][labelled], k, centroids))
        return total

    def merge(self, other: ClassStatistics) -> ClassStatistics:
        """Return the statistics of both sets of records (pairwise update of Chan, Golub and LeVeque 1983).

        Raises
        ------
        ValueError
            If only one of them has distances.
        """
        if (self.distance is None) != (other.distance is None):
            raise ValueError("only one of the statistics holds distances to centroids")
        n = self.n + other.n
        share = other.n / np.maximum(n, 1)
        delta = other.mean - self.mean
        mean = self.mean + delta * share[:, None]
        scatter = self.scatter + other.scatter + (delta**2).sum(axis=1) * (self.n * share)
        distance = None if self.distance is None else self.distance + other.distance
        return ClassStatistics(n, mean, scatter, distance)


def _block_statistics(
    block: np.ndarray, pad_class: np.ndarray, k: int, centroids: np.ndarray | None
) -> ClassStatistics:
    n = np.bincount(pad_class, minlength=k)
    divisor = np.maximum(n, 1)[:, None]
    mean = _sums(block, pad_class, k) / divisor
    deviation = block - mean[pad_class]
    # The rounding error of the mean of large numbers is no longer small beside a small variance: mend both.
    error = _sums(deviation, pad_class, k) / divisor
    scatter = _sums(deviation**2, pad_class, k).sum(axis=1) - n * (error**2).sum(axis=1)
    distance = None
    if centroids is not None:
        length = np.sqrt(((block - centroids[pad_class]) ** 2).sum(axis=1))
        distance = np.bincount(pad_class, weights=length, minlength=k)
    return ClassStatistics(n, mean + error, np.maximum(scatter, 0.0), distance)


def _sums(values: np.ndarray, pad_class: np.ndarray, k: int) -> np.ndarray:
    return np.stack([np.bincount(pad_class, weights=column, minlength=k) for column in values.T], axis=1)


def inertia(statistics: ClassStatistics) -> float:
    """Return the sum over all records of the squared distance to the mean of their class."""
    return float(statistics.scatter.sum())


def calinski_harabasz(statistics: ClassStatistics) -> float:
    """Return the ratio of variance between and within classes (Calinski and Harabasz 1974): large is good.

    As in scikit-learn it is 1 where classes have no extent. NaN where it is undefined: fewer than two
    classes with records, or as many as records.
    """
    used = statistics.n > 0
    n, mean = statistics.n[used], statistics.mean[used]
    if not _defined(n):
        return float("nan")
    within = inertia(statistics)
    overall = mean[0] + (n @ (mean - mean[0])) / n.sum()  # from one of the means, for they may be far from 0
    between = n @ ((mean - overall) ** 2).sum(axis=1)
    return 1.0 if within == 0 else float(between * (n.sum() - len(n)) / (within * (len(n) - 1)))


def davies_bouldin(statistics: ClassStatistics) -> float:
    """Return the mean likeness of classes to the one most similar (Davies and Bouldin 1979): small is good.

    As in scikit-learn it is 0 where classes have no extent or all centroids coincide. NaN where it is
    undefined: fewer than two classes with records, or as many as records.

    Raises
    ------
    ValueError
        If the statistics hold no distances to centroids.
    """
    if statistics.distance is None:
        raise ValueError("the Davies-Bouldin index needs statistics with distances: a second pass with centroids")
    used = statistics.n > 0
    n, mean = statistics.n[used], statistics.mean[used]
    if not _defined(n):
        return float("nan")
    extent = statistics.distance[used] / n
    apart = np.sqrt(((mean[:, None] - mean) ** 2).sum(axis=2))
    if np.allclose(extent, 0) or np.allclose(apart, 0):
        return 0.0
    apart[apart == 0] = np.inf
    return float(((extent[:, None] + extent) / apart).max(axis=1).mean())


def silhouette(scores: np.ndarray, pad_class: np.ndarray, *, samples: int = 10_000, seed: int = 0) -> float:
    """Return scikit-learn's silhouette score of labelled records drawn at random (Rousseeuw 1987); 1 is best.

    Parameters
    ----------
    scores : ndarray, shape (records, components)
        Scores.
    pad_class : ndarray of int, shape (records,)
        Classes; records of class -1 are ignored.
    samples : int
        Records drawn; the cost grows with their square.
    seed : int
        Seed of the draw.

    Returns
    -------
    float
        NaN where the draw has fewer than two classes, or as many as records.
    """
    labelled = np.flatnonzero(pad_class >= 0)
    drawn = labelled[np.random.RandomState(seed).permutation(len(labelled))[:samples]]  # scikit-learn's draw
    counts = np.unique(pad_class[drawn], return_counts=True)[1]
    if not _defined(counts):
        return float("nan")
    with config_context(working_memory=SILHOUETTE_MIB):
        return float(silhouette_score(scores[drawn], pad_class[drawn]))


def _defined(counts: np.ndarray) -> bool:
    return 2 <= len(counts) < counts.sum()
