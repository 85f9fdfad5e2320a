# SPDX-License-Identifier: BSD-3-Clause
"""Cells of records, and the edges that are taken where none are given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from padflow.errors import PadflowError
from padflow.maps.grid import L_EDGES, Grid, grid_of, time_edges

MINUTES = st.integers(0, 60 * 24 * 365 * 8)
DAY = np.datetime64("2013-03-17", "ns")


def test_each_value_is_in_its_bin_and_those_outside_in_none() -> None:
    grid = Grid({"L": np.array([3.0, 4.0, 6.0]), "MLT": np.array([0.0, 6.0, 24.0])})
    values = {"L": np.array([3.0, 3.99, 4.0, 6.0, 2.9, np.nan, 5.0]), "MLT": np.array([0, 25, 6, 6, 6, 6, np.nan])}
    assert grid.cells(values).tolist() == [0, 0, 3, -1, -1, -1, -1]
    assert (grid.shape, grid.size) == ((2, 2), 4)


def test_times_have_bins_too() -> None:
    edges = DAY + np.arange(3) * np.timedelta64(12, "h")
    time = np.array([DAY, DAY + np.timedelta64(13, "h"), DAY + np.timedelta64(24, "h"), np.datetime64("NaT")])
    assert Grid({"time": edges}).cells({"time": time}).tolist() == [0, 1, -1, -1]


def test_usual_edges_are_taken_where_none_are_given() -> None:
    grid = grid_of({"L_star": None, "time": None, "sym_h": [-100, -50, 0]}, DAY + np.arange(3) * np.timedelta64(1, "D"))
    np.testing.assert_array_equal(grid.edges["L_star"], L_EDGES)
    assert grid.shape == (28, 6, 2)
    assert grid.edges["time"][0] == DAY


@pytest.mark.parametrize(
    ("by", "words"),
    [
        ("L", "names of variables"),
        ((), "names of variables"),
        (("MLAT",), "MLAT has no usual bins"),
        ({"L": [4, 3]}, "edges of L must ascend"),
        ({"L": [4]}, "at least two"),
    ],
)
def test_what_makes_no_cells_is_refused(by: object, words: str) -> None:
    with pytest.raises(PadflowError, match=words):
        grid_of(by, np.array([DAY]))


@given(MINUTES, MINUTES)
def test_time_edges_hold_all_and_are_few(a: int, b: int) -> None:
    first, last = (np.datetime64("2012-09-01", "ns") + np.timedelta64(m, "m") for m in sorted((a, b)))
    edges = time_edges(first, last)
    assert edges.dtype == np.dtype("datetime64[ns]")
    assert edges[0] <= first
    assert edges[-1] > last
    assert edges[0] == edges[0].astype("datetime64[D]")
    assert 2 <= len(edges) <= 61
    steps = np.diff(edges)
    assert (steps == steps[0]).all()
    assert steps[0] >= np.timedelta64(12, "h")
