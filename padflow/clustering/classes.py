"""The classes of a model, and the class of a score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from padflow.clustering.assignment import assign
from padflow.clustering.mixture import Mixture, assign_mixture
from padflow.clustering.ward import WardFit, assign_ward

NO_CLASS = -1


@dataclass(frozen=True)
class Classes:
    """The classes in the space of scores.

    Parameters
    ----------
    centres : ndarray of float64, shape (cluster, component)
        Means of the classes, of a mixture the locations.
    ward : WardFit, optional
        The labelled sample, where the classes are Ward's and records take that of the nearest neighbour.
    mixture : Mixture, optional
        Where records take the likeliest class and not that of the nearest centre.
    """

    centres: np.ndarray
    ward: WardFit | None = None
    mixture: Mixture | None = None

    def in_order(self, order: np.ndarray) -> Classes:
        """Return the same classes, which are not Ward's, numbered in another order."""
        return Classes(self.centres[order], mixture=self.mixture and self.mixture.in_order(order))

    def assign(self, scores: np.ndarray) -> dict[str, np.ndarray]:
        """Return ``cluster`` int16, ``distance`` and ``margin`` float32 of each score; -1 and NaN where it is NaN."""
        known = np.isfinite(scores).all(axis=1)
        out = {
            "cluster": np.full(len(scores), NO_CLASS, np.int16),
            "distance": np.full(len(scores), np.nan, np.float32),
            "margin": np.full(len(scores), np.nan, np.float32),
        }
        if known.any():
            for name, values in zip(out, self._assign(scores[known]), strict=True):
                out[name][known] = values
        return out

    def _assign(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if self.ward:
            return assign_ward(scores, self.ward)
        return assign_mixture(scores, self.mixture) if self.mixture else assign(scores, self.centres)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return named arrays for an ``.npz``."""
        arrays = {"centres": self.centres}
        if self.ward is not None:
            arrays |= {"ward_sample": self.ward.sample, "ward_label": self.ward.label}
        if self.mixture is not None:
            arrays |= {"mixture_whitening": self.mixture.whitening, "mixture_penalty": self.mixture.penalty}
        return arrays

    @staticmethod
    def from_arrays(arrays: Mapping[str, np.ndarray]) -> Classes:
        """Restore from `to_arrays`."""
        ward = WardFit(arrays["ward_sample"], arrays["ward_label"]) if "ward_sample" in arrays else None
        mixture = None
        if "mixture_whitening" in arrays:
            mixture = Mixture(arrays["centres"], arrays["mixture_whitening"], arrays["mixture_penalty"])
        return Classes(arrays["centres"], ward, mixture)
