# SPDX-License-Identifier: BSD-3-Clause
"""``superposed.nc`` of a run: what `padflow.superpose` gives of its files, and the command that writes it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import padflow as package


def given(run: Path) -> xr.Dataset:
    with xr.open_dataset(run / "superposed.nc", engine="h5netcdf") as found:
        return found.load()


@pytest.mark.usefixtures("two_figures")
def test_the_report_is_given_storms_or_times(finished_run, padflow: Callable, tmp_path: Path) -> None:
    run, events = tmp_path / "run", tmp_path / "events.csv"
    shutil.copytree(finished_run.directory, run)
    results, archive = package.open_results(run), package.open_archive(run)
    times = results["time"].values[[200, 900]]
    events.write_text("time\n" + "\n".join(map(str, times)))
    assert padflow("report", run, "--events", events).status == 0
    found, expected = given(run), package.superpose(results, archive, times)
    np.testing.assert_array_equal(found["class_share"], expected["class_share"])
    assert int(found["records"].sum()) > 0
    assert found.attrs["SIMULATED"]
    start = results["time"].values[0].astype("M8[m]")
    bounds = [str(start + np.timedelta64(minutes, "m")) for minutes in (0, 60, 120, 180)]
    events.write_text("initial_start,main_start,recovery_start,recovery_end\n" + ",".join(bounds))
    assert padflow("report", run, "--events", events).status == 0
    assert "storm_time" in given(run).dims
    refused = padflow("report", run, events, "--events", events)
    assert refused.status == 2
    assert "either files of an index or your own events" in refused.err
