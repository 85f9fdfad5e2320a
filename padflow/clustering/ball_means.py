# SPDX-License-Identifier: BSD-3-Clause
"""Means of all points within a distance, for many centres: what mean shift asks for, over and over."""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import KDTree

from padflow.compiling import compiled

LEAF_SIZE = 16
"""Points in a leaf: where the sphere cuts one, each of its points is looked at."""


MOST_WAITING = 128
"""Nodes that are yet to be looked at: two children at each level of a tree that halves its points."""


class BallMeans:
    """Mean and number of the points within a radius of a centre, exactly.

    A ball of mean shift holds a tenth of all points, so that to list them costs more than all else. Boxes of
    scikit-learn's k-d tree that lie wholly inside the ball give their sums; only where its surface runs are points
    looked at.

    Parameters
    ----------
    points : ndarray of float64, shape (points, components)
        Finite.
    radius : float
        A point at just this distance is inside.
    """

    def __init__(self, points: np.ndarray, radius: float):
        data, index, nodes, (low, high) = map(np.asarray, KDTree(points, leaf_size=LEAF_SIZE).get_arrays())
        points = data[index]
        self._origin = points.mean(axis=0)  # sums of differences from it lose no digits
        running = np.cumsum(points - self._origin, axis=0)
        running = np.vstack([np.zeros_like(running[:1]), running])
        # Contiguous, as they are in a tree of one node: Numba compiles for each layout.
        start, stop, leaf = (np.ascontiguousarray(nodes[name]) for name in ("idx_start", "idx_end", "is_leaf"))
        self._tree = (points, self._origin, low, high, start, stop, leaf, running[stop] - running[start])
        self._squared = radius**2

    def __call__(self, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and number of the points around each centre.

        Parameters
        ----------
        centres : ndarray of float64, shape (centres, components)

        Returns
        -------
        mean : ndarray of float64, shape (centres, components)
            NaN where no point is near.
        count : ndarray of int64, shape (centres,)
        """
        total, count = np.zeros(centres.shape), np.zeros(len(centres), np.int64)
        _add_within(centres, self._squared, *self._tree, np.empty(MOST_WAITING, np.int64), total, count)
        with np.errstate(invalid="ignore"):
            return total / count[:, None] + self._origin, count


# Arrays made in here would take half a second more to compile, where nothing is kept.
@compiled
def _add_within(
    centres: np.ndarray,
    squared: float,
    points: np.ndarray,
    origin: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    start: np.ndarray,
    stop: np.ndarray,
    leaf: np.ndarray,
    sums: np.ndarray,
    waiting: np.ndarray,
    total: np.ndarray,
    count: np.ndarray,
) -> None:
    """Add up, of the points around each centre, their differences from the origin and their number."""
    components = centres.shape[1]
    for i in range(len(centres)):
        waiting[0] = 0
        number = 1
        while number:
            number -= 1
            node = waiting[number]
            nearest = farthest = 0.0
            for j in range(components):
                below, above = low[node, j] - centres[i, j], centres[i, j] - high[node, j]
                outside, across = max(below, above, 0.0), min(below, above)
                nearest += outside * outside
                farthest += across * across
            if farthest <= squared:
                count[i] += stop[node] - start[node]
                for j in range(components):
                    total[i, j] += sums[node, j]
            elif nearest <= squared and leaf[node]:
                for k in range(start[node], stop[node]):
                    distance = 0.0
                    for j in range(components):
                        difference = points[k, j] - centres[i, j]
                        distance += difference * difference
                    if distance <= squared:
                        count[i] += 1
                        for j in range(components):
                            total[i, j] += points[k, j] - origin[j]
            elif nearest <= squared:
                waiting[number] = 2 * node + 1
                waiting[number + 1] = 2 * node + 2
                number += 2
