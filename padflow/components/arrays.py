# SPDX-License-Identifier: BSD-3-Clause
"""Rows as scikit-learn's estimators are given them: a NumPy array, which is checked, or a Dask array, which is lazy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask
import dask.array as da
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from padflow.errors import PadflowError

Table = np.ndarray | da.Array
"""Rows, float (rows, features)."""


def checked_rows(estimator: BaseEstimator, X: Any, *, reset: bool, fewest: int = 1) -> Table:
    """Return `X` as float32 or float64 (rows, features), and check its number of features.

    Parameters
    ----------
    X : array-like or dask array
        Values of a Dask array are not looked at.
    reset : bool
        Whether the estimator is to keep the number and the names of the features, or to compare with those it has.
    fewest : int
        Least number of rows.

    Raises
    ------
    ValueError
        Where scikit-learn's checks fail: wrong shape, other features, too few rows, NaN or infinity.
    PadflowError
        Where a Dask array is not a table of numbers.
    """
    if not isinstance(X, da.Array):
        return validate_data(estimator, X, dtype=[np.float64, np.float32], ensure_min_samples=fewest, reset=reset)
    if X.ndim != 2 or X.dtype.kind not in "fiu":
        raise PadflowError(
            f"An estimator needs a table of numbers, (rows, features), and got a Dask array of {X.dtype} with "
            f"{X.ndim} dimensions."
        )
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    return X if X.dtype in (np.float32, np.float64) else X.astype(np.float64)


def each_block(function: Callable[[np.ndarray], Any], X: Table) -> list[Any]:
    """Return ``function(block)`` of each block of rows, in their order; a NumPy array is one block."""
    if not isinstance(X, da.Array):
        return [function(X)]
    blocks = X.rechunk({1: -1}).to_delayed().ravel()
    return list(dask.compute(*[dask.delayed(function)(block) for block in blocks]))


def of_rows(function: Callable[[np.ndarray], np.ndarray], X: Table, *, columns: int | None, dtype: Any) -> Table:
    """Return ``function(X)``, lazily for a Dask array; the function works on each row by itself.

    Parameters
    ----------
    columns : int or None
        Columns of what the function returns; None where it returns one value a row.
    dtype : dtype
        Of what it returns.
    """
    if not isinstance(X, da.Array):
        return function(X)
    meta = np.empty((0,) if columns is None else (0, columns), dtype)
    if columns is None:
        return X.rechunk({1: -1}).map_blocks(function, drop_axis=1, dtype=dtype, meta=meta)
    return X.rechunk({1: -1}).map_blocks(function, chunks=(X.chunks[0], (columns,)), dtype=dtype, meta=meta)


def with_known_sizes(X: da.Array) -> da.Array:
    """Return a Dask array whose number of rows is known; counting them computes the array once."""
    return X.compute_chunk_sizes() if np.isnan(X.shape[0]) else X
