# SPDX-License-Identifier: BSD-3-Clause
"""k-means over all records: an adapter to dask-ml, and the assignment of records to centres."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, reduce

import dask.array as da
import numpy as np
from sklearn.cluster import kmeans_plusplus
from sklearn.metrics import pairwise_distances_argmin_min

from padflow.clustering.assignment import by_size, nearest_two, squared_distances
from padflow.components.arrays import each_block
from padflow.components.moments import Moments
from padflow.errors import ConfigError, PadflowError

SCALABLE_ROUNDS = 5  # Bahmani et al. 2012 (10.14778/2180912.2180915): 5 rounds of 2 k candidates are enough


@dataclass(frozen=True)
class KMeansFit:
    """Centres of k-means, numbered from the largest class (0) to the smallest.

    Parameters
    ----------
    centres : ndarray of float64, shape (k, components)
        Class centres; classes of equal size are ordered by their coordinates.
    n_iter : int
        Passes over the records, as scikit-learn counts them; ``max_iter`` if it stopped there.
    inertia : float
        Sum over all records of the squared distance to the nearest centre.
    sizes : ndarray of int64, shape (k,)
        Records nearest to each centre.
    """

    centres: np.ndarray
    n_iter: int
    inertia: float
    sizes: np.ndarray


def fit_kmeans(
    scores: da.Array,
    k: int,
    *,
    init: np.ndarray | str,
    max_iter: int = 300,
    tol: float = 1e-4,
    seed: int = 0,
    init_rows: int = 20_000_000,
    on_iteration: Callable[[float], object] | None = None,
) -> KMeansFit:
    """Fit k-means to all records by dask-ml's Lloyd iterations, started and stopped as scikit-learn does.

    Parameters
    ----------
    scores : dask array, shape (records, components)
        Finite scores with known chunks, whole along the components. Persist them: each iteration is a pass.
        The result depends on the chunks in the last bits, never on the workers.
    k : int
        Number of classes, at least 2.
    init : ndarray of shape (k, components), "k-means++" or "k-means||"
        The start. ``"k-means++"`` is scikit-learn's, drawn in this process from all records up to
        ``init_rows``: the result is then ``sklearn.cluster.KMeans(k, random_state=seed)``. ``"k-means||"`` is
        dask-ml's, which needs no records here, and several passes.
    max_iter : int
        Most iterations.
    tol : float
        Stop when the summed squared shift of the centres is at most ``tol`` times the mean variance of the
        components, which is scikit-learn's rule; 0 asks for labels that no longer change.
    seed : int
        Seed of both drawn starts.
    init_rows : int
        ``"k-means++"`` reads every second, third, ... record where there are more than this many (20 M
        records of 3 components: 0.5 GB of scores and 1.6 GB more while drawing for 8 classes).
    on_iteration : callable, optional
        Called after each iteration with the root of the summed squared shift of the centres, in the scores' unit.

    Returns
    -------
    KMeansFit
        The centres; `assign` gives the labels.

    Raises
    ------
    ConfigError
        If ``k`` is below 2, or ``init`` is neither known nor of the right shape.
    PadflowError
        If scores are not finite, or there are fewer than ``k`` distinct records.

    Notes
    -----
    dask-ml's estimator is not used whole, but one iteration at a time, for it stops one update short, takes
    ``tol`` as absolute, leaves an empty class at the origin, where it may catch records of others, and does
    not square its inertia. A class that comes out empty is restarted from the record farthest from its own
    centre, as in scikit-learn.
    """
    _check(scores, k, init)
    scores = scores.rechunk({0: tuple(rows for rows in scores.chunks[0] if rows)})  # scikit-learn wants rows
    moments = reduce(Moments.merge, each_block(Moments.of, scores))
    mean, variance = moments.mean, np.diag(moments.scatter).mean() / moments.n
    # Distances are computed as x² - 2xc + c² there: near the origin they cancel least.
    points = scores.astype(np.float64) - mean
    centres = _start(
        points,
        k,
        init if isinstance(init, str) else init - mean,
        seed=seed,
        init_rows=init_rows,
        unit=np.sqrt(variance) or 1.0,
    )
    same = 1e-24 * (variance + (mean**2).max())  # a squared distance that is no more than rounding
    stop = tol * variance
    centres, n_iter = _lloyd(points, centres, same, max_iter=max_iter, stop=stop, on_iteration=on_iteration)
    parts = each_block(partial(_sizes_and_inertia, centres=centres), points)
    sizes = np.sum([part[0] for part in parts], axis=0)
    if not sizes.all():
        raise _too_few_points(k)
    order = by_size(sizes, centres)
    return KMeansFit(centres[order] + mean, n_iter, float(sum(part[1] for part in parts)), sizes[order])


def _check(scores: da.Array, k: int, init: np.ndarray | str) -> None:
    if k < 2:
        raise ConfigError(f"kmeans.classes is {k}, but k-means needs at least 2 classes.")
    if isinstance(init, str):
        if init not in ("k-means++", "k-means||"):
            raise ConfigError(f'kmeans.init is {init!r}: expected "k-means++", "k-means||" or an array of centres.')
    elif np.shape(init) != (k, scores.shape[1]):
        raise ConfigError(
            f"k-means is to start from centres of shape {np.shape(init)}, but kmeans.classes is {k} and the"
            f" scores have {scores.shape[1]} components: expected {(k, scores.shape[1])}."
        )
    if len(scores) < k:
        raise _too_few_points(k)


def _too_few_points(k: int) -> PadflowError:
    return PadflowError(
        f"k-means cannot make {k} classes: there are too few distinct records, so that one stays empty."
        " Lower kmeans.classes, or check that the selection leaves records that differ."
    )


def _start(points: da.Array, k: int, init: np.ndarray | str, *, seed: int, init_rows: int, unit: float) -> np.ndarray:
    if not isinstance(init, str):
        return np.asarray(init, dtype=np.float64)
    if init == "k-means++":
        stride = -(-len(points) // init_rows)
        return kmeans_plusplus(points[::stride].compute(), k, random_state=seed)[0]
    from dask_ml.cluster.k_means import k_init  # loads distributed: not for those who only assign

    # It makes log(cost) rounds at most: none at all where the scores' unit is large, unless they are scaled.
    scaled = k_init(points / unit, k, init, random_state=seed, max_iter=SCALABLE_ROUNDS, oversampling_factor=2 * k)
    return scaled * unit


def _lloyd(
    points: da.Array,
    centres: np.ndarray,
    same: float,
    *,
    max_iter: int,
    stop: float,
    on_iteration: Callable[[float], object] | None,
) -> tuple[np.ndarray, int]:
    """Iterate until the summed squared shift of the centres is at most `stop`; return them and the iterations done."""
    for n_iter in range(1, max_iter + 1):
        old, centres = centres, _iterate(points, centres, same)
        shift = float(((centres - old) ** 2).sum())
        if on_iteration is not None:
            on_iteration(shift**0.5)
        if shift <= stop:
            return centres, n_iter
    return centres, max_iter


def _iterate(points: da.Array, centres: np.ndarray, same: float) -> np.ndarray:
    """Return the centres after one iteration; ``same`` is the largest squared distance of equal points."""
    from dask_ml.cluster.k_means import k_means

    _, updated, _ = k_means(points, len(centres), init=centres, max_iter=1, tol=0)
    # The mean of no records is exactly 0 there. So may be that of some: count before believing it.
    if (updated == 0).all(axis=1).any():
        updated = _restart_empty(points, centres, updated, same)
    return updated


def _restart_empty(points: da.Array, centres: np.ndarray, updated: np.ndarray, same: float) -> np.ndarray:
    """Move each empty class's centre to a record far from its own centre, as scikit-learn does."""
    parts = each_block(partial(_counts_and_farthest, centres=centres), points)
    counts = np.sum([part[0] for part in parts], axis=0)
    squared, rows, labels = (np.concatenate(column) for column in list(zip(*parts, strict=True))[1:])
    sums = updated * counts[:, None]
    empty = np.flatnonzero(counts == 0)
    for pad_class, far in zip(empty, np.argsort(-squared, kind="stable"), strict=False):
        if squared[far] <= same:
            raise _too_few_points(len(centres))
        sums[labels[far]] -= rows[far]
        counts[labels[far]] -= 1
        sums[pad_class], counts[pad_class] = rows[far], 1
    return sums / np.maximum(counts, 1)[:, None]


def _counts_and_farthest(block: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, ...]:
    # The same function as in dask-ml, for the same labels where a record lies on a border.
    labels, _ = pairwise_distances_argmin_min(block, centres, metric_kwargs={"squared": True})
    squared = ((block - centres[labels]) ** 2).sum(axis=1)
    far = np.argsort(-squared, kind="stable")[: len(centres)]
    return np.bincount(labels, minlength=len(centres)), squared[far], block[far], labels[far]


def _sizes_and_inertia(block: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, float]:
    pad_class, squared, _ = nearest_two(squared_distances(block, centres), len(block))
    return np.bincount(pad_class, minlength=len(centres)), squared.sum()
