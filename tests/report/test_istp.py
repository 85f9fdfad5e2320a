# SPDX-License-Identifier: BSD-3-Clause
"""Daily CDF files, by spacepy's checks of ISTP and as pycdfpp and cdflib read them."""

from __future__ import annotations

import os
from pathlib import Path

import cdflib
import numpy as np
import pycdfpp
import pytest
import xarray as xr
from packaging.version import Version

from padflow import __version__, open_archive, open_results
from padflow.report.export import export_labels
from padflow.report.istp import _along_time, _global_attributes

START, END = np.datetime64("2013-03-02T18:00", "ns"), np.datetime64("2013-03-03T06:00", "ns")


@pytest.fixture(scope="module")
def files(finished_run, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The files of two half days."""
    folder = tmp_path_factory.mktemp("istp") / "daily"
    count = export_labels(finished_run.directory, folder, start=START, end=END)
    time = open_results(finished_run.directory)["time"].values
    assert count == ((time >= START) & (time < END)).sum()
    return sorted(folder.iterdir())


def test_one_file_a_day(files: list[Path]) -> None:
    release = Version(__version__).base_version
    assert [path.name for path in files] == [f"rbspa_l4_rept-pad_{day}_v{release}.cdf" for day in (20130302, 20130303)]


def test_istp_checks_are_clean(files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ.setdefault("SPACEPY", str(tmp_path_factory.mktemp("spacepy")))  # it writes a file of settings there
    import spacepy.pycdf
    import spacepy.pycdf.istp

    for path in files:
        with spacepy.pycdf.CDF(str(path)) as cdf:
            assert spacepy.pycdf.istp.FileChecks.all(cdf, catch=False) == []
            for name in cdf:
                assert spacepy.pycdf.istp.VariableChecks.all(cdf[name], catch=False) == [], name


def test_values_are_those_of_the_results(files: list[Path], finished_run) -> None:
    results, archive = open_results(finished_run.directory), open_archive(finished_run.directory)
    chosen = results.isel(time=(results["time"].values >= START) & (results["time"].values < END)).load()
    read = [pycdfpp.load(str(path)) for path in files]
    times = np.concatenate([pycdfpp.to_datetime64(file["Epoch"]) for file in read])
    np.testing.assert_array_equal(times, chosen["time"].values)
    places = archive.reset_coords()[["L", "L_star", "MLT", "MLAT"]].sel(time=times)
    for name, array in (dict(chosen.data_vars) | dict(places.data_vars)).items():
        found = np.concatenate([file[name].values for file in read])
        assert found.dtype == array.dtype, name
        fill = np.float32(-1e31)
        np.testing.assert_array_equal(np.where(found == fill, np.nan, found), array.values, err_msg=name)
    np.testing.assert_array_equal(read[0]["energy"].values[0], results["energy"].values)


def test_each_variable_says_what_a_plot_needs(files: list[Path]) -> None:
    file = cdflib.CDF(files[0])
    for name in file.cdf_info().zVariables:
        said = file.varattsget(name)
        assert {"CATDESC", "FIELDNAM", "FILLVAL", "FORMAT", "VAR_TYPE"} <= said.keys(), name
        if said["VAR_TYPE"] == "metadata":
            continue
        assert {"LABLAXIS", "UNITS", "VALIDMIN", "VALIDMAX", "SCALETYP"} <= said.keys(), name
        if file.varinq(name).Rec_Vary and name != "Epoch":
            assert said["DEPEND_0"] == "Epoch", name
    shape = file.varattsget("shape")
    assert (shape["DEPEND_1"], shape["LABL_PTR_1"], shape["DISPLAY_TYPE"]) == ("energy", "energy_label", "spectrogram")
    assert file.varget("energy_label")[0].strip() == "1.8 MeV"
    assert file.varattsget("c2")["DELTA_PLUS_VAR"] == "c2_error"
    names = [name.strip() for name in file.varget("shape_names").tolist()]
    assert names[:3] == ["unclear", "pancake", "cap"]
    assert shape["VAR_NOTES"].startswith("0 is unclear; 1 is pancake; ")
    assert file.varget("pad_class_names")[0].strip() == "no_class"
    assert file.varattsget("pad_class")["VALIDMIN"] == -1


def test_the_file_says_where_it_comes_from(files: list[Path]) -> None:
    said = {name: entries[0] for name, entries in cdflib.CDF(files[0]).globalattsget().items()}
    assert said["Logical_file_id"] == files[0].stem
    assert said["SIMULATED"] == "no measurement"
    assert said["TITLE"].startswith("SIMULATED: ")
    assert said["PI_name"] == "none (SIMULATED)"
    assert said["Project"] == "LWS>Living With a Star"
    assert "doi:10.1093/rasti/rzad035" in said["Acknowledgement"]
    assert said["cdf_Data_version"] == "5.6.0"
    wanted = "Discipline Data_type Descriptor Data_version TEXT Instrument_type Mission_group Logical_source Parents"
    assert all(said[name] for name in wanted.split())


def test_a_name_has_the_release_and_the_file_says_the_commit_too() -> None:
    own = dict.fromkeys(("spacecraft", "instrument", "title", "acknowledgement", "source"), "x")
    dataset = xr.Dataset(attrs=own | {"padflow_version": "0.2.0.post1.dev7+g1234567"})
    said = _global_attributes(dataset, np.datetime64("2013-03-02"))
    assert (said["Logical_file_id"], said["Data_version"]) == ("x_l4_x-pad_20130302_v0.2.0", "0.2.0")
    assert said["Generated_by"] == "padflow 0.2.0.post1.dev7+g1234567"


def test_notes_of_a_variable() -> None:
    said = {"flag_values": [0, -1], "flag_meanings": "pancake no_class", "comment": "Some."}
    said["fitted_to"] = "SIMULATED data: no measurement"
    variable = _along_time(xr.Dataset({"pad_class": ("time", np.array([0, -1], "i2"), said)}), "pad_class")
    assert variable.valid == (-1, 0)
    assert variable.attributes["VAR_NOTES"] == (
        "-1 is no_class; 0 is pancake. Some. The classes are those of a model fitted to SIMULATED data: no measurement."
    )
