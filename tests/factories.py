# SPDX-License-Identifier: BSD-3-Clause
"""Small synthetic archives in memory, and what is fitted to them, without TensorFlow."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import xarray as xr

from padflow.autoencoder.denoiser import DenoisingNetwork
from padflow.autoencoder.network import Network
from padflow.records import Axes, Records, Rows

PITCH_ANGLE = (np.arange(17) + 0.5) * 180 / 17  # REPT's bins
ENERGY = np.array([1.8, 2.1, 2.6, 3.4, 4.2, 5.2, 6.3, 7.7, 9.9, 12.3, 15.2, 20.0])  # MeV
COUNTS_PER_FLUX = 0.2 * 0.32 * 0.2 * ENERGY
AXES = Axes(PITCH_ANGLE, ENERGY, COUNTS_PER_FLUX)
UNCOUNTED = Axes(PITCH_ANGLE, ENERGY, np.full(len(ENERGY), np.nan))
FIRST = np.datetime64("2013-03-16T23:00:00", "ns")


def times(rows: int, *, seed: int = 0, cadence_seconds: float = 11.0, gap_share: float = 0.002) -> np.ndarray:
    """Ascending times with jitter, to the nanosecond, and a few gaps of 30 s to 20 min."""
    rng = np.random.default_rng([seed, 1])
    step = np.round(cadence_seconds * 1e9 * rng.uniform(0.97, 1.03, rows)).astype(np.int64)
    gap = rng.random(rows) < gap_share
    step[gap] += np.round(rng.uniform(30, 1200, gap.sum()) * 1e9).astype(np.int64)
    return FIRST + np.cumsum(step).astype("timedelta64[ns]")


def records(rows: int, *, seed: int = 0, missing_share: float = 0.05, **time_options: float) -> Records:
    """Pancakes and butterflies of changing size, some bins and a few whole records and ephemeris values missing."""
    rng = np.random.default_rng([seed, 2])
    sine, cosine = np.sin(np.radians(PITCH_ANGLE)), np.cos(np.radians(PITCH_ANGLE))
    pads = np.stack([sine**0.4, sine**2, sine**4, sine * (0.3 + 2 * cosine**2)])
    pad = pads[rng.integers(len(pads), size=rows)]
    spectrum = 10 ** rng.uniform(0, 5, (rows, 1)) * ENERGY ** rng.uniform(-5, -2, (rows, 1))
    flux = pad[:, :, None] * spectrum[:, None, :] * rng.lognormal(0, 0.2, (rows, len(PITCH_ANGLE), len(ENERGY)))
    flux[rng.random(flux.shape) < missing_share] = np.nan
    flux[rng.random(rows) < missing_share / 5] = np.nan
    ephemeris = {
        "L": 4.5 + 2.5 * np.sin(np.arange(rows) / 700) + rng.normal(0, 0.01, rows),
        "L_star": 4.2 + 2.5 * np.sin(np.arange(rows) / 700),
        "MLT": rng.uniform(0, 24, rows),
    }
    ephemeris["L_star"][rng.random(rows) < missing_share] = np.nan
    ephemeris = {name: values.astype("f4") for name, values in ephemeris.items()}
    return Records(times(rows, seed=seed, **time_options), flux.astype("f4"), ephemeris)


def dataset(of: Records, *, chunks: int | tuple[int, ...] | None = None) -> xr.Dataset:
    """The records as `padflow.open_archive` would return them, in memory or in Dask chunks along time."""
    out = xr.Dataset(
        {"flux": (("time", "pitch_angle", "energy"), of.flux)}
        | {name: ("time", values) for name, values in of.ephemeris.items()}
        | {"counts_per_flux": ("energy", COUNTS_PER_FLUX)},
        coords={"time": of.time, "pitch_angle": PITCH_ANGLE, "energy": ENERGY},
    )
    return out if chunks is None else out.chunk({"time": chunks})


def rows(of: Records) -> Rows:
    """All records of an archive, as rows from 0."""
    return Rows("rbspa", 0, len(of), of, 0)


class MemoryReader:
    """The `padflow.store.reading.Reader` of records in memory; remembers what was read."""

    def __init__(self, of: Records, group: str = "rbspa"):
        self._records, self.group = of, group
        self.reads: list[tuple[int, int]] = []

    @property
    def rows(self) -> int:
        return len(self._records)

    def times(self, start: int, stop: int) -> np.ndarray:
        return self._records.time[start:stop]

    def read(self, start: int, stop: int, *, ephemeris: tuple[str, ...] = ()) -> Records:
        self.reads.append((start, stop))
        found = self._records.take(slice(start, stop))
        return Records(found.time, found.flux, {name: found.ephemeris[name] for name in ephemeris})


def network(features: int, *, code_size: int = 20, seed: int = 0) -> Network:
    """Random weights, as an untrained autoencoder has."""
    rng = np.random.default_rng([seed, 3])
    return Network(
        rng.normal(0, features**-0.5, (features, code_size)),
        rng.normal(0, 0.1, code_size),
        rng.normal(0, code_size**-0.5, (code_size, features)),
        rng.normal(0, 0.1, features),
    )


def denoising_network(features: int, energies: int, *, seed: int = 0) -> DenoisingNetwork:
    """Random weights and concentrations."""
    rng = np.random.default_rng([seed, 4])
    sizes = [features + energies, 24, 20, 7, 19, 23, features]
    arrays = {"concentration": rng.uniform(50, 5000, energies), "half_counts": rng.uniform(5, 500, energies)}
    for number, (before, after) in enumerate(pairwise(sizes), start=1):
        arrays[f"w_{number}"] = rng.normal(0, (2 / before) ** 0.5, (before, after))
        arrays[f"b_{number}"] = rng.normal(0, 0.1, after)
    return DenoisingNetwork(**arrays)
