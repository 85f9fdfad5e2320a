# SPDX-License-Identifier: BSD-3-Clause
"""Mean shift on subsamples of the scores: how many modes there are, and where."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.cluster import estimate_bandwidth
from sklearn.metrics import pairwise_distances, pairwise_distances_argmin

from padflow.clustering.assignment import by_size
from padflow.errors import PadflowError

MAX_STEPS = 300
"""Most steps of a start uphill, as in scikit-learn."""


LEAST_STEP = 1e-3
"""Step, in bandwidths, at which a start has arrived, as in scikit-learn."""


MAX_SEEDS = 5000
"""Most places that a bandwidth of the user's may make mean shift start from. The estimate gives some hundreds; at five
thousand one subsample takes minutes, and there are as many modes as specks."""


@dataclass(frozen=True)
class Modes:
    """Modes of the density of scores.

    Parameters
    ----------
    bandwidth : float
        Radius of the flat kernel, in the scores' unit.
    modes : ndarray of float64, shape (n_modes, components)
        Modes that hold at least the minimum share, from the largest to the smallest.
    share : ndarray of float64, shape (n_modes,)
        Share of the sample nearest to each of them.
    n_all : int
        Number of modes before the minimum share, which is the papers' number of modes.
    """

    bandwidth: float
    modes: np.ndarray
    share: np.ndarray
    n_all: int

    @property
    def n_modes(self) -> int:
        """Number of modes that hold at least the minimum share."""
        return len(self.modes)


def find_modes(
    scores: np.ndarray,
    *,
    quantile: float = 0.1,
    bandwidth_samples: int = 6000,
    bandwidth: float | None = None,
    starts: int | None = None,
    min_share: float = 0.01,
    seed: int = 0,
) -> Modes:
    """Find the modes of ``scores`` by mean shift with a flat kernel (Comaniciu and Meer 2002, 10.1109/34.1000236).

    The modes are those of scikit-learn's ``MeanShift``, which lists the records around every centre in each step.

    Parameters
    ----------
    scores : ndarray, shape (records, components)
        A subsample of the finite scores.
    quantile, bandwidth_samples, seed
        Of scikit-learn's ``estimate_bandwidth``: quantile of the pairwise distances, number of records it
        draws, and seed of the draw.
    bandwidth : float, optional
        Use this bandwidth instead of the estimate. Every occupied cube of this width is a place to start from.
    starts : int, optional
        Number of records, drawn at random, that mean shift starts from: it costs the same for any number of
        components and any bandwidth, and a mode with a hundredth of the records is found by a few of 300. By
        default every occupied cube of the bandwidth is a start (scikit-learn's ``bin_seeding``, as the papers
        do); in more than three components that is nearly every record.
    min_share : float
        Smallest share of the records that a mode must hold; 0 keeps all, as the papers do.

    Returns
    -------
    Modes
        Computed in float64, for single precision loses digits in the mean of many thousand neighbours.

    Raises
    ------
    PadflowError
        If the bandwidth is 0 or far too small for the scores, or no mode holds the minimum share.
    """
    from padflow.clustering.ball_means import BallMeans  # Numba costs a second and 60 MB: only where modes are sought

    scores = np.asarray(scores, dtype=np.float64)
    estimate = functools.partial(
        estimate_bandwidth, scores, quantile=quantile, n_samples=bandwidth_samples, random_state=seed
    )
    if bandwidth is None:
        bandwidth = estimate()
    elif starts is None and (count := len(_seeds(scores, bandwidth))) > MAX_SEEDS:
        raise PadflowError(
            f"mean_shift.bandwidth = {bandwidth:g} is too small for these scores: mean shift would start from {count:,}"
            f" places of {len(scores):,} records, and {MAX_SEEDS:,} are the most. The estimate is {estimate():.3g}; set"
            " it to something near, or to null."
        )
    if bandwidth <= 0:
        raise PadflowError(
            f"Mean shift has a bandwidth of {bandwidth}: too many of the {len(scores)} records have the same"
            " scores. Drop empty records when preprocessing, raise mean_shift.quantile, or set"
            " mean_shift.bandwidth."
        )
    if starts is None:
        seeds = _seeds(scores, bandwidth)
    else:
        drawn = np.random.default_rng(seed).choice(len(scores), min(starts, len(scores)), replace=False)
        seeds = scores[np.sort(drawn)]
    centres = _distinct(*_climbed(seeds, BallMeans(scores, bandwidth), bandwidth), bandwidth)
    sizes = np.bincount(pairwise_distances_argmin(scores, centres), minlength=len(centres))
    order = by_size(sizes, centres)
    share = sizes[order] / len(scores)
    kept = share >= min_share
    if not kept.any():
        raise PadflowError(
            f"Mean shift found {len(centres)} modes, none with a share of {min_share} of the records (the"
            f" largest has {share[0]:.2g}). Lower mean_shift.min_share, or raise the quantile or bandwidth."
        )
    return Modes(float(bandwidth), centres[order][kept], share[kept], len(centres))


def _climbed(
    centres: np.ndarray, ball_means: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], bandwidth: float
) -> tuple[np.ndarray, np.ndarray]:
    """Move each start to the mean of the records around it until it rests; return where, and how many are around."""
    centres, counts = np.array(centres, np.float64), np.zeros(len(centres), np.int64)
    moving = np.arange(len(centres))
    for _ in range(MAX_STEPS):
        means, count = ball_means(centres[moving])
        counts[moving] = count
        moving, means = moving[count > 0], means[count > 0]
        steps = np.linalg.norm(means - centres[moving], axis=1)
        centres[moving] = means
        moving = moving[steps > LEAST_STEP * bandwidth]
        if not len(moving):
            break
    return centres[counts > 0], counts[counts > 0]


def _distinct(centres: np.ndarray, counts: np.ndarray, bandwidth: float) -> np.ndarray:
    """Return the centres but those within a bandwidth of one that has more records around it."""
    centres, first = np.unique(centres, axis=0, return_index=True)
    centres = centres[np.lexsort((*centres.T[::-1], counts[first]))[::-1]]
    free = np.ones(len(centres), bool)
    for i, distances in enumerate(pairwise_distances(centres)):
        if free[i]:
            free[i + 1 :] &= distances[i + 1 :] > bandwidth
    return centres[free]


def _seeds(scores: np.ndarray, bandwidth: float) -> np.ndarray:
    """Return the middles of the occupied cubes of the width of a bandwidth; all scores where numbers run out.

    They are those of scikit-learn's ``get_bin_seeds``, which takes thirty times as long.
    """
    with np.errstate(over="ignore"):
        cubes = np.round(scores / bandwidth).astype(np.float32)
    if not np.isfinite(cubes).all():
        return scores
    return pd.DataFrame(cubes).drop_duplicates().to_numpy() * bandwidth
