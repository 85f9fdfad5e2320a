# SPDX-License-Identifier: BSD-3-Clause

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from padflow.cdf.regrid import onto_energies, onto_pitch_angles, reflected


@st.composite
def cases(draw):
    seed, records, points = draw(st.integers(0, 10**6)), draw(st.integers(1, 5)), draw(st.integers(2, 9))
    random = np.random.default_rng(seed)
    flux = random.gamma(1, 10, (records, 3, points))
    flux[random.random(flux.shape) < draw(st.sampled_from([0, 0.2]))] = np.nan
    flux[random.random(flux.shape) < draw(st.sampled_from([0, 0.3]))] = 0
    axis = np.array([random.permutation(100)[:points] for _ in range(records)]) + 1.0
    grid = np.sort(random.permutation(np.arange(3, 99))[: draw(st.integers(1, 12))]) + random.choice([0, 0.5])
    return flux.astype(np.float32), axis, grid


def one_energy(flux, energy, point):
    """One grid point of one record and pitch angle, as the docstring says it."""
    order = np.argsort(energy)
    energy, flux = energy[order], flux[order].astype(float)
    if point in energy:
        return flux[energy == point][0]
    if not energy[0] < point < energy[-1]:
        return np.nan
    right = np.searchsorted(energy, point)
    (x0, x1), (y0, y1) = np.log(energy[right - 1 : right + 1]), flux[right - 1 : right + 1]
    weight = (np.log(point) - x0) / (x1 - x0)
    if np.isnan([y0, y1]).any() or y0 == 0 or y1 == 0:
        return y0 * (1 - weight) + y1 * weight
    return y0 ** (1 - weight) * y1**weight


@given(cases())
def test_energies_one_by_one(case):
    flux, energy, grid = case
    found, notes = onto_energies(flux, energy, grid)
    assert found.shape == (*flux.shape[:2], len(grid))
    assert found.dtype == np.float32
    expected = np.array(
        [[[one_energy(f, e, point) for point in grid] for f in fluxes] for fluxes, e in zip(flux, energy, strict=True)]
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    outside = (grid < energy.min(axis=1, keepdims=True)) | (grid > energy.max(axis=1, keepdims=True))
    assert notes["outside_grid"] == outside.sum() * 3
    on_point = (energy[:, :, None] == grid).any(axis=1)
    missing = np.isnan(expected) & ~outside[:, None] & ~on_point[:, None]
    assert notes["missing_neighbour"] == missing.sum()


@given(cases())
def test_angles_equal_numpy(case):
    flux, angle, grid = case
    found, _ = onto_pitch_angles(flux.transpose(0, 2, 1), angle, grid)
    for n in range(len(flux)):
        order = np.argsort(angle[n])
        for e in range(3):
            values = flux[n, e, order].astype(float)
            by_numpy = np.interp(grid, angle[n, order], values, left=np.nan, right=np.nan)
            np.testing.assert_allclose(found[n, :, e], by_numpy, rtol=1e-5)


def test_a_grid_that_differs_in_the_last_digits_takes_values_as_they_are():
    energy = np.array([[14.98455, 16.81365, 18.8538]], np.float32)
    grid = np.array([14.98455, 16.81365, 18.8538]) * (1 - 3e-7)
    flux = np.array([[[3.3, 0, 7.7]]], np.float32)
    found, notes = onto_energies(flux, energy, grid)
    np.testing.assert_array_equal(found, flux)
    assert notes == {"outside_grid": 0, "missing_neighbour": 0}


def test_missing_positions_are_no_neighbours():
    flux = np.array([[[1, 2, 100, 4]]], np.float32)
    found, notes = onto_energies(flux, np.array([[1.0, 4.0, np.nan, 16.0]]), np.array([2.0, 8.0, 20.0]))
    np.testing.assert_allclose(found[0, 0], [np.sqrt(2), np.sqrt(8), np.nan], rtol=1e-6)
    assert notes == {"outside_grid": 1, "missing_neighbour": 0}
    found, notes = onto_energies(flux, np.full((1, 4), np.nan), np.array([2.0, 8.0]))
    assert np.isnan(found).all()
    assert notes["outside_grid"] == 2


def test_equal_positions_are_averaged_over_valid_values():
    angle = np.array([[10.0, 30.0, 30.0, 30.0, 50.0, 50.0]])
    flux = np.array([1, 4, np.nan, 8, np.nan, np.nan], np.float32)[None, :, None]
    found, notes = onto_pitch_angles(flux, angle, np.array([20.0, 30.0, 40.0, 50.0]))
    np.testing.assert_array_equal(found[0, :, 0], [3.5, 6, np.nan, np.nan])
    assert notes == {"outside_grid": 0, "missing_neighbour": 1}


def test_reflection():
    angle = np.array([-180.0, -3.65, 0, 90, 180, 184.3, 360, 360.1, -181, np.nan, np.inf])
    expected = [180, 3.65, 0, 90, 180, 175.7, 0, np.nan, np.nan, np.nan, np.nan]
    np.testing.assert_allclose(reflected(angle), expected)


def test_more_records_than_one_block():
    random = np.random.default_rng(0)
    flux, energy = random.gamma(1, 1, (600, 2, 5)).astype(np.float32), random.uniform(1, 9, (600, 5))
    grid = np.array([2.0, 5.0])
    whole, notes = onto_energies(flux, energy, grid)
    pieces = [onto_energies(flux[i : i + 1], energy[i : i + 1], grid) for i in range(600)]
    np.testing.assert_array_equal(whole, np.concatenate([piece for piece, _ in pieces]))
    assert notes["outside_grid"] == sum(part["outside_grid"] for _, part in pieces)
