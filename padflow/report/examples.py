# SPDX-License-Identifier: BSD-3-Clause
"""Find the records of a class that are most typical of it, and those whose class is least certain."""

from __future__ import annotations

import numpy as np
import xarray as xr

ROWS = 1_000_000
"""Records that are read at a time."""


def find_examples(results: xr.Dataset, pad_class: int, *, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of the most typical and of the least certain records of a class.

    Typical is what has the smallest distance to its class. Least certain is what has the smallest probability, or the
    smallest margin where there are no probabilities. Neighbouring spins are nearly the same: of an hour one is taken.

    Parameters
    ----------
    results : xarray.Dataset
        As `padflow.open_results` returns it; read a million records at a time.

    Returns
    -------
    typical, uncertain : ndarray of int64, shape (up to number,)
        The most typical and the least certain first. No two of one are of the same hour.
    """
    variables = results[["pad_class", "distance", "probability", "margin"]]
    kept = [_Smallest(number), _Smallest(number)]
    for start in range(0, results.sizes["time"], ROWS):
        block = variables.isel(time=slice(start, start + ROWS)).load()
        own = np.flatnonzero(block["pad_class"].values == pad_class)
        hours = (block["time"].values[own].astype("M8[h]")).astype(np.int64)
        sureness = np.where(np.isnan(block["probability"]), block["margin"], block["probability"])
        for smallest, values in zip(kept, (block["distance"].values, sureness), strict=True):
            smallest.add(values[own], hours, own + start)
    return kept[0].rows, kept[1].rows


class _Smallest:
    """Keep the rows with the smallest values, one of each hour."""

    def __init__(self, number: int):
        self._number = number
        self._values, self._hours, self.rows = np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int64)

    def add(self, values: np.ndarray, hours: np.ndarray, rows: np.ndarray) -> None:
        """Take part of the records into account. Those whose value is NaN do not count."""
        values = np.concatenate([self._values, values])
        hours, rows = np.concatenate([self._hours, hours]), np.concatenate([self.rows, rows])
        order = np.argsort(values, kind="stable")
        order = order[np.isfinite(values[order])]
        _, first = np.unique(hours[order], return_index=True)
        chosen = order[np.sort(first)[: self._number]]
        self._values, self._hours, self.rows = values[chosen], hours[chosen], rows[chosen]
