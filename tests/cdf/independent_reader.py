# SPDX-License-Identifier: BSD-3-Clause
"""Reads REPT-like files with pycdfpp and plain rules of its own; a script, for pycdfpp may die of a damaged file.

``python independent_reader.py FOLDER`` leaves beside each ``NAME.cdf`` a ``NAME.npz``, or none where it could not read
it: a process of its own for each file, bounded in time and memory. ``... FOLDER VARIABLE...`` leaves the raw values of
some variables of any files.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from pathlib import Path

import numpy as np
import pycdfpp

EPHEMERIS = ("L", "L_star", "MLT", "MLAT", "B_Calc", "B_Eq", "Position")
NUMBERS = "CDF_BYTE CDF_INT1 CDF_INT2 CDF_INT4 CDF_UINT1 CDF_UINT2 CDF_UINT4 CDF_REAL4 CDF_REAL8 CDF_FLOAT CDF_DOUBLE"
SECONDS_ALLOWED = 4
BYTES_ALLOWED = 4 * 2**30
TAI_MINUS_UTC_2013 = 35
NO_TIME = np.iinfo(np.int64).min


def variable(file: pycdfpp.CDF, name: str) -> pycdfpp.Variable | None:
    """Names are told apart without case or blanks around them, as cdflib does."""
    return next((found for key, found in file.items() if key.strip().lower() == name.lower()), None)


def fill_of(of: pycdfpp.Variable) -> float | None:
    for key, attribute in of.attributes.items():
        if key.strip().lower() == "fillval":
            value = np.asarray(attribute.value).reshape(-1)
            return float(value[0]) if len(value) == 1 and value.dtype.kind in "fiu" else None
    return None


def without_fill(of: pycdfpp.Variable) -> np.ndarray:
    """Values as float32, NaN for fill and for what float32 cannot hold."""
    values = np.array(of.values)
    with np.errstate(over="ignore", invalid="ignore"):
        single = values.astype(np.float32)
        missing = ~(values.astype(np.float64) > -9.9e29) | ~np.isfinite(single)
        fill = fill_of(of)
        if fill is not None and np.isfinite(fill) and fill > -9.9e29 and fill != 0:
            missing |= values == values.dtype.type(fill)
    return np.where(missing, np.float32(np.nan), single)


def nanoseconds(of: pycdfpp.Variable) -> np.ndarray:
    """Times in ns since 1970, by whole-number arithmetic of Python; NO_TIME outside 2012 to 2014."""
    raw = np.array(of.values)
    out = []
    for value in raw.view("f8" if of.type.name == "CDF_EPOCH" else "i8").tolist():
        if of.type.name == "CDF_EPOCH":
            top, bottom = value.as_integer_ratio() if np.isfinite(value) else (0, 1)
            time = (2 * top * 10**6 + bottom) // (2 * bottom) - 62_167_219_200 * 10**9  # rounded
        else:
            time = value + 946_728_000 * 10**9 - TAI_MINUS_UTC_2013 * 10**9 - 32_184_000_000
        year_2012, year_2015 = 1_325_376_000 * 10**9, 1_420_070_400 * 10**9
        out.append(time if year_2012 <= time < year_2015 else NO_TIME)
    return np.array(out, np.int64)


def read(path: Path) -> dict[str, np.ndarray]:
    """Return what an archive should hold of a file, in the file's order."""
    file = pycdfpp.load(str(path))
    time = nanoseconds(variable(file, "Epoch"))
    alpha, energy = (without_fill(variable(file, name)).reshape(-1) for name in ("FEDU_Alpha", "FEDU_Energy"))
    exact = {name: np.array(variable(file, name).values, "f8").reshape(-1) for name in ("FEDU_Alpha", "FEDU_Energy")}
    flux = without_fill(variable(file, "FEDU"))
    flux = np.where(flux >= 0, flux, np.float32(np.nan))
    orders = []
    for name, values in (("FEDU_Alpha", alpha), ("FEDU_Energy", energy)):
        usable = np.isfinite(values) & ((values > 0) | (name == "FEDU_Alpha"))
        orders.append([number for number in np.argsort(exact[name], kind="stable") if usable[number]])
    content = {
        "time": time,
        "flux": flux[:, orders[0]][:, :, orders[1]],
        "pitch_angle": exact["FEDU_Alpha"][orders[0]],
        "energy": exact["FEDU_Energy"][orders[1]],
    }
    for name in EPHEMERIS:
        found = variable(file, name)
        shape = (len(time), 3) if name == "Position" else (len(time),)
        good = found is not None and not found.is_nrv and found.type.name in NUMBERS.split() and found.shape == shape
        content[name] = without_fill(found) if good else np.full(shape, np.nan, np.float32)
    return content


def raw(path: Path, names: list[str]) -> dict[str, np.ndarray]:
    """Return values as stored, those of times as plain numbers; what is not in the file is left out."""
    file = pycdfpp.load(str(path))
    found = {name: variable(file, name) for name in names}
    values = {name: np.array(of.values) for name, of in found.items() if of is not None}
    return {name: array.view(array.dtype[0]) if array.dtype.names else array for name, array in values.items()}


def main(folder: Path, *names: str) -> None:
    for path in sorted(folder.rglob("*.cdf")):
        if os.fork():
            os.wait()
            continue
        signal.alarm(SECONDS_ALLOWED)  # ends the process
        resource.setrlimit(resource.RLIMIT_AS, (BYTES_ALLOWED, BYTES_ALLOWED))
        try:
            content = raw(path, list(names)) if names else read(path)
            signal.alarm(0)
            np.savez(path.with_suffix(".half.npz"), **content)
            path.with_suffix(".half.npz").rename(path.with_suffix(".npz"))
        finally:
            os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
