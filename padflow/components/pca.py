# SPDX-License-Identifier: BSD-3-Clause
"""Principal components from mergeable exact moments: one pass over any number of records, in any chunks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from numbers import Integral

import numpy as np
from scipy import linalg
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.extmath import svd_flip
from sklearn.utils.validation import check_is_fitted

from padflow.blas import one_blas_thread
from padflow.components.arrays import Table, checked_rows, each_block, of_rows
from padflow.components.moments import Moments, _float64_blocks
from padflow.errors import ConfigError, PadflowError


@dataclass(frozen=True)
class _Decomposition:
    """Leading principal axes of moments, by decreasing variance."""

    components: np.ndarray
    variance: np.ndarray
    total_variance: float
    noise_variance: float


def _decompose(moments: Moments, n_components: int | None) -> _Decomposition:
    n, features = moments.n, len(moments.mean)
    rank = min(n, features)
    if n < 2:
        raise ConfigError(f"A PCA needs at least two records, and got n_samples = {n}.")
    if n_components is None:
        n_components = rank
    if not (isinstance(n_components, Integral) and 1 <= n_components <= rank):
        raise ConfigError(
            f"pca.components is {n_components!r}, but {n} records of {features} features have between 1 and"
            f" {rank} components. Lower pca.components, or give more records."
        )
    with one_blas_thread():
        variance, axes = linalg.eigh(moments.scatter / (n - 1))
    variance = np.maximum(variance[::-1][:rank], 0.0)  # rounding can leave -1e-18 for a feature that is constant
    _, components = svd_flip(None, axes.T[::-1][:n_components].copy(), u_based_decision=False)
    rest = variance[n_components:]
    return _Decomposition(components, variance[:n_components], variance.sum(), rest.mean() if rest.size else 0.0)


class IncrementalPCA(TransformerMixin, BaseEstimator):
    """PCA that is fitted chunk by chunk or merged from workers, and equals a full PCA of all rows.

    Unlike `sklearn.decomposition.IncrementalPCA` it is exact: it adds up `Moments` and decomposes their
    covariance once, when a result is first asked for. Results equal
    ``sklearn.decomposition.PCA(svd_solver="full")``, signs included.

    Parameters
    ----------
    n_components : int, optional
        Number of components kept; by default the smaller of the numbers of rows and of features.

    Attributes
    ----------
    moments_ : Moments
        Moments of all rows seen; the other attributes are computed from them.
    n_features_in_ : int
        Number of features.

    Notes
    -----
    A full SVD resolves variances down to about 1e-32 of the largest, the covariance only to 1e-16.

    Of a Dask array, moments are taken block by block where the blocks are, and ``transform`` is lazy.

    Examples
    --------
    >>> import numpy as np
    >>> import padflow
    >>> rows = np.random.default_rng(0).normal(size=(1000, 4)) * [3, 2, 1, 0.1]
    >>> first = padflow.IncrementalPCA(2).fit(rows[:600])
    >>> pca = first.merge(padflow.IncrementalPCA(2).fit(rows[600:]))
    >>> pca.n_samples_seen_, pca.transform(rows).shape
    (1000, (1000, 2))
    """

    def __init__(self, n_components: int | None = None):
        self.n_components = n_components

    def fit(self, X: Table, y: object = None) -> IncrementalPCA:
        """Forget what was seen and fit ``X``, shape (rows, features); ``y`` is ignored.

        Raises
        ------
        ConfigError
            If there are fewer rows or features than components.
        """
        X = checked_rows(self, X, reset=True, fewest=2)
        self.moments_ = _moments(X)
        self._decomposition: _Decomposition | None = _decompose(self.moments_, self.n_components)
        return self

    def partial_fit(self, X: Table, y: object = None) -> IncrementalPCA:
        """Add the rows of ``X``, shape (rows, features); there may be none. ``y`` is ignored."""
        first = not hasattr(self, "moments_")
        X = checked_rows(self, X, reset=first, fewest=0)
        return self.merge(_moments(X))

    def merge(self, other: IncrementalPCA | Moments) -> IncrementalPCA:
        """Add the rows that ``other`` has seen.

        Raises
        ------
        ValueError
            If it has another number of features.
        """
        moments = other if isinstance(other, Moments) else other.moments_
        self.moments_ = self.moments_.merge(moments) if hasattr(self, "moments_") else moments
        self.n_features_in_ = len(moments.mean)
        self._decomposition = None  # until somebody asks: one decomposition, not one for each chunk
        return self

    def _finalised(self) -> _Decomposition:
        if not hasattr(self, "moments_"):  # AttributeError keeps hasattr(pca, "components_") honest
            raise AttributeError("this IncrementalPCA is not fitted: call fit, partial_fit or merge first")
        if self._decomposition is None:
            self._decomposition = _decompose(self.moments_, self.n_components)
        return self._decomposition

    @property
    def components_(self) -> np.ndarray:
        """Principal axes by decreasing variance, float64 of shape (components, features).

        The largest coefficient of each is positive, as in scikit-learn.
        """
        return self._finalised().components

    @property
    def explained_variance_(self) -> np.ndarray:
        """Variance along each axis (n - 1 in the denominator), float64 of shape (components,)."""
        return self._finalised().variance

    @property
    def explained_variance_ratio_(self) -> np.ndarray:
        """Share of each axis in the total variance, float64 of shape (components,); 0 if there is none."""
        fit = self._finalised()
        return fit.variance / (fit.total_variance or 1.0)

    @property
    def singular_values_(self) -> np.ndarray:
        """Singular values of the centred rows, float64 of shape (components,)."""
        return np.sqrt(self._finalised().variance * (self.n_samples_seen_ - 1))

    @property
    def noise_variance_(self) -> float:
        """Mean variance along the axes left out (Tipping and Bishop 1999); 0 where there are none."""
        return float(self._finalised().noise_variance)

    @property
    def n_components_(self) -> int:
        """Number of components."""
        return len(self._finalised().components)

    @property
    def mean_(self) -> np.ndarray:
        """Mean of the rows, float64 of shape (features,)."""
        return self.moments_.mean

    @property
    def n_samples_seen_(self) -> int:
        """Number of rows seen."""
        return self.moments_.n

    @property
    def mean_log_likelihood_(self) -> float:
        """Mean log-likelihood of the fitted rows, what scikit-learn's ``PCA.score`` returns for them.

        Infinite where they do not vary along every axis.
        """
        # The trace of model precision times sample covariance: each of the min(n, features) axes that vary
        # contributes (n - 1) / n, because the model's variance is theirs, alone or in the mean.
        n = self.n_samples_seen_
        trace = min(n, self.n_features_in_) * (n - 1) / n
        return float(-0.5 * (self.n_features_in_ * np.log(2 * np.pi) + self._log_determinant() + trace))

    def _log_determinant(self) -> float:
        """Log-determinant of the model's covariance (Bishop 2006, section 12.2.1); -inf where singular."""
        fit = self._finalised()
        left_out = self.n_features_in_ - len(fit.variance)
        with np.errstate(divide="ignore"):
            return np.log(fit.variance).sum() + (left_out * np.log(fit.noise_variance) if left_out else 0.0)

    def transform(self, X: Table) -> Table:
        """Return the scores of ``X``, float64 of shape (rows, components)."""
        check_is_fitted(self)
        X = checked_rows(self, X, reset=False)
        return of_rows(self._scores, X, columns=self.n_components_, dtype=np.float64)

    def _scores(self, X: np.ndarray) -> np.ndarray:
        scores = np.empty((len(X), self.n_components_))
        with one_blas_thread():
            for rows, block in _float64_blocks(X):
                scores[rows] = (block - self.mean_) @ self.components_.T
        return scores

    def inverse_transform(self, X: Table) -> Table:
        """Return the rows whose scores are ``X``, float64 of shape (rows, features)."""
        check_is_fitted(self)
        return of_rows(self._rows, X, columns=self.n_features_in_, dtype=np.float64)

    def _rows(self, scores: np.ndarray) -> np.ndarray:
        with one_blas_thread():
            return np.asarray(scores, dtype=np.float64) @ self.components_ + self.mean_

    def score(self, X: Table, y: object = None) -> float:
        """Return the mean log-likelihood of ``X`` under the probabilistic PCA model; ``y`` is ignored.

        Raises
        ------
        PadflowError
            If the fitted rows lie in a subspace, where the model gives no density.
        """
        check_is_fitted(self)
        X = checked_rows(self, X, reset=False)
        log_determinant = self._log_determinant()
        if not np.isfinite(log_determinant):
            raise PadflowError(
                "The PCA's model has no density, because the records it was fitted to do not vary along every"
                " axis: fit more records, or lower pca.components below the number of axes that vary."
            )
        squared = sum(each_block(self._squared_lengths, X))
        return float(-0.5 * (self.n_features_in_ * np.log(2 * np.pi) + log_determinant + squared / len(X)))

    def _squared_lengths(self, X: np.ndarray) -> float:
        """Return the summed squared Mahalanobis length of rows under the model."""
        total = 0.0
        for rows, scores in _float64_blocks(self._scores(X)):
            total += (scores**2 / self.explained_variance_).sum()
            if self.n_components_ < self.n_features_in_:
                residual = X[rows] - self._rows(scores)
                total += (residual**2).sum() / self.noise_variance_
        return total

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "moments_")


def _moments(X: Table) -> Moments:
    """Return the moments of all rows; those of blocks are merged in their order, for the same last bits each time."""
    return reduce(Moments.merge, each_block(Moments.of, X))
