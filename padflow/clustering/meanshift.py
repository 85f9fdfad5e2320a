"""Mean shift on subsamples of the scores: how many clusters there are, and where."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pandas as pd
from sklearn.cluster import estimate_bandwidth
from sklearn.metrics import pairwise_distances, pairwise_distances_argmin

from padflow.clustering.kmeans import by_size
from padflow.errors import PadflowError

MAX_STEPS = 300
"""Most steps of a start uphill, as in scikit-learn."""
LEAST_STEP = 1e-3
"""Step, in bandwidths, at which a start has arrived, as in scikit-learn."""
MAX_SEEDS = 5000
"""Most places that a bandwidth of the user's may make mean shift start from. The estimate gives some hundreds; at five
thousand one subsample takes minutes, and there are as many modes as specks."""
SAME = 0.7
"""Bandwidths within which modes of two subsamples are the same; those of one are at least 1 apart."""
AGREED = Fraction(2, 3)
"""Least share of the repeats that find a mode which counts. Most populations are found by all, and most modes that are
none by about half: at one half, which of those count would depend on the seed (measured on simulated archives)."""


@dataclass(frozen=True)
class Modes:
    """Modes of the density of scores.

    Parameters
    ----------
    bandwidth : float
        Radius of the flat kernel, in the scores' unit.
    modes : ndarray of float64, shape (n_clusters, components)
        Modes that hold at least the minimum share, from the largest to the smallest.
    share : ndarray of float64, shape (n_clusters,)
        Share of the sample nearest to each of them.
    n_all : int
        Number of modes before the minimum share, which is the papers' number of clusters.
    """

    bandwidth: float
    modes: np.ndarray
    share: np.ndarray
    n_all: int

    @property
    def n_clusters(self) -> int:
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
    from padflow.clustering.ballmeans import BallMeans  # Numba costs a second and 60 MB: only where modes are sought

    scores = np.asarray(scores, dtype=np.float64)
    estimate = functools.partial(
        estimate_bandwidth, scores, quantile=quantile, n_samples=bandwidth_samples, random_state=seed
    )
    if bandwidth is None:
        bandwidth = estimate()
    elif starts is None and (seeds := len(_seeds(scores, bandwidth))) > MAX_SEEDS:
        raise PadflowError(
            f"mean_shift.bandwidth = {bandwidth:g} is too small for these scores: mean shift would start from {seeds:,}"
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


@dataclass(frozen=True)
class RepeatedModes:
    """Modes of several subsamples, and those that most of them agree on.

    Parameters
    ----------
    repeats : list of Modes
        One for each subsample, in their order.
    modes : Modes
        See `agreed_modes` and `confirmed`.
    unconfirmed : tuple of float
        Shares of the records at modes that most repeats found, but that were not confirmed.
    """

    repeats: list[Modes]
    modes: Modes
    unconfirmed: tuple[float, ...] = ()

    @property
    def counts(self) -> dict[int, int]:
        """How often each number of clusters came up, by increasing number."""
        return dict(sorted(Counter(modes.n_clusters for modes in self.repeats).items()))

    @property
    def n_clusters(self) -> int:
        """The number of clusters."""
        return self.modes.n_clusters

    @property
    def n_agreed(self) -> int:
        """Number of modes that most repeats found, also where they were not confirmed."""
        return self.n_clusters + len(self.unconfirmed)


def agreed_modes(repeats: list[Modes]) -> Modes:
    """Return the modes that `AGREED` of the repeats found; places and shares are medians over those repeats.

    Raises
    ------
    PadflowError
        If there is none.
    """
    bandwidth = _mean_bandwidth(repeats)
    votes = [votes for votes in same_modes(repeats, SAME * bandwidth) if len(votes) >= math.ceil(AGREED * len(repeats))]
    if not votes:
        raise PadflowError(
            f"No mode was found in two thirds of the {len(repeats)} subsamples of mean shift. Raise "
            "mean_shift.samples, mean_shift.quantile or mean_shift.bandwidth."
        )
    places, shares = (
        np.array([np.median([getattr(repeats[r], name)[m] for r, m in some], axis=0) for some in votes])
        for name in ("modes", "share")
    )
    order = by_size(shares, places)
    n_all = int(np.median([found.n_all for found in repeats]))
    return Modes(bandwidth, places[order], shares[order], n_all)


def confirmed(found: RepeatedModes, places: np.ndarray, others: list[Modes]) -> RepeatedModes:
    """Keep those modes that `AGREED` of other repeats, on other scores of the same records, found as well.

    Parameters
    ----------
    places : ndarray, shape (n_clusters, components)
        Where the modes of `found` lie among those other scores.
    others : list of Modes
        Modes found there.

    Raises
    ------
    PadflowError
        If none is kept.
    """
    # Modes of one subsample are never nearer to each other than this, so those that are may be one.
    radius = _mean_bandwidth(others)
    votes = np.zeros(len(places), int)
    for other in others:
        votes[[place for place, _ in _nearest_pairs(places, other.modes, radius)]] += 1
    kept = votes >= math.ceil(AGREED * len(others))
    if not kept.any():
        raise PadflowError(
            f"None of the {found.n_clusters} modes that mean shift found among the scores was found again where their "
            "length is softened. Raise mean_shift.samples, mean_shift.quantile or mean_shift.bandwidth."
        )
    modes = found.modes
    return RepeatedModes(
        found.repeats,
        replace(modes, modes=modes.modes[kept], share=modes.share[kept]),
        unconfirmed=tuple(modes.share[~kept].tolist()),
    )


def _mean_bandwidth(repeats: list[Modes]) -> float:
    return float(np.mean([found.bandwidth for found in repeats]))


def same_modes(repeats: list[Modes], radius: float) -> list[list[tuple[int, int]]]:
    """Group modes of different repeats that are the same, the largest group first.

    A group is a mode and the nearest mode of each other repeat, none farther than `radius`. Which repeat comes first
    plays no part: a mode that lies now here and now there on a ridge would else be two, of half the repeats each.

    Parameters
    ----------
    repeats : list of Modes
    radius : float
        Distance from the middle mode of a group within which a mode belongs to it.

    Returns
    -------
    list of list of (int, int)
        Of each group, the repeats and the numbers of its modes there; at most one of each repeat.
    """
    members = [(repeat, mode) for repeat, found in enumerate(repeats) for mode in range(len(found.modes))]
    places = np.concatenate([found.modes for found in repeats])
    distance = np.linalg.norm(places[:, None] - places, axis=2)
    free = set(range(len(members)))

    def group_around(middle: int) -> tuple[int, float, list[int]]:
        nearest: dict[int, int] = {}
        for other in sorted(free, key=lambda other: (distance[middle, other], other)):
            if distance[middle, other] <= radius:
                nearest.setdefault(members[other][0], other)
        group = sorted(nearest.values())
        return len(group), -float(distance[middle, group].sum()), group

    groups: list[list[tuple[int, int]]] = []
    while free:
        *_, group = max(map(group_around, sorted(free)), key=lambda found: found[:2])
        free.difference_update(group)
        groups.append([members[one] for one in group])
    return groups


def _nearest_pairs(these: np.ndarray, those: np.ndarray, radius: float) -> list[tuple[int, int]]:
    """Pair each of `these` with at most one of `those` within a distance, the nearest first."""
    distance = np.linalg.norm(these[:, None] - those, axis=2)
    pairs: list[tuple[int, int]] = []
    for _ in range(min(distance.shape)):
        this, that = (int(place) for place in np.unravel_index(distance.argmin(), distance.shape))
        if distance[this, that] > radius:
            break
        pairs.append((this, that))
        distance[this], distance[:, that] = np.inf, np.inf
    return pairs


def modes_of_each(
    samples: Iterable[np.ndarray | Callable[[], np.ndarray]],
    *,
    apply: Callable[[Callable, Iterable], Iterable] = map,
    **options: float | None,
) -> list[Modes]:
    """Find the modes of several subsamples, as `repeat_modes` is told to."""
    return list(apply(functools.partial(_modes_of, **options), samples))


def repeat_modes(
    samples: Iterable[np.ndarray | Callable[[], np.ndarray]],
    *,
    apply: Callable[[Callable, Iterable], Iterable] = map,
    **options: float | None,
) -> RepeatedModes:
    """Find the modes of several subsamples, since their number is sensitive to the sample.

    Parameters
    ----------
    samples : iterable of ndarray or callables that return one
        Subsamples of the scores; a callable draws its own where it runs.
    apply : callable
        ``map`` or its like, such as ``lambda f, xs: client.gather(client.map(f, xs))``.
    **options
        Keywords of `find_modes`, the same for all.

    Raises
    ------
    PadflowError
        As `find_modes` does.
    """
    repeats = modes_of_each(samples, apply=apply, **options)
    return RepeatedModes(repeats, agreed_modes(repeats))


def _modes_of(sample: np.ndarray | Callable[[], np.ndarray], **options: float | None) -> Modes:
    return find_modes(sample() if callable(sample) else sample, **options)
