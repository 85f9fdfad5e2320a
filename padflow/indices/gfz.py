# SPDX-License-Identifier: BSD-3-Clause
"""Read the text files of Kp and ap of the GFZ Helmholtz Centre for Geosciences.

Documentation: the head of the files `Kp_ap_since_1932.txt` and `Kp_ap_Ap_SN_F107_since_1932.txt`, and "File description
Kp_ap_Ap_SN_F107_format.txt".
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from padflow.errors import BadFile, brief
from padflow.indices.series import Series, in_order

INTERVAL_COLUMNS, DAY_COLUMNS = 10, 28
"""Columns of a line: of an interval of three hours, with Kp and ap as 8th and 9th; or of a day, with eight of each."""


DAY_KP, DAY_AP = slice(7, 15), slice(15, 23)


def is_gfz(line: str) -> bool:
    """Return whether a line is one of such a file: a comment, or the numbers of an interval or a day."""
    return line.startswith("#") or (len(line.split()) in (INTERVAL_COLUMNS, DAY_COLUMNS) and line[:4].isdigit())


def read_kp(lines: Iterable[str], source: str) -> list[Series]:
    """Read three-hourly Kp, in thirds, and ap: one line an interval (10 columns) or a day (28 columns).

    Lines that begin with # are comments. Below zero is missing (-1.000 for Kp, -1 for ap).

    Parameters
    ----------
    lines : iterable of str
        Lines of the file; blank ones are skipped.
    source : str
        Name of the file.

    Raises
    ------
    BadFile
        Names file, line, what was expected and what was found.
    """
    times: list[np.datetime64] = []
    found: dict[str, list[float]] = {"kp": [], "ap": []}
    for number, line in enumerate(lines, 1):
        columns = line.split()
        if not columns or line.startswith("#"):
            continue
        try:
            start, kp, ap = _values(columns)
        except ValueError as error:
            raise BadFile("bad_line", f"{source}, line {number}: expected {error}.") from None
        times += [start + np.timedelta64(3 * i, "h") for i in range(len(kp))]
        found["kp"] += kp
        found["ap"] += ap
    time = np.array(times, "datetime64[s]")
    return [in_order(name, time, _present(np.array(values, float)), source) for name, values in found.items()]


def _values(columns: list[str]) -> tuple[np.datetime64, list[float], list[float]]:
    """Return begin, Kp and ap of an interval, or of the eight intervals of a day."""
    if len(columns) not in (INTERVAL_COLUMNS, DAY_COLUMNS):
        raise ValueError(f"{INTERVAL_COLUMNS} or {DAY_COLUMNS} columns, but found {len(columns)}")
    try:
        numbers = [float(column) for column in columns]
    except ValueError:
        raise ValueError(f"numbers, but found {brief(' '.join(columns))}") from None
    date = "-".join(columns[:3])
    try:
        day = np.datetime64(date, "s")
    except ValueError:
        raise ValueError(f"a date in the first three columns, but found {brief(date)}") from None
    if len(columns) == DAY_COLUMNS:
        return day, numbers[DAY_KP], numbers[DAY_AP]
    if numbers[3] not in range(0, 24, 3):
        raise ValueError(f"an hour of 0, 3, ... 21 in the fourth column, but found {columns[3]}")
    return day + np.timedelta64(int(numbers[3]), "h"), numbers[7:8], numbers[8:9]


def _present(values: np.ndarray) -> np.ndarray:
    return np.where(values < 0, np.nan, values)
