"""Records in memory: what one CDF file, one part or one block of an archive holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

BLOCK_ROWS = 1024
"""Rows of one inner chunk of the archive, and of one block of computation (see `padflow.features.preprocessor`)."""


class Reason(IntEnum):
    """Why a record has no label; stored beside it."""

    NOT_PROCESSED = -1
    SELECTED = 0
    OUTSIDE_TIME = 1
    L_MISSING = 2
    OUTSIDE_L = 3
    FEW_CHANNELS = 4
    LOW_FLUX = 5
    LOW_COUNTS = 6
    EMPTY = 7
    SET_ASIDE = 8  # workers died of its part: never of a preprocessor


def uniform_hash(seed: int, group: str, rows: np.ndarray) -> np.ndarray:
    """Hash row numbers to [0, 1): the finaliser of SplitMix64 (Steele et al. 2014, 10.1145/2714064.2660195)."""
    offset = np.random.SeedSequence([seed & 0xFFFFFFFF, *group.encode()]).generate_state(1, np.uint64)
    x = rows * np.uint64(0x9E3779B97F4A7C15) + offset
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((x ^ (x >> np.uint64(31))) >> np.uint64(11)).astype("f8") * 2.0**-53


@dataclass(frozen=True)
class Records:
    """Pitch-angle distributions with their times and ephemeris.

    Parameters
    ----------
    time : ndarray of datetime64[ns], shape (records,)
        UTC, midpoint of each record; NaT where the file gives none.
    flux : ndarray of float32, shape (records, pitch_angle, energy)
        Directional differential flux in cm^-2 s^-1 sr^-1 MeV^-1; NaN where missing.
    ephemeris : dict of str to ndarray
        Arrays of float32 whose first axis is the records': ``L``, ``L_star``, ``MLT`` (h), ``MLAT`` (deg),
        ``B_Calc`` and ``B_Eq`` (nT) of shape (records,), ``Position`` (km) of shape (records, 3); NaN where missing.
    """

    time: np.ndarray
    flux: np.ndarray
    ephemeris: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.time)

    def take(self, index: np.ndarray | slice) -> Records:
        """Return the records at ``index`` (integers, a mask or a slice), in that order."""
        ephemeris = {name: values[index] for name, values in self.ephemeris.items()}
        return Records(self.time[index], self.flux[index], ephemeris)

    @staticmethod
    def concatenate(pieces: list[Records]) -> Records:
        """Join pieces with the same axes and ephemeris names along time."""
        if len(pieces) == 1:
            return pieces[0]
        names = pieces[0].ephemeris
        return Records(
            np.concatenate([p.time for p in pieces]),
            np.concatenate([p.flux for p in pieces]),
            {name: np.concatenate([p.ephemeris[name] for p in pieces]) for name in names},
        )
