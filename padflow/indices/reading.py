# SPDX-License-Identifier: BSD-3-Clause
"""Read index files of any known format into one Dataset."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from padflow.cdf.internal_records import MAGIC
from padflow.config.local_paths import local_path
from padflow.errors import BadFile, ConfigError, brief
from padflow.indices.gfz import is_gfz, read_kp
from padflow.indices.kyoto import is_dst, is_minutes, read_dst, read_minutes
from padflow.indices.omni import read_omni
from padflow.indices.series import DIMENSIONS, INDICES, Series
from padflow.instruments.origin import NO_MEASUREMENT, SIMULATED

if TYPE_CHECKING:
    import xarray as xr


KNOWN = "Kyoto's Dst or minutes of ASY, SYM or AE in WDC format, GFZ's text of Kp and ap, or OMNI's CDF"


def read_indices(*paths: str | os.PathLike[str]) -> xr.Dataset:
    """Read geomagnetic indices and the solar wind from files (``docs/storms.md``).

    The format of a file is known by its content: Kyoto's WDC format of Dst and of one-minute ASY, SYM or AE; GFZ's text
    of Kp and ap; OMNI's CDF of minutes or of hours.

    Parameters
    ----------
    *paths : path
        One file or more. Where two have a value of one index at one time, that of the file named first counts.

    Returns
    -------
    xarray.Dataset
        The indices of `padflow.indices.series.INDICES` that the files have, float32, NaN where missing. Each lies along
        the time axis of its cadence, ``time_1min``, ``time_1h`` or ``time_3h``: begins of intervals, UTC. An index of
        simulated storms has the attribute ``SIMULATED``.

    Raises
    ------
    BadFile
        Names the file, the line, what was expected and what was found.
    ConfigError
        Where no file is named, or a URL.

    Examples
    --------
    >>> import padflow
    >>> indices = padflow.read_indices("sym_h.txt")
    >>> indices["sym_h"].dims, indices["sym_h"].attrs["units"]
    (('time_1min',), 'nT')
    """
    if not paths:
        raise ConfigError("Name at least one file of indices.")
    found: dict[str, list[Series]] = {}
    for path in paths:
        for series in _read_file(local_path(path, "FILE")):
            found.setdefault(series.name, []).append(series)
    return _dataset({name: found[name] for name in INDICES if name in found})


def _read_file(path: Path) -> list[Series]:
    try:
        with path.open("rb") as file:
            if file.read(4) in MAGIC:
                return read_omni(path)
        lines = path.read_text(encoding="latin-1").splitlines()
    except OSError as error:
        raise BadFile("unreadable", f"{path} cannot be read: {error.strerror or error}.") from error
    first = next((line for line in lines if line.strip()), "")
    for known, read in ((is_dst, read_dst), (is_minutes, read_minutes), (is_gfz, read_kp)):
        if known(first):
            return read(lines, os.fspath(path))
    raise BadFile("unknown_format", f"{path}: expected {KNOWN}, but it begins with {brief(first[:40])}.")


def _dataset(found: dict[str, list[Series]]) -> xr.Dataset:
    import xarray as xr

    dataset = xr.Dataset()
    for cadence, dimension in DIMENSIONS.items():
        names = [name for name in found if INDICES[name].cadence == cadence]
        if not names:
            continue
        times = np.unique(np.concatenate([series.time for name in names for series in found[name]]))
        attributes = {"long_name": "begin of the interval, UTC", "cadence_seconds": cadence}
        dataset = dataset.assign_coords({dimension: (dimension, times, attributes)})
        for name in names:
            dataset[name] = (dimension, _merged(times, found[name]), _attributes(found[name]))
    return dataset


def _merged(times: np.ndarray, several: list[Series]) -> np.ndarray:
    """Return the values at ``times``: those of the first series that has one."""
    values = np.full(len(times), np.nan, np.float32)
    for series in reversed(several):
        present = np.isfinite(series.values)
        values[np.searchsorted(times, series.time[present])] = series.values[present]
    return values


def _attributes(several: list[Series]) -> dict[str, str]:
    index = INDICES[several[0].name]
    sources = ", ".join(Path(series.source).name for series in several)
    simulated = {SIMULATED: NO_MEASUREMENT} if any(series.simulated for series in several) else {}
    return {"units": index.units, "long_name": index.long_name, "source": sources} | simulated
