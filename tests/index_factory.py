# SPDX-License-Identifier: BSD-3-Clause
"""Writes files of geomagnetic indices for tests, by the documentation of their formats."""

from __future__ import annotations

import numpy as np

GFZ_HEAD = """\
# PURPOSE: This file distributes the Kp index and ap index (one line per three-hour interval)
# ASCII, blank separated and fixed length, missing data indicated by -1.000 for Kp and -1 for ap
#YYY MM DD hh.h hh._m        days      days_m     Kp   ap D
"""


def dst_line(day: str, values: list[int], *, base: int = 0) -> str:
    """Kyoto's record of a day of Dst: 120 characters; 9999 is missing."""
    year, month, date = day.split("-")
    stored = [value if value == 9999 else value - 100 * base for value in values]
    present = [value for value in values if value != 9999]
    mean = round(np.mean(present)) if len(present) == 24 else 9999
    century = "  " if year[:2] == "19" else year[:2]
    head = f"DST{year[2:]}{month}*{date}  X2{century}{base:4d}"
    line = head + "".join(f"{value:4d}" for value in [*stored, mean])
    assert len(line) == 120
    return line


def minutes_line(hour: str, values: list[int], *, index: str = "SYM", component: str = "H") -> str:
    """Kyoto's record of an hour of one-minute values: 400 characters; 99999 is missing."""
    (year, month, day), time = hour[:10].split("-"), hour[11:13]
    identifier, edition = ("AEALAOAU", "PRVAE/E02 ") if component in "ELOU" else ("ASYSYM N6E01", "WDCC2KYOTO")
    present = [value for value in values if value != 99999]
    mean = round(np.mean(present)) if present else 99999
    head = f"{identifier:12}{year[2:]}{month}{day}{component}{time}{index:3}{edition}"
    line = head + "".join(f"{value:6d}" for value in [*values, mean])
    assert len(line) == 400
    return line


def kp_line(time: str, kp: float, ap: int) -> str:
    """GFZ's line of three hours."""
    days = (np.datetime64(time, "m") - np.datetime64("1932-01-01", "m")) / np.timedelta64(1440, "m")
    date, hour = time[:10].replace("-", " "), float(time[11:13])
    return f"{date} {hour:04.1f} {hour + 1.5:05.2f} {days:11.5f} {days + 0.0625:11.5f} {kp:6.3f} {ap:4d} 1"


def kp_day_line(day: str, kp: list[float], ap: list[int]) -> str:
    """GFZ's line of a day, with sunspot number and solar radio flux."""
    days = int((np.datetime64(day) - np.datetime64("1932-01-01")).astype(int))
    numbers = "".join(f" {value:6.3f}" for value in kp) + "".join(f" {value:4d}" for value in ap)
    date = day.replace("-", " ")
    return f"{date} {days:5d} {days + 0.5:7.1f} 2481 10{numbers}  {11:4d} {101:3d} {122.4:8.1f} {120.2:8.1f} 2"


def one_storm() -> str:
    """Kyoto's SYM-H of three days with one storm: a jump at 12:00 of 2013-03-16, -100 nT at 02:00 of the next day."""
    hours = np.arange("2013-03-16", "2013-03-19", dtype="datetime64[h]")
    minutes = np.arange(60 * len(hours))
    knots, levels = [0, 12, 12.1, 20, 26, 60, 72], [-20, -20, 20, 10, -100, -10, 0]
    values = np.ceil(np.interp(minutes / 60, knots, levels)).astype(int).reshape(-1, 60)
    lines = [minutes_line(str(hour), of_hour) for hour, of_hour in zip(hours, values.tolist(), strict=True)]
    return "\n".join([*lines, ""])
