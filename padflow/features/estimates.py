# SPDX-License-Identifier: BSD-3-Clause
"""The shapes of records as a denoiser estimates them: what a run stores of each record and energy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from padflow.features.compiled import put_halves
from padflow.shapes.attributes import STORED
from padflow.shapes.folding import mirror_bins
from padflow.shapes.measures import NAMED, measure_whole
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

    def put(self, shares: np.ndarray, effective: np.ndarray, chosen: np.ndarray, out: Mapping[str, np.ndarray]) -> None:
        """Measure records, and put the measures of the chosen ones into arrays.

        Parameters
        ----------
        shares, effective : ndarray of float32
            Of `padflow.autoencoder.denoiser.DenoisingNetwork.estimate`, shapes (pitch_angle, energies, records) and
            (energies, records).
        chosen : ndarray of bool, shape (rows,)
            Which of the first records to put.
        out : mapping of str to ndarray, shape (rows, energies)
            The `NAMED` int8, and the `STORED` float16, contiguous. Where a record is not chosen or has no effective
            count, its shape is unclear and the others are NaN.
        """
        if self._folds:
            shares = np.tensordot(self._members, shares, axes=1)
        measured = measure_whole(self.angle, self.joined, shares, effective)[:, : len(chosen)]
        names, numbers = measured[: len(NAMED)], measured[len(NAMED) :]
        for name, values in zip(NAMED, names, strict=True):
            out[name][:] = values
            out[name][~chosen] = UNCLEAR
        for name, values in zip(STORED, numbers, strict=True):
            put_halves(values, chosen, LARGEST, out[name].view(np.uint16))
