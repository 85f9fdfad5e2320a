# SPDX-License-Identifier: BSD-3-Clause
"""Compiled arithmetic against NumPy and SciPy in float64."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from padflow.shapes import compiled
from padflow.shapes.denoising import COVARIANCES, DEGREES, PRIOR_MEAN, PRIOR_SPREAD, denoising_of
from padflow.shapes.equatorial import equatorial_rows
from padflow.shapes.folding import interpolation_weights, mirror_bins
from padflow.shapes.measures import COEFFICIENTS, ERROR_FACTOR, LEAST_PROBABILITY, MEASURED, measure_whole
from padflow.shapes.names import FIELD_ALIGNED_SHARE, SHAPES, UNCLEAR
from tests.shapes.draws import denoise

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
        self.projected, self.covariance = projected, covariance
        self.unmixing = np.linalg.inv(mixing)
        self.counts = counts

    def series(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return coefficients over the first one, and their standard errors."""
        terms = rows @ self.projected
        values = terms[1:] / terms[0]
        ratio = (rows[1:] - values[:, None] * rows[0]) / terms[0]
        return values, np.sqrt(np.diag(ratio @ self.covariance @ ratio.T))

    def error(self, *weights: np.ndarray) -> float:
        """Return the standard error of a sum of fluxes with weights."""
        whole = np.sum(weights, axis=0)
        return np.sqrt(whole @ self.of_flux @ whole)

    def names(self) -> dict[str, float]:
        """Return the probability of each name: see `padflow.shapes.measures` and `padflow.shapes.names.CRITERIA`."""
        bins = np.eye(9)
        (at_90, of_90), (at_60, of_60), (at_45, of_45), (at_30, of_30) = map(self.at, (90.0, 60.0, 45.0, 30.0))
        flux = self.flux

        def above(what: float, *weights: np.ndarray) -> float:
            return what / self.error(*weights) / ERROR_FACTOR

        minimum = ndtr(max(above(flux[k] - 1.1 * at_90, bins[k], -1.1 * of_90) for k in range(8)))
        too_low = ndtr(max(above(at_90 / 1.1 - flux[k], bins[k], -of_90 / 1.1) for k in range(8)))
        rise = (flux[0] - at_45) - 0.4 * (flux.max() - at_90)
        aligned = ndtr(above(rise, bins[0] - of_45, -0.4 * (bins[0] - of_90)))
        flat = max(ndtr(above(at_60 - 0.9 * at_90, of_60, -0.9 * of_90)) - minimum, 0)
        inner_step, outer_step = -np.log(np.sin(np.radians(60))), np.log(np.sin(np.radians(60)) / 0.5)
        inner, outer = np.log(at_90 / at_60) / inner_step, np.log(at_60 / at_30) / outer_step
        times = 1.5 if outer > 0 else 0
        slope_90, slope_60, slope_30 = (
            of_90 / at_90 / inner_step,
            -of_60 / at_60 * (1 / inner_step + times / outer_step),
            of_30 / at_30 * times / outer_step,
        )
        bump = ndtr(above(inner - times * outer - 0.5, slope_90, slope_60, slope_30))
        isotropic = np.clip(1 - too_low - minimum, 0, flat)
        rest = 1 - minimum - flat
        return {
            "pancake": rest * (1 - bump), "cap": rest * bump, "flattop": flat - isotropic,
            "butterfly": minimum * (1 - aligned), "isotropic": isotropic, "field-aligned": minimum * aligned,
        }  # fmt: skip

    def at(self, degrees: float) -> tuple[float, np.ndarray]:
        """Return the flux between bins, and the weights of its error."""
        weights = interpolation_weights(ANGLE, degrees)
        return np.exp(weights @ np.log(np.maximum(self.flux, 0.25 / JOINED))), weights

    def numbers(self) -> dict[str, float]:
        """Return the other measures."""
        values, errors = self.series(self.unmixing)
        weight = self.counts + 0.5
        log_sine, logs = np.log(np.sin(np.radians(ANGLE))), np.log(weight / JOINED)
        (slope, _), covariance = np.polyfit(log_sine, logs, 1, w=np.sqrt(weight), cov="unscaled")
        (at_90, of_90), (at_60, of_60) = self.at(90.0), self.at(60.0)
        peak = int(np.argmax(self.flux))
        largest, ratio = self.flux[peak] / at_90, at_60 / at_90
        return {
            **dict(zip(COEFFICIENTS, (*values, *errors), strict=True)),
            "sin_n": slope, "sin_n_error": np.sqrt(covariance[0, 0]),
            "max_over_j90": largest, "max_over_j90_error": self.error(np.eye(9)[peak], -largest * of_90) / at_90,
            "j60_over_j90": ratio, "j60_over_j90_error": self.error(of_60, -ratio * of_90) / at_90,
            "peak_pitch_angle": ANGLE[peak],
        }  # fmt: skip


