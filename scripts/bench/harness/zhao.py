# SPDX-License-Identifier: BSD-3-Clause
"""A family of pitch-angle distributions (PADs) as REPT measured them: from the tables of Zhao et al. 2018.

The tables (10.1029/2018JA025277) are no part of this repository. They are read from the folder of real data that tests
use too: ``PADFLOW_REAL_DATA``, or ``../shared/data`` beside the checkout.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.interpolate import RegularGridInterpolator
from scipy.ndimage import distance_transform_edt

from padflow.errors import ConfigError
from padflow.simulation.conditions import NO_POPULATION, Conditions, smooth_noise
from padflow.simulation.continuum import pads_of_series
from padflow.simulation.orbit import MS_PER_DAY

CHANNELS_MEV = (1.8, 2.1, 2.6, 3.4, 4.2, 5.2)
"""Channels of REPT among the energies of the tables; higher ones have the shapes of the last."""


DEPTHS_NT = (5.0, 35.0, 80.0)
"""-Dst that stands for the activities of the tables: Dst above -20, -20 to -50, below -50 nT (chosen)."""


SPREAD_SHARE, LARGEST_SPREAD = 0.7, 1.5
"""The tables' standard deviations hold counting noise too, the more the higher the energy. So shapes scatter by this
share of them, and by no more than this many times that at 1.8 MeV (chosen)."""


COMMON = 0.85
"""Correlation of a coefficient's deviation with what all energies have in common (chosen)."""


@dataclass(frozen=True)
class Zhao:
    """PADs without populations: a Legendre series of the equatorial pitch angle with measured coefficients.

    c2, c4, c6 over c0 are the medians of the tables, linear between their L, MLT and Dst. They scatter smoothly along
    the orbit, in part alike at all energies. See `padflow.simulation.families.Family`.

    Parameters
    ----------
    median, spread : ndarray of float32, shape (activity, MLT, L, energy, 3)
        Of c2, c4, c6 over c0, without gaps; activity as `DEPTHS_NT`, energies as `CHANNELS_MEV`.
    hours, shells : ndarray
        MLT and L of the tables.
    seed : int
        For what scatters at each energy alone. What energies have in common comes with the conditions.
    digest : str
        Of the file of the tables.
    """

    median: np.ndarray
    spread: np.ndarray
    hours: np.ndarray
    shells: np.ndarray
    seed: int
    digest: str

    name = "zhao"
    population_names = ()

    def parameters(self) -> dict[str, Any]:
        """Return what tables these are, and the seed."""
        return {"tables_sha256": self.digest, "seed": self.seed}

    def pads(
        self, conditions: Conditions, pitch_angles: np.ndarray, energies: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return PADs at local pitch angles whose mean over directions is 1, and no population (-1) for any."""
        places = np.stack([-conditions.dst, conditions.MLT, conditions.L], axis=1)
        deviation = self._deviations(conditions) * np.float32(conditions.scatter)
        coefficients = self._at(self.median, places) + deviation * self._at(self.spread, places)
        channel = np.abs(np.log(np.divide.outer(energies, CHANNELS_MEV))).argmin(axis=1)
        pads = pads_of_series(coefficients[:, channel].swapaxes(1, 2), conditions.field_ratio, pitch_angles)
        return pads, np.full(len(pads), NO_POPULATION, np.int8)

    def _at(self, table: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Return a table at places (-Dst, MLT, L): float32 of shape (records, energy, 3)."""
        around = np.concatenate([table[:, -1:], table, table[:, :1]], axis=1)
        hours = np.concatenate([self.hours[-1:] - 24, self.hours, self.hours[:1] + 24])
        axes = (np.array(DEPTHS_NT), hours, self.shells)
        inside = np.stack([np.clip(p, axis[0], axis[-1]) for p, axis in zip(places.T, axes, strict=True)], axis=1)
        return RegularGridInterpolator(axes, around)(inside).astype(np.float32)

    def _deviations(self, conditions: Conditions) -> np.ndarray:
        """Return what coefficients deviate by, in their spreads: float32 of shape (records, energy, 3)."""
        day = int(conditions.time_ms[0] // MS_PER_DAY)
        # Numbers of spacecraft that there are not: noise that is nowhere else.
        own = np.concatenate([smooth_noise(self.seed, i, conditions.time_ms, day) for i in (2, 3)], axis=1)
        own = own[:, : 3 * len(CHANNELS_MEV)].reshape(len(own), -1, 3)
        return COMMON * conditions.latent[:, None, :3] + np.float32(np.sqrt(1 - COMMON**2)) * own


def tables_file() -> Path:
    """Return where the tables are, whether they are there or not."""
    beside = Path(__file__).resolve().parents[3].parent / "shared" / "data"
    return Path(os.environ.get("PADFLOW_REAL_DATA", beside)) / "zhao2018" / "zhao.npz"


def zhao_family(seed: int) -> Zhao:
    """Make the family from the tables.

    Raises
    ------
    ConfigError
        Where there are no tables.
    """
    path = tables_file()
    if not path.is_file():
        raise ConfigError(
            f"The family zhao needs the tables of Zhao et al. 2018, and {path} is not there. Set PADFLOW_REAL_DATA to "
            "the folder that holds zhao2018/zhao.npz, or name other families."
        )
    with np.load(path) as tables:
        arrays = {name: tables[name] for name in ("E", "mlt", "L", "median", "stddev")}
    channel = [int(np.argmin(np.abs(arrays["E"] - energy))) for energy in CHANNELS_MEV]
    median, spread = (_without_gaps(arrays[name][channel]) for name in ("median", "stddev"))
    spread = SPREAD_SHARE * np.minimum(spread, LARGEST_SPREAD * spread[..., :1, :])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return Zhao(median, spread, arrays["mlt"] + 1, arrays["L"], seed, digest)  # a bin of MLT is two hours wide


def _without_gaps(table: np.ndarray) -> np.ndarray:
    """Fill gaps from the nearest cell in steps of energy, activity, MLT and L, and put the axes in the order of `Zhao`.

    Parameters
    ----------
    table : ndarray, shape (energy, activity, 3, MLT, L)
        NaN where there were too few records.
    """
    values = np.moveaxis(table, 2, -1)
    thrice = np.concatenate([values] * 3, axis=2)  # MLT goes round
    gaps = ~np.isfinite(thrice).all(axis=-1)
    nearest = distance_transform_edt(gaps, return_distances=False, return_indices=True)
    hours = values.shape[2]
    filled = thrice[tuple(nearest)][:, :, hours : 2 * hours]
    return np.moveaxis(filled, 0, 3).astype(np.float32)
