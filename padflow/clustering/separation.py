# SPDX-License-Identifier: BSD-3-Clause
"""Whether the modes of mean shift are separated populations, or regions of a continuum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse.csgraph import connected_components

from padflow.clustering.mean_shift import Modes

SHALLOWEST = 0.75
"""Density in the valley between two modes, over that of the less dense of them, up to which they are separated. Chosen
on simulated archives: modes of separate populations have 0.0 to 0.3, most of wide ones with sharp borders up to 0.5,
modes of archives with measured shapes, which are a continuum, 0.83 and more."""


NO_VALLEY = 0.87
"""The same, from which two modes are one population that mean shift has cut in two. Chosen on the same archives: two
halves of a wide population have 0.92, two wide populations of different shape 0.83."""


MOST_IN_ONE = 0.8
"""Share of the records at modes that no valley parts, above which the archive is a continuum with something small
beside it (chosen)."""


STEPS = 41
"""Places on the line between two modes at which density is estimated: a bandwidth has several, for modes are one to ten
bandwidths apart."""


FEWEST = 50
"""Scores along a line, within a bandwidth of it, below which it runs through empty space: the modes are separated."""


@dataclass(frozen=True)
class Separation:
    """How deep the valleys between modes are.

    Parameters
    ----------
    valleys : ndarray of float64, shape (mode, mode)
        Density in the lowest place between two modes, over that at the less dense of them; 0 on the diagonal.
    share : ndarray of float64, shape (mode,)
        Share of the records at each mode.
    """

    valleys: np.ndarray
    share: np.ndarray

    @property
    def groups(self) -> np.ndarray:
        """Number of the group of each mode; between groups all valleys are at most `SHALLOWEST`."""
        return _connected(self.valleys > SHALLOWEST)

    @property
    def separated(self) -> bool:
        """Whether there are several groups, none of which holds more than `MOST_IN_ONE` of the records."""
        return float(np.bincount(self.groups, self.share).max() / self.share.sum()) <= MOST_IN_ONE

    @property
    def populations(self) -> np.ndarray:
        """The first, and thereby largest, of the modes between which there is no valley (`NO_VALLEY`)."""
        return np.unique(_connected(self.valleys > NO_VALLEY), return_index=True)[1]

    def describe(self, classes: int) -> dict[str, Any]:
        """Return what the model's description says, if so many classes were made of the populations.

        Each population must have become a class of its own: a number that the user sets may join them or cut them.
        """
        modes, populations = len(self.valleys), len(self.populations)
        if not self.separated:
            return {"separated": False, "separated_because": self._why_not()}
        if classes != populations:
            because = f"{classes} classes were made of {populations} populations"
            return {"separated": False, "separated_because": because}
        groups = self.groups
        between = self.valleys[groups[:, None] != groups].max()
        because = (
            f"{groups.max() + 1} groups of records have gaps between them, in which the scores are at most "
            f"{between:.2f} times as dense as in the smaller group (up to {SHALLOWEST} counts as separated)"
        )
        if shallow := populations - (groups.max() + 1):
            because += f"; within these groups, modes that are parted less clearly: {shallow}"
        if modes > populations:
            because += f"; modes that are not parted from another and were joined to it: {modes - populations}"
        return {"separated": True, "separated_because": because}

    def _why_not(self) -> str:
        modes = len(self.valleys)
        if modes < 2:
            return "mean shift found no two modes in the density of the scores"
        beside = int((self.valleys > SHALLOWEST).any(axis=1).sum())
        return (
            f"{beside} of the {modes} modes are not parted from another: between the two, the scores stay more than "
            f"{SHALLOWEST} times as dense as at the smaller mode"
        )


def _connected(linked: np.ndarray) -> np.ndarray:
    return connected_components(linked, directed=False)[1]


def separation_of(scores: np.ndarray, modes: Modes) -> Separation:
    """Look for valleys between modes in the density of the scores.

    Parameters
    ----------
    scores : ndarray, shape (records, component)
        A sample, in the space in which the modes were sought.
    modes : Modes

    Examples
    --------
    >>> import numpy as np
    >>> from padflow.clustering.mean_shift import find_modes
    >>> random = np.random.default_rng(0)
    >>> scores = np.concatenate([random.normal(middle, 1.0, (2000, 2)) for middle in (0.0, 6.0)])
    >>> separation_of(scores, find_modes(scores)).separated
    True
    """
    scores = np.asarray(scores, np.float64)
    number = modes.n_modes
    valleys = np.zeros((number, number))
    for one in range(number):
        for other in range(one):
            valleys[one, other] = valleys[other, one] = _valley(
                scores, modes.modes[one], modes.modes[other], bandwidth=modes.bandwidth
            )
    return Separation(valleys, modes.share)


def _valley(scores: np.ndarray, one: np.ndarray, other: np.ndarray, *, bandwidth: float) -> float:
    """Return the lowest density on the line between two modes over that at the less dense of them."""
    length = float(np.linalg.norm(other - one))
    direction = (other - one) / length
    along = (scores - one) @ direction
    away = np.linalg.norm(scores - one - along[:, None] * direction, axis=1)
    # Density on the line itself, from the scores in a tube around it: a kernel of a third of the bandwidth along it.
    near = along[(away < bandwidth) & (along > -bandwidth) & (along < length + bandwidth)]
    if len(near) < FEWEST:
        return 0.0
    # Counted in bins much narrower than the kernel first: the sample has hundreds of thousands of scores.
    count, edges = np.histogram(near, bins=int(12 * (length / bandwidth + 2)), range=(-bandwidth, length + bandwidth))
    places, bins = np.linspace(0, length, STEPS), (edges[1:] + edges[:-1]) / 2
    density = np.exp(-0.5 * ((bins - places[:, None]) / (bandwidth / 3)) ** 2) @ count
    # Modes are found to within part of a bandwidth: the maximum near each end stands for it.
    end = STEPS // 5
    return float(density.min() / min(density[:end].max(), density[-end:].max()))
