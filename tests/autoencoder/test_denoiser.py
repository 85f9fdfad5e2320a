# SPDX-License-Identifier: BSD-3-Clause
"""The denoiser in NumPy, against its definition in float64."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from padflow.autoencoder.denoiser import DenoisingNetwork, network_from_arrays, network_inputs
from padflow.autoencoder.network import CACHED_ROWS, Network
from padflow.blas import one_blas_thread
from padflow.errors import PadflowError

ANGLES, ENERGIES = 9, 8
FEATURES = ANGLES * ENERGIES


@pytest.fixture(scope="module")
def network(factories) -> DenoisingNetwork:
    return factories.denoising_network(FEATURES, ENERGIES)


@pytest.fixture(scope="module")
def counts() -> np.ndarray:
    """From empty energies to many counts."""
    rng = np.random.default_rng(5)
    mean = 10 ** rng.uniform(-2, 4, (2 * CACHED_ROWS + 77, 1, ENERGIES)) * rng.dirichlet(np.ones(ANGLES))[:, None]
    return rng.poisson(mean).astype(np.float32).reshape(-1, FEATURES)


def defined_inputs(counts: np.ndarray) -> np.ndarray:
    by_angle = counts.astype("f8").reshape(-1, ANGLES, ENERGIES)
    total = by_angle.sum(axis=1)
    roots = np.sqrt(by_angle / np.maximum(total, 1)[:, None]).reshape(-1, FEATURES)
    return np.concatenate([roots, np.log10(1 + total) / 4], axis=1)


def dense(network: DenoisingNetwork, number: int, values: np.ndarray) -> np.ndarray:
    arrays = network.to_arrays()
    return values @ arrays[f"w_{number}"].astype("f8") + arrays[f"b_{number}"]


def defined_code(network: DenoisingNetwork, counts: np.ndarray) -> np.ndarray:
    values = defined_inputs(counts)
    for number in (1, 2):
        values = np.maximum(dense(network, number, values), 0)
    return dense(network, 3, values)


def defined_shares(network: DenoisingNetwork, code: np.ndarray) -> np.ndarray:
    values = code
    for number in (4, 5):
        values = np.maximum(dense(network, number, values), 0)
    powers = np.exp(dense(network, 6, values)).reshape(-1, ANGLES, ENERGIES)
    return (powers / powers.sum(axis=1, keepdims=True)).reshape(-1, FEATURES)


def test_inputs_are_root_shares_and_logarithms_of_counts(counts):
    found = network_inputs(counts, ENERGIES)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, defined_inputs(counts), atol=1e-6)
    assert found[:, :FEATURES].max() <= 1


def test_shares_follow_their_definition(network, counts):
    shares = network.shares(counts)
    np.testing.assert_allclose(shares, defined_shares(network, defined_code(network, counts)), atol=1e-6)
    assert shares.dtype == np.float32
    assert (network.features, network.energies) == (FEATURES, ENERGIES)


def test_the_estimate_is_the_posterior_mean_of_a_dirichlet_prior(network, counts):
    found = network.estimate(counts)
    shares, effective = found.shares, found.effective
    prior = defined_shares(network, defined_code(network, counts)).reshape(-1, ANGLES, ENERGIES)
    by_angle, concentration = counts.astype("f8").reshape(prior.shape), network.concentration
    total = by_angle.sum(axis=1)
    expected = (by_angle + concentration * prior) / (total + concentration)[:, None]
    np.testing.assert_allclose(np.moveaxis(shares, 2, 0), expected, atol=1e-6)
    known = concentration * (1 + total) / (1 + total + network.half_counts)
    np.testing.assert_allclose(effective.T, total + known, rtol=1e-6)
    assert shares.dtype == effective.dtype == np.float32


def test_bits_do_not_depend_on_how_many_rows_are_given(network, counts):
    with one_blas_thread():
        whole, shares, inputs = network.estimate(counts), network.shares(counts), network_inputs(counts, ENERGIES)
        for start, stop in ((0, 1), (0, 500), (CACHED_ROWS, CACHED_ROWS + 3), (CACHED_ROWS, len(counts))):
            some = counts[start:stop].copy()
            for name, values in vars(network.estimate(some)).items():
                np.testing.assert_array_equal(values, getattr(whole, name)[..., start:stop])
            np.testing.assert_array_equal(network.shares(some), shares[start:stop])
            np.testing.assert_array_equal(network_inputs(some, ENERGIES), inputs[start:stop])


def test_no_rows_give_no_rows(network):
    none = np.empty((0, FEATURES), np.float32)
    assert network.estimate(none).shares.shape == (ANGLES, ENERGIES, 0)
    assert network.shares(none).shape == (0, FEATURES)


def test_the_error_is_that_of_root_shares(network, counts):
    roots = defined_inputs(counts)[:, :FEATURES]
    shares = defined_shares(network, defined_code(network, counts))
    expected = ((roots - np.sqrt(shares)) ** 2).mean(axis=1)
    found = network.estimate(counts).error
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_network_of_a_file_is_told_by_its_arrays(network, factories):
    plain = factories.network(7)
    assert isinstance(network_from_arrays(network.to_arrays()), DenoisingNetwork)
    assert isinstance(network_from_arrays(plain.to_arrays() | {"pca_mean": np.zeros(2)}), Network)


def test_large_logits_overflow_nothing(network, counts):
    steep = replace(network, w_6=network.w_6 * 1e4)
    shares = steep.shares(counts)
    np.testing.assert_allclose(shares.reshape(-1, ANGLES, ENERGIES).sum(axis=1), 1, rtol=1e-5)


def test_arrays_come_back(network):
    again = DenoisingNetwork.from_arrays(network.to_arrays() | {"axis_energy": np.ones(3)})
    for name, array in network.to_arrays().items():
        np.testing.assert_array_equal(again.to_arrays()[name], array)


@pytest.mark.parametrize("name", [field.name for field in fields(DenoisingNetwork)])
def test_an_array_that_is_wrong_is_refused(network, name):
    arrays = network.to_arrays()
    array = arrays[name].copy()
    array.flat[0] = np.nan
    with pytest.raises(PadflowError, match=f"{name} holds NaN"):
        DenoisingNetwork.from_arrays(arrays | {name: array})
    for wrong in (arrays[name][None], arrays[name][:-1], np.float32(1)):
        with pytest.raises(PadflowError, match="do not fit together"):
            DenoisingNetwork.from_arrays(arrays | {name: wrong})
    del arrays[name]
    with pytest.raises(PadflowError, match=f"lack {name}"):
        DenoisingNetwork.from_arrays(arrays)


@pytest.mark.parametrize("value", [0, -3])
@pytest.mark.parametrize("name", ["concentration", "half_counts"])
def test_numbers_of_counts_that_are_not_positive_are_refused(network, name, value):
    with pytest.raises(PadflowError, match=f"{name} is not positive"):
        replace(network, **{name: np.full(ENERGIES, value)})
