# SPDX-License-Identifier: BSD-3-Clause
"""An archive in memory, with what is known of its records: populations, names of noiseless shapes, and counts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

import padflow
from harness.cases import Case
from padflow.config.sections import Config
from padflow.features.kernels import find_windows
from padflow.pipeline.driver import run
from padflow.records import Reason
from padflow.shapes.names import name_shapes
from padflow.simulation.archive import parallel_map, simulate_archive

ENERGIES_MEV = (1.8, 2.1, 2.6, 3.4, 4.2, 5.2)
"""Channels at which shapes are judged."""


AT = 1
"""Which of them names classes: 2.1 MeV."""


MANY = 30
"""Counts in two minutes at an energy above which a shape is judged there."""


FEWEST_SHARE = 0.01
"""Share of the records that have a population below which a population does not count as one to be found."""


WINDOW_SECONDS, MAX_GAP_SECONDS = 120.0, 60.0
BLOCK = 50_000


@dataclass(frozen=True)
class KnownArchive:
    """Records and their truth; energies are `ENERGIES_MEV`.

    Parameters
    ----------
    records : xarray.Dataset
        As `padflow.open_archive` returns it, in memory.
    population : ndarray of int8, shape (records,)
        -1: none.
    names : ndarray of int8, shape (records, energy)
        Codes of the names of the noiseless shapes.
    counts : ndarray of float32, shape (records, energy)
        In two minutes around each record.
    reason : ndarray of int8, shape (records,)
        Why the recommended mode leaves a record out by itself (`padflow.Reason`). All modes are compared on those that
        it selects.
    """

    records: xr.Dataset
    population: np.ndarray
    names: np.ndarray
    counts: np.ndarray
    reason: np.ndarray

    @property
    def selected(self) -> np.ndarray:
        """Which records modes are compared on."""
        return self.reason == Reason.SELECTED

    @property
    def in_belt(self) -> np.ndarray:
        """Which records lie where the recommended mode looks, whatever their counts."""
        return ~np.isin(self.reason, [Reason.OUTSIDE_L, Reason.L_MISSING])

    @property
    def populations(self) -> int:
        """Number of populations that hold `FEWEST_SHARE` of the records that have one."""
        sizes = np.bincount(self.population[self.population >= 0])
        return int((sizes >= max(1, FEWEST_SHARE * sizes.sum())).sum())

    def of_days(self, which: str) -> xr.Dataset:
        """Return the records of ``all`` days, or of the ``even`` or the ``odd`` ones among those that there are."""
        if which == "all":
            return self.records
        _, day = np.unique(self.records["time"].values.astype("datetime64[D]"), return_inverse=True)
        return self.records.isel(time=day % 2 == ("even", "odd").index(which))


def prepare(case: Case, data: Path, config: Config, recommended: Path) -> KnownArchive:
    """Simulate and ingest an archive, where that has not been done, and return it with its truth.

    Parameters
    ----------
    data : Path
        Folder of archives.
    config : Config
        The recommended mode, whose preprocessing selects the records.
    recommended : Path
        Its file, with which the archive is ingested.
    """
    folder = data / case.name.replace(" ", "-")
    truths = []
    for season in case.seasons():
        summary = simulate_archive(folder / "cdf" / f"{season['start']}", map_days=parallel_map, **season)
        truths += summary.truth.values()
    run(padflow.load_config(recommended, [f"archive.source={folder / 'cdf'}"]), folder / "run", until="ingest")
    records = padflow.open_archive(folder / "run").load()
    truth = xr.concat([xr.load_dataset(path, engine="h5netcdf") for path in truths], dim="time")
    if not np.array_equal(truth["time"].values, records["time"].values):
        raise ValueError(f"{folder}: the archive and the truth have other times")
    return known_archive(records, truth, config)


def known_archive(records: xr.Dataset, truth: xr.Dataset, config: Config) -> KnownArchive:
    """Put records and their truth together."""
    reason = padflow.preprocess(records, config)["reason"].values
    return KnownArchive(records, truth["population"].values, true_names(truth), window_counts(records), reason)


def true_names(truth: xr.Dataset) -> np.ndarray:
    """Name the noiseless shapes, int8 of shape (records, energy)."""
    pads = truth["pad"].transpose("time", "energy", "folded_pitch_angle")
    pads = pads.isel(energy=channels(truth))
    angle = truth["folded_pitch_angle"].values
    starts = range(0, pads.sizes["time"], BLOCK)
    return np.concatenate([name_shapes(angle, pads.isel(time=slice(s, s + BLOCK)).values) for s in starts])


def window_counts(records: xr.Dataset) -> np.ndarray:
    """Return the counts in two minutes around each record, float32 of shape (records, energy)."""
    chosen = records.isel(energy=channels(records))
    flux = chosen["flux"].transpose("time", "pitch_angle", "energy").values
    counts = (np.nansum(flux, axis=1) * chosen["counts_per_flux"].values).astype(np.float32)
    time = records["time"].values.astype("datetime64[ns]")
    core = slice(0, len(time))
    windows = find_windows(time, core, window_seconds=WINDOW_SECONDS, max_gap_seconds=MAX_GAP_SECONDS)
    return windows.sum(counts)


def channels(dataset: xr.Dataset) -> np.ndarray:
    """Return where in its energies those of `ENERGIES_MEV` are."""
    return dataset.indexes["energy"].get_indexer(ENERGIES_MEV, method="nearest")
