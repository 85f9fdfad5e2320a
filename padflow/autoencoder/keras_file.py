"""Read the weights in an ``autoencoder.keras`` that is not trusted, without Keras: no code in it is run.

Keras would first make all layers that the file describes, of any kind and size, and only then read the weights.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import h5py
import numpy as np

from padflow.errors import brief
from padflow.store.npz import check_members, read_bounded
from padflow.store.npz_specs import OF_NETWORK, check_arrays

LAYERS = ["InputLayer", "Dense", "Dense"]


WEIGHTS = {
    "w_encode": "layers/dense/vars/0",
    "b_encode": "layers/dense/vars/1",
    "w_decode": "layers/dense_1/vars/0",
    "b_decode": "layers/dense_1/vars/1",
}


def read_keras_weights(path: Path) -> dict[str, np.ndarray]:
    """Return the four arrays of `padflow.autoencoder.network.Network` from a Keras file.

    Raises
    ------
    ValueError
        Where the file is damaged, unpacks to more than its size, or holds a network that is not of padflow.
    """
    content = read_bounded(path)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        check_members(archive, len(content))
        layers = [layer["class_name"] for layer in json.loads(archive.read("config.json"))["config"]["layers"]]
        if layers != LAYERS:
            raise ValueError(f"It has the layers {brief(layers)}; {LAYERS} were expected.")
        with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
            arrays = {name: _plain(file, place, len(content)) for name, place in WEIGHTS.items()}
    check_arrays(arrays, OF_NETWORK)
    return arrays


def _plain(file: h5py.File, place: str, most: int) -> np.ndarray:
    """Return an array with all its values in this file, and not compressed; refuse others."""
    names = place.split("/")
    links = [file.get("/".join(names[: depth + 1]), getlink=True) for depth in range(len(names))]
    if all(isinstance(link, h5py.HardLink) for link in links) and isinstance(found := file[place], h5py.Dataset):
        elsewhere = found.chunks or found.external or found.is_virtual
        if not elsewhere and found.dtype.kind == "f" and found.id.get_storage_size() == found.nbytes <= most:
            return found[...]
    raise ValueError(f"{place} in it is no plain array, or does not have all the values that it declares.")
