# SPDX-License-Identifier: BSD-3-Clause
"""Counts by orbit, and their sums: what shares and their uncertainties are made of.

Neighbouring records are nearly the same, so that thousands of them may be one observation. Orbits take the place of
records: a cell has as many observations as orbits that went through it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

ORBIT_BEGINS_L = 2.0
"""An orbit begins where L rises through this (chosen: below the outer belt, and above each perigee)."""


ORBIT_L = ("L", "L_star")
"""Orbits are told apart by the first of these that the archive has."""


LOOK_BACK = 64
"""Rows before a part in which its last known L is searched (chosen)."""


def begins_of_orbits(l_value: np.ndarray, *, before: float = np.nan) -> np.ndarray:
    """Mark the records that are the first of an orbit.

    Parameters
    ----------
    l_value : ndarray, shape (records,)
        L in the order of time; NaN where missing. Over a gap the last known L counts.
    before : float
        The last known L before these records.

    Returns
    -------
    ndarray of bool, shape (records,)
    """
    values = np.concatenate([[before], l_value]).astype(np.float64)
    known = np.maximum.accumulate(np.where(np.isfinite(values), np.arange(len(values)), 0))
    values = values[known]
    return (values[:-1] < ORBIT_BEGINS_L) & (values[1:] >= ORBIT_BEGINS_L)


def last_known(l_value: np.ndarray, *, before: float = np.nan) -> float:
    """Return the last L that is known; `before` where none is."""
    known = l_value[np.isfinite(l_value)]
    return float(known[-1]) if len(known) else before


@dataclass(frozen=True)
class OrbitCounts:
    """Records of consecutive rows by orbit, cell and outcome. Only counts above zero are there.

    Parameters
    ----------
    key : ndarray of int64, shape (entries,)
        ``(orbit * cells + cell) * outcomes + outcome``, ascending. Orbit 0 is that which was under way.
    count : ndarray of int64, shape (entries,)
    begun : int
        Orbits that began in these rows.
    """

    key: np.ndarray
    count: np.ndarray
    begun: int

    @staticmethod
    def of(begins: np.ndarray, cell: np.ndarray, outcome: np.ndarray, *, size: tuple[int, int]) -> OrbitCounts:
        """Count records.

        Parameters
        ----------
        begins : ndarray of bool, shape (records,)
            See `begins_of_orbits`.
        cell : ndarray of int64, shape (records,)
            -1 for a record that is in none.
        outcome : ndarray of int64, shape (records, kinds)
            Each record has an outcome of each kind, such as its class and its shape at one energy; -1 for none.
        size : tuple of int
            Cells, and outcomes.
        """
        counts = OrbitCounts.of_numbers(np.cumsum(begins), cell, outcome, size=size)
        return replace(counts, begun=int(begins.sum()))

    @staticmethod
    def of_numbers(number: np.ndarray, cell: np.ndarray, outcome: np.ndarray, *, size: tuple[int, int]) -> OrbitCounts:
        """Count records of orbits that have a number, or of other events, int64 of shape (records,)."""
        key = (number * size[0] + cell)[:, None] * size[1] + outcome
        key, count = np.unique(key[(cell >= 0)[:, None] & (outcome >= 0)], return_counts=True)
        return OrbitCounts(key, count, 0)


class OrbitSums:
    """Sums over orbits by cell and outcome. Their size does not depend on the number of records.

    Parameters
    ----------
    cells, outcomes : int
    complete : int
        So many outcomes, the first ones, hold each record once: their counts are the records of a cell.
    """

    def __init__(self, cells: int, outcomes: int, *, complete: int):
        self.complete = complete
        self.count = np.zeros((cells, outcomes), np.int64)
        self.squares = np.zeros((cells, outcomes))
        """Sum over orbits of the squares of counts."""
        self.products = np.zeros((cells, outcomes))
        """Sum over orbits of counts times the records of the orbit in the cell."""
        self.records = np.zeros(cells, np.int64)
        self.record_squares = np.zeros(cells)
        self.orbits = np.zeros(cells, np.int64)
        self._open = OrbitCounts(np.empty(0, np.int64), np.empty(0, np.int64), 0)

    def add(self, part: OrbitCounts) -> None:
        """Add the rows that follow those added before."""
        key, inverse = np.unique(np.concatenate([self._open.key, part.key]), return_inverse=True)
        count = np.bincount(inverse, np.concatenate([self._open.count, part.count]), len(key)).astype(np.int64)
        border = np.searchsorted(key, part.begun * self.count.size)
        self._close(key[:border], count[:border])
        self._open = OrbitCounts(key[border:] - part.begun * self.count.size, count[border:], 0)

    def finish(self) -> None:
        """Close the orbit that is under way: no row follows. Another spacecraft may."""
        self._close(self._open.key, self._open.count)
        self._open = OrbitCounts(np.empty(0, np.int64), np.empty(0, np.int64), 0)

    def _close(self, key: np.ndarray, count: np.ndarray) -> None:
        """Add whole orbits."""
        cells, outcomes = self.count.shape
        visit, outcome = key // outcomes, key % outcomes
        visits, of_visit = np.unique(visit, return_inverse=True)
        records = np.bincount(of_visit, np.where(outcome < self.complete, count, 0), len(visits))
        weights = {"count": count, "squares": count.astype("f8") ** 2, "products": count * records[of_visit]}
        for name, weight in weights.items():
            total = getattr(self, name)
            added = np.bincount(key % total.size, weight, total.size)
            total += added.reshape(total.shape).astype(total.dtype)
        cell = visits % cells
        self.records += np.bincount(cell, records, cells).astype(np.int64)
        self.record_squares += np.bincount(cell, records**2, cells)
        self.orbits += np.bincount(cell, minlength=cells)
