"""Ward's agglomerative clustering of a subsample, spread to all records by their nearest neighbour in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import KDTree
from sklearn.cluster import AgglomerativeClustering

from padflow.clustering.assignment import by_size, margin_of, nearest_two
from padflow.errors import ConfigError, PadflowError

BLOCK_ROWS = 65536


@dataclass(frozen=True)
class WardFit:
    """A clustered subsample, clusters numbered from the largest (0) to the smallest.

    Parameters
    ----------
    sample : ndarray of float32, shape (samples, components)
        Scores of the subsample.
    label : ndarray of int16, shape (samples,)
        Their clusters.
    """

    sample: np.ndarray
    label: np.ndarray

    @cached_property
    def centres(self) -> np.ndarray:
        """Mean of the samples of each cluster, float64 of shape (k, components)."""
        return _means(self.sample, self.label)

    @cached_property
    def _trees(self) -> list[KDTree]:
        return [KDTree(self.sample[self.label == c].astype(np.float64)) for c in range(self.label.max() + 1)]


def _means(sample: np.ndarray, label: np.ndarray) -> np.ndarray:
    return np.stack([sample[label == c].mean(axis=0, dtype=np.float64) for c in range(label.max() + 1)])


def fit_ward(sample: np.ndarray, k: int) -> WardFit:
    """Cluster a subsample by scikit-learn's Ward linkage.

    Parameters
    ----------
    sample : ndarray, shape (samples, components)
        Finite scores, clustered as the float32 that are kept. All distances between them are held in memory:
        4 bytes times samples squared (10,000 samples: 0.4 GB).
    k : int
        Number of clusters, at least 2.

    Raises
    ------
    ConfigError
        If ``k`` is below 2.
    PadflowError
        If there are fewer samples than clusters.
    """
    if k < 2:
        raise ConfigError(f"The number of clusters is {k}, but Ward's clustering needs at least 2.")
    if len(sample) < k:
        raise PadflowError(f"Ward's clustering of {len(sample)} records cannot make {k} clusters.")
    sample = np.asarray(sample, dtype=np.float32)
    label = AgglomerativeClustering(k, linkage="ward").fit_predict(sample.astype(np.float64))
    order = by_size(np.bincount(label, minlength=k), _means(sample, label))
    number = np.empty(k, dtype=np.int16)
    number[order] = np.arange(k)
    return WardFit(sample, number[label])


def assign_ward(scores: np.ndarray, fit: WardFit) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give each record the cluster of its nearest neighbour in the clustered subsample.

    Parameters
    ----------
    scores : ndarray of float32 or float64, shape (records, components)
        Scores; a record with one that is not finite stays unlabelled.
    fit : WardFit
        The clustered subsample.

    Returns
    -------
    cluster : ndarray of int16, shape (records,)
        Cluster of the nearest sample, of equally near ones the larger cluster; -1 for a record that is not
        finite.
    distance : ndarray of float32, shape (records,)
        Distance to the centre of that cluster (not to the sample), NaN where unlabelled.
    margin : ndarray of float32, shape (records,)
        1 - distance to the nearest sample / distance to the nearest sample of another cluster: 0 on the
        border between clusters, 1 at a sample, NaN where unlabelled.

    Notes
    -----
    A record's results have the same bits whatever the number of records in the call.
    """
    cluster = np.full(len(scores), -1, dtype=np.int16)
    distance, margin = (np.full(len(scores), np.nan, dtype=np.float32) for _ in range(2))
    finite = np.flatnonzero(np.isfinite(scores).all(axis=1))
    for start in range(0, len(finite), BLOCK_ROWS):
        rows = finite[start : start + BLOCK_ROWS]
        block = scores[rows].astype(np.float64)
        cluster[rows], nearest, second = nearest_two((tree.query(block)[0] for tree in fit._trees), len(rows))
        margin[rows] = margin_of(nearest, second)
        away = block - fit.centres[cluster[rows]]
        distance[rows] = np.sqrt(sum(column * column for column in away.T))  # no BLAS, no pairwise sum
    return cluster, distance, margin
