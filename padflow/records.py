"""Records in memory: what one CDF file, one part or one block of an archive holds."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


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
