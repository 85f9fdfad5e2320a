"""Open what a run has made, as xarray Datasets."""

from __future__ import annotations

from pathlib import Path

import xarray as xr
import zarr

from padflow.errors import PadflowError
from padflow.local import local_path
from padflow.run.layout import ARCHIVE, RESULTS


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
    return _open_group(_store(path, ARCHIVE), spacecraft, chunks=chunks)


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
    return _open_group(_store(path, RESULTS), spacecraft, chunks=chunks)


def _store(path: str | Path, name: str) -> Path:
    path = local_path(path, "path")
    return path if path.suffix == ".zarr" else path / name


def _open_group(store: Path, group: str | None, *, chunks: dict[str, int] | None) -> xr.Dataset:
    """Open one group of a store as a Dataset, the only one where `group` is None.

    Raises
    ------
    PadflowError
        Where there is no store or no such group; names those there are.
    """
    if not (store / "zarr.json").is_file():
        raise PadflowError(f"There is no Zarr store at {store}. `padflow run` makes it in its --workdir.")
    names = sorted(zarr.open_group(store, mode="r", zarr_format=3, use_consolidated=False).group_keys())
    if group is None and len(names) == 1:
        group = names[0]
    if group not in names:
        raise PadflowError(
            f"{store} holds {', '.join(names) or 'no spacecraft'}; name one of them as the spacecraft, not {group}."
        )
    if chunks is None:
        rows = zarr.open_group(store, path=group, mode="r", zarr_format=3, use_consolidated=False)["time"].chunks[0]
        chunks = {"time": rows}
    return xr.open_zarr(store, group=group, zarr_format=3, consolidated=False, chunks=chunks)
