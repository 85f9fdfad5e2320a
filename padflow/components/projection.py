# SPDX-License-Identifier: BSD-3-Clause
"""The projection of codes to scores, and how scores are softened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

SOFTENING = 12.0
"""Noise units beyond which a score grows as its logarithm: what the shapes of one population differ by is in proportion
to the shape. Chosen on simulated archives."""


MODE_SOFTENING = 4.0
"""The same where modes are sought, for one bandwidth has to do for all: populations far from the rest would fall into
specks. Borders drawn there would lie too far from what is near the middle, and move with the network. Modes are sought
twice, with each score softened and with the length of all scores of a record softened: what is one mode in one of them
and several in the other is one population, far out along one component and therefore wide in all."""


def soften(scores: np.ndarray, softening: float) -> np.ndarray:
    """Return ``softening * arcsinh(scores / softening)``: equal near 0, logarithmic far from it; unchanged if 0."""
    return softening * np.arcsinh(scores / softening) if softening else scores


def unsoften(scores: np.ndarray, softening: float) -> np.ndarray:
    """Return what `soften` made `scores` of."""
    return softening * np.sinh(scores / softening) if softening else scores


def soften_length(scores: np.ndarray, softening: float) -> np.ndarray:
    """Return scores, shape (records, components), with their length softened and their direction kept."""
    length = np.linalg.norm(scores, axis=-1, keepdims=True)
    return scores * (soften(length, softening) / np.where(length, length, 1))


@dataclass(frozen=True)
class Projection:
    """The way from codes to scores.

    Parameters
    ----------
    mean : ndarray of float64, shape (code,)
        Mean of the codes that it was fitted to.
    axes : ndarray of float64, shape (component, code)
        Of `padflow.components.pca.IncrementalPCA` or `padflow.components.noise.noise_adjusted_axes`.
    softening : float
        See `soften`; 0 where scores are principal components.
    """

    mean: np.ndarray
    axes: np.ndarray
    softening: float = 0.0

    @property
    def components(self) -> int:
        """Number of scores of a code."""
        return len(self.axes)

    def score(self, codes: np.ndarray) -> np.ndarray:
        """Return the scores, float64 (rows, component), of codes, float32 (rows, code)."""
        deviation = codes.T.astype(np.float64, order="C")  # first: NumPy subtracts two types several times slower
        deviation -= self.mean[:, None]
        return soften(self.axes @ deviation, self.softening).T

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return named arrays, to be written into an ``.npz``."""
        return {"pca_mean": self.mean, "pca_components": self.axes, "pca_softening": np.array(self.softening)}

    @staticmethod
    def from_arrays(arrays: Mapping[str, np.ndarray]) -> Projection:
        """Return the projection that `to_arrays` gave; other names in the mapping are left alone."""
        return Projection(arrays["pca_mean"], arrays["pca_components"], float(arrays["pca_softening"]))
