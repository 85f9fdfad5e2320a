"""Labels of a time range as NetCDF or CSV, for tools that do not read Zarr."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from padflow.config.local_paths import local_path
from padflow.errors import ConfigError, PadflowError
from padflow.instruments.origin import SIMULATED
from padflow.shapes.measures import NAMED
from padflow.shapes.names import SHAPES
from padflow.startup import hold
from padflow.store.durable import PARTIAL, naming
from padflow.store.opening import open_archive, open_results

EPHEMERIS = ("L", "L_star", "MLT", "MLAT")


CSV_ROWS = 100_000


# HDF5 locks the files that it writes, and some file systems refuse; nobody else knows the temporary name.
os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")


def export_labels(
    run_dir: str | Path,
    output: str | Path,
    *,
    spacecraft: str | None = None,
    start: np.datetime64 | None = None,
    end: np.datetime64 | None = None,
) -> int:
    """Write the labels of one spacecraft and time range, with L, L*, MLT and MLAT where the archive has them.

    Parameters
    ----------
    output : path
        Ends in ``.nc`` (NetCDF 4, CF conventions) or ``.csv``.
    start, end : datetime64, optional
        First time, included, and last, not included, UTC.

    Returns
    -------
    int
        Number of records written.

    Raises
    ------
    ConfigError
        For another ending, a URL, or a range that holds no record.

    Examples
    --------
    >>> import padflow
    >>> padflow.export("run", "labels.csv")
    2048
    """
    run_dir, output = local_path(run_dir, "run_dir"), local_path(output, "FILE")
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
    places = archive[names].isel(time=slice(first, last)).reset_coords()
    chosen = chosen.assign_coords({name: places[name] for name in names})
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(output.name + PARTIAL)
    hold()
    try:
        with naming(output):
            if output.suffix == ".nc":
                _encodable(chosen).to_netcdf(temporary, engine="h5netcdf")
            else:
                _write_csv(chosen, names, temporary)
            temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)
    return last - first


def _encodable(dataset: xr.Dataset) -> xr.Dataset:
    """Return the dataset as CF wants it in NetCDF, without Zarr's encodings."""
    dataset = dataset.drop_encoding().assign_coords(time=_cf_time(dataset["time"]))
    for name in {"pad_class", "reason", *NAMED} & set(dataset.data_vars):
        dataset[name].attrs = _cf_flags(dataset[name])
    for variable in dataset.variables.values():
        # NaN is missing; no integer is, for -1 and times mean something.
        fill = np.nan if np.issubdtype(variable.dtype, np.floating) else None
        variable.encoding = {"_FillValue": fill, "zlib": True, "complevel": 4}
    return dataset


def _cf_time(time: xr.DataArray) -> xr.Variable:
    """Return times as whole microseconds, the finest unit that netCDF4, cftime and tools on them decode.

    They are whole in float64 too, for readers that know no 64-bit integers: seconds would not be.
    """
    microseconds = (time.values.astype(np.int64) + 500) // 1000
    attributes = time.attrs | {
        "standard_name": "time",
        "axis": "T",
        "units": "microseconds since 1970-01-01",
        "calendar": "standard",
        "comment": "rounded to the microsecond; results.zarr has nanoseconds",
    }
    return xr.Variable("time", microseconds, attributes)


def _cf_flags(variable: xr.DataArray) -> dict[str, Any]:
    """Return a variable's attributes with flags of its own type, one for each of its values."""
    values = list(variable.attrs.get("flag_values", ()))
    meanings = str(variable.attrs.get("flag_meanings", "")).split()
    if variable.name == "pad_class":
        values, meanings = [-1, *values], ["no_class", *meanings]
    flags = {"flag_values": np.array(values, variable.dtype), "flag_meanings": " ".join(meanings)}
    return variable.attrs | flags


def _write_csv(dataset: xr.Dataset, names: list[str], path: Path) -> None:
    components = dataset.sizes["component"]
    # A column, for a line of comment would stop most readers.
    mark = {SIMULATED: dataset.attrs[SIMULATED]} if SIMULATED in dataset.attrs else {}
    plain = ["pad_class", "probability", "reason", "distance", "margin", "reconstruction_error", *names]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        shapes = [f"shape_at_{energy:.6g}_MeV" for energy in dataset["energy"].values] if "shape" in dataset else []
        writer.writerow(["time", *plain, *(f"score_{i + 1}" for i in range(components)), *shapes, *mark])
        for start in range(0, dataset.sizes["time"], CSV_ROWS):
            block = dataset.isel(time=slice(start, start + CSV_ROWS)).load()
            columns: list[Any] = [np.datetime_as_string(block["time"].values, unit="ns")]
            columns += [_text(block[name].values) for name in plain]
            columns += [_text(column) for column in block["score"].values.T]
            if shapes:
                columns += np.array(SHAPES)[block["shape"].values].T.tolist()
            columns += [[words] * block.sizes["time"] for words in mark.values()]
            writer.writerows(zip(*columns, strict=True))


def _text(values: np.ndarray) -> list[str]:
    if np.issubdtype(values.dtype, np.integer):
        return [str(value) for value in values.tolist()]
    return ["" if np.isnan(value) else f"{value:.7g}" for value in values]
