# SPDX-License-Identifier: BSD-3-Clause
"""Sums and means of shapes."""

from __future__ import annotations

import numpy as np
import pytest

from padflow.shapes.means import MIN_COUNTS, shape_ratio, sum_shapes


def test_shape_ratio_leaves_out_energies_with_few_counts() -> None:
    flux = np.array([[[1, 4, 0], [3, np.nan, 0]], [[0.1, 0.2, 5], [0.1, 0.2, 5]]], "f4")
    counts_per_flux = np.array([MIN_COUNTS / 2, np.nan, 1.0])  # known to need 2, not known, known to need 10
    expected = np.array([[[0.5, 1, np.nan], [1.5, np.nan, np.nan]], [[np.nan, 1, 1], [np.nan, 1, 1]]])
    np.testing.assert_allclose(shape_ratio(flux, counts_per_flux), expected)


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_sums_of_shapes_are_those_class_by_class(missing: float) -> None:
    random = np.random.default_rng(3)
    flux = random.gamma(2, 10, (2500, 5, 3)).astype("f4")
    flux[random.random(flux.shape) < missing] = np.nan
    pad_class = random.integers(-1, 4, len(flux))
    counts_per_flux = np.array([0.1, np.nan, 0.2])
    found = sum_shapes(flux, pad_class, 5, counts_per_flux=counts_per_flux)
    for c in range(5):
        members = flux[pad_class == c].astype("f8")
        np.testing.assert_allclose(found["flux_sum"][c], np.nansum(members, axis=0), rtol=1e-12)
        np.testing.assert_array_equal(found["flux_n"][c], np.isfinite(members).sum(axis=0))
        ratio = shape_ratio(members, counts_per_flux).astype("f8")
        np.testing.assert_allclose(found["ratio_sum"][c], np.nansum(ratio, axis=0), rtol=1e-6)
        np.testing.assert_array_equal(found["ratio_n"][c], np.isfinite(ratio).sum(axis=0))
