# SPDX-License-Identifier: BSD-3-Clause
"""Equatorial coefficients, against series that are known and a fit in mapped angles."""

from __future__ import annotations

import numpy as np
import pytest

from padflow.shapes.equatorial import LEAST_REACH, field_ratio
from padflow.shapes.folding import mirror_bins
from padflow.shapes.measures import measure_counts
from tests.shapes.draws import LAYOUTS, broad_set, drawn

REPT = LAYOUTS["17"]


def terms_of(angles: np.ndarray, ratio: float) -> np.ndarray:
    cosine = np.sqrt(1 - ratio * np.sin(np.radians(angles)) ** 2)
    return np.polynomial.legendre.legvander(cosine, 6)[:, ::2]


@pytest.mark.parametrize("ratio", [0.89, 0.95, 1.0])
def test_a_series_in_the_equatorial_angle_is_found(ratio: float) -> None:
    folded, members = mirror_bins(REPT)
    series = np.array([1, -0.5, 0.12, -0.03])
    counts = 1e5 * members @ (terms_of(REPT, ratio) @ series)
    found = measure_counts(folded, members.sum(axis=1), counts, field_ratio=ratio)
    values = [found.c2_equatorial, found.c4_equatorial, found.c6_equatorial]
    np.testing.assert_allclose(np.stack(values), series[1:], atol=2e-3)


def test_it_is_the_least_squares_fit_in_mapped_angles_and_so_are_its_errors() -> None:
    folded, members = mirror_bins(REPT)
    random = np.random.default_rng(1)
    pad = np.tile(broad_set(REPT, 1, random)[3], (3000, 1))
    counts = members @ drawn(pad, np.full(3000, 3000.0), random).T
    ratio = np.where(np.arange(3000) % 2, 0.92, 0.97)
    found = measure_counts(folded, members.sum(axis=1), counts, field_ratio=ratio)
    for which, of_all in ((0.92, slice(1, None, 2)), (0.97, slice(0, None, 2))):
        root = np.sqrt(members.sum(axis=1))[:, None]
        flux = counts[:, of_all] / members.sum(axis=1)[:, None]
        fitted = np.linalg.lstsq(terms_of(folded, which) * root, flux * root, rcond=None)[0]
        for name, coefficient in zip(("c2", "c4", "c6"), fitted[1:] / fitted[0], strict=True):
            value, error = (getattr(found, f"{name}_equatorial{end}")[of_all] for end in ("", "_error"))
            np.testing.assert_allclose(value, coefficient, atol=2e-2 * error.mean())
            assert value.std() / error.mean() == pytest.approx(1, abs=0.08)


def test_the_ratio_is_known_where_the_local_angles_reach_far_enough() -> None:
    limit = np.sin(np.radians(LEAST_REACH)) ** 2
    b_eq = np.array([100, 100, 100, 101, np.nan, 100, 0])
    b_local = np.array([100, 100 / (limit + 0.01), 100 / (limit - 0.01), 100, 100, np.nan, 0])
    expected = [1, limit + 0.01, np.nan, 1, np.nan, np.nan, np.nan]
    np.testing.assert_allclose(field_ratio(b_eq, b_local), expected)
    folded, members = mirror_bins(REPT)
    counts = np.tile(100.0 * np.ones((9, 1)), (1, 7))
    found = measure_counts(folded, members.sum(axis=1), counts, field_ratio=field_ratio(b_eq, b_local))
    np.testing.assert_array_equal(np.isfinite(found.c2_equatorial), np.isfinite(expected))
    assert np.isfinite(found.c2).all()
