# SPDX-License-Identifier: BSD-3-Clause
"""Name classes: by the names of their records where these are known, else by their mean distribution."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from padflow.shapes.folding import Folded
from padflow.shapes.names import SHAPES, UNCLEAR, name_shapes

FEWEST_NAMED = 5
"""Records with a name that a class needs at an energy to be named there (chosen)."""


def count_shapes(shape: np.ndarray, pad_class: np.ndarray, k: int) -> np.ndarray:
    """Count the records of each class by the name of their shape.

    Parameters
    ----------
    shape : ndarray of int8, shape (records, energy)
        Codes of `SHAPES`.
    pad_class : ndarray of int, shape (records,)
        Negative for records without a class, which are left out.

    Returns
    -------
    ndarray of int64, shape (k, energy, len(SHAPES))
    """
    known = pad_class >= 0
    place = pad_class[known, None].astype(np.int64) * shape.shape[1] + np.arange(shape.shape[1])
    size = k * shape.shape[1] * len(SHAPES)
    return np.bincount((place * len(SHAPES) + shape[known]).ravel(), minlength=size).reshape(k, -1, len(SHAPES))


def shapes_of_means(pitch_angle: np.ndarray, pads: np.ndarray) -> list[list[str]]:
    """Name the mean PADs of classes.

    Parameters
    ----------
    pitch_angle : ndarray, shape (pitch_angle,)
        Degrees.
    pads : ndarray, shape (pad_class, pitch_angle, energy)
        `padflow.shapes.means.mean_ratio`.

    Returns
    -------
    list of list of str
        By class and energy.
    """
    return [[SHAPES[code] for code in of_class] for of_class in name_shapes(pitch_angle, pads.swapaxes(1, 2))]


def shapes_of_records(
    counts: np.ndarray, shape_energy: np.ndarray, *, energy: np.ndarray, of_means: list[list[str]]
) -> list[list[str]]:
    """Name classes at each energy by the name that most of their records have.

    Parameters
    ----------
    counts : ndarray of int, shape (pad_class, shape_energy, len(SHAPES))
        See `count_shapes`.
    shape_energy, energy : ndarray
        Energies of `counts`, and of the classes, in MeV.
    of_means : list of list of str
        By class and energy, what stands at energies that `counts` does not have.

    Returns
    -------
    list of list of str
        By class and energy; unclear where fewer than half of the records have a name, or fewer than `FEWEST_NAMED`.
    """
    named = counts.copy()
    named[:, :, UNCLEAR] = 0
    known = named.sum(axis=2)
    clear = (known >= FEWEST_NAMED) & (2 * known >= counts.sum(axis=2))
    codes = np.where(clear, named.argmax(axis=2), UNCLEAR)
    places = places_of(shape_energy, energy)
    out = [list(of_class) for of_class in of_means]
    for of_class, found in zip(out, codes, strict=True):
        for place, code in zip(places, found, strict=True):
            of_class[place] = SHAPES[code]
    return out


def places_of(wanted: Iterable[float], energy: np.ndarray) -> list[int]:
    """Return the places of the energies that are nearest to some."""
    return [int(np.abs(energy - value).argmin()) for value in wanted]


def main_shape(shapes: Iterable[str]) -> str:
    """Return the shape at the lowest energy that has one: counts fall with energy, so it is the one known best."""
    return next((shape for shape in shapes if shape != "unclear"), "unclear")


def class_names(
    shapes: Sequence[Sequence[str]], pitch_angle: np.ndarray, pads: np.ndarray, *, places: Sequence[int] = ()
) -> tuple[str, ...]:
    """Return a name for each class that no other has, such as ``"butterfly_deep"`` or ``"pancake_to_flattop"``.

    It says the shape at a low energy, and where it is another one, the shape at a high energy. Of two classes that
    share this, one is steep and one broad, or one deep and one shallow; more than two are numbered from the steepest
    or deepest.

    Parameters
    ----------
    shapes : sequence of sequence of str
        By class and energy.
    pitch_angle : ndarray, shape (pitch_angle,)
        Degrees.
    pads : ndarray, shape (pad_class, pitch_angle, energy)
        Mean PADs.
    places : sequence of int
        Of the energies that names tell of; by default those that have a shape.
    """
    bases = [_base([of_class[place] for place in places] if places else of_class) for of_class in shapes]
    depth = [_depth(of_class, pitch_angle, pad) for of_class, pad in zip(shapes, pads, strict=True)]
    names = list(bases)
    for base in set(bases):
        same = sorted((c for c, other in enumerate(bases) if other == base), key=lambda c: (-depth[c], c))
        words = ("deep", "shallow") if base.startswith("butterfly") else ("steep", "broad")
        if len(same) > 1:
            for rank, c in enumerate(same):
                names[c] = f"{base}_{words[rank] if len(same) == 2 else rank + 1}"
    return tuple(names)


def _base(shapes: Sequence[str]) -> str:
    known = [shape for shape in shapes if shape != "unclear"] or ["unclear"]
    return known[0] if known[0] == known[-1] else f"{known[0]}_to_{known[-1]}"


def _depth(shapes: Sequence[str], pitch_angle: np.ndarray, pad: np.ndarray) -> float:
    """Return how deep a butterfly is, or how steep another shape, where the class has its main shape."""
    main = main_shape(shapes)
    folded = Folded.of(pitch_angle, pad[:, list(shapes).index(main)])
    at_90 = folded.flux_at(90.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = folded.flux.max() / at_90 if main == "butterfly" else at_90 / folded.flux_at(60.0)
    return float(np.nan_to_num(ratio))


def shape_of_name(name: str) -> str:
    """Return the shape that a class was named after; a name that somebody gave it as it is."""
    shape = name.partition("_")[0]
    return shape if shape in SHAPES else name
