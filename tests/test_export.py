"""Labels as NetCDF and CSV, read back by other tools."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from padflow import open_archive, open_results
from padflow.errors import ConfigError, PadflowError
from padflow.export import export_labels

START, END = np.datetime64("2013-03-02T06:00", "ns"), np.datetime64("2013-03-04", "ns")
VALUES = ("cluster", "reason", "distance", "margin", "reconstruction_error")
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


def test_netcdf(finished_run, expected: xr.Dataset, tmp_path: Path) -> None:
    output = tmp_path / "new" / "labels.nc"
    assert export(finished_run, output, start=START, end=END) == expected.sizes["time"]
    with xr.open_dataset(output, engine="h5netcdf") as found:
        np.testing.assert_array_equal(found["time"].values, expected["time"].values)
        for name in (*VALUES, *PLACES, "score"):
            assert found[name].dtype == expected[name].dtype, name
            np.testing.assert_array_equal(found[name].values, expected[name].values, err_msg=name)
        assert "outside_l" in found["reason"].attrs["flag_meanings"]
        assert found["cluster"].attrs["flag_meanings"]
        assert found["L"].attrs["long_name"] == "McIlwain L"
    assert list(output.parent.iterdir()) == [output]


def test_csv(finished_run, expected: xr.Dataset, tmp_path: Path) -> None:
    output = tmp_path / "labels.csv"
    assert export(finished_run, output, start=START, end=END, spacecraft="rbspa") == expected.sizes["time"]
    with output.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["time", *VALUES, *PLACES, *(f"score_{i}" for i in range(1, 6))]
    found = {name: [row[name] for row in rows] for name in rows[0]}
    np.testing.assert_array_equal(np.array(found["time"], "datetime64[ns]"), expected["time"].values)
    assert found["cluster"] == [str(value) for value in expected["cluster"].values]
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
