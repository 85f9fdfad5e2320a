# SPDX-License-Identifier: BSD-3-Clause
"""Labels as NetCDF and CSV, read back by other tools."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cftime
import netCDF4
import numpy as np
import pytest
import xarray as xr

from padflow import open_archive, open_results
from padflow.errors import ConfigError, PadflowError
from padflow.report.export import _cf_time, export_labels
from padflow.shapes.names import SHAPES

START, END = np.datetime64("2013-03-02T06:00", "ns"), np.datetime64("2013-03-04", "ns")
VALUES = ("pad_class", "probability", "reason", "distance", "margin", "reconstruction_error")
PLACES = ("L", "L_star", "MLT", "MLAT")


@pytest.fixture(scope="module")
def expected(finished_run) -> xr.Dataset:
    """What is to be exported for the range."""
    results, archive = open_results(finished_run.directory).load(), open_archive(finished_run.directory).load()
    time = results["time"].values
    inside = (time >= START) & (time < END)
    assert 0 < inside.sum() < len(time)
    for name in PLACES:
        results[name] = archive[name].reset_coords(drop=True)
    return results.isel(time=inside)


def export(finished_run, output: Path, **chosen) -> int:
    return export_labels(finished_run.directory, output, **({"spacecraft": None, "start": None, "end": None} | chosen))


def test_netcdf_is_what_other_tools_read(finished_run, expected: xr.Dataset, tmp_path: Path) -> None:
    export(finished_run, tmp_path / "labels.nc", start=START, end=END)
    with netCDF4.Dataset(tmp_path / "labels.nc") as file:
        file.set_auto_mask(False)
        assert file.title.startswith("SIMULATED: ")
        assert file.SIMULATED == "no measurement"
        assert file.cdf_Generated_by == "padflow simulate"
        assert file.cdf_PI_name == "none (SIMULATED)"
        time = file["time"]
        found = netCDF4.num2date(time[:], time.units, time.calendar, only_use_cftime_datetimes=False)
        offset = np.abs(np.array(found, "datetime64[us]").astype("datetime64[ns]") - expected["time"].values)
        assert offset.max() <= np.timedelta64(500, "ns")
        assert cftime.num2date(time[:2], time.units)[1] == found[1]  # without a calendar it is the standard one
        assert (time[:].astype("f8").astype("i8") == time[:]).all()  # whole in float64 too
        assert file.Conventions.startswith("CF-")
        assert "doi:10.1093/rasti/rzad035" in file.acknowledgement
        assert file.source.startswith("8 CDF files")
        assert list(file.variables)[:3] == ["pad_class", "probability", "reason"]
        assert (file["energy"].units, file["energy"].long_name) == ("MeV", "electron energy")
        for name, variable in file.variables.items():
            if variable.dtype.kind != "f" or name in file.dimensions:
                assert "_FillValue" not in variable.ncattrs(), name
            else:
                assert np.isnan(variable._FillValue), name
                assert variable.units, name
            if "time" in variable.dimensions and name not in ("time", *PLACES):
                assert set(variable.coordinates.split()) == set(PLACES), name
        for name in ("pad_class", "reason", "shape", "likeliest_shape"):
            variable = file[name]
            assert variable.flag_values.dtype == variable.dtype
            assert len(variable.flag_values) == len(variable.flag_meanings.split())
            assert set(np.unique(variable[:])) <= set(variable.flag_values)


def test_times_are_rounded_to_the_nearest_microsecond() -> None:
    ns = np.array([1_363_478_400_123_456_499, 1_363_478_400_123_456_500, -1_500], "datetime64[ns]")
    found = _cf_time(xr.DataArray(ns, dims="time"))
    np.testing.assert_array_equal(found.values, [1_363_478_400_123_456, 1_363_478_400_123_457, -1])


def test_netcdf(finished_run, expected: xr.Dataset, tmp_path: Path) -> None:
    output = tmp_path / "new" / "labels.nc"
    assert export(finished_run, output, start=START, end=END) == expected.sizes["time"]
    with xr.open_dataset(output, engine="h5netcdf") as found:
        offset = np.abs(found["time"].values - expected["time"].values)
        assert offset.max() <= np.timedelta64(500, "ns")
        for name in (*VALUES, *PLACES, "score"):
            assert found[name].dtype == expected[name].dtype, name
            np.testing.assert_array_equal(found[name].values, expected[name].values, err_msg=name)
        assert "outside_l" in found["reason"].attrs["flag_meanings"]
        assert found["pad_class"].attrs["flag_meanings"]
        assert found["L"].attrs["long_name"] == "McIlwain L"
    assert list(output.parent.iterdir()) == [output]


def test_csv(finished_run, expected: xr.Dataset, tmp_path: Path) -> None:
    output = tmp_path / "labels.csv"
    assert export(finished_run, output, start=START, end=END, spacecraft="rbspa") == expected.sizes["time"]
    with output.open(newline="") as file:
        rows = list(csv.DictReader(file))
    scores = [f"score_{i}" for i in range(1, 6)]
    shapes = [f"shape_at_{energy:.6g}_MeV" for energy in expected["energy"].values]
    assert list(rows[0]) == ["time", *VALUES, *PLACES, *scores, *shapes, "SIMULATED"]
    names = np.array(SHAPES)[expected["shape"].values]
    assert len(np.unique(names)) > 1
    np.testing.assert_array_equal(np.array([[row[name] for name in shapes] for row in rows]), names)
    assert {row["SIMULATED"] for row in rows} == {"no measurement"}
    said = json.loads((tmp_path / "labels.csv-metadata.json").read_text())
    assert [column["titles"] for column in said["tableSchema"]["columns"]] == list(rows[0])[:-1]
    assert said["tableSchema"]["columns"][1]["notes"]["flag_meanings"].startswith("no_class ")
    assert said["notes"]["cdf_PI_name"] == "none (SIMULATED)"
    assert "doi:10.1093/rasti/rzad035" in said["notes"]["acknowledgement"]
    found = {name: [row[name] for row in rows] for name in rows[0]}
    np.testing.assert_array_equal(np.array(found["time"], "datetime64[ns]"), expected["time"].values)
    assert found["pad_class"] == [str(value) for value in expected["pad_class"].values]
    columns = {name: expected[name].values for name in (*VALUES, *PLACES)}
    columns |= {f"score_{i + 1}": expected["score"].values[:, i] for i in range(3)}
    for name, values in columns.items():
        numbers = np.array([float(text) if text else np.nan for text in found[name]])
        np.testing.assert_allclose(numbers, values, rtol=1e-6, err_msg=name)


def test_all_of_it_without_a_range(finished_run, tmp_path: Path) -> None:
    count = export(finished_run, tmp_path / "all.nc")
    assert count == open_results(finished_run.directory).sizes["time"]
    assert export(finished_run, tmp_path / "all.nc") == count  # over what was there


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ({"start": np.datetime64("2020-01-01", "ns")}, "There is no record in this range"),
        ({"start": END, "end": START}, "There is no record in this range"),
        ({"spacecraft": "rbspb"}, "holds rbspa"),
    ],
)
def test_what_is_not_there(chosen: dict, says: str, finished_run, tmp_path: Path) -> None:
    with pytest.raises(PadflowError, match=says):
        export(finished_run, tmp_path / "labels.nc", **chosen)
    assert list(tmp_path.iterdir()) == []


def test_another_ending(finished_run, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.nc .*\.csv"):
        export(finished_run, tmp_path / "labels.txt")


def test_an_unfinished_run(tmp_path: Path) -> None:
    with pytest.raises(PadflowError, match="padflow run"):
        export_labels(tmp_path, tmp_path / "labels.nc", spacecraft=None, start=None, end=None)


def test_an_interrupted_export_leaves_nothing(finished_run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(xr.Dataset, "to_netcdf", fail)
    with pytest.raises(OSError, match="No space left"):
        export(finished_run, tmp_path / "labels.nc")
    assert list(tmp_path.iterdir()) == []
