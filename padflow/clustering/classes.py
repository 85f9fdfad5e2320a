# SPDX-License-Identifier: BSD-3-Clause
"""The classes of a model: what is asked of each kind, and the kind that lies in an ``.npz``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import numpy as np

from padflow.clustering.assignment import DISTANCE_ROWS, Assigned, OfScores, assign, label_finite
from padflow.clustering.cells import Regions
from padflow.clustering.mixture import Likeliest
from padflow.clustering.ward import NearestSample


class Classes(Protocol):
    """Classes: `NearestCentre`, `NearestSample` or `Likeliest` of scores, or `Regions` of shapes."""

    needs: ClassVar[tuple[str, ...]]
    """Names of the arrays of results that `classify` takes."""

    @property
    def centres(self) -> np.ndarray:
        """Middle of each class, float64, the classes along the first axis."""

    def classify(self, scored: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return ``pad_class`` int16, ``probability``, ``distance`` and ``margin`` float32 of each record.

        Parameters
        ----------
        scored : mapping of str to ndarray
            The arrays of `needs`.
        """

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return named arrays, to be written into an ``.npz``."""

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Return the classes that `to_arrays` gave; other names in the mapping are left alone."""


@dataclass(frozen=True)
class NearestCentre(OfScores):
    """Classes of k-means: a record takes that of the nearest centre.

    Parameters
    ----------
    centres : ndarray of float64, shape (pad_class, component)
    """

    centres: np.ndarray

    def in_order(self, order: np.ndarray) -> NearestCentre:
        """Return the same classes numbered in another order."""
        return NearestCentre(self.centres[order])

    def assign(self, scores: np.ndarray) -> dict[str, np.ndarray]:
        """Return the nearest class, the distance to its centre, and the margin, see `padflow.clustering.assignment`."""
        return label_finite(scores, self._assign, block_rows=DISTANCE_ROWS)

    def _assign(self, scores: np.ndarray) -> Assigned:
        pad_class, distance, margin = assign(scores, self.centres)
        return pad_class, np.nan, distance, margin

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return named arrays, to be written into an ``.npz``."""
        return {"centres": self.centres}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> NearestCentre:
        """Return the classes that `to_arrays` gave; other names in the mapping are left alone."""
        return cls(arrays["centres"])


BY_ARRAY: dict[str, type[Classes]] = {
    "region_cells": Regions,
    "ward_sample": NearestSample,
    "mixture_whitening": Likeliest,
    "centres": NearestCentre,
}
"""The kind of classes by an array that it alone has; others have centres too, hence the last."""


def classes_from_arrays(arrays: Mapping[str, np.ndarray]) -> Classes:
    """Return the classes of the kind whose arrays are there; other names in the mapping are left alone."""
    kind = next(kind for name, kind in BY_ARRAY.items() if name in arrays)
    return kind.from_arrays(arrays)
