# SPDX-License-Identifier: BSD-3-Clause
"""Read variables of one number a record, such as geomagnetic indices, from a CDF file of any product."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from padflow.cdf.axes import without_ones
from padflow.cdf.clean import all_numbers, is_fill, is_one_of
from padflow.cdf.epochs import to_datetime64
from padflow.cdf.layout import Layout, read_layout
from padflow.cdf.reader import NUMBER_TYPES, TIME_TYPES, leap_seconds, opened
from padflow.cdf.values import Variable, default_pad, never_written, read_values
from padflow.errors import BadFile


def read_series(
    path: Path, wanted: Mapping[str, Collection[float]], *, time: str = "Epoch"
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Read the variables that are wanted and that the file has.

    Parameters
    ----------
    path : Path
        The file.
    wanted : mapping of str to collection of float
        Names of variables, without regard to case. To each the numbers that stand for a missing value beside its
        FILLVAL and its pad.
    time : str
        Name of the time variable.

    Returns
    -------
    times : ndarray of datetime64[ns], shape (records,)
        In the order of the file; NaT where there is no valid time.
    values : dict of str to ndarray of float64, shape (records,)
        By the names in ``wanted``; NaN where a value is missing.

    Raises
    ------
    BadFile
        With the reasons of `padflow.cdf.layout.read_layout`; ``missing_variable`` where there is no time;
        ``wrong_type`` or ``wrong_shape`` for a variable that has not one number a record.
    """
    with opened(path) as plain:
        layout = read_layout(plain, [time, *wanted], shown=path)
        if time.lower() not in layout.variables:
            raise BadFile("missing_variable", f"{path} has no time variable {time!r}.")
        clock = layout.variables[time.lower()]
        _check(path, clock, TIME_TYPES, clock.records)
        raw, missing = _read(plain, layout, clock)
        times = to_datetime64(raw, leap_seconds())
        times[is_one_of(raw, all_numbers(_fills(layout, clock))) | missing] = np.datetime64("NaT", "ns")
        series = {}
        for name, fills in wanted.items():
            variable = layout.variables.get(name.lower())
            if variable is None:
                continue
            _check(path, variable, NUMBER_TYPES, clock.records)
            raw, missing = _read(plain, layout, variable)
            values = raw.astype(np.float64)
            values[is_fill(raw, [*_fills(layout, variable), *map(np.float64, fills)]) | missing] = np.nan
            series[name] = values
        return times, series


def _check(path: Path, variable: Variable, types: tuple[int, ...], records: int) -> None:
    if variable.data_type not in types:
        raise BadFile("wrong_type", f"{variable.name} in {path} has CDF type {variable.data_type}, not one of {types}.")
    if not variable.record_varying or variable.records != records or without_ones(variable.dims, 0):
        shape = (variable.records, *variable.dims)
        raise BadFile("wrong_shape", f"{variable.name} in {path} has shape {shape}; expected ({records}).")


def _read(plain: Path, layout: Layout, variable: Variable) -> tuple[np.ndarray, np.ndarray]:
    return read_values(plain, layout, variable).reshape(-1), never_written(variable)


def _fills(layout: Layout, variable: Variable) -> tuple[object, ...]:
    fill_value = layout.attributes.get(("FILLVAL", variable.name.lower()))
    return fill_value, variable.pad, default_pad(variable.data_type)
