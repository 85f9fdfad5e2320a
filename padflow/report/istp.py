# SPDX-License-Identifier: BSD-3-Clause
"""Labels as CDF files by the guidelines of ISTP, one a day: a level-4 product.

Guidelines: https://spdf.gsfc.nasa.gov/istp_guide/istp_guide.html
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from packaging.version import Version

from padflow.cdf.epochs import EARLIEST, LATEST
from padflow.cdf.writing import CdfVariable, write_cdf
from padflow.instruments.origin import NAMES, PREFIX, SIMULATED
from padflow.shapes.measures import NAMED

WIDEST = (-65_504.0, 65_504.0)
"""What the 16 bits hold in which measured numbers of shapes are stored."""


VALID = {
    "L": (0.0, 10_000.0),
    "L_star": (0.0, 10_000.0),
    "MLT": (0.0, 24.0),
    "MLAT": (-90.0, 90.0),
    "probability": (0.0, 1.0),
    "shape_probability": (0.0, 1.0),
    "margin": (0.0, 1.0),
    "peak_pitch_angle": (0.0, 90.0),
}
"""Smallest and largest valid value of variables for which they are known."""


LABELS = {
    "pad_class": "Class",
    "probability": "Probability",
    "reason": "Reason",
    "shape": "Shape",
    "likeliest_shape": "Likeliest shape",
    "shape_probability": "Shape prob.",
    "reconstruction_error": "Rec. error",
    "max_over_j90": "max/j90",
    "j60_over_j90": "j60/j90",
    "peak_pitch_angle": "Peak angle",
    "L_star": "L*",
}
"""Short names for the axes of plots, of variables whose own are long."""


NOT_STATED = "not stated in the source files"


def write_days(dataset: xr.Dataset, folder: Path) -> list[Path]:
    """Write one CDF file for each day of UTC that has records.

    Parameters
    ----------
    dataset : xarray.Dataset
        Labels along time, with ephemeris as coordinates and the attributes of the results and the archive.
    folder : Path
        Exists. Files of the same names in it are replaced.

    Returns
    -------
    list of Path
        In the order of time.
    """
    days = dataset["time"].values.astype("datetime64[D]")
    written = []
    for day in np.unique(days):
        first, last = np.searchsorted(days, [day, day + 1])
        of_day = dataset.isel(time=slice(first, last)).load()
        attributes = _global_attributes(of_day, day)
        written.append(folder / f"{attributes['Logical_file_id']}.cdf")
        write_cdf(written[-1], _variables(of_day), attributes)
    return written


def _global_attributes(dataset: xr.Dataset, day: np.datetime64) -> dict[str, str]:
    """Return the global attributes that ISTP asks for, from the source files where these say them."""
    own = {str(name): str(value) for name, value in dataset.attrs.items()}
    said = {name: own.get(f"{PREFIX}{name}", NOT_STATED) for name in NAMES}
    spacecraft, version, title = own["spacecraft"], own["padflow_version"], own["title"]
    release = Version(version).base_version  # ISTP has numbers and points in it only
    source = f"{spacecraft}_l4_{own['instrument']}-pad"
    kept = {name: text for name, text in own.items() if name == SIMULATED or name.startswith(PREFIX)}
    return kept | {
        "TITLE": title,
        "Project": said["Project"],
        "Source_name": own.get(f"{PREFIX}Source_name", f"{spacecraft}>{spacecraft}"),
        "Discipline": "Space Physics>Magnetospheric Science",
        "Data_type": "L4>Level 4",
        "Descriptor": f"{own['instrument']}-pad>{title}",
        "Data_version": release,
        "Instrument_type": "Particles (space)",
        "Mission_group": said["Mission_group"],
        "PI_name": said["PI_name"],
        "PI_affiliation": said["PI_affiliation"],
        "TEXT": f"{title}. Class, probability and shapes by energy of each record, or the reason why it has no class.",
        "Logical_source": source,
        "Logical_file_id": f"{source}_{str(day).replace('-', '')}_v{release}",
        "Logical_source_description": title,
        "File_naming_convention": "source_datatype_descriptor_yyyyMMdd",
        "Acknowledgement": own["acknowledgement"],
        "Rules_of_use": said["Rules_of_use"],
        "Generated_by": f"padflow {version}",
        "Generation_date": str(np.datetime64("today")).replace("-", ""),
        "Parents": own["source"],
    }


def _variables(dataset: xr.Dataset) -> Iterator[CdfVariable]:
    """Yield the variables of one day: time, axes, labels and ephemeris."""
    yield CdfVariable(
        "Epoch",
        dataset["time"].values,
        {"CATDESC": dataset["time"].attrs["long_name"], "VAR_TYPE": "support_data", "LABLAXIS": "UTC", "UNITS": "ns"}
        | {"SCALETYP": "linear", "MONOTON": "INCREASE", "TIME_BASE": "J2000", "TIME_SCALE": "Terrestrial Time"},
        valid=(EARLIEST, LATEST),
    )
    for axis in ("energy", "component"):
        if axis in dataset.dims:
            yield from _axis(axis, dataset)
    for name in ("pad_class", *NAMED):
        flags = _flags(dataset[name]) if name in dataset else []
        if flags:
            text = {"CATDESC": f"Names of the values of {name}, from {flags[0][0]} on", "VAR_TYPE": "metadata"}
            yield CdfVariable(f"{name}_names", np.array([meaning for _, meaning in flags]), text, varies=False)
    for name in [*dataset.data_vars, *(name for name in dataset.coords if name not in dataset.dims)]:
        yield _along_time(dataset, str(name))


def _axis(name: str, dataset: xr.Dataset) -> Iterator[CdfVariable]:
    """Yield the values of an axis, and their labels."""
    if name == "energy":
        values = dataset["energy"].values.astype(np.float64)
        attributes = {"CATDESC": "Energy of electrons", "LABLAXIS": "Energy", "UNITS": "MeV", "SCALETYP": "log"}
        labels = [f"{value:.4g} MeV" for value in values]
    else:
        values = np.arange(1, dataset.sizes[name] + 1, dtype=np.int16)
        attributes = {"CATDESC": "Number of the component", "LABLAXIS": "Component", "UNITS": " ", "SCALETYP": "linear"}
        labels = [f"score {value}" for value in values]
    valid = (0, 1000)
    yield CdfVariable(name, values, attributes | {"VAR_TYPE": "support_data"}, valid=valid, varies=False)
    text = {"CATDESC": f"Labels of {name}", "VAR_TYPE": "metadata"}
    yield CdfVariable(f"{name}_label", np.array(labels), text, varies=False)


def _along_time(dataset: xr.Dataset, name: str) -> CdfVariable:
    array = dataset[name]
    units = str(array.attrs.get("units", " "))
    attributes: dict[str, Any] = {
        "CATDESC": str(array.attrs.get("long_name", name)),
        "VAR_TYPE": "support_data" if name in dataset.coords or name.endswith("_error") else "data",
        "DEPEND_0": "Epoch",
        "DISPLAY_TYPE": "spectrogram" if array.dims[1:] else "time_series",
        "LABLAXIS": LABELS.get(name, name.replace("_", " ")),
        "UNITS": " " if units == "1" else units,
        "SCALETYP": "linear",
    }
    for axis in array.dims[1:]:
        attributes |= {"DEPEND_1": axis, "LABL_PTR_1": f"{axis}_label"}
    if f"{name}_error" in dataset:
        attributes |= dict.fromkeys(("DELTA_PLUS_VAR", "DELTA_MINUS_VAR"), f"{name}_error")
    flags = _flags(array)
    notes = [f"{'; '.join(f'{value} is {meaning}' for value, meaning in flags)}."] if flags else []
    notes += [str(array.attrs["comment"])] if "comment" in array.attrs else []
    notes += (
        [f"The classes are those of a model fitted to {array.attrs['fitted_to']}."]
        if "fitted_to" in array.attrs
        else []
    )
    if notes:
        attributes["VAR_NOTES"] = " ".join(notes)
    valid = (flags[0][0], flags[-1][0]) if flags else VALID.get(name, WIDEST)
    return CdfVariable(name, array.values, attributes, valid=valid)


def _flags(array: xr.DataArray) -> list[tuple[int, str]]:
    """Return value and meaning of each flag of a variable, ascending."""
    values = np.atleast_1d(array.attrs.get("flag_values", ())).astype(int).tolist()
    return sorted(zip(values, str(array.attrs.get("flag_meanings", "")).split(), strict=True))
