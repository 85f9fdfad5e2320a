"""The projection of codes to scores, and how scores are softened."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def pack_projection(mean: np.ndarray, components: np.ndarray, softening: float) -> dict[str, np.ndarray]:
    """Return the way from codes to scores as named arrays."""
    return {"pca_mean": mean, "pca_components": components, "pca_softening": np.array(softening)}


def unpack_projection(arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, float]:
    """Return mean, components and softening from `pack_projection`."""
    return arrays["pca_mean"], arrays["pca_components"], float(arrays["pca_softening"])


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
