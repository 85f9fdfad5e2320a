# SPDX-License-Identifier: BSD-3-Clause

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from padflow.autoencoder import network
from padflow.autoencoder.network import Network
from padflow.errors import PadflowError


def random_network(features: int = 7, code: int = 4, seed: int = 0, size: float = 1.0) -> Network:
    rng = np.random.default_rng(seed)
    return Network(
        w_encode=rng.normal(0, size, (features, code)),
        b_encode=rng.normal(0, size, code),
        w_decode=rng.normal(0, size, (code, features)),
        b_decode=rng.normal(0, size, features),
    )


def reference(net: Network, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Code, decoded record and error, value by value, in float64."""
    w1, b1, w2, b2 = (array.astype("f8") for array in net.to_arrays().values())
    code = np.array([[max(0.0, sum(row * w1[:, j]) + b1[j]) for j in range(len(b1))] for row in x.astype("f8")])
    decoded = np.array([[1 / (1 + np.exp(-(sum(h * w2[:, j]) + b2[j]))) for j in range(len(b2))] for h in code])
    return code, decoded, ((decoded - x) ** 2).mean(axis=1)


@given(rows=st.integers(1, 9), seed=st.integers(0, 2**32 - 1), features=st.integers(1, 9), code=st.integers(1, 5))
def test_matches_float64_reference(rows, seed, features, code):
    net = random_network(features, code, seed)
    x = np.random.default_rng(seed).random((rows, features), dtype=np.float32)
    expected_code, expected_decoded, expected_error = reference(net, x)
    codes = net.encode(x)
    np.testing.assert_allclose(codes, expected_code, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(net.decode(codes), expected_decoded, rtol=1e-5, atol=1e-5)
    error = net.reconstruction_error(x, codes)
    np.testing.assert_allclose(error, expected_error, rtol=1e-4, atol=1e-6)
    assert codes.dtype == error.dtype == np.float32


def test_blocks_join_without_seam(monkeypatch):
    net, x = random_network(), np.random.default_rng(1).random((23, 7), dtype=np.float32)
    whole = net.encode(x), net.decode(net.encode(x)), net.reconstruction_error(x, net.encode(x))
    monkeypatch.setattr(network, "CACHED_ROWS", 5)
    parts = net.encode(x), net.decode(net.encode(x)), net.reconstruction_error(x, net.encode(x))
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


@given(seed=st.integers(0, 2**32 - 1), features=st.integers(1, 9), code=st.integers(1, 5))
def test_decoder_slopes_are_those_of_small_steps(seed, features, code):
    net = random_network(features, code, seed)
    place = np.random.default_rng(seed).random(code).astype(np.float32)
    _, _, w, b = (array.astype("f8") for array in net.to_arrays().values())
    for unit, slopes in zip(np.eye(code), net.decoder_slopes(place), strict=True):
        after, before = (1 / (1 + np.exp(-((place + step * unit) @ w + b))) for step in (1e-6, -1e-6))
        np.testing.assert_allclose(slopes, (after - before) / 2e-6, rtol=1e-4, atol=1e-6)


def test_sigmoid_saturates_without_warnings():
    net = Network(np.eye(2), np.zeros(2), np.array([[-1.0, 1.0], [-1.0, 1.0]]), np.zeros(2))
    decoded = net.decode(np.array([[1e30, 1e30], [200, 0], [0, 0]], dtype=np.float32))
    np.testing.assert_array_equal(decoded, [[0, 1], [0, 1], [0.5, 0.5]])


def test_nan_stays_in_its_record():
    net, x = random_network(), np.random.default_rng(2).random((3, 7), dtype=np.float32)
    clean = net.reconstruction_error(x, net.encode(x))
    x[1, 0] = np.nan
    error = net.reconstruction_error(x, net.encode(x))
    assert np.isnan(net.encode(x)[1]).all()
    assert np.isnan(error[1])
    np.testing.assert_allclose(error[[0, 2]], clean[[0, 2]], rtol=1e-6)


def test_input_is_left_alone_and_may_be_strided_or_empty():
    net = random_network()
    wide = np.random.default_rng(3).random((6, 14), dtype=np.float32)
    before = wide.copy()
    x = wide[::2, ::2]
    code = net.encode(x)
    kept = code.copy()
    np.testing.assert_allclose(net.encode(np.ascontiguousarray(x)), code, rtol=1e-6)
    net.reconstruction_error(x, code)
    np.testing.assert_array_equal(wide, before)
    np.testing.assert_array_equal(code, kept)
    assert net.encode(x[:0]).shape == (0, 4)
    assert net.reconstruction_error(x[:0], code[:0]).shape == (0,)


def test_arrays_round_trip_through_npz(tmp_path):
    net = random_network()
    np.savez(tmp_path / "arrays.npz", pca=np.zeros(3), **net.to_arrays())
    with np.load(tmp_path / "arrays.npz", allow_pickle=False) as arrays:
        again = Network.from_arrays(arrays)
    for name, array in net.to_arrays().items():
        np.testing.assert_array_equal(getattr(again, name), array)
        assert getattr(again, name).dtype == np.float32
    assert (again.features, again.code_size) == (7, 4)


def test_unusable_arrays_are_refused():
    arrays = random_network().to_arrays()
    with pytest.raises(PadflowError, match="lack b_decode"):
        Network.from_arrays({k: v for k, v in arrays.items() if k != "b_decode"})
    with pytest.raises(PadflowError, match="do not fit together"):
        Network(**arrays | {"w_decode": arrays["w_decode"].T})
    with pytest.raises(PadflowError, match="do not fit together"):
        Network(**arrays | {"w_encode": arrays["b_encode"]})
    with pytest.raises(PadflowError, match="b_encode holds NaN"):
        Network(**arrays | {"b_encode": np.full(4, np.nan)})
