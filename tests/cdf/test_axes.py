# SPDX-License-Identifier: BSD-3-Clause
"""Which axis of the flux is which, axes of length 1, and channels without an energy or angle."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from datetime import date
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import xarray as xr
import yaml

from padflow.archive.scan import scan_archive
from padflow.cdf.reader import inspect, read_records
from padflow.compute.workers import SerialWorkers
from padflow.config.sections import ArchiveConfig, Config
from padflow.errors import BadFile
from padflow.instruments.instrument import Instrument, load_instrument
from padflow.pipeline.driver import run

REPT = load_instrument("rept")
DAY = date(2013, 3, 17)
NAME = "rbspa_rel03_ect-rept-sci-l3_20130317_v5.6.0.cdf"
ALPHA = (np.arange(12) + 0.5) * 15
ANGLES_FIRST, ENERGIES_FIRST = ("pitch_angle", "energy"), ("energy", "pitch_angle")


def rept(factory: ModuleType, *, square: bool, order: tuple[str, str], depends: dict[str, str]) -> dict:
    """A day whose flux has its axes in ``order``: 12 energies and 17 or, if ``square``, 12 pitch angles."""
    content = factory.rept()
    flux = content["FEDU"]["data"]
    if square:
        content["FEDU_Alpha"] = factory.variable(ALPHA, varies=False)
        flux = flux[:, :12]
    content["FEDU"]["data"] = np.ascontiguousarray(flux if order == ANGLES_FIRST else flux.transpose(0, 2, 1))
    content["FEDU"]["spec"]["Dim_Sizes"] = list(content["FEDU"]["data"].shape[1:])
    content["FEDU"]["attributes"] |= depends
    return content


def depend(order: tuple[str, str], first: int = 1) -> dict[str, str]:
    names = {"pitch_angle": "FEDU_Alpha", "energy": "FEDU_Energy"}
    return {f"DEPEND_{first + place}": names[role] for place, role in enumerate(order)}


def read(path: Path, instrument: Instrument = REPT) -> np.ndarray:
    facts = inspect(path, instrument, "rbspa", DAY)
    records, _ = read_records(path, instrument, "rbspa")
    assert records.flux.shape == (40, len(facts.pitch_angle), len(facts.energy))
    assert records.flux.flags.c_contiguous
    return records.flux


def refused(path: Path, instrument: Instrument = REPT) -> BadFile:
    with pytest.raises(BadFile) as caught:
        inspect(path, instrument, "rbspa", DAY)
    assert str(path) in caught.value.message
    return caught.value


def stated(order: tuple[str, str]) -> Instrument:
    return Instrument.model_validate(REPT.model_dump() | {"flux_axes": list(order)})


@pytest.fixture
def write(tmp_path: Path, factory: ModuleType) -> Callable[..., Path]:
    def written(*, square: bool = True, order: tuple[str, str] = ANGLES_FIRST, depends: dict[str, str], **spec) -> Path:
        name = f"{len(list(tmp_path.iterdir()))}.cdf"
        return factory.write_cdf(tmp_path / name, rept(factory, square=square, order=order, depends=depends), **spec)

    return written


@pytest.mark.parametrize("majority", ["row_major", "column_major"])
@pytest.mark.parametrize("square", [False, True])
def test_depend_decides_the_order(write, square, majority):
    reference = read(write(square=square, depends=depend(ANGLES_FIRST), Majority=majority))
    other = write(square=square, order=ENERGIES_FIRST, depends=depend(ENERGIES_FIRST), Majority=majority)
    np.testing.assert_array_equal(read(other), reference)


@pytest.mark.parametrize(
    "depends",
    [
        {"DEPEND_1": "FEDU_Energy"},
        {"DEPEND_2": "FEDU_Alpha"},
        {"DEPEND_1": " fedu_energy ", "DEPEND_2": "sectors"},
        {"DEPEND_0": "Epoch", "DEPEND_1": "channels", "DEPEND_2": "FEDU_ALPHA"},
    ],
)
def test_one_depend_that_names_a_variable_is_enough(write, depends):
    reference = read(write(depends=depend(ANGLES_FIRST)))
    np.testing.assert_array_equal(read(write(order=ENERGIES_FIRST, depends=depends)), reference)


@pytest.mark.parametrize(
    "depends",
    [
        {},
        {"LABL_PTR_1": "FEDU_Energy", "LABL_PTR_2": "FEDU_Alpha"},
        {"DEPEND_1": "channels", "DEPEND_2": "sectors"},
        {"DEPEND_1": "FEDU_Energy", "DEPEND_2": "FEDU_Energy", "DEPEND_3": "FEDU_Energy"},
    ],
)
def test_equal_sizes_without_a_statement_are_set_aside(write, depends):
    path = write(order=ENERGIES_FIRST, depends=depends)
    error = refused(path)
    assert error.reason == "unclear_axes"
    assert "FEDU" in error.message
    assert "flux_axes: [energy, pitch_angle]" in error.message
    np.testing.assert_array_equal(read(path, stated(ENERGIES_FIRST)), read(write(depends=depend(ANGLES_FIRST))))


def test_unequal_sizes_decide_for_themselves(write):
    reference = read(write(square=False, depends={}))
    assert reference.shape == (40, 17, 12)
    for depends in ({}, depend(ANGLES_FIRST)):
        path = write(square=False, order=ENERGIES_FIRST, depends=depends)
        np.testing.assert_array_equal(read(path), reference)
        np.testing.assert_array_equal(read(path, stated(ENERGIES_FIRST)), reference)


def test_the_instrument_file_counts_more_than_depend(write):
    path = write(order=ENERGIES_FIRST, depends=depend(ANGLES_FIRST))
    np.testing.assert_array_equal(read(path, stated(ENERGIES_FIRST)), read(write(depends=depend(ANGLES_FIRST))))


def test_a_statement_that_the_sizes_contradict_is_an_error(write):
    error = refused(write(square=False, depends={}), stated(ENERGIES_FIRST))
    assert error.reason == "wrong_shape"
    assert "(40, energy, pitch_angle)" in error.message
    assert "FEDU_Alpha of shape (17,)" in error.message


@pytest.mark.parametrize("shape", [(40, 1, 12, 12), (40, 12, 1, 12), (40, 12, 12, 1), (40, 1, 12, 1, 12)])
@pytest.mark.parametrize("order", [ANGLES_FIRST, ENERGIES_FIRST])
def test_further_axes_of_length_one_of_the_flux_do_not_count(tmp_path, factory, write, shape, order):
    content = rept(factory, square=True, order=order, depends={})
    names = dict(zip(np.flatnonzero(np.array(shape[1:]) > 1) + 1, order, strict=True))
    variables = {"pitch_angle": "FEDU_Alpha", "energy": "FEDU_Energy"}
    content["FEDU"] = factory.variable(content["FEDU"]["data"].reshape(shape))
    content["FEDU"]["attributes"] |= {f"DEPEND_{place}": variables[role] for place, role in names.items()}
    path = factory.write_cdf(tmp_path / "ones.cdf", content)
    np.testing.assert_array_equal(read(path), read(write(depends=depend(ANGLES_FIRST))))


def test_times_and_places_of_shape_n_1(tmp_path, factory):
    content = factory.rept()
    reference, _ = read_records(factory.write_cdf(tmp_path / "plain.cdf", content), REPT, "rbspa")
    content["Epoch"] = factory.variable(content["Epoch"]["data"][:, None], factory.EPOCH, fill=None)
    for name in factory.EPHEMERIS:
        content[name] = factory.variable(content[name]["data"][:, None])
    content["Position"] = factory.variable(content["Position"]["data"][:, None, :])
    path = factory.write_cdf(tmp_path / "n_1.cdf", content)
    assert inspect(path, REPT, "rbspa", DAY).absent == ()
    for part in (slice(0, 40), slice(7, 20)):
        records, _ = read_records(path, REPT, "rbspa", wanted=lambda _, part=part: part)
        np.testing.assert_array_equal(records.time, reference.time[part])
        np.testing.assert_array_equal(records.flux, reference.flux[part])
        for name, values in reference.ephemeris.items():
            np.testing.assert_array_equal(records.ephemeris[name], values[part], err_msg=name)


def ingested(source: Path, directory: Path, instrument: Path) -> xr.Dataset:
    config = Config(archive=ArchiveConfig(source=source, instrument=str(instrument), rows_per_part=1024))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("padflow.pipeline.driver.connect", lambda *_, **__: nullcontext(SerialWorkers()))
        run(config, directory, until="ingest")
    return xr.open_zarr(directory / "archive.zarr", group="rbspa", consolidated=False, chunks=None).load()


@pytest.mark.parametrize("square", [False, True])
def test_an_archive_of_energies_by_angles_is_that_of_angles_by_energies(tmp_path, factory, square):
    archives = {}
    for order in (ANGLES_FIRST, ENERGIES_FIRST):
        folder = tmp_path / order[0]
        folder.mkdir()
        factory.write_cdf(folder / NAME, rept(factory, square=square, order=order, depends={}))
        mine = folder / "mine.yaml"
        mine.write_text(yaml.safe_dump(stated(order).model_dump(mode="json") | {"name": "mine"}))
        archives[order] = ingested(folder, tmp_path / f"run_{order[0]}", mine)
    first, second = archives.values()
    xr.testing.assert_equal(first, second)
    assert first["flux"].dims == ("time", "pitch_angle", "energy")
    assert first["flux"].notnull().sum() > 5000


@pytest.mark.parametrize("value", [-1e31, 999.0, np.nan, np.inf, 0.0, -5.0, 1e31])
def test_channels_without_an_energy_are_left_out_and_counted(tmp_path, factory, value):
    content = factory.rept()
    reference, _ = read_records(factory.write_cdf(tmp_path / "plain.cdf", content), REPT, "rbspa")
    energy = factory.REPT_ENERGY.copy()
    energy[[2, 11]] = value
    content["FEDU_Energy"] = factory.variable(energy, varies=False, units="MeV", fill=999.0)
    path = factory.write_cdf(tmp_path / NAME, content)
    kept = np.delete(np.arange(12), [2, 11])
    np.testing.assert_array_equal(inspect(path, REPT, "rbspa", DAY).energy, factory.REPT_ENERGY[kept])
    np.testing.assert_array_equal(read(path), reference.flux[:, :, kept])
    (entry,) = scan_archive(tmp_path, REPT, config=ArchiveConfig(source=tmp_path), previous=None).files
    assert entry.notes == {"energy_of_fill": 2}


def test_channels_without_an_angle_are_left_out_and_counted(tmp_path, factory):
    content = factory.rept()
    reference, _ = read_records(factory.write_cdf(tmp_path / "plain.cdf", content), REPT, "rbspa")
    content["FEDU_Alpha"]["data"][[0, 16]] = -1e31
    path = factory.write_cdf(tmp_path / NAME, content)
    np.testing.assert_array_equal(read(path), reference.flux[:, 1:16])
    (entry,) = scan_archive(tmp_path, REPT, config=ArchiveConfig(source=tmp_path), previous=None).files
    assert entry.notes == {"pitch_angle_of_fill": 2}


@pytest.mark.parametrize("grid", [None, (2.0, 3.0, 4.0)])
@pytest.mark.parametrize("varies", [False, True])
def test_a_file_without_any_energy_is_set_aside(tmp_path, factory, grid, varies):
    content = factory.rept()
    energy = np.full((40, 12) if varies else 12, -1e31)
    content["FEDU_Energy"] = factory.variable(energy, varies=varies, units="MeV")
    path = factory.write_cdf(tmp_path / "none.cdf", content)
    instrument = Instrument.model_validate(
        REPT.model_dump() | {"energy": {"variable": "FEDU_Energy", "units": "MeV", "grid": grid}}
    )
    error = refused(path, instrument)
    assert error.reason == "bad_axis"
    assert "FEDU_Energy" in error.message


def test_energies_of_single_records_are_counted_where_they_vary(tmp_path, factory):
    content = factory.rept()
    energy = factory.REPT_ENERGY * np.linspace(1, 1.3, 40)[:, None]
    energy[3], energy[5, 2] = -1e31, -1e31
    content["FEDU_Energy"] = factory.variable(energy, units="MeV")
    grid = [3.0, 4.0, 5.0]
    instrument = Instrument.model_validate(
        REPT.model_dump() | {"energy": {"variable": "FEDU_Energy", "units": "MeV", "grid": grid}}
    )
    path = factory.write_cdf(tmp_path / "some.cdf", content)
    assert inspect(path, instrument, "rbspa", DAY).notes["energy_of_fill"] == 13
    flux = read(path, instrument)
    assert np.isnan(flux[3]).all()
    assert np.isfinite(flux[5]).sum() > 30