def measure(counts: np.ndarray, ratio: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Measure counts (angles, pads)."""
    measured = measure_whole(ANGLE, JOINED, counts[:, None], np.ones((1, counts.shape[1]), np.float32), ratio)
    return dict(zip(MEASURED, measured[:, :, 0], strict=False))


@pytest.mark.parametrize("pads", [1, 127, 300])
def test_denoised_pads_are_those_of_the_formulas(pads: int) -> None:
    counts = draws(pads)
    flux, errors, _, _ = denoise(ANGLE, JOINED, counts)
    weights = {degrees: interpolation_weights(ANGLE, degrees) for degrees in DEGREES}
    bins = np.eye(9)
    rise = bins[0] - weights[45.0] - FIELD_ALIGNED_SHARE * (bins[0] - weights[90.0])
    for i in some_of(pads):
        expected = Reference(counts[:, i].astype("f8"))
        np.testing.assert_allclose(flux[:, i], expected.flux, rtol=2e-4, atol=2e-5 * expected.flux.max())
        of_flux = expected.of_flux
        of_pairs = [weights[a] @ of_flux @ weights[b] for a, b in COVARIANCES]
        whole = [*np.diag(of_flux), *(of_flux @ weights[90.0]), *of_pairs, rise @ of_flux @ rise]
        np.testing.assert_allclose(errors[:, i], whole, rtol=2e-3, atol=2e-5 * of_flux.max())


@pytest.mark.parametrize("pads", [1, 127, 300])
def test_measures_are_those_of_the_formulas(pads: int) -> None:
    counts = draws(pads, seed=1)
    found = measure(counts)
    for i in some_of(pads):
        expected = Reference(counts[:, i].astype("f8"))
        names = expected.names()
        likeliest = max(names, key=names.__getitem__)
        assert found["shape_probability"][i] == pytest.approx(names[likeliest], abs=1e-3)
        assert names[SHAPES[int(found["likeliest_shape"][i])]] == pytest.approx(names[likeliest], abs=1e-3)
        sure = found["shape_probability"][i] >= np.float32(LEAST_PROBABILITY)
        assert found["shape"][i] == (found["likeliest_shape"][i] if sure else UNCLEAR)
        for name, value in expected.numbers().items():
            assert found[name][i] == pytest.approx(value, rel=5e-3, abs=5e-4), name


def some_of(pads: int) -> np.ndarray:
    return np.unique(np.linspace(0, pads - 1, 60).astype(int))


def test_equatorial_series_may_differ_from_pad_to_pad() -> None:
    pads = 150
    counts, ratio = draws(pads), np.random.default_rng(1).uniform(0.9, 1, pads).astype(np.float32)
    found = measure(counts, ratio)
    matrix = denoising_of(tuple(ANGLE), tuple(JOINED)).equatorial
    for i in range(0, pads, 7):
        rows = equatorial_rows(matrix, ratio[i : i + 1])[:, :, 0]
        values, errors = Reference(counts[:, i].astype("f8")).series(rows.astype("f8"))
        np.testing.assert_allclose([found[f"c{n}_equatorial"][i] for n in (2, 4, 6)], values, rtol=2e-3, atol=5e-4)
        np.testing.assert_allclose([found[f"c{n}_equatorial_error"][i] for n in (2, 4, 6)], errors, rtol=2e-3)


def test_bits_do_not_depend_on_the_place_of_a_pad() -> None:
    counts = draws(400)
    whole, part = measure(counts), measure(np.ascontiguousarray(counts[:, 37:99]))
    for name, values in part.items():
        assert np.array_equal(whole[name][37:99], values), name


def test_pads_without_counts_are_not_measured_and_do_not_change_others() -> None:
    shares, counts = draws(300)[:, None].repeat(2, axis=1), np.ones((2, 300), np.float32)
    whole = measure_whole(ANGLE, JOINED, shares, counts)
    counts[0, 5], counts[1, 290] = 0, 0.5
    found = measure_whole(ANGLE, JOINED, shares, counts)
    for record, energy in ((5, 0), (290, 1)):
        assert found[:2, record, energy].tolist() == [UNCLEAR, UNCLEAR]
        assert np.isnan(found[2:, record, energy]).all()
        found[:, record, energy] = whole[:, record, energy]
    assert np.array_equal(found, whole)


def test_logarithms_and_exponentials_are_those_of_numpy() -> None:
    values = np.concatenate([np.geomspace(1e-37, 1e38, 5001), np.linspace(0.5, 2, 999)]).astype(np.float32)[None]
    found = values.copy()
    compiled.logarithms(found)
    np.testing.assert_allclose(found, np.log(values.astype("f8")), rtol=2e-7, atol=6e-8)
    values = np.linspace(-86, 88, 7001).astype(np.float32)[None]
    found = values.copy()
    compiled.exponentials(found)
    np.testing.assert_allclose(found, np.exp(values.astype("f8")), rtol=3e-7)


def test_probabilities_are_those_of_the_normal_distribution() -> None:
    values = np.concatenate([np.linspace(-12, 12, 4001), [-np.inf, np.inf, 0.0]]).astype(np.float32)
    found = values[None].copy()
    compiled.normal_probabilities(found)
    np.testing.assert_allclose(found[0], ndtr(values.astype("f8")), rtol=0, atol=1e-6)
