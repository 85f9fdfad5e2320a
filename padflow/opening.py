"""Open what a run has made, as xarray Datasets."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from padflow.run.layout import ARCHIVE, RESULTS
from padflow.store import open_group


def open_archive(
    path: str | Path, spacecraft: str | None = None, *, chunks: dict[str, int] | None = None
) -> xr.Dataset:
    """Open the archive of one spacecraft, lazily.

    Parameters
    ----------
    path : path
        A run directory, or its ``archive.zarr``.
    spacecraft : str, optional
        Such as ``rbspa``; needed where there are several.
    chunks : dict, optional
        Dask chunks; one part by default.

    Returns
    -------
    xarray.Dataset
        ``flux`` (time, pitch_angle, energy) float32 in cm-2 s-1 sr-1 MeV-1, NaN where missing; coordinates
        time (UTC), pitch_angle (deg), energy (MeV) and the ephemeris along time; ``counts_per_flux`` (energy).

    Raises
    ------
    PadflowError
        Where there is no such archive or spacecraft.
    """
    return open_group(_store(path, ARCHIVE), spacecraft, chunks=chunks)


def open_results(
    path: str | Path, spacecraft: str | None = None, *, chunks: dict[str, int] | None = None
) -> xr.Dataset:
    """Open the results of one spacecraft, lazily.

    Parameters
    ----------
    path : path
        A run directory, or its ``results.zarr``.
    spacecraft, chunks
        As for `open_archive`.

    Returns
    -------
    xarray.Dataset
        Along time: ``cluster`` (-1 where there is none), ``reason`` (`padflow.preprocessing.Reason`), ``score``,
        ``distance``, ``margin`` and ``reconstruction_error``.

    Raises
    ------
    PadflowError
        Where there are no such results or spacecraft.
    """
    return open_group(_store(path, RESULTS), spacecraft, chunks=chunks)


def _store(path: str | Path, name: str) -> Path:
    path = Path(path)
    return path if path.suffix == ".zarr" else path / name
