# SPDX-License-Identifier: BSD-3-Clause
"""The classes of a run as an estimator of scikit-learn, for data that are not an archive of padflow.

The components are one already, see `padflow.components.pca.IncrementalPCA`.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import dask
import dask.array as da
import numpy as np
from pydantic import ValidationError
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils.validation import check_is_fitted

from padflow.clustering.agreement import RepeatedModes
from padflow.clustering.fit import (
    FEWEST_SCORES,
    KMEANS_ROWS,
    KMeansClasses,
    class_sizes,
    draw_indices,
    find_number,
    kmeans_classes,
    number_of_classes,
    numbered_by_size,
)
from padflow.clustering.mean_shift import Modes
from padflow.components.arrays import Table, checked_rows, each_block, of_rows, with_known_sizes
from padflow.config.sections import Config
from padflow.config.text import describe_validation
from padflow.errors import ConfigError


class PadClasses(ClusterMixin, BaseEstimator):
    """Classes of rows as a run makes them of scores: mean shift says how many, k-means begins, borders are drawn.

    Parameters
    ----------
    n_classes : int or "mean_shift"
        Number of classes, at least 2; or the number of modes of the density that subsamples agree on. Then k-means
        starts from the modes, else from ``k-means++``.
    assign : {"likeliest", "nearest"}
        Which class a row takes: the likeliest, by the place, spread and share of each class (a mixture of Student's t
        distributions, in which a class may lose all its rows), or that of the nearest centre (k-means).
    quantile : float
        Quantile of pairwise distances that estimates the bandwidth of mean shift.
    max_iter : int
        Most iterations of k-means.
    tol : float
        Stop when the centres move less, relative to the variance, as in scikit-learn.
    random_state : int
        Seed of subsamples and starts. The same seed gives the same classes.

    Attributes
    ----------
    fitted_ : NearestCentre or Likeliest
        The classes. ``fitted_.assign(rows)`` gives class, probability, distance and margin of each row.
    labels_ : ndarray or dask array of int32, shape (rows,)
        Class of each row that was fitted; 0 is the largest class.
    cluster_centers_ : ndarray of float64, shape (classes, features)
        Middle of each class, by the name that scikit-learn gives it.
    n_iter_ : int
        Iterations of k-means.
    n_features_in_ : int
        Number of features.

    Notes
    -----
    Values of a Dask array are not checked beforehand. A row that is not finite cannot be fitted; ``predict`` gives it
    the class -1. Subsamples, of at most 20,000 rows each, are read into memory.

    Examples
    --------
    >>> import numpy as np
    >>> import padflow
    >>> from sklearn.pipeline import make_pipeline
    >>> rng = np.random.default_rng(0)
    >>> middle = np.repeat([[0.0] * 6, [8.0] * 6, [0.0] * 3 + [8.0] * 3], [500, 300, 200], axis=0)
    >>> rows = middle + rng.normal(size=middle.shape)
    >>> steps = make_pipeline(padflow.IncrementalPCA(2), padflow.PadClasses("mean_shift"))
    >>> np.bincount(steps.fit_predict(rows))
    array([500, 300, 200])
    """

    def __init__(
        self,
        n_classes: int | Literal["mean_shift"] = 8,
        *,
        assign: Literal["likeliest", "nearest"] = "likeliest",
        quantile: float = 0.1,
        max_iter: int = 300,
        tol: float = 1e-4,
        random_state: int = 0,
    ):
        self.n_classes = n_classes
        self.assign = assign
        self.quantile = quantile
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def fit(self, X: Table, y: object = None) -> PadClasses:
        """Fit the classes to ``X``, shape (rows, features); ``y`` is ignored.

        Raises
        ------
        ConfigError
            If a parameter is not as said.
        PadflowError
            If mean shift finds a single class or none, or there are fewer distinct rows than classes.
        """
        X = checked_rows(self, X, reset=True, fewest=FEWEST_SCORES if self._by_modes else 2)
        config = self._config()
        if isinstance(X, da.Array):
            self._fit(X, config)
        else:
            with dask.config.set(scheduler="threads"):  # not a cluster, to which the rows would have to be sent
                self._fit(da.from_array(X, chunks=(KMEANS_ROWS, -1), name=False), config)
        self.cluster_centers_ = self.fitted_.centres
        self.labels_ = self._pad_class(X)
        return self

    @property
    def _by_modes(self) -> bool:
        return self.n_classes == "mean_shift"

    def _config(self) -> Config:
        """Return the configuration of a run with these parameters."""
        section = {"classes": self.n_classes, "init": "modes" if self._by_modes else "k-means++"}
        values = {
            "seed": self.random_state,
            "mean_shift": {"quantile": self.quantile} | ({} if self._by_modes else {"repeats": 1}),
            "kmeans": section | {"assign": self.assign, "max_iter": self.max_iter, "tol": self.tol},
        }
        try:
            return Config.model_validate(values)
        except ValidationError as error:
            raise ConfigError(f"PadClasses cannot be used: {describe_validation(error, Config)}") from None

    def _fit(self, scores: da.Array, config: Config) -> None:
        scores = with_known_sizes(scores)
        samples = [scores[index].compute().astype(np.float64) for index in draw_indices(config, len(scores))]
        found = find_number(samples, config) if self._by_modes else _no_modes(scores.shape[1])
        k = number_of_classes(config, found)
        classes, info = kmeans_classes(scores, k, found=found, samples=samples, config=config)
        self.n_iter_ = info["iterations"]
        self.fitted_ = numbered_by_size(classes, config, sizes=partial(_sizes, scores))

    def predict(self, X: Table) -> Table:
        """Return the class of each row of ``X``, int32, lazily for a Dask array."""
        check_is_fitted(self)
        return self._pad_class(checked_rows(self, X, reset=False))

    def _pad_class(self, X: Table) -> Table:
        return of_rows(self._class_of_block, X, columns=None, dtype=np.int32)

    def _class_of_block(self, rows: np.ndarray) -> np.ndarray:
        return self.fitted_.assign(rows)["pad_class"].astype(np.int32)  # as scikit-learn demands


def _no_modes(features: int) -> RepeatedModes:
    """Return what mean shift would give that was not asked."""
    return RepeatedModes([], Modes(0.0, np.empty((0, features)), np.empty(0), 0))


def _sizes(scores: da.Array, classes: KMeansClasses) -> np.ndarray:
    return np.sum(each_block(partial(class_sizes, classes), scores), axis=0)
