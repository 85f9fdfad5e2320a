# SPDX-License-Identifier: BSD-3-Clause
"""Compiled arithmetic against NumPy and SciPy in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest
from scipy.special import ndtr

from padflow.shapes import compiled
from padflow.shapes.denoising import COVARIANCES, DEGREES, PAIRS, PRIOR_MEAN, PRIOR_SPREAD, denoiser_of
from padflow.shapes.folding import interpolation_weights, mirror_bins
from padflow.shapes.names import FIELD_ALIGNED_SHARE

ANGLE, MEMBERS = mirror_bins((np.arange(17) + 0.5) * 180 / 17)
JOINED = MEMBERS.sum(axis=1)


def draws(pads: int, seed: int = 0) -> np.ndarray:
    """Draw counts of pancakes and butterflies from 1 to 3000 a bin, shape (angles, pads)."""
    random = np.random.default_rng(seed)
    flux = np.sin(np.radians(ANGLE))[:, None] ** random.uniform(-0.5, 4, pads) * 10 ** random.uniform(0, 3.5, pads)
    return (random.poisson(flux * JOINED[:, None]) + 0.01).astype(np.float32)


class Reference:
    """What `padflow.shapes.denoising` says, in float64, PAD by PAD and with matrices of covariances."""

    def __init__(self, counts: np.ndarray) -> None:
        series = np.polynomial.legendre.legvander(np.cos(np.radians(ANGLE)), 6)[:, ::2]
        q, mixing = np.linalg.qr(series * np.sqrt(JOINED)[:, None])
        basis = q / np.sqrt(JOINED)[:, None]
        basis, mixing = basis * np.sign(np.diag(mixing)), mixing * np.sign(np.diag(mixing))[:, None]
        projected = basis.T @ counts
        first = mixing[0] @ PRIOR_MEAN
        mean = mixing[1:] @ PRIOR_MEAN / first
        prior = mixing[1:, 1:] ** 2 @ PRIOR_SPREAD**2 / first**2

        def smoothed(variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            kept = prior / (prior + variance)
            likely = np.append(1, mean + kept * (projected[1:] / projected[0] - mean)) * projected[0]
            return basis @ likely, np.append(1, kept)

        expected = np.maximum(smoothed(np.full(3, 1 / counts.sum()))[0] * JOINED, 0.3)
        covariance = basis.T @ np.diag(expected) @ basis
        smooth, kept = smoothed(np.diag(covariance)[1:] / projected[0] ** 2)
        noise = expected / JOINED**2
        rest = counts / JOINED - basis @ projected
        share = max(1 - 3 * 5 / max((rest**2 / noise).sum(), 15), 0)
        self.flux = smooth + share * rest
        shrunk = np.sqrt(np.outer(kept, kept)) * covariance
        left = np.eye(9) - basis @ (basis * JOINED[:, None]).T
        self.of_flux = basis @ shrunk @ basis.T + share * left @ np.diag(noise) @ left.T
        unmixing = np.linalg.inv(mixing)
        terms = unmixing @ projected
        self.series = terms[1:] / terms[0]
        ratio = (unmixing[1:] - self.series[:, None] * unmixing[0]) / terms[0]
        self.of_series = ratio @ covariance @ ratio.T


@pytest.mark.parametrize("pads", [1, 127, 300])
def test_denoised_pads_are_those_of_the_formulas(pads: int) -> None:
    counts = draws(pads)
    denoiser = denoiser_of(tuple(ANGLE), tuple(JOINED))
    found = denoiser(counts)
    coefficients = denoiser.series(found)
    weights = {degrees: interpolation_weights(ANGLE, degrees) for degrees in DEGREES}
    bins = np.eye(9)
    rise = bins[0] - weights[45.0] - FIELD_ALIGNED_SHARE * (bins[0] - weights[90.0])
    for i in np.unique(np.linspace(0, pads - 1, 60).astype(int)):
        expected = Reference(counts[:, i].astype("f8"))
        near = {"rtol": 2e-4, "atol": 2e-5 * expected.flux.max()}
        np.testing.assert_allclose(found.flux[:, i], expected.flux, **near)
        of_flux = expected.of_flux
        near = {"rtol": 2e-3, "atol": 2e-5 * of_flux.max()}
        np.testing.assert_allclose(found.variance[:, i], np.diag(of_flux), **near)
        np.testing.assert_allclose(found.with_90[:, i], of_flux @ weights[90.0], **near)
        of_pairs = [weights[a] @ of_flux @ weights[b] for a, b in COVARIANCES]
        np.testing.assert_allclose([found.covariance[pair][i] for pair in COVARIANCES], of_pairs, **near)
        np.testing.assert_allclose(found.rise_variance[i], rise @ of_flux @ rise, **near)
        np.testing.assert_allclose(coefficients[:3, i], expected.series, rtol=2e-3, atol=2e-4)
        np.testing.assert_allclose(coefficients[3:, i], np.sqrt(np.diag(expected.of_series)), rtol=2e-3)


def test_a_series_may_differ_from_pad_to_pad() -> None:
    pads, random = 150, np.random.default_rng(1)
    denoiser = denoiser_of(tuple(ANGLE), tuple(JOINED))
    found = denoiser(draws(pads))
    pairs = np.array(PAIRS)
    rows = random.normal(size=(4, 4, pads)).astype(np.float32)
    whole = np.empty((6, pads), np.float32)
    compiled.series_of_terms(rows, found.projected, found.terms_covariance, pairs, whole)
    for i in range(0, pads, 7):
        alone = np.empty((6, pads), np.float32)
        same = np.ascontiguousarray(rows[:, :, i : i + 1])
        compiled.series_of_terms(same, found.projected, found.terms_covariance, pairs, alone)
        assert alone[:, i].tolist() == whole[:, i].tolist()


def test_bits_do_not_depend_on_the_place_of_a_pad() -> None:
    counts = draws(400)
    denoiser = denoiser_of(tuple(ANGLE), tuple(JOINED))
    whole, part = denoiser(counts), denoiser(counts[:, 37:99])
    for name in ("flux", "variance", "with_90", "rise_variance", "projected", "terms_covariance"):
        assert np.array_equal(getattr(whole, name)[..., 37:99], getattr(part, name))


def test_slopes_are_those_of_weighted_lines() -> None:
    random = np.random.default_rng(2)
    position = random.normal(size=8).astype(np.float32)
    counts = random.uniform(1, 50, (8, 40)).astype(np.float32)
    logs = random.normal(size=(8, 40)).astype(np.float32)
    out = np.empty((2, 40), np.float32)
    compiled.fit_powers(counts, logs, position, out)
    lines = [np.polyfit(position, logs[:, i], 1, w=np.sqrt(counts[:, i]), cov="unscaled") for i in range(40)]
    np.testing.assert_allclose(out[0], [line[0] for line, _ in lines], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(out[1], [np.sqrt(covariance[0, 0]) for _, covariance in lines], rtol=1e-4)


@pytest.mark.parametrize("factor", [1.1, -0.9])
def test_the_largest_excess_is_that_of_any_bin(factor: float) -> None:
    random = np.random.default_rng(3)
    flux, with_90 = random.uniform(1, 2, (2, 8, 50)).astype(np.float32)
    variance, (at_90, of_90) = flux + 4, random.uniform(1, 2, (2, 50)).astype(np.float32)
    out = np.full(50, -np.inf, np.float32)
    compiled.raise_to_excess(flux, variance, with_90, at_90, of_90, np.float32(factor), out)
    error = np.sqrt(variance - 2 * abs(factor) * with_90 + factor**2 * of_90)
    excess = np.sign(factor) * (flux - abs(factor) * at_90) / error
    np.testing.assert_allclose(out, excess.max(axis=0), rtol=1e-5, atol=1e-6)


def test_probabilities_are_those_of_the_normal_distribution() -> None:
    values = np.concatenate([np.linspace(-12, 12, 4001), [-np.inf, np.inf, 0.0]]).astype(np.float32)
    found = values[None].copy()
    compiled.normal_probabilities(found)
    np.testing.assert_allclose(found[0], ndtr(values.astype("f8")), rtol=0, atol=1e-6)


def test_largest_rows_and_their_values() -> None:
    values = np.random.default_rng(4).integers(0, 5, (7, 200)).astype(np.float32)  # with equal ones
    row, largest, taken = np.empty(200, np.int32), np.empty(200, np.float32), np.empty(200, np.float32)
    compiled.find_largest(values, row, largest)
    assert row.tolist() == values.argmax(axis=0).tolist()
    assert largest.tolist() == values.max(axis=0).tolist()
    compiled.take_rows(2 * values, row, taken)
    assert taken.tolist() == (2 * largest).tolist()


def test_where_no_folder_can_be_written_code_is_compiled_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_folder(function: Callable, *, cache: bool = False, **settings: Any) -> Callable:
        if cache:
            raise RuntimeError("cannot cache function: no locator available for file")
        return numba.njit(function, **settings)

    monkeypatch.setattr(compiled, "njit", without_folder)
    assert compiled.compiled(lambda x: x + 1)(2) == 3
