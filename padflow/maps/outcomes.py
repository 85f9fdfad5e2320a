# SPDX-License-Identifier: BSD-3-Clause
"""What can become of a record: a class, a reason for none, and a shape at each energy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from padflow.records import Reason
from padflow.shapes.names import SHAPES

NO_CLASS = tuple(reason for reason in Reason if reason != Reason.SELECTED)
"""Reasons for which a record has no class."""


@dataclass(frozen=True)
class Outcomes:
    """The outcomes of records, numbered: first the classes, then `NO_CLASS`, then the shapes at each energy.

    Parameters
    ----------
    classes : int
    energies : int
        Energies at which records have shapes; 0 where they have none.
    """

    classes: int
    energies: int

    @property
    def complete(self) -> int:
        """So many outcomes, the first ones, hold each record once."""
        return self.classes + len(NO_CLASS)

    @property
    def size(self) -> int:
        """Number of all outcomes."""
        return self.complete + self.energies * len(SHAPES)

    def of(self, pad_class: np.ndarray, reason: np.ndarray, shape: np.ndarray | None = None) -> np.ndarray:
        """Return the outcomes of records.

        Parameters
        ----------
        pad_class, reason : ndarray of int, shape (records,)
            A record without a class that has no reason for it counts as not processed.
        shape : ndarray of int8, shape (records, energy)
            Codes of `SHAPES`; not used where there are no energies.

        Returns
        -------
        ndarray of int64, shape (records, 1 + energies)
        """
        place = np.zeros(max(Reason) - min(Reason) + 1, np.int64)
        for number, code in enumerate(NO_CLASS):
            place[code - min(Reason)] = number
        outcome = np.where(pad_class >= 0, pad_class, self.classes + place[reason.astype(int) - min(Reason)])[:, None]
        if not self.energies or shape is None:
            return outcome.astype(np.int64)
        first = self.complete + np.arange(self.energies) * len(SHAPES)
        return np.concatenate([outcome, first + shape], axis=1).astype(np.int64)
