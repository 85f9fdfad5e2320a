# SPDX-License-Identifier: BSD-3-Clause
"""Labels of a time range as NetCDF, CSV or CDF, for tools that do not read Zarr."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from padflow import __version__
from padflow.config.local_paths import local_path
from padflow.errors import ConfigError, PadflowError
from padflow.instruments.origin import NAMES, PREFIX, SIMULATED
from padflow.report.citation import METHOD, citation
from padflow.report.istp import write_days
from padflow.shapes.names import SHAPES
from padflow.startup import hold
from padflow.store.durable import PARTIAL, naming, write_json
from padflow.store.opening import open_archive, open_results

EPHEMERIS = ("L", "L_star", "MLT", "MLAT")


FIRST = ("pad_class", "probability", "reason", "distance", "margin", "reconstruction_error")
"""What each record has, in the order in which it is written."""


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
        Ends in ``.nc`` (NetCDF 4, CF conventions) or ``.csv``, beside which ``.csv-metadata.json`` says what the
        columns are. A name without ending is a folder: it gets one CDF file a day (ISTP guidelines).
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
    daily = output.is_dir() or not output.suffix
    if not daily and output.suffix not in WRITERS:
        raise ConfigError(
            f"{output}: the name must end in .nc (NetCDF) or .csv, or be that of a folder for daily CDF files."
        )
    chosen = _chosen(run_dir, spacecraft, start, end)
    hold()
    with naming(output):
        if daily:
            output.mkdir(parents=True, exist_ok=True)
            write_days(chosen, output)
        else:
            output.parent.mkdir(parents=True, exist_ok=True)
            _write_whole(output, chosen, WRITERS[output.suffix])
            if output.suffix == ".csv":
                write_json(output.with_name(f"{output.name}-metadata.json"), _csv_metadata(chosen, output.name))
    return chosen.sizes["time"]


def _chosen(
    run_dir: Path, spacecraft: str | None, start: np.datetime64 | None, end: np.datetime64 | None
) -> xr.Dataset:
    """Return the labels of a range, lazily, with ephemeris as coordinates; variables in the order of `FIRST`."""
    results = open_results(run_dir, spacecraft)
    archive = open_archive(run_dir, spacecraft)
    if not np.array_equal(results["time"].values, archive["time"].values):
        raise PadflowError(f"{run_dir}: results and archive do not have the same times; finish `padflow run` first.")
    time = results["time"].values
    first = 0 if start is None else int(np.searchsorted(time, start))
    last = len(time) if end is None else int(np.searchsorted(time, end))
    if first >= last:
        raise ConfigError(f"There is no record in this range; the results reach from {time[0]} to {time[-1]}.")
    rest = sorted(str(name) for name in results.data_vars if name not in FIRST)
    chosen = results[[*(name for name in FIRST if name in results), *rest]].isel(time=slice(first, last))
    places = archive.reset_coords().isel(time=slice(first, last))
    chosen = chosen.assign_coords({name: places[name] for name in EPHEMERIS if name in places})
    if "energy" in chosen.coords:
        chosen["energy"].attrs = dict(archive["energy"].attrs)
    chosen["pad_class"].attrs |= _class_flags(chosen["pad_class"])
    said = {name: str(results.attrs[f"{PREFIX}{name}"]) for name in NAMES if f"{PREFIX}{name}" in results.attrs}
    version = str(results.attrs["padflow_version"])
    origin = {name: archive.attrs[name] for name in ("instrument", "source")}
    words = {"acknowledgement": citation([(said, origin["source"])], version=version), "references": METHOD}
    words["history"] = f"{np.datetime64('today')}: exported by padflow {__version__}"
    return chosen.assign_attrs(origin | words)


def _write_whole(output: Path, dataset: xr.Dataset, write: Callable[[xr.Dataset, Path], None]) -> None:
    """Let `write` write a temporary file, and give it its name when it is whole."""
    temporary = output.with_name(output.name + PARTIAL)
    try:
        write(dataset, temporary)
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)


def _write_netcdf(dataset: xr.Dataset, path: Path) -> None:
    """Write the dataset as CF wants it in NetCDF, without Zarr's encodings."""
    dataset = dataset.drop_encoding().assign_coords(time=_cf_time(dataset["time"]))
    for name, variable in dataset.variables.items():
        if "flag_values" in variable.attrs:
            variable.attrs = variable.attrs | {"flag_values": np.array(variable.attrs["flag_values"], variable.dtype)}
        # NaN is missing. No integer is, for -1 and times mean something; and no axis has gaps.
        gaps = np.issubdtype(variable.dtype, np.floating) and name not in dataset.dims
        variable.encoding = {"_FillValue": np.nan if gaps else None, "zlib": True, "complevel": 4}
    dataset.to_netcdf(path, engine="h5netcdf")


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
        "units_metadata": "leap_seconds: none",
        "comment": "rounded to the microsecond; results.zarr has nanoseconds",
    }
    return xr.Variable("time", microseconds, attributes)


def _class_flags(variable: xr.DataArray) -> dict[str, Any]:
    """Return the flags of classes with one for records without a class."""
    meanings = ["no_class", *str(variable.attrs.get("flag_meanings", "")).split()]
    return {"flag_values": [-1, *variable.attrs.get("flag_values", ())], "flag_meanings": " ".join(meanings)}


def _write_csv(dataset: xr.Dataset, path: Path) -> None:
    # A column, for a line of comment would stop most readers.
    mark = {SIMULATED: dataset.attrs[SIMULATED]} if SIMULATED in dataset.attrs else {}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*_csv_columns(dataset), *mark])
        for start in range(0, dataset.sizes["time"], CSV_ROWS):
            block = dataset.isel(time=slice(start, start + CSV_ROWS)).load()
            columns: list[Any] = [np.datetime_as_string(block["time"].values, unit="ns")]
            columns += [_text(block[name].values) for name in _plain(dataset)]
            columns += [_text(column) for column in block["score"].values.T]
            if "shape" in block:
                columns += np.array(SHAPES)[block["shape"].values].T.tolist()
            columns += [[words] * block.sizes["time"] for words in mark.values()]
            writer.writerows(zip(*columns, strict=True))


def _plain(dataset: xr.Dataset) -> list[str]:
    """Return the variables that have one number a record."""
    return [*FIRST, *(name for name in EPHEMERIS if name in dataset.coords)]


def _csv_columns(dataset: xr.Dataset) -> dict[str, str]:
    """Return the variable of each column."""
    columns = {name: name for name in ("time", *_plain(dataset))}
    columns |= {f"score_{i + 1}": "score" for i in range(dataset.sizes["component"])}
    if "shape" in dataset:
        columns |= {f"shape_at_{energy:.6g}_MeV": "shape" for energy in dataset["energy"].values}
    return columns


def _csv_metadata(dataset: xr.Dataset, name: str) -> dict[str, Any]:
    """Return what file and columns are, as W3C's "Metadata Vocabulary for Tabular Data" lays it out."""
    columns = [
        {"titles": column, "notes": {key: str(value) for key, value in dataset[variable].attrs.items()}}
        for column, variable in _csv_columns(dataset).items()
    ]
    schema = {"columns": columns}
    return {"@context": "http://www.w3.org/ns/csvw", "url": name, "notes": dict(dataset.attrs), "tableSchema": schema}


def _text(values: np.ndarray) -> list[str]:
    if np.issubdtype(values.dtype, np.integer):
        return [str(value) for value in values.tolist()]
    return ["" if np.isnan(value) else f"{value:.7g}" for value in values]


WRITERS = {".nc": _write_netcdf, ".csv": _write_csv}
"""By the ending of the file."""
