# SPDX-License-Identifier: BSD-3-Clause
"""The Dataset of shares."""

from __future__ import annotations

import numpy as np

from padflow.maps.grid import Grid
from padflow.maps.orbits import OrbitCounts, OrbitSums
from padflow.maps.outcomes import NO_CLASS, Outcomes
from padflow.maps.tables import as_dataset
from padflow.records import Reason
from padflow.shapes.names import BUTTERFLY


def test_shares_stand_where_they_belong() -> None:
    grid, outcomes = Grid({"L": np.array([3.0, 4.0, 5.0]), "MLT": np.array([0.0, 12.0, 24.0])}), Outcomes(2, 2)
    sums = OrbitSums(grid.size, outcomes.size, complete=outcomes.complete)
    pad_class, reason = np.array([1, 1, 1, -1]), np.array([0, 0, 0, Reason.EMPTY], "i1")
    shape = np.array([[1, BUTTERFLY]] * 3 + [[0, 0]], "i1")
    cell = grid.cells({"L": np.full(4, 4.5), "MLT": np.full(4, 3.0)})
    sums.add(OrbitCounts.of(np.ones(4, bool), cell, outcomes.of(pad_class, reason, shape), size=(4, outcomes.size)))
    sums.finish()
    found = as_dataset(sums, grid, outcomes, energy=np.array([1.8, 2.1]))
    at = found.sel(L=4.5, MLT=6.0)
    assert (int(at["records"]), int(at["orbits"])) == (4, 4)
    assert at["class_share"].values.tolist() == [0, 0.75]
    assert at["no_class_share"].sel(no_class="empty") == 0.25
    assert at["shape_share"].sel(energy=2.1, shape="butterfly") == 0.75
    assert at["shape_share"].sel(energy=1.8, shape="butterfly") == 0
    assert at["class_share_low"][1] < 0.75 < at["class_share_high"][1]
    assert found["class_share"].dims == ("pad_class", "L", "MLT")
    assert np.isnan(found["class_share"].sel(L=3.5)).all()
    np.testing.assert_allclose(found["shape_share"].sel(L=4.5, MLT=6.0).sum("shape"), 1)
    assert found.sizes["no_class"] == len(NO_CLASS)
    assert found["L_edges"].values.tolist() == [3, 4, 5]
