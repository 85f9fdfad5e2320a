# SPDX-License-Identifier: BSD-3-Clause
"""Names with probabilities and values with errors, against draws of known shapes."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from padflow.shapes.folding import mirror_bins
from padflow.shapes.measures import LEAST_PROBABILITY, Measures, measure_counts
from padflow.shapes.names import SHAPES, UNCLEAR, name_shapes
from tests.shapes.draws import LAYOUTS, broad_set, drawn

in_each_layout = pytest.mark.parametrize("angles", LAYOUTS.values(), ids=LAYOUTS)
REPT = LAYOUTS["17"]


def measure(angles: np.ndarray, counts: np.ndarray) -> Measures:
    folded, members = mirror_bins(angles)
    return measure_counts(folded, members.sum(axis=1), np.stack([counts[..., m == 1].sum(axis=-1) for m in members]))


@in_each_layout
@pytest.mark.parametrize("counts", [(30, 100), (100, 1000), (1000, 30_000)], ids=str)
def test_of_names_with_a_probability_of_nine_in_ten_nine_are_right(angles: np.ndarray, counts: tuple) -> None:
    random = np.random.default_rng(1)
    pads = broad_set(angles, 1000, random)
    expected = np.exp(random.uniform(*np.log(counts), len(pads)))
    found = measure(angles, drawn(pads, expected, random))
    right = found.shape == name_shapes(angles, pads)
    sure = found.shape_probability >= 0.9
    assert sure.sum() > 50
    assert right[sure].mean() >= 0.9
    named = found.shape != UNCLEAR
    assert (named == (found.shape_probability >= LEAST_PROBABILITY)).all()
    assert right[named].mean() > found.shape_probability[named].mean() - 0.13  # it can only lean on a prior


@in_each_layout
def test_with_many_counts_names_are_those_of_the_distribution(angles: np.ndarray) -> None:
    pads = broad_set(angles, 300, np.random.default_rng(2))
    found = measure(angles, 1e6 * pads)
    named = found.shape != UNCLEAR
    assert named.mean() > 0.95
    assert (found.shape == name_shapes(angles, pads))[named].mean() > 0.99
    sure = named & (found.shape_probability > 0.99)
    assert sure.mean() > 0.9


@in_each_layout
@pytest.mark.parametrize("power", [0.5, 1.0, 2, 4])
def test_values_and_errors_are_mean_and_scatter_of_draws(angles: np.ndarray, power: float) -> None:
    pad = np.sin(np.radians(angles)) ** power
    found = measure(angles, drawn(np.tile(pad, (3000, 1)), np.full(3000, 20_000.0), np.random.default_rng(3)))
    expected = {"sin_n": power, "j60_over_j90": 0.75 ** (power / 2)}
    for name, value in expected.items():
        values, error = getattr(found, name), getattr(found, f"{name}_error")
        assert values.mean() == pytest.approx(value, abs=float(0.01 + error.mean() / 3))
        assert 0.75 < values.std() / error.mean() < 1.3
    for name in ("c2", "c4", "c6"):
        assert getattr(found, name).std() == pytest.approx(getattr(found, f"{name}_error").mean().item(), rel=0.1)


def test_peak_and_index_of_a_butterfly() -> None:
    pad = np.sin(np.radians(REPT)) * (1 - 0.6 * np.exp(-(((REPT - 90) / 25) ** 2)))
    found = measure(REPT, drawn(np.tile(pad, (2000, 1)), np.full(2000, 20_000.0), np.random.default_rng(4)))
    assert found.max_over_j90.mean() == pytest.approx(pad.max() / pad[8], rel=0.02)
    assert 0.6 < found.max_over_j90.std() / found.max_over_j90_error.mean() < 1.2
    assert np.median(found.peak_pitch_angle) == pytest.approx(REPT[pad.argmax()])
    assert (found.shape == SHAPES.index("butterfly")).mean() > 0.99


def test_shares_with_effective_counts_are_counts() -> None:
    folded, members = mirror_bins(REPT)
    counts = (
        members @ drawn(broad_set(REPT, 5, np.random.default_rng(5)), np.full(45, 500.0), np.random.default_rng(5)).T
    )
    total = counts.sum(axis=0)
    one, other = (measure_counts(folded, members.sum(axis=1), values) for values in (counts, (counts / total) * total))
    for field in fields(Measures):
        np.testing.assert_allclose(getattr(one, field.name), getattr(other, field.name), rtol=1e-3, atol=1e-3)


def test_missing_bins_are_left_out_and_the_other_pads_do_not_change() -> None:
    pads = 1000 * np.sin(np.radians(REPT)) ** np.array([1.0, 2, 3, 4])[:, None]
    counts = pads.copy()
    counts[1, [2, 14]] = np.nan
    counts[2, [7, 8, 9, 6, 10]] = np.nan
    found, whole = measure(REPT, counts), measure(REPT, pads)
    np.testing.assert_allclose(found.sin_n[[0, 3]], whole.sin_n[[0, 3]], rtol=1e-5)
    assert found.sin_n[1] == pytest.approx(2, abs=0.02)
    assert found.shape[1] == SHAPES.index("pancake")
    for name in ("shape_probability", "c2", "sin_n", "max_over_j90", "peak_pitch_angle"):
        assert np.isnan(getattr(found, name)[2])
    assert found.shape[2] == UNCLEAR


def test_without_counts_nothing_is_measured() -> None:
    counts = np.zeros((2, 3, 17))
    counts[0, 0] = 100 * np.sin(np.radians(REPT)) ** 3
    found = measure(REPT, counts)
    assert found.shape.shape == (2, 3)
    assert found.shape.dtype == np.int8
    assert np.isfinite(found.c2).tolist() == [[True, False, False], [False, False, False]]
    assert (found.shape.ravel()[1:] == UNCLEAR).all()


@given(
    seed=st.integers(0, 2**32 - 1),
    scale=st.sampled_from([1e-3, 1, 30, 1e4, 1e7]),
    missing=st.sampled_from([0, 0.3, 0.8]),
)
@pytest.mark.parametrize("bins", [7, 9, 10, 17])
def test_whatever_the_counts_are_probabilities_are_some_and_nothing_warns(bins, seed, scale, missing) -> None:
    random = np.random.default_rng(seed)
    counts = scale * random.poisson(1, (60, bins)) * random.lognormal(0, 2, (60, bins))
    counts[random.random(counts.shape) < missing] = np.nan
    counts[:2] = [[0], [np.inf]]
    ratio = np.where(random.random(60) < 0.5, np.nan, 0.95)
    folded, members = mirror_bins((np.arange(bins) + 0.5) * 180 / bins)
    found = measure_counts(folded, members.sum(axis=1), counts[:, : len(folded)].T, field_ratio=ratio)
    known = np.isfinite(found.shape_probability)
    assert not known[:2].any()
    assert ((found.shape_probability[known] > 0) & (found.shape_probability[known] <= 1)).all()
    for name in ("c2", "c2_error", "sin_n", "sin_n_error", "max_over_j90", "j60_over_j90", "peak_pitch_angle"):
        assert np.isfinite(getattr(found, name)[known]).all(), name
        assert np.isnan(getattr(found, name)[~known]).all(), name


def test_nine_in_ten_shapes_as_rept_measured_them_are_named_and_of_these_nine_in_ten_rightly(real_data: Path) -> None:
    file = real_data / "zhao2018" / "zhao.npz"
    if not file.is_file():
        pytest.skip(f"no {file}")
    with np.load(file) as tables:
        at = int(np.argmin(np.abs(tables["E"] - 2.1)))
        mean, spread = (np.moveaxis(tables[name][at], 1, -1).reshape(-1, 3) for name in ("median", "stddev"))
    known = np.isfinite(mean).all(axis=1) & np.isfinite(spread).all(axis=1)
    random = np.random.default_rng(1)
    chosen = random.choice(np.flatnonzero(known), 5000)
    series = mean[chosen] + 0.7 * spread[chosen] * random.standard_normal((5000, 3))  # the rest of it is counting noise
    cosine = np.sqrt(1 - random.uniform(0.4, 1, (5000, 1)) * np.sin(np.radians(REPT)) ** 2)
    terms = np.polynomial.legendre.legvander(cosine, 6)[:, :, [2, 4, 6]]
    pads = np.maximum(1 + np.einsum("nac,nc->na", terms, series), 0.02)
    found = measure(REPT, drawn(pads, np.full(5000, 30_000.0), random))  # two minutes at L 4 to 6
    named = found.shape != UNCLEAR
    assert named.mean() > 0.9
    assert (found.shape == name_shapes(REPT, pads))[named].mean() > 0.92
