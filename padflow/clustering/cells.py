# SPDX-License-Identifier: BSD-3-Clause
"""Classes of a continuum: small cells of the shapes, joined where their records share a name.

Where the density of the scores has no valleys, its modes say little, and borders by distance lie where no reader would
draw them. Cells that are much smaller than a shape's region follow its borders, wherever these run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances
from threadpoolctl import threadpool_limits

from padflow.clustering.assignment import by_size
from padflow.clustering.ward import NearestSample
from padflow.shapes.coordinates import border_coordinates
from padflow.shapes.names import UNCLEAR

OF_SHAPES = ("likeliest_shape", "shape_probability", "j60_over_j90", "max_over_j90")
"""What is needed of the shapes of records."""


CELLS = 200
"""Number of cells. Chosen on archives of measured shapes (60 days): with 60, the name of a record's class is its own
name for 92 % of the records, and classes of either half of the days agree at 0.72; with 200 it is 93 % and 0.83."""


LEAST_SHARE = 0.02
"""Share of the records below which classes of joined cells are left out: their cells join the nearest other class
(chosen; on the archives above, ten classes are left of some fifteen)."""


ONE_SHAPE = 0.9
"""Share of the records with the same names from which there is one class (chosen): the rest is the scatter of it."""


@dataclass(frozen=True)
class Regions:
    """Classes of shapes: a record takes that of the nearest middle of a cell.

    Parameters
    ----------
    nearest : NearestSample
        Middles of the cells in `border_coordinates`, and their classes.
    energies : ndarray of int16, shape (named_energy,)
        Places, among the energies of shapes, of those at which classes tell the shape.
    names : ndarray of int8, shape (pad_class, named_energy)
        Codes of the names of the shapes in each class at these energies.
    """

    nearest: NearestSample
    energies: np.ndarray
    names: np.ndarray

    needs: ClassVar[tuple[str, ...]] = ("score", *OF_SHAPES)

    @property
    def centres(self) -> np.ndarray:
        """Middle of each class, float64 of shape (pad_class, coordinate)."""
        return self.nearest.centres

    def classify(self, scored: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Classify records, see `padflow.clustering.classes.Classes`.

        The probability is that of the names of the class, from the counting errors of the record's shape. ``distance``
        and ``margin`` are in `border_coordinates`.
        """
        coordinates, names = shape_coordinates(scored, self.energies)
        coordinates[~np.isfinite(scored["score"]).all(axis=1)] = np.nan
        out = self.nearest.assign(coordinates)
        known = out["pad_class"] >= 0
        likeliest = scored["shape_probability"][:, self.energies].astype(np.float32)
        # Where the class has another name than the likeliest, it takes what is left: at most that much is true.
        agrees = names == self.names[out["pad_class"]]
        probability = np.where(agrees, likeliest, 1 - likeliest).prod(axis=1)
        out["probability"] = np.where(known, np.nan_to_num(probability), np.nan).astype(np.float32)
        return out

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return named arrays, to be written into an ``.npz``."""
        return {
            "region_centres": self.nearest.centres,
            "region_cells": self.nearest.sample,
            "region_label": self.nearest.label,
            "region_energies": self.energies,
            "region_names": self.names,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Regions:
        """Return the classes that `to_arrays` gave; other names in the mapping are left alone."""
        nearest = NearestSample(*(arrays[f"region_{name}"] for name in ("centres", "cells", "label")))
        return cls(nearest, arrays["region_energies"], arrays["region_names"])


def shape_coordinates(scored: Mapping[str, np.ndarray], energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the coordinates and the names of records at some of the energies of their shapes.

    Parameters
    ----------
    scored : mapping of str to ndarray
        The arrays of `OF_SHAPES`, (records, energy).
    energies : ndarray of int
        Places of the energies.

    Returns
    -------
    coordinates : ndarray of float32, shape (records, 2 * energies)
        See `border_coordinates`; 0 where nothing was measured.
    names : ndarray of int8, shape (records, energies)
    """
    flat, largest = (scored[name][:, energies].astype(np.float32) for name in ("j60_over_j90", "max_over_j90"))
    return np.nan_to_num(border_coordinates(flat, largest)), scored["likeliest_shape"][:, energies]


def fit_cells(
    coordinates: np.ndarray, names: np.ndarray, *, energies: np.ndarray, cells: int = CELLS, seed: int = 0
) -> Regions:
    """Cut shapes into cells by k-means, and join the cells whose records have the same names.

    Parameters
    ----------
    coordinates : ndarray, shape (records, coordinate)
        A sample of shapes, finite.
    names : ndarray of int8, shape (records, energy)
        Codes of the names of the shapes of each record, at the energies that classes are to tell of. Unclear ones do
        not count.
    energies : ndarray of int
        Places of these energies, see `Regions`.
    cells : int
        Number of cells; as many as there are different shapes, if these are fewer.

    Returns
    -------
    Regions
        Classes are numbered from the largest. A single one, where nearly all cells have the same names.

    Examples
    --------
    >>> import numpy as np
    >>> random = np.random.default_rng(0)
    >>> coordinates = random.uniform(-1, 1, (5000, 2))
    >>> names = np.where(coordinates[:, :1] > 0.2, 4, 1).astype(np.int8)
    >>> regions = fit_cells(coordinates, names, energies=np.array([0]), cells=50)
    >>> regions.names.ravel().tolist()
    [1, 4]
    """
    coordinates = np.asarray(coordinates, np.float64)
    cells = min(cells, len(np.unique(coordinates, axis=0)))
    # More threads than one would sum in another order.
    with threadpool_limits(1):
        found = KMeans(cells, n_init=1, random_state=seed).fit(coordinates)
    middles = found.cluster_centers_.astype(np.float32)
    sizes = np.bincount(found.labels_, minlength=cells)
    of_cells = _most_frequent(found.labels_, names, cells)
    label = _joined(middles, sizes, of_cells)
    weight = np.bincount(label, sizes)
    centres = np.stack([np.bincount(label, sizes * column) / weight for column in found.cluster_centers_.T], axis=1)
    order = by_size(weight, centres)
    of_classes = _most_frequent(np.argsort(order)[label][found.labels_], names, len(order))
    nearest = NearestSample(centres[order], middles, np.argsort(order)[label].astype(np.int16))
    return Regions(nearest, np.asarray(energies, np.int16), of_classes.astype(np.int8))


def _most_frequent(cell: np.ndarray, names: np.ndarray, cells: int) -> np.ndarray:
    """Return the name that most records of each cell have, (cells, energy); unclear only where no name is clear."""
    count = np.zeros((cells, names.shape[1], int(names.max(initial=0)) + 1), np.int64)
    np.add.at(count, (cell[:, None], np.arange(names.shape[1]), names), 1)
    count[:, :, UNCLEAR] = 0
    return count.argmax(axis=2)


def _joined(middles: np.ndarray, sizes: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Return the class of each cell, from 0 without holes: cells of the same names are one, but for small classes."""
    _, label = np.unique(names, axis=0, return_inverse=True)
    label = label.ravel()
    share = np.bincount(label, sizes) / sizes.sum()
    least = share.max() if share.max() >= ONE_SHAPE else min(LEAST_SHARE, share.max())
    kept = (share >= least)[label]
    nearest = np.flatnonzero(kept)[pairwise_distances(middles, middles[kept]).argmin(axis=1)]
    return np.unique(np.where(kept, label, label[nearest]), return_inverse=True)[1]
