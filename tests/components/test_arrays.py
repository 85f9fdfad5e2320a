# SPDX-License-Identifier: BSD-3-Clause
"""NumPy and Dask arrays as scikit-learn's estimators are given them."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from sklearn.base import BaseEstimator

from padflow.components.arrays import checked_rows, each_block, of_rows, with_known_sizes
from padflow.errors import PadflowError

ROWS = np.arange(20.0).reshape(10, 2)
LAZY = da.from_array(ROWS, chunks=(4, 1))


def test_the_number_of_features_is_kept_and_compared():
    for rows in (ROWS, LAZY):
        estimator = BaseEstimator()
        assert checked_rows(estimator, rows, reset=True) is rows
        assert estimator.n_features_in_ == 2
        with pytest.raises(ValueError, match="3 features"):
            checked_rows(estimator, np.ones((2, 3)), reset=False)
        with pytest.raises(ValueError, match="3 features"):
            checked_rows(estimator, da.ones((2, 3)), reset=False)


def test_numbers_become_floats_and_other_arrays_are_refused():
    estimator = BaseEstimator()
    assert checked_rows(estimator, LAZY.astype("i4"), reset=True).dtype == np.float64
    assert checked_rows(estimator, LAZY.astype("f4"), reset=True).dtype == np.float32
    with pytest.raises(PadflowError, match="1 dimensions"):
        checked_rows(estimator, da.ones(3), reset=True)
    with pytest.raises(PadflowError, match="bool"):
        checked_rows(estimator, da.ones((3, 2), dtype=bool), reset=True)


def test_blocks_are_of_whole_rows_in_their_order():
    assert each_block(np.shape, ROWS) == [(10, 2)]
    assert each_block(lambda block: block.tolist(), LAZY) == [ROWS[:4].tolist(), ROWS[4:8].tolist(), ROWS[8:].tolist()]


def test_functions_of_rows_are_lazy_for_dask():
    for columns, function in ((None, lambda rows: rows.sum(axis=1)), (1, lambda rows: rows[:, :1])):
        made = of_rows(function, LAZY, columns=columns, dtype="f8")
        assert isinstance(made, da.Array)
        assert made.shape == function(ROWS).shape
        np.testing.assert_array_equal(made.compute(), function(ROWS))
        np.testing.assert_array_equal(of_rows(function, ROWS, columns=columns, dtype="f8"), function(ROWS))


def test_rows_are_counted_where_their_number_is_not_known():
    assert with_known_sizes(LAZY) is LAZY
    assert with_known_sizes(LAZY[LAZY[:, 0] > 5]).shape == (7, 2)
