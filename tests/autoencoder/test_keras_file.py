# SPDX-License-Identifier: BSD-3-Clause
"""A Keras file from anybody: its weights are read, and nothing else in it."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from padflow.autoencoder import keras as keras_module
from padflow.autoencoder.keras import load_keras, save_keras
from padflow.autoencoder.keras_denoiser import build_denoiser
from padflow.autoencoder.tensorflow import load_tensorflow
from padflow.errors import PadflowError


def changed_keras(source: Path, target: Path, *, layers=None, weights=None, compression=zipfile.ZIP_STORED) -> Path:
    """Copy a Keras file with other layers, or with weights that a function has changed."""
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(target, "w", compression) as after:
        for name in before.namelist():
            content = before.read(name)
            if name == "config.json" and layers:
                described = json.loads(content)
                described["config"]["layers"] = layers(described["config"]["layers"])
                content = json.dumps(described).encode()
            if name == "model.weights.h5" and weights:
                buffer = io.BytesIO(content)
                with h5py.File(buffer, "r+") as file:
                    weights(file)
                content = buffer.getvalue()
            after.writestr(name, content)
    return target


def put(file: h5py.File, place: str, values: np.ndarray | None = None, **options: object) -> None:
    del file[place]
    file.create_dataset(place, data=values, **options)


KERNEL = "layers/dense/vars/0"


@pytest.fixture(scope="module")
def keras_file(tmp_path_factory) -> Path:
    """A network of random weights, 6 features and 3 values of code."""
    path = tmp_path_factory.mktemp("keras") / "autoencoder.keras"
    save_keras(SimpleNamespace(model=keras_module._build(load_tensorflow()[1], 6, 3, 0)), path)
    return path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"compression": zipfile.ZIP_DEFLATED}, "is compressed"),
        ({"layers": lambda found: found + found[-1:]}, "has the layers"),
        ({"layers": lambda found: [found[0], found[1] | {"class_name": "Lambda"}, found[2]]}, "has the layers"),
        ({"weights": lambda f: put(f, KERNEL, np.full((6, 3), np.nan, "f4"))}, "w_encode in it holds NaN"),
        ({"weights": lambda f: put(f, KERNEL, np.zeros((6, 4), "f4"))}, "b_encode in it has the shape"),
        ({"weights": lambda f: put(f, KERNEL, np.zeros((6, 3), "f4"), compression="gzip")}, "no plain array"),
        ({"weights": lambda f: put(f, KERNEL, shape=(10**6, 10**6), dtype="f4")}, "no plain array"),
        ({"weights": lambda f: put(f, KERNEL, np.zeros((6, 3), "i4"))}, "no plain array"),
        (
            {"weights": lambda f: (f.__delitem__(KERNEL), f.__setitem__(KERNEL, h5py.ExternalLink("x.h5", "y")))},
            "no plain",
        ),
        ({"weights": lambda f: f.__delitem__(KERNEL)}, "cannot be opened"),
    ],
)
def test_a_keras_file_of_another_content_is_refused_before_it_is_made(keras_file, tmp_path, changes, words):
    load_keras(changed_keras(keras_file, tmp_path / "same.keras"))
    path = changed_keras(keras_file, tmp_path / "autoencoder.keras", **changes)
    with pytest.raises(PadflowError, match=rf"autoencoder\.keras cannot be opened as a Keras model.*{words}|{words}"):
        load_keras(path)


def test_units_that_the_weights_do_not_have_are_not_made(keras_file, tmp_path):
    def grow(layers: list[dict]) -> list[dict]:
        layers[1]["config"]["units"] = 10**9
        return layers

    loaded = load_keras(changed_keras(keras_file, tmp_path / "autoencoder.keras", layers=grow))
    assert [tuple(weights.shape) for weights in loaded.weights] == [(6, 3), (3,), (3, 6), (6,)]


def test_a_denoiser_comes_back(tmp_path):
    made = build_denoiser(load_tensorflow()[1], 6, 2, code_size=3, seed=1)
    save_keras(SimpleNamespace(model=made), tmp_path / "denoiser.keras")
    loaded = load_keras(tmp_path / "denoiser.keras")
    rows = np.random.default_rng(0).random((5, 8), np.float32)
    np.testing.assert_array_equal(loaded.predict(rows, verbose=0), made.predict(rows, verbose=0))


@pytest.mark.parametrize("content", [None, b"<html>not found</html>"])
def test_unusable_keras_file_is_explained(tmp_path, content):
    path = tmp_path / "autoencoder.keras"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PadflowError, match=r"autoencoder\.keras cannot be opened as a Keras model"):
        load_keras(path)
