# SPDX-License-Identifier: BSD-3-Clause
"""Read the indices and the solar wind of NASA's OMNI data set from its CDF files of minutes and of hours.

Documentation: "High Resolution OMNI (HRO) data set, format" and "OMNI 2 data set" (NASA's Space Physics Data Facility),
and the data set descriptions OMNI_HRO_1MIN, OMNI_HRO2_1MIN and OMNI2_H0_MRG1HR. Times are begins of intervals.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from padflow.cdf.series import read_series
from padflow.errors import BadFile
from padflow.indices.series import HOUR, INDICES, MINUTE, THREE_HOURS, Series, in_order

MINUTE_VARIABLES = {
    "SYM_H": ("sym_h", 99999),
    "SYM_D": ("sym_d", 99999),
    "ASY_H": ("asy_h", 99999),
    "ASY_D": ("asy_d", 99999),
    "AE_INDEX": ("ae", 99999),
    "AL_INDEX": ("al", 99999),
    "AU_INDEX": ("au", 99999),
    "BZ_GSM": ("bz_gsm", 9999.99),
    "flow_speed": ("flow_speed", 99999.9),
    "proton_density": ("proton_density", 999.99),
    "Pressure": ("flow_pressure", 99.99),
}
"""Our name, and what stands for a missing value by the documentation, of the variables of a file of minutes."""


HOUR_VARIABLES = {
    "DST": ("dst", 99999),
    "KP": ("kp", 99),
    "AP_INDEX": ("ap", 999),
    "F10_INDEX": ("f10_7", 999.9),
    "AE": ("ae_1h", 9999),
    "AL_INDEX": ("al_1h", 99999),
    "AU_INDEX": ("au_1h", 99999),
    "BZ_GSM": ("bz_gsm_1h", 999.9),
    "V": ("flow_speed_1h", 9999),
    "N": ("proton_density_1h", 999.9),
    "Pressure": ("flow_pressure_1h", 99.99),
}
"""The same of a file of hours."""


def read_omni(path: Path) -> list[Series]:
    """Read what a CDF file of minutes or of hours has.

    A file of hours repeats Kp and ap three times: they become values of three hours. Its Kp, ten times Kp rounded to
    whole numbers (23 is 2+), becomes thirds.

    Raises
    ------
    BadFile
        As of `padflow.cdf.series.read_series`; ``wrong_cadence`` where times are not a minute or an hour apart;
        ``missing_variable`` where nothing is in the file that is read.
    """
    times, _ = read_series(path, {})
    variables = {MINUTE: MINUTE_VARIABLES, HOUR: HOUR_VARIABLES}[_cadence(times, path)]
    _, found = read_series(path, {name: (fill,) for name, (_, fill) in variables.items()})
    if not found:
        raise BadFile("missing_variable", f"{path} has none of {', '.join(variables)}; expected a file of OMNI.")
    return [_series(variables[name][0], times, values, path.name) for name, values in found.items()]


def _cadence(times: np.ndarray, path: Path) -> int:
    """Return 60 or 3600: the smallest step in seconds."""
    steps = np.diff(np.unique(times[~np.isnat(times)])) / np.timedelta64(1, "s")
    step = steps.min(initial=np.inf)
    if step not in (MINUTE, HOUR):
        raise BadFile("wrong_cadence", f"{path} has times {step:g} s apart; expected {MINUTE} or {HOUR} s, as of OMNI.")
    return int(step)


def _series(name: str, times: np.ndarray, values: np.ndarray, source: str) -> Series:
    if name == "kp":
        values = np.round(values / 10 * 3) / 3
    if INDICES[name].cadence == THREE_HOURS:
        present = ~np.isnat(times) & np.isfinite(values)
        of_intervals = times[present].astype("datetime64[s]").astype(np.int64) // THREE_HOURS * THREE_HOURS
        starts, first = np.unique(of_intervals, return_index=True)
        times, values = starts.astype("datetime64[s]"), values[present][first]
    return in_order(name, times, values, source)
