# SPDX-License-Identifier: BSD-3-Clause
"""The truth beside a simulated archive: what padflow ought to find."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Sequence
from pathlib import Path

import h5netcdf
import h5py
import numpy as np

from padflow.simulation.day import ENERGIES, FOLDED_PITCH_ANGLES, PAD_STEP, Day
from padflow.simulation.files import write_whole

PARTS = ".truth"  # folder of the days' truths while an archive is made


CHUNK_RECORDS = 2048


COMPRESSION = {"shuffle": True, "compression": "gzip", "compression_opts": 1}  # more takes longer and saves little


VARIABLES: dict[str, tuple[tuple[str, ...], np.dtype, dict[str, object]]] = {  # dimensions, kind, attributes
    "time": (("time",), np.dtype("i8"), {"units": "milliseconds since 1970-01-01", "calendar": "standard"}),
    "population": (
        ("time",),
        np.dtype("i1"),
        {"long_name": "number of the population; -1: none, too few electrons expected to be classified, or only fill"},
    ),
    "expected_counts": (
        ("time",),
        np.dtype("f4"),
        {"long_name": "electrons expected in the record, without background; 0: only fill"},
    ),
    "expected_counts_by_energy": (
        ("time", "energy"),
        np.dtype("f4"),
        {"long_name": "electrons expected in all bins of an energy, without background; 0: the record is only fill"},
    ),
    "pad": (
        ("time", "folded_pitch_angle", "energy"),
        np.dtype("u2"),
        {
            "long_name": "noiseless flux by local pitch angle, over its largest at this energy",
            "comment": "before counting and without background; mean of both sides of 90 degrees",
            "units": "1",
            "scale_factor": np.float32(PAD_STEP),
        },
    ),
}


AXES: dict[str, tuple[np.ndarray, dict[str, object]]] = {  # values, attributes
    "energy": (ENERGIES, {"units": "MeV", "long_name": "electron energy"}),
    "folded_pitch_angle": (
        FOLDED_PITCH_ANGLES,
        {"units": "degrees", "long_name": "local pitch angle, folded about 90 degrees"},
    ),
}


def write_part(folder: Path, spacecraft: str, date: datetime.date, day: Day, good: np.ndarray) -> Path:
    """Keep the truth of a day's good records in the archive's folder until all days are there; return where.

    Parameters
    ----------
    good : ndarray of bool, shape (records,)
        Which of the day's records are good.
    """
    path = folder / PARTS / f"{spacecraft}_{date:%Y%m%d}.npz"
    arrays = {name: getattr(day, "time_ms" if name == "time" else name)[good] for name in VARIABLES}
    write_whole(path, lambda part: np.savez(part, **arrays))
    return path


def remove_parts(folder: Path) -> None:
    """Remove what ``write_part`` kept."""
    shutil.rmtree(folder / PARTS, ignore_errors=True)


def write_truth(path: Path, parts: Sequence[Path], *, records: int, population_names: Sequence[str]) -> None:
    """Write the truth of one spacecraft as NetCDF: one day in memory at a time.

    Parameters
    ----------
    path : Path
        The file to write; seen only when whole.
    parts : sequence of Path
        What ``write_part`` returned, in the order of the days.
    records : int
        Number of records in all parts.
    population_names : sequence of str
        Names of the populations in the order of their numbers.
    """

    def write(temporary: Path) -> None:
        # Not through xarray: only here can the order of creation be left out, and with it time stamps that
        # would make the bytes differ from run to run.
        with h5netcdf.File(temporary, "w", track_order=False) as file:
            file.attrs["title"] = "SIMULATED records: what padflow ought to find"
            file.attrs["population_names"] = np.array(population_names, dtype=h5py.string_dtype())
            file.dimensions = {"time": records} | {name: len(values) for name, (values, _) in AXES.items()}
            for name, (values, attributes) in AXES.items():
                file.create_variable(name, (name,), values.dtype, data=values).attrs.update(attributes)
            for name, (dimensions, kind, attributes) in VARIABLES.items():
                _create(file, name, dimensions, kind).attrs.update(attributes)
            start = 0
            for part in parts:
                with np.load(part) as arrays:
                    stop = start + len(arrays["time"])
                    for name in VARIABLES:
                        file[name][start:stop] = arrays[name]
                start = stop

    write_whole(path, write)


def _create(file: h5netcdf.File, name: str, dimensions: tuple[str, ...], kind: np.dtype) -> h5netcdf.Variable:
    shape = tuple(file.dimensions[dimension].size for dimension in dimensions)
    if len(shape) == 1 or not shape[0]:
        return file.create_variable(name, dimensions, kind)
    chunks = (min(CHUNK_RECORDS, shape[0]), *shape[1:])
    return file.create_variable(name, dimensions, kind, chunks=chunks, **COMPRESSION)
