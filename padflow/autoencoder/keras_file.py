# SPDX-License-Identifier: BSD-3-Clause
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
from padflow.store.npz_specs import OF_DENOISER, OF_NETWORK, check_arrays

OF_DENSE = {name: spec for name, spec in OF_DENOISER.items() if name[:2] in ("w_", "b_")}
"""A denoiser in a Keras file: layers alone."""


SPECS = {len(specs) // 2: specs for specs in (OF_NETWORK, OF_DENSE)}
"""Arrays by number of dense layers, each layer's weights and biases after those of the layer before."""


def read_keras_weights(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a network, or those of a denoiser without its concentration, from a Keras file.

    Raises
    ------
    ValueError
        Where the file is damaged, unpacks to more than its size, or holds a network that is not of padflow.
    """
    content = read_bounded(path)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        check_members(archive, len(content))
        layers = [layer["class_name"] for layer in json.loads(archive.read("config.json"))["config"]["layers"]]
        specs = SPECS.get(len(layers) - 1)
        if specs is None or layers != ["InputLayer"] + ["Dense"] * (len(layers) - 1):
            raise ValueError(f"It has the layers {brief(layers)}; an InputLayer and 2 or 6 Dense were expected.")
        with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
            places = (f"layers/dense{f'_{layer}' if layer else ''}/vars/" for layer in range(len(layers) - 1))
            found = [_plain(file, f"{place}{number}", len(content)) for place in places for number in (0, 1)]
    arrays = dict(zip(specs, found, strict=True))
    check_arrays(arrays, specs)
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
