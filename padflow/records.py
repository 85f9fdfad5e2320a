# SPDX-License-Identifier: BSD-3-Clause
"""Records in memory, their axes, and the reasons for which a record has no class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

BLOCK_ROWS = 1024
"""Rows of one inner chunk of the archive, and of one block of computation (see `padflow.features.preprocessor`)."""


class Reason(IntEnum):
    """Why a record has no label; stored beside it.

    Examples
    --------
    >>> import padflow
    >>> padflow.Reason(3).name
    'OUTSIDE_L'
    """

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
    UNCLEAR_SHAPE = 9  # its shape has no name at any energy: never of a preprocessor


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
        UTC, middle of each record; NaT where the file has no time.
    flux : ndarray of float32, shape (records, pitch_angle, energy)
        Directional differential flux in cm^-2 s^-1 sr^-1 MeV^-1; NaN where missing.
    ephemeris : dict of str to ndarray
        Arrays of float32 along the records: ``L``, ``L_star``, ``MLT`` (h), ``MLAT`` (deg),
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
        """Join pieces along time. They have the same axes and the same ephemeris."""
        if len(pieces) == 1:
            return pieces[0]
        names = pieces[0].ephemeris
        return Records(
            np.concatenate([p.time for p in pieces]),
            np.concatenate([p.flux for p in pieces]),
            {name: np.concatenate([p.ephemeris[name] for p in pieces]) for name in names},
        )


@dataclass(frozen=True)
class Needs:
    """What a computation on rows of an archive has to read.

    Parameters
    ----------
    halo_seconds : float
        It needs the records this long before and after each row.
    ephemeris : tuple of str
        Names of the ephemeris variables.
    """

    halo_seconds: float = 0.0
    ephemeris: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rows:
    """Rows [start, stop) of one spacecraft, with the records around them that averages need.

    Parameters
    ----------
    group : str
        The spacecraft, such as ``rbspa``.
    start, stop : int
        Row numbers in its archive.
    records : Records
        The rows, and at least the records within the halo of the computation.
    first : int
        Row number of the first of `records`.
    """

    group: str
    start: int
    stop: int
    records: Records
    first: int

    @staticmethod
    def of_times(group: str, start: int, time: np.ndarray) -> Rows:
        """Return rows from `start` on with nothing but their times, datetime64[ns] (rows,)."""
        return Rows(group, start, start + len(time), Records(time, np.empty((len(time), 0, 0), np.float32)), start)

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def core(self) -> slice:
        """The places of the rows in `records`."""
        return slice(self.start - self.first, self.stop - self.first)

    @property
    def time(self) -> np.ndarray:
        """Times of the rows, datetime64[ns]."""
        return self.records.time[self.core]

    @property
    def flux(self) -> np.ndarray:
        """Flux of the rows, float32 (rows, pitch_angle, energy)."""
        return self.records.flux[self.core]

    @property
    def numbers(self) -> np.ndarray:
        """Row numbers, uint64, as `uniform_hash` takes them."""
        return np.arange(self.start, self.stop, dtype=np.uint64)

    def blocks(self, halo_seconds: float) -> Iterator[tuple[slice, Rows]]:
        """Cut the rows at the multiples of `BLOCK_ROWS`, each block with its own halo.

        Results that are computed block by block have the same bits in parts of any size.

        Yields
        ------
        slice
            The place of the block, counted from `start`.
        Rows
            The block. Its records are views.
        """
        low = self.start
        while low < self.stop:
            high = min(self.stop, (low // BLOCK_ROWS + 1) * BLOCK_ROWS)
            near, end = halo_rows(self.records.time, low - self.first, high - self.first, halo_seconds=halo_seconds)
            block = Rows(self.group, low, high, self.records.take(slice(near, end)), self.first + near)
            yield slice(low - self.start, high - self.start), block
            low = high


def halo_rows(time: np.ndarray, start: int, stop: int, *, halo_seconds: float) -> tuple[int, int]:
    """Return the first and last row (not included) within `halo_seconds` of rows [start, stop) of `time`."""
    if not halo_seconds or start >= stop:
        return start, stop
    reach = np.timedelta64(round(halo_seconds * 1e9), "ns")
    first = int(np.searchsorted(time, time[start] - reach, side="left"))
    return first, int(np.searchsorted(time, time[stop - 1] + reach, side="right"))


SAME_AXIS = 2e-3
"""Relative difference up to which two axes are the same: files of one product differ by rounding."""


@dataclass(frozen=True)
class Axes:
    """The axes of an archive: pitch angles and energies of its bins, and counts for unit flux.

    Parameters
    ----------
    pitch_angle : ndarray of float64, shape (pitch_angle,)
        Degrees, ascending.
    energy : ndarray of float64, shape (energy,)
        MeV, ascending.
    counts_per_flux : ndarray of float64, shape (energy,)
        Counts in one bin for unit flux; NaN where they are not known.
    """

    pitch_angle: np.ndarray
    energy: np.ndarray
    counts_per_flux: np.ndarray

    @staticmethod
    def of_dataset(dataset: xr.Dataset) -> Axes:
        """Return the axes of an archive that is open as a Dataset; it may lack ``counts_per_flux``."""
        energy = dataset["energy"].values
        known = "counts_per_flux" in dataset
        counts = dataset["counts_per_flux"].values if known else np.full(energy.shape, np.nan)
        return Axes(dataset["pitch_angle"].values, energy, counts)

    def differing(self, other: Axes) -> tuple[str, ...]:
        """Return which of ``pitch_angle`` and ``energy`` differ by more than rounding."""
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in ("pitch_angle", "energy")}
        return tuple(
            name
            for name, (ours, theirs) in pairs.items()
            if ours.shape != theirs.shape or not np.allclose(ours, theirs, rtol=SAME_AXIS)
        )

    def matches(self, other: Axes) -> bool:
        """Return whether both have the same bins, up to rounding; counts are not compared."""
        return not self.differing(other)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the three arrays, float64, as ``axis_{name}``, to be written into an ``.npz``."""
        return {f"axis_{field.name}": np.asarray(getattr(self, field.name), "f8") for field in fields(self)}

    @staticmethod
    def from_arrays(arrays: Mapping[str, np.ndarray]) -> Axes:
        """Return the axes that `to_arrays` gave; other names in the mapping are left alone."""
        return Axes(*(arrays[f"axis_{field.name}"] for field in fields(Axes)))
