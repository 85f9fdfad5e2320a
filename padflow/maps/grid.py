# SPDX-License-Identifier: BSD-3-Clause
"""The cells that records are counted in: bins of two or more variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from padflow.errors import PadflowError, brief

L_EDGES = np.arange(1.0, 8.01, 0.25)


MLT_EDGES = np.arange(0.0, 24.01, 1.0)
"""Hours."""


LONGEST_TIME_AXIS, SHORTEST_TIME_BIN = 60, np.timedelta64(12, "h")


@dataclass(frozen=True)
class Grid:
    """Bins of variables along time.

    Parameters
    ----------
    edges : dict of str to ndarray
        By variable, ascending edges of its bins, float64 or datetime64[ns]. A value on an edge is in the bin above it.
    """

    edges: Mapping[str, np.ndarray]

    @property
    def names(self) -> tuple[str, ...]:
        """The variables."""
        return tuple(self.edges)

    @property
    def shape(self) -> tuple[int, ...]:
        """Bins of each variable."""
        return tuple(len(edges) - 1 for edges in self.edges.values())

    @property
    def size(self) -> int:
        """Number of cells."""
        return int(np.prod(self.shape))

    def cells(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the cell of each record, int64; -1 where a value is missing or outside all bins.

        Parameters
        ----------
        values : dict of str to ndarray, shape (records,)
            Has each variable. MLT is taken modulo 24 h.
        """
        cell = np.zeros(len(values[self.names[0]]), np.int64)
        inside = np.ones(len(cell), bool)
        for (name, edges), bins in zip(self.edges.items(), self.shape, strict=True):
            value = values[name] if edges.dtype.kind == "M" else values[name].astype(np.float64)
            value = value % 24 if name == "MLT" else value
            place = np.searchsorted(edges, value, side="right") - 1  # NaN and NaT come after all edges
            inside &= (place >= 0) & (place < bins)
            cell = cell * bins + np.clip(place, 0, bins - 1)
        return np.where(inside, cell, -1)


def time_edges(first: np.datetime64, last: np.datetime64) -> np.ndarray:
    """Return edges of at most `LONGEST_TIME_AXIS` equal bins from a whole day to a whole day, or of 12 h."""
    start = first.astype("datetime64[D]").astype("datetime64[ns]")
    span = last.astype("datetime64[D]") + np.timedelta64(1, "D") - start
    second = np.timedelta64(1, "s")  # whole seconds, for every reader of NetCDF decodes these
    width = max(np.ceil(span / LONGEST_TIME_AXIS / second).astype(int) * second, SHORTEST_TIME_BIN)
    width = width.astype("timedelta64[ns]")
    return start + np.arange(int(np.ceil(span / width)) + 1) * width


USUAL_EDGES = {"L": L_EDGES, "L_star": L_EDGES, "MLT": MLT_EDGES}


def grid_of(by: Sequence[str] | Mapping[str, Any], time: np.ndarray) -> Grid:
    """Return the grid of variables, with the usual edges of L, L*, MLT and time where none are given.

    Parameters
    ----------
    by : sequence of str, or dict of str to edges
    time : ndarray of datetime64, shape (records,)
        Times of the records.

    Raises
    ------
    PadflowError
        Where there is no variable, one has no edges, or edges do not ascend.
    """
    if isinstance(by, str) or not by:
        raise PadflowError(f"by={brief(repr(by))}: expected names of variables, such as ('L', 'MLT').")
    given = dict(by) if isinstance(by, Mapping) else dict.fromkeys(by)
    usual = USUAL_EDGES | ({"time": time_edges(time.min(), time.max())} if "time" in given and len(time) else {})
    edges = {name: usual.get(name) if value is None else np.asarray(value) for name, value in given.items()}
    for name, values in edges.items():
        if values is None:
            raise PadflowError(f"{name} has no usual bins: give their edges, such as by={{{name!r}: [-20, -10, 0]}}.")
        if values.ndim != 1 or len(values) < 2 or not (values[1:] > values[:-1]).all():
            raise PadflowError(f"The edges of {name} must ascend, and be at least two.")
    return Grid(
        {n: e.astype("datetime64[ns]" if e.dtype.kind == "M" else "f8") for n, e in edges.items() if e is not None}
    )
