# SPDX-License-Identifier: BSD-3-Clause
"""Every array of a model or a fit is what it should be, or is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from padflow.errors import PadflowError
from padflow.pipeline.directory import RunDirectory
from padflow.store.durable import write_bytes
from padflow.store.npz import pack_arrays
from padflow.store.npz_specs import (
    CLASSES,
    ENCODER,
    NETWORK,
    OF_DENOISER,
    OF_FIT,
    OF_MODEL,
    OF_MOMENTS,
    OF_NETWORK,
    OF_SUMMARY,
    checked_arrays,
    read_arrays,
)

HUGE = 1 << 40


def example(specs: dict, sizes: dict[str, int]) -> dict[str, np.ndarray]:
    """Arrays as the specs have them, with those that may be absent."""
    arrays = {}
    for name, spec in specs.items():
        shape = tuple(sizes.setdefault(dim, 2 + len(sizes)) for dim in spec.dims.split())
        arrays[name] = np.zeros(shape, "i8" if spec.kind == "integer" else "f8")
    return arrays


FILES = {"arrays.npz": OF_MODEL, **OF_FIT, "moments": OF_MOMENTS, "summary": OF_SUMMARY}
FILES["denoiser"] = {name: spec for name, spec in OF_MODEL.items() if name not in OF_NETWORK} | OF_DENOISER


EVERY_ARRAY = [(file, name) for file, specs in FILES.items() for name in specs]


@pytest.mark.parametrize("file", FILES)
def test_good_arrays_pass(file: str) -> None:
    arrays = example(FILES[file], {})
    assert set(checked_arrays(pack_arrays(arrays), FILES[file])) == set(arrays)
    # Classes have centres of one kind or the other.
    needed = {n: values for n, values in arrays.items() if n == "centres" or not FILES[file][n].optional}
    checked_arrays(pack_arrays(needed), FILES[file])


def test_a_denoiser_may_stand_in_the_place_of_a_network() -> None:
    specs = {name: spec for name, spec in OF_FIT[NETWORK].items() if name not in OF_NETWORK} | OF_DENOISER
    arrays = example(specs, {})
    checked_arrays(pack_arrays(arrays), OF_FIT[NETWORK])
    for name in OF_DENOISER:
        without = {other: values for other, values in arrays.items() if other != name}
        with pytest.raises(ValueError, match=f"lacks the array {'w_encode' if name == 'concentration' else name}"):
            checked_arrays(pack_arrays(without), OF_FIT[NETWORK])


@pytest.mark.parametrize(("file", "name"), EVERY_ARRAY)
def test_every_array_is_refused_by_name_where_it_is_wrong(file: str, name: str) -> None:
    specs = FILES[file]
    good, spec = example(specs, {}), specs[name]
    wrong = {
        "a dimension too many": good[name][None],
        "complex": good[name].astype("c16").real.astype("?"),  # truth values are no numbers
        "text": None,
    }
    if spec.dims:
        wrong["a dimension too few"] = good[name][0]
    if spec.finite and spec.kind == "number":
        for value in (np.nan, np.inf, -np.inf):
            bad = good[name].copy()
            bad.flat[-1] = value
            wrong[str(value)] = bad
    if spec.kind == "integer":
        wrong["floats"] = good[name].astype("f8")
    shared = [dim for dim in spec.dims.split() if sum(dim in other.dims.split() for other in specs.values()) > 1]
    if shared:
        axis = spec.dims.split().index(shared[0])
        wrong["another size"] = np.concatenate([good[name]] * 2, axis=axis)
    for why, array in wrong.items():
        if array is None:
            continue
        with pytest.raises(ValueError, match=r"\w+ in it (has the shape|is of type|holds NaN)") as caught:
            checked_arrays(pack_arrays(good | {name: array}), specs)
        assert why == "another size" or str(caught.value).startswith(name), why
    if not spec.optional:
        del good[name]
        with pytest.raises(ValueError, match=f"lacks the array {name}"):
            checked_arrays(pack_arrays(good), specs)


REGIONS = [f"region_{name}" for name in ("centres", "cells", "label", "energies", "names")]


OF_PAD_CLASS = ("centres", "mixture_whitening", "mixture_penalty", "region_centres", "region_names")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: [a.pop(name) for name in ("centres", *REGIONS)], "lacks the array centres"),
        (lambda a: a.pop("region_names"), "lacks the array region_names"),
        (lambda a: a.update(region_label=a["region_label"] + 99), "region_label .* classes that there are not"),
        (lambda a: a.pop("ward_label"), "lacks the array ward_label"),
        (lambda a: a.pop("mixture_whitening"), "lacks the array mixture_whitening"),
        (lambda a: a.update(ward_label=a["ward_label"] - 1), "ward_label .* classes that there are not"),
        (lambda a: a.update(ward_label=a["ward_label"] + 99), "ward_label .* classes that there are not"),
        (lambda a: a.update({n: v[:0] for n, v in a.items() if n in OF_PAD_CLASS}), "have no pad_class"),
    ],
)
def test_classes_that_do_not_fit_together_are_refused(change: Callable, words: str) -> None:
    arrays = example(OF_MODEL, {})
    change(arrays)
    with pytest.raises(ValueError, match=words):
        checked_arrays(pack_arrays(arrays), OF_MODEL)


@pytest.mark.slow
def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "arrays.npz"
    with path.open("wb") as file:
        file.truncate(HUGE)  # sparse
    with pytest.raises(ValueError, match="larger than 1024 MiB"):
        read_arrays(path, OF_MODEL)


@pytest.mark.parametrize("name", [NETWORK, ENCODER, CLASSES])
def test_fitted_arrays_of_a_run_directory_are_looked_at(tmp_path: Path, name: str) -> None:
    arrays = example(OF_FIT[name], {})
    write_bytes(tmp_path / "fit" / name, pack_arrays(arrays))
    assert set(RunDirectory(tmp_path).arrays(name)) == set(arrays)
    first = next(iter(arrays))
    write_bytes(tmp_path / "fit" / name, pack_arrays(arrays | {first: arrays[first] + np.nan}))
    with pytest.raises(PadflowError, match=rf"{name} cannot be read: {first} in it holds NaN .* --from train"):
        RunDirectory(tmp_path).arrays(name)
