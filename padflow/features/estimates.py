# SPDX-License-Identifier: BSD-3-Clause
"""The shapes of records as a denoiser estimates them: what a run stores of each record and energy."""

from __future__ import annotations

import numpy as np

from padflow.shapes.attributes import STORED
from padflow.shapes.compiled import round_to_halves
from padflow.shapes.folding import mirror_bins
from padflow.shapes.measures import NAMED, measure_whole

LARGEST = np.float32(60_000)
"""What float16 holds."""


class EstimatedShapes:
    """Measure the shapes of estimates.

    Parameters
    ----------
    pitch_angle : ndarray, shape (pitch_angle,)
        Degrees.
    joined : ndarray, shape (pitch_angle,)
        How many bins of the instrument are added up in each.
    energies : int
    """

    def __init__(self, pitch_angle: np.ndarray, joined: np.ndarray, energies: int) -> None:
        self.angle, members = mirror_bins(pitch_angle)
        self.energies, self._members = energies, members.astype(np.float32)
        self.joined = self._members @ joined.astype(np.float32)
        self._folds = len(self.angle) < len(pitch_angle)

    def __call__(self, shares: np.ndarray, effective: np.ndarray) -> dict[str, np.ndarray]:
        """Measure records.

        Parameters
        ----------
        shares, effective : ndarray of float32
            Of `padflow.autoencoder.denoiser.DenoisingNetwork.estimate`, shapes (pitch_angle, energies, records) and
            (energies, records).

        Returns
        -------
        dict of str to ndarray, shape (records, energies)
            The `NAMED` int8, and the `STORED` float16. Where a record has no effective count, its shape is unclear and
            the others are NaN.
        """
        if self._folds:
            shares = np.tensordot(self._members, shares, axes=1)
        measured = measure_whole(self.angle, self.joined, shares, effective)
        names, numbers = measured[: len(NAMED)].astype(np.int8), measured[len(NAMED) :]
        halves = np.empty(numbers.shape, np.uint16)
        round_to_halves(numbers.reshape(-1), LARGEST, halves.reshape(-1))
        return dict(zip((*NAMED, *STORED), (*names, *halves.view(np.float16)), strict=True))
