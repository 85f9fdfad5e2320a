# SPDX-License-Identifier: BSD-3-Clause
"""Records in columns of equal time, for figures along time: averages and the commonest value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Columns:
    """Which records are in which column.

    Parameters
    ----------
    edges : ndarray of datetime64[ns], shape (columns + 1,)
    filled : ndarray of int, shape (filled,)
        The columns that have records, ascending.
    first : ndarray of int, shape (filled,)
        The first record of each of them.
    """

    edges: np.ndarray
    filled: np.ndarray
    first: np.ndarray

    @staticmethod
    def of_times(time: np.ndarray, start: np.datetime64, end: np.datetime64, *, columns: int) -> Columns:
        """Cut the time from `start` to `end` into columns.

        Parameters
        ----------
        time : ndarray of datetime64[ns], shape (records,)
            Ascending, from `start` on and before `end`.
        """
        length = (end - start) / np.timedelta64(1, "ns")
        edges = start + np.rint(np.linspace(0, length, columns + 1)).astype("m8[ns]")
        filled, first = np.unique(np.searchsorted(edges, time, side="right") - 1, return_index=True)
        return Columns(edges, np.minimum(filled, columns - 1), first)

    def __len__(self) -> int:
        return len(self.edges) - 1

    def total(self, values: np.ndarray) -> np.ndarray:
        """Sum values (records, ...) in each column, float64 (columns, ...), without those that are NaN; 0 if none."""
        summed = np.zeros((len(self), *values.shape[1:]))
        if len(self.first):
            summed[self.filled] = np.add.reduceat(np.nan_to_num(values.astype(float), posinf=0, neginf=0), self.first)
        return summed

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Average values (records, ...) in each column, float64 (columns, ...); NaN where there are none."""
        number = self.total(np.isfinite(values))
        return np.divide(self.total(values), number, out=np.full(number.shape, np.nan), where=number > 0)

    def commonest(self, codes: np.ndarray, *, kinds: int) -> np.ndarray:
        """Return the commonest code from 0 to `kinds` - 1 in each column, int (columns, ...); -1 if there is none.

        Of two that are as common, the lower one. Codes that are negative do not count.
        """
        numbers = np.stack([self.total(codes == kind) for kind in range(kinds)], axis=-1)
        return np.where(numbers.any(axis=-1), numbers.argmax(axis=-1), -1)
