# SPDX-License-Identifier: BSD-3-Clause
"""Ward's agglomerative clustering of a subsample, spread to all records by their nearest neighbour in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import KDTree
from sklearn.cluster import AgglomerativeClustering

from padflow.clustering.assignment import Assigned, OfScores, by_size, label_finite, margin_of, nearest_two
from padflow.errors import ConfigError, PadflowError

NEIGHBOUR_ROWS = 65536


@dataclass(frozen=True)
class NearestSample(OfScores):
    """Classes of Ward's method: a record takes that of the nearest record of a clustered sample.

    Parameters
    ----------
    centres : ndarray of float64, shape (pad_class, component)
        Mean of the samples of each class.
    sample : ndarray of float32, shape (samples, component)
        Scores of the sample.
    label : ndarray of int16, shape (samples,)
        Their classes.
    """

    centres: np.ndarray
    sample: np.ndarray
    label: np.ndarray

    @cached_property
    def _trees(self) -> list[KDTree]:
        return [KDTree(self.sample[self.label == c].astype(np.float64)) for c in range(len(self.centres))]

    def assign(self, scores: np.ndarray) -> dict[str, np.ndarray]:
        """Give each record the class of its nearest neighbour in the sample.

        Parameters
        ----------
        scores : ndarray of float32 or float64, shape (records, component)

        Returns
        -------
        dict of str to ndarray
            ``pad_class`` : int16, class of the nearest sample, of equally near ones the larger class; -1 for a record
            that is not finite. ``distance`` : float32, to the centre of that class (not to the sample). ``margin`` :
            float32, 1 - distance to the nearest sample / distance to the nearest sample of another class: 0 on the
            border between classes, 1 at a sample. Both are NaN where a record has no class.

        Notes
        -----
        A record's results have the same bits whatever the number of records in the call.
        """
        return label_finite(scores, self._assign, block_rows=NEIGHBOUR_ROWS)

    def _assign(self, scores: np.ndarray) -> Assigned:
        scores = scores.astype(np.float64)
        pad_class, nearest, second = nearest_two((tree.query(scores)[0] for tree in self._trees), len(scores))
        away = scores - self.centres[pad_class]
        distance = np.sqrt(sum(column * column for column in away.T))  # no BLAS, no pairwise sum
        return pad_class, np.nan, distance, margin_of(nearest, second)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return named arrays, to be written into an ``.npz``."""
        return {"centres": self.centres, "ward_sample": self.sample, "ward_label": self.label}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> NearestSample:
        """Return the classes that `to_arrays` gave; other names in the mapping are left alone."""
        return cls(arrays["centres"], arrays["ward_sample"], arrays["ward_label"])


def _means(sample: np.ndarray, label: np.ndarray) -> np.ndarray:
    return np.stack([sample[label == c].mean(axis=0, dtype=np.float64) for c in range(label.max() + 1)])


def fit_ward(sample: np.ndarray, k: int) -> NearestSample:
    """Group a subsample by scikit-learn's Ward linkage.

    Parameters
    ----------
    sample : ndarray, shape (samples, components)
        Finite scores, clustered as the float32 that are kept. All distances between them are held in memory:
        4 bytes times samples squared (10,000 samples: 0.4 GB).
    k : int
        Number of classes, at least 2.

    Raises
    ------
    ConfigError
        If ``k`` is below 2.
    PadflowError
        If there are fewer samples than classes.
    """
    if k < 2:
        raise ConfigError(f"The number of classes is {k}, but Ward's clustering needs at least 2.")
    if len(sample) < k:
        raise PadflowError(f"Ward's clustering of {len(sample)} records cannot make {k} classes.")
    sample = np.asarray(sample, dtype=np.float32)
    label = AgglomerativeClustering(k, linkage="ward").fit_predict(sample.astype(np.float64))
    order = by_size(np.bincount(label, minlength=k), _means(sample, label))
    number = np.empty(k, dtype=np.int16)
    number[order] = np.arange(k)
    label = number[label]
    return NearestSample(_means(sample, label), sample, label)
