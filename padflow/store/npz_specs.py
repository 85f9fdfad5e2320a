# SPDX-License-Identifier: BSD-3-Clause
"""Declare the arrays of a model and of a fit, with dimensions and kind, and check files against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from padflow.store.npz import read_bounded, unpack_arrays

NETWORK, ENCODER, CLASSES = "network.npz", "encoder.npz", "classes.npz"


SIZES = (4, 8)
"""Bytes that a floating-point number may have; integers may also have fewer."""


MOST_CLASSES = 1000
"""Most classes of a model (chosen): labels have 16 bits, and nobody looks at more classes."""


@dataclass(frozen=True)
class Spec:
    """One array.

    Parameters
    ----------
    dims : str
        Names of its dimensions, separated by spaces. A name has the same size in all arrays of a file.
    kind : {"number", "integer"}
    finite : bool
        Whether NaN and infinity are refused.
    optional : bool
        Whether it may be absent.
    """

    dims: str
    kind: str = "number"
    finite: bool = True
    optional: bool = False


_BIN = "pad_class pitch_angle energy"


_OF_AXES = {
    "axis_pitch_angle": Spec("pitch_angle"),
    "axis_energy": Spec("energy"),
    "axis_counts_per_flux": Spec("energy", finite=False),
}


_LAYERS = ("input wide_1", "wide_1 wide_2", "wide_2 code", "code wide_4", "wide_4 wide_5", "wide_5 feature")


OF_NETWORK = {
    "w_encode": Spec("feature code"),
    "b_encode": Spec("code"),
    "w_decode": Spec("code feature"),
    "b_decode": Spec("feature"),
}


OF_DENOISER = {
    f"{kind}_{n}": Spec(dims if kind == "w" else dims.split()[1])
    for n, dims in enumerate(_LAYERS, start=1)
    for kind in ("w", "b")
} | {"concentration": Spec("channel"), "half_counts": Spec("channel")}
"""What stands in the place of `OF_NETWORK` where the autoencoder was trained on other spins."""


_OF_PROJECTION = {
    "pca_mean": Spec("code"),
    "pca_components": Spec("component code"),
    "pca_softening": Spec(""),
}


_OF_CLASSES = {
    "centres": Spec("pad_class component", optional=True),
    "ward_sample": Spec("sample component", optional=True),
    "ward_label": Spec("sample", "integer", optional=True),
    "mixture_whitening": Spec("pad_class component component", optional=True),
    "mixture_penalty": Spec("pad_class", optional=True),
    "region_centres": Spec("pad_class coordinate", optional=True),
    "region_cells": Spec("cell coordinate", optional=True),
    "region_label": Spec("cell", "integer", optional=True),
    "region_energies": Spec("named_energy", "integer", optional=True),
    "region_names": Spec("pad_class named_energy", "integer", optional=True),
}


_OF_REGIONS = tuple(name for name in _OF_CLASSES if name.startswith("region_"))


_TOGETHER = (
    ("ward_sample", "ward_label"),
    ("mixture_whitening", "mixture_penalty"),
    *(("region_cells", name) for name in _OF_REGIONS),
)


OF_MODEL = _OF_AXES | OF_NETWORK | _OF_PROJECTION | _OF_CLASSES


OF_FIT = {
    NETWORK: _OF_AXES | OF_NETWORK,
    ENCODER: _OF_AXES | OF_NETWORK | _OF_PROJECTION,
    CLASSES: _OF_CLASSES | {"modes": Spec("mode component", optional=True)},
}
"""By name of the file in the ``fit`` folder."""


OF_MOMENTS = {
    "n": Spec("", "integer"),
    "mean": Spec("code"),
    "scatter": Spec("code code"),
    "differences": Spec("pair code"),
}


OF_SUMMARY = {
    "n": Spec("pad_class", "integer"),
    "mean": Spec("pad_class component"),
    "scatter": Spec("pad_class"),
    "distance": Spec("pad_class"),
    "unlabelled": Spec("reason", "integer"),
    "flux_sum": Spec(_BIN, finite=False),
    "flux_n": Spec(_BIN),
    "ratio_sum": Spec(_BIN, finite=False),
    "ratio_squares": Spec(_BIN, finite=False),
    "ratio_n": Spec(_BIN),
    "shape_sample": Spec("drawn pitch_angle energy", finite=False),
    "shape_class": Spec("drawn", "integer"),
    "sample_score": Spec("sample component"),
    "sample_class": Spec("sample", "integer"),
    "name_counts": Spec("pad_class shape_energy name", "integer", optional=True),
    "region_begun": Spec("", "integer", optional=True),
    **{
        f"region_{kind}_{what}": Spec(f"{kind}_entry", "integer", optional=True)
        for kind in ("class", "name", "sin_n")
        for what in ("key", "count")
    },
    "orbits_begun": Spec("", "integer", optional=True),
    "l_time_key": Spec("l_time_entry", "integer", optional=True),
    "l_time_count": Spec("l_time_entry", "integer", optional=True),
    "l_mlt_key": Spec("l_mlt_entry", "integer", optional=True),
    "l_mlt_count": Spec("l_mlt_entry", "integer", optional=True),
}


def read_arrays(path: Path, specs: Mapping[str, Spec]) -> dict[str, np.ndarray]:
    """Read the arrays of a file and check them.

    Raises
    ------
    ValueError
        Names the file or the array, and says what is wrong.
    """
    return checked_arrays(read_bounded(path), specs)


def checked_arrays(content: bytes, specs: Mapping[str, Spec]) -> dict[str, np.ndarray]:
    """Read the arrays in the bytes of an ``.npz`` file and check them.

    Raises
    ------
    ValueError
        As `read_arrays`.
    """
    arrays = unpack_arrays(content)
    check_arrays(arrays, specs)
    return arrays


def check_arrays(arrays: Mapping[str, np.ndarray], specs: Mapping[str, Spec]) -> None:
    """Refuse arrays that differ from their specs; a denoiser may stand in the place of a network.

    Raises
    ------
    ValueError
        Names the array.
    """
    sizes: dict[str, int] = {}
    if "concentration" in arrays and specs.keys() >= OF_NETWORK.keys():
        specs = {name: spec for name, spec in specs.items() if name not in OF_NETWORK} | OF_DENOISER
        specs |= {name: replace(spec, dims=spec.dims.replace("code", "feature")) for name, spec in _components(specs)}
    if "centres" in specs and not {"centres", "region_centres"} & arrays.keys():
        raise ValueError("It lacks the array centres.")
    for name, spec in specs.items():
        if name in arrays:
            _check_array(name, arrays[name], spec, sizes)
        elif not spec.optional:
            raise ValueError(f"It lacks the array {name}.")
    _check_classes(arrays, sizes)


def _components(specs: Mapping[str, Spec]) -> list[tuple[str, Spec]]:
    return [(name, spec) for name, spec in specs.items() if name in _OF_PROJECTION]


def _check_array(name: str, array: np.ndarray, spec: Spec, sizes: dict[str, int]) -> None:
    dims = spec.dims.split()
    if array.ndim == len(dims):
        for dim, size in zip(dims, array.shape, strict=True):
            sizes.setdefault(dim, size)
    expected = tuple(sizes.get(dim) for dim in dims)
    if array.shape != expected:
        words = ", ".join(dim if size is None else f"{size} {dim}" for dim, size in zip(dims, expected, strict=True))
        raise ValueError(f"{name} in it has the shape {array.shape}; ({words}) was expected.")
    integer, floating = array.dtype.kind in "iu", array.dtype.kind == "f" and array.dtype.itemsize in SIZES
    if not integer and (spec.kind == "integer" or not floating):
        raise ValueError(f"{name} in it is of type {array.dtype}; {spec.kind}s were expected.")
    if spec.finite and not np.isfinite(array).all():
        raise ValueError(f"{name} in it holds NaN or infinity.")


def _check_classes(arrays: Mapping[str, np.ndarray], sizes: Mapping[str, int]) -> None:
    for one, other in _TOGETHER:
        if (one in arrays) != (other in arrays):
            raise ValueError(f"It lacks the array {other if one in arrays else one}.")
    for dim in ("feature", "code", "component", "pad_class", "pitch_angle", "energy"):
        if sizes.get(dim) == 0:
            raise ValueError(f"Its arrays have no {dim}.")
    if sizes.get("pad_class", 0) > MOST_CLASSES:
        raise ValueError(f"It has {sizes['pad_class']:,} classes, more than {MOST_CLASSES:,}.")
    for name in ("ward_label", "region_label", "shape_class", "sample_class"):
        labels = arrays.get(name)
        if labels is not None and len(labels) and not 0 <= labels.min() <= labels.max() < sizes["pad_class"]:
            raise ValueError(f"{name} in it holds numbers of classes that there are not.")
