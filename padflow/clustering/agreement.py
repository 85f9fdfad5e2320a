# SPDX-License-Identifier: BSD-3-Clause
"""Modes of the score density that several subsamples agree on."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from padflow.clustering.assignment import by_size
from padflow.clustering.mean_shift import Modes, find_modes
from padflow.errors import PadflowError

SAME = 0.7
"""Bandwidths within which modes of two subsamples are the same; those of one are at least 1 apart."""


AGREED = Fraction(2, 3)
"""Least share of the repeats that find a mode which counts. Most populations are found by all, and most modes that are
none by about half: at one half, which of those count would depend on the seed (measured on simulated archives)."""


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
        """How often each number of modes came up, by increasing number."""
        return dict(sorted(Counter(modes.n_modes for modes in self.repeats).items()))

    @property
    def n_modes(self) -> int:
        """The number of modes."""
        return self.modes.n_modes

    @property
    def n_agreed(self) -> int:
        """Number of modes that most repeats found, also where they were not confirmed."""
        return self.n_modes + len(self.unconfirmed)

    def take(self, chosen: np.ndarray) -> RepeatedModes:
        """Return only some of the modes, in another order."""
        modes = replace(self.modes, modes=self.modes.modes[chosen], share=self.modes.share[chosen])
        return replace(self, modes=modes)


class NoModes(PadflowError):
    """No mode was found in most of the subsamples."""

    def __init__(self, message: str, repeats: list[Modes]):
        super().__init__(message)
        self._repeats = repeats

    def largest(self) -> RepeatedModes:
        """Return the largest mode of the first subsample alone."""
        return RepeatedModes(self._repeats, self._repeats[0]).take(np.array([0]))


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
        raise NoModes(
            f"No mode was found in two thirds of the {len(repeats)} subsamples of mean shift. Raise "
            "mean_shift.samples, mean_shift.quantile or mean_shift.bandwidth.",
            repeats,
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
    places : ndarray, shape (n_modes, components)
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
        raise NoModes(
            f"None of the {found.n_modes} modes that mean shift found among the scores was found again where their "
            "length is softened. Raise mean_shift.samples, mean_shift.quantile or mean_shift.bandwidth.",
            found.repeats,
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
    **options: Any,
) -> list[Modes]:
    """Find the modes of several subsamples, as `repeat_modes` is told to."""
    return list(apply(functools.partial(_modes_of, **options), samples))


def repeat_modes(
    samples: Iterable[np.ndarray | Callable[[], np.ndarray]],
    *,
    apply: Callable[[Callable, Iterable], Iterable] = map,
    **options: Any,
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


def _modes_of(sample: np.ndarray | Callable[[], np.ndarray], **options: Any) -> Modes:
    return find_modes(sample() if callable(sample) else sample, **options)
