# SPDX-License-Identifier: BSD-3-Clause
"""Denoised distributions against noiseless ones, and their errors against the scatter of draws."""

from __future__ import annotations

import numpy as np
import pytest

from padflow.shapes.denoising import DEGREES, denoising_of
from padflow.shapes.folding import Folded, interpolation_weights, mirror_bins
from padflow.shapes.measures import COEFFICIENTS, Measures, measure_counts
from tests.shapes.draws import LAYOUTS, broad_set, denoise, drawn

in_each_layout = pytest.mark.parametrize("angles", LAYOUTS.values(), ids=LAYOUTS)


def denoised(angles: np.ndarray, counts: np.ndarray) -> list[np.ndarray]:
    folded, members = mirror_bins(angles)
    return denoise(folded, members.sum(axis=1), members @ counts.T)


def series(angles: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the measured coefficients, and their errors, (6, pads)."""
    folded, members = mirror_bins(angles)
    measures: Measures = measure_counts(folded, members.sum(axis=1), members @ counts.T)
    return np.array([getattr(measures, name) for name in COEFFICIENTS])


@in_each_layout
def test_with_many_counts_the_bins_themselves_come_back(angles: np.ndarray) -> None:
    pads = 1e7 * broad_set(angles, 20, np.random.default_rng(1))
    flux, *_ = denoised(angles, pads)
    truth = Folded.of(angles, pads)
    near = {"rtol": 0.02, "atol": 2e-3 * pads.max()}
    np.testing.assert_allclose(flux, truth.flux, **near)
    weights = denoising_of(tuple(mirror_bins(angles)[0]), tuple(mirror_bins(angles)[1].sum(axis=1))).matrices.weights
    for degrees, row in zip(DEGREES[:3], weights, strict=False):
        np.testing.assert_allclose(np.exp(row @ np.log(np.maximum(flux, 0.1))), truth.flux_at(degrees), **near)


@in_each_layout
def test_coefficients_of_a_series_are_found(angles: np.ndarray) -> None:
    terms = np.polynomial.legendre.legvander(np.cos(np.radians(angles)), 6)[:, ::2]
    known = np.array([[1, -0.7, 0.1, 0.02], [1, 0.4, -0.2, 0.05], [1, 0, 0, 0]])
    np.testing.assert_allclose(series(angles, 1e5 * known @ terms.T)[:3], known[:, 1:].T, atol=1e-4)


@in_each_layout
@pytest.mark.parametrize("power", [0.0, 1.5, 4])
def test_errors_of_coefficients_are_the_scatter_of_draws(angles: np.ndarray, power: float) -> None:
    pad = np.sin(np.radians(angles)) ** power
    counts = drawn(np.tile(pad, (4000, 1)), np.full(4000, 1500.0), np.random.default_rng(2))
    values, errors = np.split(series(angles, counts), 2)
    np.testing.assert_allclose(values.std(axis=1) / errors.mean(axis=1), 1, atol=0.08)


@in_each_layout
def test_denoised_flux_is_nearer_to_the_truth_than_the_counts_are(angles: np.ndarray) -> None:
    random = np.random.default_rng(3)
    pads = broad_set(angles, 400, random)
    pads *= 300 / pads.sum(axis=1, keepdims=True)
    counts = random.poisson(pads)
    truth, raw = Folded.of(angles, pads).flux, Folded.of(angles, counts).flux
    flux, errors, *_ = denoised(angles, counts)
    noise = np.mean((raw - truth) ** 2)
    assert np.mean((flux - truth) ** 2) < (0.75 if len(flux) == 9 else 0.9) * noise
    pulls = (flux - truth) / np.sqrt(errors[: len(flux)])
    assert 0.8 < np.sqrt(np.mean(pulls**2)) < 1.4


def test_weights_are_those_of_a_line_in_log_sine() -> None:
    angle = mirror_bins(LAYOUTS["17"])[0]
    for degrees in (30, 45, 60, 90):
        logs = 2.5 * np.log(np.sin(np.radians(angle)))
        assert interpolation_weights(angle, degrees) @ logs == pytest.approx(2.5 * np.log(np.sin(np.radians(degrees))))
    assert interpolation_weights(np.array([0.0, 45, 90]), 30).tolist() == [0, 1, 0]
