# SPDX-License-Identifier: BSD-3-Clause
"""The summary against sums over all records at once."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from sklearn import metrics

import padflow
from padflow import Model, open_archive, open_results
from padflow.maps.run_maps import map_of
from padflow.records import Reason
from padflow.shapes.means import MIN_COUNTS, MIN_RECORDS


@pytest.fixture(scope="module")
def archive(finished_run) -> xr.Dataset:
    return open_archive(finished_run.directory).load()


@pytest.fixture(scope="module")
def results(finished_run) -> xr.Dataset:
    return open_results(finished_run.directory).load()


@pytest.fixture(scope="module")
def summary(finished_run) -> xr.Dataset:
    with xr.open_dataset(finished_run.directory / "summary.nc", engine="h5netcdf") as dataset:
        return dataset.load()


def test_sizes_and_reasons(results: xr.Dataset, summary: xr.Dataset) -> None:
    sizes = np.bincount(results["pad_class"].values + 1)[1:]
    np.testing.assert_array_equal(summary["records"].sel(spacecraft="rbspa").values, sizes)
    counts = summary["unlabelled"].sel(spacecraft="rbspa")
    for reason in counts["reason"].values:
        expected = (results["reason"].values == reason).sum() if reason != Reason.SELECTED else 0
        assert counts.sel(reason=reason) == expected
    assert sizes.sum() + int(counts.sum()) == results.sizes["time"]


def test_mean_distributions(archive: xr.Dataset, results: xr.Dataset, summary: xr.Dataset) -> None:
    flux, needed = archive["flux"].values.astype("f8"), MIN_COUNTS / archive["counts_per_flux"].values
    compared = 0
    for c in summary["pad_class"].values:
        members = flux[results["pad_class"].values == c]
        mean = np.nanmean(members, axis=0)
        np.testing.assert_allclose(summary["flux_mean"].values[c], mean, rtol=1e-5)
        average = np.nansum(members, axis=1) / np.maximum(np.isfinite(members).sum(axis=1), 1)
        enough = np.nansum(members, axis=1) >= needed
        for e in range(members.shape[2]):
            chosen = enough[:, e]
            found = summary["pad_mean"].values[c, :, e]
            if chosen.sum() < MIN_RECORDS:
                assert np.isnan(found).all()
                continue
            ratio = members[chosen, :, e] / average[chosen, e, None]
            np.testing.assert_allclose(found, np.nanmean(ratio, axis=0), rtol=1e-4)
            error = np.nanstd(ratio, axis=0, ddof=1) / np.sqrt(np.isfinite(ratio).sum(axis=0))
            np.testing.assert_allclose(summary["pad_error"].values[c, :, e], error, rtol=1e-3, atol=1e-6)
            quartiles = summary["pad_quantile"].values[:, c, :, e]
            assert (np.diff(quartiles, axis=0) >= 0).all()
            if len(members) <= 2000:  # all of them are in the sample
                expected = np.nanquantile(ratio, [0.25, 0.5, 0.75], axis=0, method="nearest")
                np.testing.assert_allclose(quartiles, expected, rtol=0.1)
            compared += 1
    assert compared > len(summary["pad_class"])


def test_maps_are_those_of_the_records(archive: xr.Dataset, results: xr.Dataset, summary: xr.Dataset) -> None:
    """The figures show the numbers that `padflow.occurrence` gives, whatever the parts of the run."""
    assert archive["L"].dims == ("time",)
    for name, by in (("l_time", ("L", "time")), ("l_mlt", ("L", "MLT"))):
        expected = padflow.occurrence(results, archive, by=by)
        found = map_of(summary, name)
        assert set(found.data_vars) == set(expected.data_vars)
        for variable in expected.data_vars:
            np.testing.assert_array_equal(found[variable].values, expected[variable].values, err_msg=str(variable))
        for edges in (f"{variable}_edges" for variable in by):
            np.testing.assert_array_equal(summary[edges].values, expected[edges].values)


def test_metrics_are_those_of_scikit_learn(finished_run, results: xr.Dataset) -> None:
    known = results["pad_class"].values >= 0
    score, pad_class = results["score"].values[known].astype("f8"), results["pad_class"].values[known]
    found = Model.load(finished_run.directory / "model").info["metrics"]
    assert found["calinski_harabasz"] == pytest.approx(metrics.calinski_harabasz_score(score, pad_class), rel=1e-4)
    assert found["davies_bouldin"] == pytest.approx(metrics.davies_bouldin_score(score, pad_class), rel=1e-4)
    within = sum(
        ((score[pad_class == c] - score[pad_class == c].mean(axis=0)) ** 2).sum() for c in np.unique(pad_class)
    )
    assert found["inertia"] == pytest.approx(within, rel=1e-4)
    # All records are few enough here to be in the sample.
    assert known.sum() < 10_000
    assert found["silhouette"] == pytest.approx(metrics.silhouette_score(score, pad_class), abs=1e-4)


def test_classes_of_the_model_are_those_of_the_summary(finished_run, summary: xr.Dataset) -> None:
    classes = json.loads((finished_run.directory / "model" / "model.json").read_text())["classes"]
    assert [c["records"] for c in classes] == summary["records"].values[0].tolist()
    assert sum(c["share"] for c in classes) == pytest.approx(1)
    assert all(len(c["shapes"]) == summary.sizes["energy"] for c in classes)
    assert all(c["shape"] == c["looks"] and c["shape"] in (*c["shapes"], "unclear") for c in classes)
    assert [c["name"] for c in classes] == list(Model.load(finished_run.directory / "model").names)
    flags = open_results(finished_run.directory)["pad_class"].attrs
    assert flags["flag_meanings"].split() == [c["name"] for c in classes]
    assert len({c["name"] for c in classes}) == len(classes)
    assert all(c["name"].startswith(c["shape"]) for c in classes)
    assert list(flags["flag_values"]) == [c["pad_class"] for c in classes]


def test_sampled_scores_are_those_of_the_results(results: xr.Dataset, summary: xr.Dataset) -> None:
    known = results["pad_class"].values >= 0
    np.testing.assert_array_equal(summary["sample_score"].values, results["score"].values[known])
    np.testing.assert_array_equal(summary["sample_class"].values, results["pad_class"].values[known])


def test_what_is_no_longer_needed_is_gone(finished_run) -> None:
    assert not (finished_run.directory / "fit" / "summary").exists()
    assert not list((finished_run.directory / "receipts" / "summary").glob("*/*"))
    assert not list((finished_run.directory / "receipts" / "moments").glob("*/*"))
