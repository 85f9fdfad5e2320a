# SPDX-License-Identifier: BSD-3-Clause
"""Mergeable moments of codes: number, means, scatter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

import numpy as np

from padflow.blas import one_blas_thread
from padflow.errors import PadflowError


@dataclass(frozen=True)
class CodeStatistics:
    """What components are fitted to.

    Parameters
    ----------
    moments : Moments
        Of all codes.
    differences : ndarray of float32, shape (pairs, code)
        Later minus earlier code of some pairs of neighbouring records, for the noise.
    """

    moments: Moments
    differences: np.ndarray

    @staticmethod
    def joined(parts: list[CodeStatistics]) -> CodeStatistics:
        """Merge the statistics of parts, in their order: the last bits depend on it."""
        moments = reduce(Moments.merge, (part.moments for part in parts))
        return CodeStatistics(moments, np.concatenate([part.differences for part in parts]))


MOMENT_ROWS = 8192  # 102 features as float64: 7 MB a block, whatever the chunk


def _float64_blocks(values: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    for start in range(0, len(values), MOMENT_ROWS):
        rows = slice(start, start + MOMENT_ROWS)
        yield rows, np.asarray(values[rows], dtype=np.float64)


@dataclass(frozen=True)
class Moments:
    """Count, mean and scatter of rows: all that a PCA needs to know of them.

    Parameters
    ----------
    n : int
        Number of rows.
    mean : ndarray of float64, shape (features,)
        Mean of the rows; zeros where ``n`` is 0.
    scatter : ndarray of float64, shape (features, features)
        Sum over the rows of the outer product of their deviation from ``mean``.

    Notes
    -----
    Equal to the moments of all rows at once up to rounding, for any chunks and any order of merging. The very
    last bits do depend on both: merge in the order of the parts where they must repeat.
    """

    n: int
    mean: np.ndarray
    scatter: np.ndarray

    @staticmethod
    def of(values: np.ndarray) -> Moments:
        """Return the moments of ``values``, shape (rows, features), accumulated in float64 a block at a time.

        Raises
        ------
        PadflowError
            Where a value is NaN or infinite.
        """
        features = values.shape[1]
        total = Moments(0, np.zeros(features), np.zeros((features, features)))
        with one_blas_thread():
            for _, block in _float64_blocks(values):
                total = total.merge(_block_moments(block))
        return total

    def merge(self, other: Moments) -> Moments:
        """Return the moments of both sets of rows (pairwise update of Chan, Golub and LeVeque 1983).

        Raises
        ------
        ValueError
            If the numbers of features differ.
        """
        if len(self.mean) != len(other.mean):
            raise ValueError(f"moments of {len(self.mean)} and of {len(other.mean)} features cannot be merged")
        if self.n == 0 or other.n == 0:
            return other if self.n == 0 else self
        n = self.n + other.n
        delta = other.mean - self.mean
        mean = self.mean + delta * (other.n / n)
        scatter = self.scatter + other.scatter + np.outer(delta, delta) * (self.n / n * other.n)
        return Moments(n, mean, scatter)

    def mapped(self, matrix: np.ndarray) -> Moments:
        """Return the moments of ``rows @ matrix``, where `matrix` has shape (features, mapped features)."""
        with one_blas_thread():
            scatter = matrix.T @ self.scatter @ matrix
            return Moments(self.n, self.mean @ matrix, (scatter + scatter.T) / 2)


def _block_moments(block: np.ndarray) -> Moments:
    n = len(block)
    mean = block.mean(axis=0)
    if not np.isfinite(mean).all():
        raise PadflowError(
            "The values to take moments of (encoded records or scores) hold NaN or infinity, but must be"
            " finite. Select or fill records with missing values before encoding them."
        )
    deviation = block - mean
    # For large numbers the rounding error of the mean is not small against a small variance. Correct both.
    error = deviation.mean(axis=0)
    return Moments(n, mean + error, deviation.T @ deviation - n * np.outer(error, error))
