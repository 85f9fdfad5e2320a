# SPDX-License-Identifier: BSD-3-Clause
"""SYM-H and Dst of the simulated storms, as files in the formats of the World Data Center for Geomagnetism, Kyoto.

Documentation: "ASY/SYM Indices Format" and "Description of the Geomagnetic Dst Index" of that data centre.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from padflow.simulation.belt import STORM_MEMORY_DAYS, storm_indices, storms_between
from padflow.simulation.files import write_whole
from padflow.simulation.orbit import MS_PER_DAY, unix_ms

MARGIN_DAYS = 14
"""The files reach so far beyond the days of the archive, as those of a user do: storms and their phases end there."""


MINUTES_PER_DAY = 1440


def write_indices(folder: Path, *, seed: int, start: datetime.date, days: int) -> dict[str, Path]:
    """Write ``sym_h_simulated.txt`` and ``dst_simulated.txt`` and return their paths by index.

    SYM-H has the value at the begin of each minute, Dst the mean of each hour. Both are rounded to 1 nT, as measured
    ones are.
    """
    first = start - datetime.timedelta(MARGIN_DAYS)
    dates = [first + datetime.timedelta(day) for day in range(days + 2 * MARGIN_DAYS)]
    levels = np.stack([levels_of(seed, date) for date in dates])
    texts = {"sym_h": sym_h_lines(dates, levels), "dst": dst_lines(dates, levels)}
    paths = {name: folder / f"{name}_simulated.txt" for name in texts}
    for name, lines in texts.items():
        write_whole(paths[name], partial(_write, lines))
    return paths


def levels_of(seed: int, date: datetime.date) -> np.ndarray:
    """Return the level of the storms at each minute of a day, nT, float32 of shape (24, 60)."""
    today = unix_ms(date) / MS_PER_DAY
    storms = storms_between(seed, today - STORM_MEMORY_DAYS, today + 1)
    level, _, _ = storm_indices(storms, today + np.arange(MINUTES_PER_DAY) / MINUTES_PER_DAY)
    return level.astype(np.float32).reshape(24, 60)


def sym_h_lines(dates: Iterable[datetime.date], levels: np.ndarray) -> Iterator[str]:
    """Yield records of an hour: 400 characters. The edition says that they are simulated."""
    for date, of_day in zip(dates, levels, strict=True):
        for hour, of_hour in enumerate(of_day):
            numbers = np.rint([*of_hour, of_hour.mean()]).astype(int)
            yield f"ASYSYM N6E01{date:%y%m%d}H{hour:02d}SYM{'SIMULATED':10}{''.join(f'{n:6d}' for n in numbers)}"


def dst_lines(dates: Iterable[datetime.date], levels: np.ndarray) -> Iterator[str]:
    """Yield records of a day: 120 characters. The version, S, says that they are simulated."""
    for date, of_day in zip(dates, levels, strict=True):
        numbers = np.rint([*of_day.mean(axis=1), of_day.mean()]).astype(int)
        century = date.year // 100
        yield f"DST{date:%y%m}*{date:%d}  XS{century:2d}{0:4d}{''.join(f'{n:4d}' for n in numbers)}"


def _write(lines: Iterable[str], path: Path) -> None:
    with path.open("w") as file:
        file.writelines(f"{line}\n" for line in lines)
