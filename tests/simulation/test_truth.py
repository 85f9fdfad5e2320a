# SPDX-License-Identifier: BSD-3-Clause
"""The truth beside an archive: its shapes, its size, and that no day's truth stays in memory."""

from __future__ import annotations

import datetime
import pickle
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from padflow.simulation.archive import simulate_archive
from padflow.simulation.day import ENERGIES, PITCH_ANGLES, Noise, Settings, expected_flux, make_day
from padflow.simulation.families import FAMILIES
from padflow.simulation.troubles import Troubles
from padflow.simulation.writing import DayTask, write_day

DAY = datetime.date(2013, 3, 9)


@pytest.mark.parametrize("name", FAMILIES)
def test_shapes_are_those_before_counting(tmp_path: Path, name: str) -> None:
    noise = Noise(fills_per_day=6)
    simulate_archive(tmp_path, start=DAY, days=1, family=name, records_per_day=1000, noise=noise)
    settings = Settings(0, FAMILIES[name], noise, 1000)
    day = make_day(settings, "rbspa", DAY)
    flux, _, _ = expected_flux(settings, "rbspa", day.time_ms, DAY)
    folded = (flux + flux[:, ::-1])[:, :9]
    with xr.open_dataset(tmp_path / "truth_rbspa.nc", engine="h5netcdf") as truth:
        assert truth["pad"].dims == ("time", "folded_pitch_angle", "energy")
        assert truth["pad"].encoding["dtype"] == np.uint16
        np.testing.assert_allclose(truth["pad"], folded / folded.max(axis=1, keepdims=True), atol=6e-5)
        np.testing.assert_array_equal(truth["pad"].max("folded_pitch_angle"), np.float32(1))
        np.testing.assert_allclose(truth["energy"], ENERGIES)
        np.testing.assert_allclose(truth["folded_pitch_angle"], PITCH_ANGLES[:9])
        assert truth["expected_counts_by_energy"].dtype == np.float32
        np.testing.assert_allclose(
            truth["expected_counts_by_energy"].sum("energy"), truth["expected_counts"], rtol=1e-5
        )
        fill = (day.flux < 0).all(axis=(1, 2))
        np.testing.assert_array_equal((truth["expected_counts"] == 0).values, fill)
        assert fill.any()
        for variable in ("pad", "expected_counts", "expected_counts_by_energy", "population"):
            assert truth[variable].attrs["long_name"], variable
        assert list(np.atleast_1d(truth.attrs["population_names"])) == list(FAMILIES[name].population_names)


def test_truth_is_small_and_no_day_of_it_travels_or_stays(tmp_path: Path) -> None:
    simulate_archive(tmp_path / "cdf", days=2)
    records = 2 * 7800
    assert (tmp_path / "cdf" / "truth_rbspa.nc").stat().st_size < 200 * records
    assert not (tmp_path / "cdf" / ".truth").exists()
    task = DayTask(tmp_path / "one", "rbspa", DAY, (), Settings(0, FAMILIES["separated"], Noise()))
    assert len(pickle.dumps(write_day(task))) < 2000


def test_archive_without_a_good_record_has_an_empty_truth(tmp_path: Path) -> None:
    simulate_archive(tmp_path, days=1, records_per_day=200, troubles=Troubles(html=1))
    with xr.open_dataset(tmp_path / "truth_rbspa.nc", engine="h5netcdf") as truth:
        assert dict(truth.sizes) == {"time": 0, "energy": 12, "folded_pitch_angle": 9}
        assert truth["pad"].shape == (0, 9, 12)
