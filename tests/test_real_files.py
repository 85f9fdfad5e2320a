"""The real HOPE and ELFIN files, from CDF to labels, with configurations of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pycdfpp
import pytest
import xarray as xr

import padflow
from padflow.config.reading import load_config
from padflow.pipeline.driver import run

REPOSITORY = Path(__file__).resolve().parent.parent
CASES = {"hope": ("hope", "rbspa", 100), "elfin_halfspin": ("elfin", "elb", 44), "elfin_fullspin": ("elfin", "elb", 21)}


@pytest.fixture(scope="module", params=CASES)
def case(request, real_data, tmp_path_factory):
    folder, spacecraft, records = CASES[request.param]
    directory = tmp_path_factory.mktemp(request.param)
    overrides = [f"archive.source={real_data / folder}", "cluster.workers=1", "train.epochs=20"]
    config = load_config(REPOSITORY / "configs" / f"{request.param}.yaml", overrides)
    outcome = run(config, directory)
    return request.param, outcome, directory, spacecraft, records, next((real_data / folder).glob("*.cdf"))


def test_all_records_end_in_labels_or_reasons(case):
    _, outcome, directory, spacecraft, records, _ = case
    results = xr.open_zarr(directory / "results.zarr", group=spacecraft).load()
    assert results.sizes["time"] == outcome.records == records
    assert ((results["pad_class"] >= 0) == (results["reason"] == 0)).all()
    assert outcome.labelled >= 0.9 * records
    assert set(np.unique(results["pad_class"])) >= {0, 1}
    assert (directory / "report" / "index.html").stat().st_size > 100_000


def test_flux_and_times_are_those_of_the_file(case):
    name, _, directory, _, _, path = case
    archive = padflow.open_archive(directory).load()
    cdf = pycdfpp.load(str(path))
    if name == "hope":
        time, flux = cdf["Epoch_Ele"], np.array(cdf["FEDU"].values, "f8")
        energy = np.array(cdf["HOPE_ENERGY_Ele"].values, "f8") * 1e-6
        # Records whose energies are the grid itself are not interpolated, only scaled from keV to MeV.
        exact = np.flatnonzero((np.abs(energy / archive["energy"].values - 1) < 1e-6).all(axis=1))
        assert len(exact) > 10
        expected = np.where(flux[exact] < 0, np.nan, flux[exact] * 1e3)
        np.testing.assert_allclose(archive["flux"].values[exact], expected, rtol=1e-6)
        assert np.isnan(archive["flux"].values[:, [0, -1]]).all()
    else:
        spin = "hs" if name == "elfin_halfspin" else "fs"
        time, flux = cdf[f"elb_pef_{spin}_time"], np.array(cdf[f"elb_pef_{spin}_Epat_nflux"].values, "f8")
        angle = np.array(cdf[f"elb_pef_{spin}_epa_spec"].values, "f8")
        angle = np.where(angle > 180, 360 - angle, np.abs(angle))
        for record in (0, 7, 20):
            order = np.argsort(angle[record], kind="stable")
            for channel in (0, 3):
                inside = (archive["pitch_angle"] > angle[record].min()) & (archive["pitch_angle"] < angle[record].max())
                ours = archive["flux"].values[record, :, channel]
                theirs = np.interp(archive["pitch_angle"], angle[record][order], flux[record, order, channel])
                both = inside.values & np.isfinite(ours) & np.isfinite(theirs)
                assert both.sum() >= 3
                np.testing.assert_allclose(ours[both], theirs[both], rtol=1e-4)
    np.testing.assert_array_equal(archive["time"].values, pycdfpp.to_datetime64(time))
