# SPDX-License-Identifier: BSD-3-Clause
"""A list of storms as rows of text, and as CSV."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import numpy as np

from padflow.indices.storms import TIMES
from padflow.instruments.origin import SIMULATED

if TYPE_CHECKING:
    import xarray as xr


def storm_rows(storms: xr.Dataset) -> list[list[str]]:
    """Return a header, and a row for each storm: its number, its four times, UTC to the minute, and the lowest value.

    What is missing is empty. Storms of a simulated index have a last column that says so.
    """
    mark = {SIMULATED: storms.attrs[SIMULATED]} if SIMULATED in storms.attrs else {}
    columns = [minutes(storms[name].values) for name in TIMES]
    numbers = [f"{value:g}" for value in storms["lowest"].values]
    header = ["storm", *TIMES, f"lowest_{storms.attrs['index']}_nT", *mark]
    rows = zip(range(1, len(numbers) + 1), *columns, numbers, strict=True)
    return [header, *([str(cell) for cell in row] + list(mark.values()) for row in rows)]


def storm_csv(storms: xr.Dataset) -> str:
    """Return the rows of `storm_rows` as CSV."""
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\n").writerows(storm_rows(storms))
    return stream.getvalue()


def minutes(times: np.ndarray) -> list[str]:
    """Return times to the minute as text; NaT is empty."""
    texts = np.datetime_as_string(times, unit="m")
    return ["" if text == "NaT" else str(text) for text in texts]
