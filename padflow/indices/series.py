# SPDX-License-Identifier: BSD-3-Clause
"""The indices that padflow knows, and series of them as files give them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from padflow.errors import BadFile

MINUTE, HOUR, THREE_HOURS = 60, 3600, 10_800
"""Seconds for which a value holds, from its time on."""


DIMENSIONS = {MINUTE: "time_1min", HOUR: "time_1h", THREE_HOURS: "time_3h"}
"""Name of the time axis of each cadence."""


@dataclass(frozen=True)
class Index:
    """An index or a quantity of the solar wind.

    Parameters
    ----------
    cadence : int
        Seconds for which a value holds.
    units : str
    long_name : str
    """

    cadence: int
    units: str
    long_name: str


_WIND = {
    "bz_gsm": ("nT", "magnetic field of the solar wind, GSM z"),
    "flow_speed": ("km s-1", "speed of the solar wind"),
    "proton_density": ("cm-3", "density of protons in the solar wind"),
    "flow_pressure": ("nPa", "flow pressure of the solar wind"),
}


_AURORAL = {"ae": "AE", "al": "AL", "au": "AU"}


INDICES = {
    "sym_h": Index(MINUTE, "nT", "SYM-H index"),
    "sym_d": Index(MINUTE, "nT", "SYM-D index"),
    "asy_h": Index(MINUTE, "nT", "ASY-H index"),
    "asy_d": Index(MINUTE, "nT", "ASY-D index"),
    **{name: Index(MINUTE, "nT", f"{title} index") for name, title in _AURORAL.items()},
    **{name: Index(MINUTE, *words) for name, words in _WIND.items()},
    "dst": Index(HOUR, "nT", "Dst index"),
    "f10_7": Index(HOUR, "1e-22 W m-2 Hz-1", "solar radio flux at 10.7 cm"),
    **{f"{name}_1h": Index(HOUR, "nT", f"{title} index, mean of an hour") for name, title in _AURORAL.items()},
    **{f"{name}_1h": Index(HOUR, units, f"{words}, mean of an hour") for name, (units, words) in _WIND.items()},
    "kp": Index(THREE_HOURS, "1", "Kp index, in thirds"),
    "ap": Index(THREE_HOURS, "2 nT", "ap index"),
}
"""All that is read, by the name that it has in a Dataset. Hourly means have names of their own."""


@dataclass(frozen=True)
class Series:
    """What one file has of one index.

    Parameters
    ----------
    name : str
        One of `INDICES`.
    time : ndarray of datetime64[ns], shape (values,)
        Begin of the interval of each value, ascending, each once.
    values : ndarray of float32, shape (values,)
        NaN where a value is missing.
    source : str
        Name of the file.
    simulated : bool
        Whether the file says so.
    """

    name: str
    time: np.ndarray
    values: np.ndarray = field(repr=False)
    source: str
    simulated: bool = False


def in_order(name: str, time: np.ndarray, values: np.ndarray, source: str, *, simulated: bool = False) -> Series:
    """Return a series in the order of time. Values without a time are left out.

    Raises
    ------
    BadFile
        With the reason ``doubled_time`` where a time is there twice.
    """
    time, values = time[~np.isnat(time)], values[~np.isnat(time)]
    order = np.argsort(time, kind="stable")
    time, values = time[order].astype("datetime64[ns]"), values[order].astype(np.float32)
    doubled = time[1:] == time[:-1]
    if doubled.any():
        raise BadFile("doubled_time", f"{source}: {name} at {time[:-1][doubled][0]} is there twice; expected once.")
    return Series(name, time, values, source, simulated)
