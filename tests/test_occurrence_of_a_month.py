# SPDX-License-Identifier: BSD-3-Clause
"""Occurrence in a simulated month with storms, from files to intervals, against its noiseless truth."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from padflow.indices.phases import join_storms
from padflow.indices.reading import read_indices
from padflow.indices.storms import find_storms
from padflow.maps.occurrence import occurrence
from padflow.model.shipped import DEMO
from padflow.shapes.names import UNCLEAR, name_shapes
from padflow.simulation.archive import simulate_archive
from padflow.store.opening import open_archive, open_results


@pytest.mark.slow
def test_occurrence_holds_the_truth_of_a_month_with_storms(
    tmp_path: Path, padflow: Callable, serial, no_report
) -> None:
    """In 95 % of the cells of L by MLT and by storm phase the interval holds the share of noiseless names."""
    cdf, run = tmp_path / "cdf", tmp_path / "labels"
    simulate_archive(cdf, family="continuum", start=datetime.date(2013, 3, 10), days=30, records_per_day=400)
    assert padflow("label", DEMO, "recommended", "--source", cdf, "--workdir", run).status == 0
    storms = find_storms(read_indices(cdf / "sym_h_simulated.txt"))
    results, archive = join_storms(open_results(run), storms).load(), open_archive(run)
    with xr.open_dataset(cdf / "truth_rbspa.nc", engine="h5netcdf") as file:
        pads = file["pad"].sel(energy=2.1, method="nearest").load()
    results = results[["pad_class", "reason", "shape", "storm_phase"]].sel(energy=[2.1], method="nearest")
    true_name = xr.zeros_like(results["shape"]) + name_shapes(pads["folded_pitch_angle"].values, pads.values)[:, None]
    known = ((results["shape"] != UNCLEAR) & (true_name != UNCLEAR)).values[:, 0]
    cells = []
    for other in ({"MLT": np.arange(0, 25, 3)}, {"storm_phase": np.arange(0.5, 5)}):
        found, truth = (
            occurrence(
                named, archive, by={"L": np.arange(3, 7, 0.5), **other}, where=xr.DataArray(known, dims="time")
            ).sel(shape=["pancake", "flattop", "butterfly"])
            for named in (results, results.assign(shape=true_name))
        )
        holds = (found["shape_share_low"] <= truth["shape_share"]) & (truth["shape_share"] <= found["shape_share_high"])
        cells.append(holds.where(found["orbits"] >= 5).values.ravel())
        assert np.nanmean(cells[-1]) > 0.9
    assert np.nanmean(np.concatenate(cells)) >= 0.95
