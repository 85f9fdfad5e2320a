# SPDX-License-Identifier: BSD-3-Clause
"""k-means through dask-ml against scikit-learn's KMeans, and the assignment kernel against cdist."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans

from padflow.clustering import kmeans
from padflow.clustering.assignment import assign
from padflow.clustering.kmeans import fit_kmeans
from padflow.errors import ConfigError, PadflowError


def blobs(rows: int, k: int, *, components: int = 3, spread: float = 1.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = 2 * rng.normal(size=(k, components))
    weight = rng.dirichlet(np.full(k, 2.0))
    return centres[rng.choice(k, size=rows, p=weight)] + spread * rng.normal(size=(rows, components))


def chunked(values: np.ndarray, rows: int = 8000) -> da.Array:
    return da.from_array(values, chunks=(rows, -1))


def assert_same_clusters(fit, reference: KMeans, values: np.ndarray) -> None:
    number = cdist(fit.centres, reference.cluster_centers_).argmin(axis=1)  # scikit-learn's number of ours
    assert sorted(number) == list(range(len(number)))
    np.testing.assert_allclose(fit.centres, reference.cluster_centers_[number], atol=1e-6)
    np.testing.assert_array_equal(number[assign(values, fit.centres)[0]], reference.labels_)
    np.testing.assert_allclose(fit.inertia, reference.inertia_, rtol=1e-9)
    np.testing.assert_array_equal(fit.sizes, np.bincount(reference.labels_)[number])
    assert (np.diff(fit.sizes) <= 0).all()
    assert fit.n_iter == reference.n_iter_


@pytest.mark.parametrize(
    ("values", "k"),
    [
        (blobs(20_000, 8), 8),
        (blobs(20_000, 5, spread=2.0, seed=1), 8),  # overlapping
        (blobs(3_000, 4, seed=2), 4),
        (500 + blobs(5_000, 6, components=2, spread=0.3, seed=3), 6),
        (np.random.default_rng(4).uniform(size=(5_000, 3)), 7),  # no classes at all
    ],
    ids=["20k", "overlapping", "small", "offset", "uniform"],
)
def test_paper_mode_is_scikit_learns_kmeans(values, k):
    fit = fit_kmeans(chunked(values), k, init="k-means++", seed=0)
    assert_same_clusters(fit, KMeans(k, random_state=0).fit(values), values)


@pytest.mark.parametrize(("tol", "max_iter"), [(1e-4, 300), (0, 300), (1e-2, 300), (1e-4, 3)])
def test_from_given_centres(tol, max_iter):
    values = blobs(10_000, 6, spread=1.2, seed=5)
    init = values[:6] + 0.1
    fit = fit_kmeans(chunked(values), 6, init=init, tol=tol, max_iter=max_iter)
    assert_same_clusters(fit, KMeans(6, init=init, tol=tol, max_iter=max_iter).fit(values), values)


def test_each_iteration_says_how_far_the_centres_moved():
    values = np.random.default_rng(1).normal(size=(600, 2))
    moved: list[float] = []
    found = fit_kmeans(da.from_array(values, chunks=(200, 2)), 4, init=values[:4], on_iteration=moved.append)
    assert len(moved) == found.n_iter > 1
    assert moved[0] > moved[-1] >= 0


def test_float32_scores_are_clustered_in_float64():
    values = blobs(5_000, 4).astype(np.float32)
    fit = fit_kmeans(chunked(values), 4, init="k-means++")
    assert fit.centres.dtype == np.float64
    assert_same_clusters(fit, KMeans(4, random_state=0).fit(values.astype(np.float64)), values)


def test_scalable_start():
    for unit in (1.0, 1e-6):  # dask-ml draws no candidates where the cost is below 1
        values = blobs(5_000, 4, spread=0.2, seed=6)
        fit = fit_kmeans(chunked(values * unit, 1000), 4, init="k-means||", seed=1)
        best = KMeans(4, n_init=10, random_state=0).fit(values)
        np.testing.assert_allclose(fit.inertia / unit**2, best.inertia_, rtol=1e-3)
        again = fit_kmeans(chunked(values * unit, 1000), 4, init="k-means||", seed=1)
        np.testing.assert_array_equal(fit.centres, again.centres)


def test_bits_do_not_depend_on_workers_and_empty_chunks_are_harmless():
    values = blobs(4_000, 4, spread=0.3)
    fits = []
    for scheduler, workers in [("threads", 1), ("threads", 4), ("synchronous", None)]:
        with dask.config.set(scheduler=scheduler, num_workers=workers):
            fits.append(fit_kmeans(chunked(values, 700), 4, init=values[:4]))
    for fit in fits[1:]:
        np.testing.assert_array_equal(fit.centres, fits[0].centres)
        assert fit.inertia == fits[0].inertia
    uneven = da.from_array(values, chunks=((0, 1000, 0, 3000), (3,)))
    np.testing.assert_allclose(fit_kmeans(uneven, 4, init=values[:4]).centres, fits[0].centres, atol=1e-9)


def test_empty_cluster_restarts_from_the_farthest_record_as_in_scikit_learn():
    values = blobs(5_000, 3, spread=0.3, seed=8)
    values[:, 0] += 10
    init = np.array([values.mean(axis=0), values[0], [1e3, 1e3, 1e3], values[1]])  # nobody is near the third
    fit = fit_kmeans(chunked(values, 1000), 4, init=init)
    assert fit.sizes.min() > 0
    assert_same_clusters(fit, KMeans(4, init=init).fit(values), values)


def test_cluster_whose_mean_is_truly_the_origin():
    grid = np.array([[-1.0, 0], [1, 0], [0, 1], [0, -1]])
    values = np.concatenate(
        [grid, grid + np.array([20, 0]), grid - np.array([20, 0])]
    )  # the mean of all and of the first is 0
    fit = fit_kmeans(chunked(values, 5), 3, init=np.array([[1.0, 1], [19, 0], [-19, 0]]))
    np.testing.assert_allclose(fit.centres, [[-20, 0], [0, 0], [20, 0]], atol=1e-12)  # equal sizes: by coordinates


def test_bounded_start_reads_every_nth_record(monkeypatch):
    values, read = blobs(5_000, 3), []
    draw = kmeans.kmeans_plusplus
    monkeypatch.setattr(kmeans, "kmeans_plusplus", lambda x, *a, **b: read.append(len(x)) or draw(x, *a, **b))
    fit_kmeans(chunked(values), 3, init="k-means++", init_rows=2000)
    assert read == [1667]


@pytest.mark.filterwarnings("ignore:invalid value encountered in divide")  # in dask-ml's k-means||
@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
@pytest.mark.parametrize("init", ["k-means++", "k-means||", "array"])
def test_fewer_distinct_records_than_clusters(init):
    values = np.repeat([[0.1, 0.2], [3.3, 0.7]], 50, axis=0)
    start = np.array([[0.0, 0], [1, 1], [2, 2]]) if init == "array" else init
    with pytest.raises(PadflowError, match="too few distinct"):
        fit_kmeans(chunked(values, 30), 3, init=start)
    assert list(fit_kmeans(chunked(values, 30), 2, init=values[[0, 99]]).sizes) == [50, 50]


def test_wrong_use():
    values = chunked(blobs(100, 3))
    with pytest.raises(ConfigError, match=r"kmeans\.classes"):
        fit_kmeans(values, 1, init="k-means++")
    with pytest.raises(ConfigError, match=r"kmeans\.init"):
        fit_kmeans(values, 3, init="random")
    with pytest.raises(ConfigError, match=r"\(2, 3\)"):
        fit_kmeans(values, 3, init=np.zeros((2, 3)))
    with pytest.raises(PadflowError, match="too few"):
        fit_kmeans(values[:2], 3, init="k-means++")
    with pytest.raises(PadflowError, match="finite"):
        fit_kmeans(chunked(np.array([[0.0], [np.nan], [1.0]])), 2, init="k-means++")
