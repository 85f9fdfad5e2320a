# SPDX-License-Identifier: BSD-3-Clause
"""Paper mode against an independent restatement of the published method with scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.cluster import KMeans, MeanShift, estimate_bandwidth
from sklearn.decomposition import PCA

import padflow
from padflow.autoencoder.split import Subset
from padflow.config.reading import load_config
from padflow.pipeline.directory import RunDirectory
from padflow.pipeline.driver import run
from padflow.records import Rows
from padflow.simulation.archive import simulate_archive

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def paper_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paper")
    simulate_archive(folder / "cdf", days=8, records_per_day=2500)
    config = load_config(
        REPOSITORY / "configs" / "killey2023.yaml",
        [f"archive.source={folder / 'cdf'}", "train.epochs=6", "cluster.workers=2", "archive.rows_per_part=4096"],
    )
    run(config, folder / "run")
    return folder / "run", config


def test_restatement_gives_the_same_number_of_clusters_and_labels(paper_run):
    directory, config = paper_run
    archive = padflow.open_archive(directory)
    results = padflow.open_results(directory).load()
    model = padflow.Model.load(directory / "model")

    # SCIENCE's list from the raw flux on, in float64 where the published script is.
    flux = np.nan_to_num(archive["flux"].values, nan=0.0)
    peak = flux.reshape(len(flux), -1).max(axis=1)
    rows = (flux / np.where(peak > 0, peak, 1)[:, None, None]).reshape(len(flux), 204)
    ours = padflow.preprocess(archive, config.preprocess)["features"].values
    np.testing.assert_allclose(ours, rows, rtol=1e-6, atol=0)

    split = RunDirectory(directory).split()
    test = split.subsets_of(Rows.of_times("rbspa", 0, archive["time"].values)) == Subset.TEST
    assert 0.58 < test.mean() < 0.62
    codes = model.network.encode(ours[test])
    scores = PCA(3, svd_solver="full").fit_transform(codes.astype("f8"))
    np.testing.assert_allclose(results["score"].values[test], scores, atol=2e-5)

    bandwidth = estimate_bandwidth(scores, quantile=0.1, n_samples=6000, random_state=0)
    found = len(MeanShift(bandwidth=bandwidth, bin_seeding=True).fit(scores).cluster_centers_)
    assert model.info["mean_shift"]["n_modes"] == found
    assert model.info["mean_shift"]["bandwidth"] == pytest.approx(bandwidth, rel=1e-5)

    labels = KMeans(found, random_state=0).fit(scores).labels_
    by_size = np.argsort(np.argsort(-np.bincount(labels, minlength=found), kind="stable"), kind="stable")
    np.testing.assert_array_equal(results["pad_class"].values[test], by_size[labels])


def test_every_record_has_a_class_also_the_empty_ones(paper_run):
    directory, _ = paper_run
    results = padflow.open_results(directory).load()
    assert (results["pad_class"].values >= 0).all()
    assert (results["reason"].values == 0).all()
