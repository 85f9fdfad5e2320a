# SPDX-License-Identifier: BSD-3-Clause
"""Which class a score belongs to: the nearest centre, the distance to it, and the margin to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar

import numpy as np

DISTANCE_ROWS = 16384
"""Rows of a block: its few columns of float64 fit into the second-level cache of a core."""


NO_CLASS = -1
"""The class number of a record without a class."""


Assigned = tuple[np.ndarray, np.ndarray | float, np.ndarray, np.ndarray]
"""Class, probability of the class (NaN where the kind of classes gives none), distance and margin of each score."""


class OfScores:
    """Classes that are told from scores alone."""

    needs: ClassVar[tuple[str, ...]] = ("score",)

    def assign(self, scores: np.ndarray) -> dict[str, np.ndarray]:
        """Return what `label_finite` returns, of scores."""
        raise NotImplementedError

    def classify(self, scored: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Classify records, see `padflow.clustering.classes.Classes`."""
        return self.assign(scored["score"])


def label_finite(
    scores: np.ndarray, assign: Callable[[np.ndarray], Assigned], *, block_rows: int
) -> dict[str, np.ndarray]:
    """Assign finite scores to classes, block by block; scores that are not finite get no class.

    Parameters
    ----------
    scores : ndarray of float32 or float64, shape (records, components)
    assign : callable
        Takes a block of finite scores.
    block_rows : int
        Rows of a block.

    Returns
    -------
    dict of str to ndarray
        ``pad_class`` int16, `NO_CLASS` where a score is not finite; ``probability``, ``distance`` and ``margin``
        float32, NaN there.
    """
    known = np.isfinite(scores).all(axis=1)
    out: dict[str, np.ndarray] = {
        "pad_class": np.full(len(scores), NO_CLASS, np.int16),
        **{name: np.full(len(scores), np.nan, np.float32) for name in ("probability", "distance", "margin")},
    }
    places = np.flatnonzero(known)
    for start in range(0, len(places), block_rows):
        block = places[start : start + block_rows]
        for name, values in zip(out, assign(scores[block]), strict=True):
            out[name][block] = values
    return out


def by_size(sizes: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return the order of classes from the largest to the smallest; equal ones are ordered by their coordinates."""
    return np.lexsort((*centres.T[::-1], -sizes))


def squared_distances(scores: np.ndarray, centres: np.ndarray) -> Iterable[np.ndarray]:
    """Yield the squared distance of all ``scores`` to each of ``centres``, in float64 without BLAS.

    The distance of a record has the same bits whatever other records there are. The array is overwritten by the next
    distance.
    """
    columns = np.ascontiguousarray(scores.T, dtype=np.float64)
    squared, difference = np.empty_like(columns[0]), np.empty_like(columns[0])
    for centre in centres:
        squared[:] = 0.0
        for column, coordinate in zip(columns, centre, strict=True):
            np.subtract(column, coordinate, out=difference)
            np.multiply(difference, difference, out=difference)
            np.add(squared, difference, out=squared)
        yield squared


def nearest_two(distances: Iterable[np.ndarray], rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the nearest class and the two smallest of the distances to classes.

    Parameters
    ----------
    distances : iterable of ndarray of float64, shape (rows,)
        Distances of all rows to the first class, to the second, and so on; they may be squared.
    rows : int
        Number of rows.

    Returns
    -------
    pad_class : ndarray of int16
        Nearest class, and the first of equally near ones; -1 where no distance is finite.
    nearest, second : ndarray of float64
        Distances to it and to the next; ``second`` is infinite where there is one class.
    """
    pad_class = np.full(rows, -1, dtype=np.int16)
    nearest, second = np.full(rows, np.inf), np.full(rows, np.inf)
    for number, distance in enumerate(distances):
        np.minimum(second, np.maximum(nearest, distance), out=second)
        pad_class[distance < nearest] = number
        np.minimum(nearest, distance, out=nearest)
    return pad_class, nearest, second


def margin_of(nearest: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return ``1 - nearest / second``: 1 at a centre, 0 on a border between classes, and 0 where both distances are 0.

    It is the simplified silhouette of one record (Vendramin, Campello and Hruschka 2010, 10.1002/sam.10080).
    """
    apart = second > 0
    return np.where(apart, 1.0 - nearest / np.where(apart, second, 1.0), 0.0)


def assign(scores: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Assign each record to its nearest centre.

    Parameters
    ----------
    scores : ndarray of float32 or float64, shape (records, components)
        Scores. A record with a score that is not finite gets no class.
    centres : ndarray, shape (k, components)
        Centres of the classes.

    Returns
    -------
    pad_class : ndarray of int16, shape (records,)
        Nearest centre; -1 for a record that is not finite.
    distance : ndarray of float32, shape (records,)
        Euclidean distance to it, NaN where unlabelled.
    margin : ndarray of float32, shape (records,)
        1 - distance / distance to the second nearest centre: 0 on a border, 1 at a centre, NaN where
        unlabelled.

    Notes
    -----
    A record's results have the same bits whatever the number of records in the call.
    """
    pad_class = np.empty(len(scores), dtype=np.int16)
    distance, margin = (np.empty(len(scores), dtype=np.float32) for _ in range(2))
    for start in range(0, len(scores), DISTANCE_ROWS):
        rows = slice(start, start + DISTANCE_ROWS)
        block = scores[rows]
        with np.errstate(invalid="ignore"):  # infinite scores
            pad_class[rows], *two = nearest_two(squared_distances(block, centres), len(block))
            nearest, second = np.sqrt(two)
            unlabelled = pad_class[rows] < 0
            distance[rows] = np.where(unlabelled, np.nan, nearest)
            margin[rows] = np.where(unlabelled, np.nan, margin_of(nearest, second))
    return pad_class, distance, margin
