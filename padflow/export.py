"""Labels of a time range as NetCDF or CSV, for tools that do not read Zarr."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import xarray as xr

from padflow.durable import PARTIAL
from padflow.errors import ConfigError, PadflowError
from padflow.opening import open_archive, open_results

EPHEMERIS = ("L", "L_star", "MLT", "MLAT")
CSV_ROWS = 100_000


def export_labels(
    run_dir: Path,
    output: Path,
    *,
    spacecraft: str | None,
    start: np.datetime64 | None,
    end: np.datetime64 | None,
) -> int:
    """Write the labels of one spacecraft and time range, with L, L*, MLT and MLAT where the archive has them.

    Parameters
    ----------
    output : Path
        Ends in ``.nc`` (NetCDF 4) or ``.csv``.
    start, end : datetime64, optional
        First time, included, and last, not included, UTC.

    Returns
    -------
    int
        Number of records written.

    Raises
    ------
    ConfigError
        For another ending, or a range that holds no record.
    """
    if output.suffix not in (".nc", ".csv"):
        raise ConfigError(f"{output}: the name must end in .nc (NetCDF) or .csv.")
    results = open_results(run_dir, spacecraft)
    archive = open_archive(run_dir, spacecraft)
    if not np.array_equal(results["time"].values, archive["time"].values):
        raise PadflowError(f"{run_dir}: results and archive do not have the same times; finish `padflow run` first.")
    time = results["time"].values
    first = 0 if start is None else int(np.searchsorted(time, start))
    last = len(time) if end is None else int(np.searchsorted(time, end))
    if first >= last:
        raise ConfigError(f"There is no record in this range; the results reach from {time[0]} to {time[-1]}.")
    names = [name for name in EPHEMERIS if name in archive.variables]
    chosen = results.isel(time=slice(first, last))
    for name in names:
        chosen[name] = archive[name].isel(time=slice(first, last)).reset_coords(drop=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(output.name + PARTIAL)
    try:
        if output.suffix == ".nc":
            _encodable(chosen).to_netcdf(temporary, engine="h5netcdf")
        else:
            _write_csv(chosen, names, temporary)
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)
    return last - first


def _encodable(dataset: xr.Dataset) -> xr.Dataset:
    """Drop Zarr's encodings, which NetCDF does not know, and keep times whole to the nanosecond."""
    dataset = dataset.drop_encoding()
    dataset["time"].encoding = {"units": "nanoseconds since 1970-01-01", "dtype": "int64"}
    for name, variable in dataset.data_vars.items():
        integer = np.issubdtype(variable.dtype, np.integer)
        dataset[name].encoding = {"zlib": True, "complevel": 4} | ({"_FillValue": None} if integer else {})
    return dataset


def _write_csv(dataset: xr.Dataset, names: list[str], path: Path) -> None:
    components = dataset.sizes["component"]
    plain = ["cluster", "reason", "distance", "margin", "reconstruction_error", *names]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["time", *plain, *(f"score_{i + 1}" for i in range(components))])
        for start in range(0, dataset.sizes["time"], CSV_ROWS):
            block = dataset.isel(time=slice(start, start + CSV_ROWS)).load()
            columns = [np.datetime_as_string(block["time"].values, unit="ns")]
            columns += [_text(block[name].values) for name in plain]
            columns += [_text(column) for column in block["score"].values.T]
            writer.writerows(zip(*columns, strict=True))


def _text(values: np.ndarray) -> list[str]:
    if np.issubdtype(values.dtype, np.integer):
        return [str(value) for value in values.tolist()]
    return ["" if np.isnan(value) else f"{value:.7g}" for value in values]
