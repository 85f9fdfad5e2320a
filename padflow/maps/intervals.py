# SPDX-License-Identifier: BSD-3-Clause
"""Shares of cells, and intervals that hold the true share 95 times in 100."""

from __future__ import annotations

import numpy as np

from padflow.maps.orbits import OrbitSums

NORMAL_95 = 1.959964
"""Standard deviations on either side of the mean that hold 95 % of a normal distribution."""


FEWEST_ORBITS = 2
"""Orbits that a cell needs for an interval: one orbit says nothing of others."""


def shares_of(sums: OrbitSums) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the share of each outcome in each cell, and the ends of its 95 % interval.

    The share is a ratio of sums over orbits. Its variance comes from how orbits differ from it (Cochran 1977, Sampling
    Techniques, section 6.3). The *scatter* is this variance over that of as many independent orbits, each of which has
    the outcome in all records or in none. One cell alone tells little about its scatter. So each cell has at least the
    scatter of all cells together. The interval is that of Wilson 1927 (10.1080/01621459.1927.10502953), for the number
    of independent observations that gives this variance.

    Returns
    -------
    share, low, high : ndarray of float64, shape (cells, outcomes)
        NaN where there is no record; ends are NaN, too, where there are fewer than `FEWEST_ORBITS` orbits.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        records, orbits = sums.records[:, None].astype("f8"), sums.orbits[:, None].astype("f8")
        share = sums.count / records
        # As many orbits of equal length would tell as much as these (Kish 1965, Survey Sampling, section 11.7).
        equal_orbits = records**2 / sums.record_squares[:, None]
        squares = sums.squares - 2 * share * sums.products + share**2 * sums.record_squares[:, None]
        variance = orbits / (orbits - 1) * np.maximum(squares, 0) / records**2
        observations = np.minimum(equal_orbits / _scatter(share, variance, equal_orbits, orbits), records)
        spread = NORMAL_95**2 / observations
        middle = (share + spread / 2) / (1 + spread)
        half = np.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    few = np.broadcast_to(orbits < FEWEST_ORBITS, share.shape)
    low, high = np.clip(middle - half, 0, share), np.clip(middle + half, share, 1)  # rounding aside they hold it
    return share, np.where(few, np.nan, low), np.where(few, np.nan, high)


def _scatter(share: np.ndarray, variance: np.ndarray, equal_orbits: np.ndarray, orbits: np.ndarray) -> np.ndarray:
    """Return the variance over that of orbits which are all of the outcome or not at all, at most 1."""
    whole = share * (1 - share)
    many = (orbits >= FEWEST_ORBITS) & (whole > 0)
    weight = np.where(many, orbits - 1, 0)
    own = np.where(many, variance * equal_orbits / whole, 0)
    together = np.sum(weight * own * whole, axis=0, where=many) / np.sum(weight * whole, axis=0, where=many)
    return np.clip(np.maximum(own, np.nan_to_num(together, nan=1.0)), 1e-12, 1)
