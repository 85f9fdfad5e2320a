# SPDX-License-Identifier: BSD-3-Clause
"""The shapes of records as a denoiser estimates them: what a run stores of each record and energy."""

from __future__ import annotations

import numpy as np

from padflow.records import BLOCK_ROWS
from padflow.shapes.attributes import STORED
from padflow.shapes.folding import mirror_bins
from padflow.shapes.measures import FEWEST_COUNTS, NAMED, measure_whole
from padflow.shapes.names import UNCLEAR

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

    def __call__(self, shares: np.ndarray, effective: np.ndarray, chosen: np.ndarray) -> dict[str, np.ndarray]:
        """Measure a block of records.

        Parameters
        ----------
        shares, effective : ndarray of float32
            Of `padflow.autoencoder.denoiser.DenoisingNetwork.estimate`, shapes (`BLOCK_ROWS`, features) and
            (`BLOCK_ROWS`, energies).
        chosen : ndarray of bool, shape (rows,)
            The records to measure, at most `BLOCK_ROWS`.

        Returns
        -------
        dict of str to ndarray
            Of the chosen records: the `NAMED` int8, and the `STORED` float16, (chosen, energy). Where a record has no
            effective count, its shape is unclear and the others are NaN.
        """
        whole = np.zeros(BLOCK_ROWS, bool)
        whole[: len(chosen)] = chosen
        known = whole[:, None] & (effective >= FEWEST_COUNTS)
        unknown = None if known.all() else ~known
        counts = np.empty((shares.shape[1] // self.energies, *known.shape), np.float32)
        np.multiply(shares.reshape(len(shares), -1, self.energies).transpose(1, 0, 2), effective, out=counts)
        if self._folds:
            counts = np.tensordot(self._members, counts, axes=1)
        if unknown is not None:
            # One count a bin stands for the others: bits of a record must not depend on how many are measured.
            np.copyto(counts, 1, where=unknown)
        measures = measure_whole(self.angle, self.joined, counts.reshape(len(counts), -1))
        names = np.empty((len(NAMED), *known.shape), np.int8)
        numbers = np.empty((len(STORED), *known.shape), np.float32)
        for row, name in zip((*names, *numbers), (*NAMED, *STORED), strict=True):
            row.ravel()[:] = measures[name]
        np.clip(numbers, -LARGEST, LARGEST, out=numbers)
        if unknown is not None:
            np.copyto(names, UNCLEAR, where=unknown)
            np.copyto(numbers, np.nan, where=unknown)
        found = zip((*NAMED, *STORED), (*names, *numbers.astype(np.float16)), strict=True)
        return {name: values if whole.all() else values[whole] for name, values in found}
