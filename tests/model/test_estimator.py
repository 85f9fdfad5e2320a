# SPDX-License-Identifier: BSD-3-Clause
"""The classes as an estimator of scikit-learn: its contract, and the same classes as the steps of a run."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from padflow.clustering.fit import draw_indices, find_number, kmeans_classes
from padflow.components.pca import IncrementalPCA
from padflow.config.sections import Config
from padflow.errors import ConfigError, PadflowError
from padflow.model.estimator import PadClasses

SIZES = (600, 300, 200)


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    """Three populations in six features, the largest first."""
    rng = np.random.default_rng(1)
    middles = [[0] * 6, [9, 9, 9, 0, 0, 0], [0, 0, 0, 9, 9, 9]]
    return np.repeat(np.array(middles, "f8"), SIZES, axis=0) + rng.normal(size=(sum(SIZES), 6))


ONE_POPULATION = "its rows are one population, and mean shift refuses to make a single class"


def refused(estimator: PadClasses) -> dict[str, str]:
    if estimator.n_classes != "mean_shift":
        return {}
    names = ("dtype_object", "f_contiguous_array_estimator", "fit_idempotent", "fit_check_is_fitted", "n_features_in")
    return {f"check_{name}": ONE_POPULATION for name in names}


@parametrize_with_checks(
    [PadClasses(), PadClasses(3, assign="nearest"), PadClasses("mean_shift", quantile=0.3)],
    expected_failed_checks=refused,
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize("assign", ["nearest", "likeliest"])
def test_classes_are_those_of_the_steps_of_a_run(rows, assign):
    mine = PadClasses("mean_shift", assign=assign).fit(rows[:, :3])
    config = Config.model_validate({"kmeans": {"assign": assign}})
    samples = [rows[index, :3] for index in draw_indices(config, len(rows))]
    found = find_number(samples, config)
    scores = da.from_array(rows[:, :3])
    classes, info = kmeans_classes(scores, found.n_modes, found=found, samples=samples, config=config)
    np.testing.assert_array_equal(mine.cluster_centers_, classes.centres)
    np.testing.assert_array_equal(mine.labels_, classes.assign(rows[:, :3])["pad_class"])
    assert mine.n_iter_ == info["iterations"]


def test_nearest_is_k_means_of_scikit_learn_numbered_by_size(rows):
    mine = PadClasses(5, assign="nearest").fit(rows)
    theirs = KMeans(5, random_state=0, n_init=1).fit(rows)
    assert adjusted_rand_score(mine.labels_, theirs.labels_) == 1
    assert (np.diff(np.bincount(mine.labels_)) <= 0).all()


def test_a_pipeline_finds_the_populations_of_numpy_and_dask_arrays(rows):
    steps = make_pipeline(IncrementalPCA(2), PadClasses("mean_shift"))
    here = steps.fit_predict(rows)
    np.testing.assert_array_equal(np.bincount(here), SIZES)
    lazy = da.from_array(rows.astype("f4"), chunks=(217, 2))
    there = steps.fit(lazy).predict(lazy)
    assert isinstance(there, da.Array)
    assert there.dtype == np.int32
    np.testing.assert_array_equal(there.compute(), here)
    np.testing.assert_array_equal(steps[-1].labels_.compute(), here)
    unknown = lazy[da.from_array(np.ones(len(rows), bool), chunks=217)]
    np.testing.assert_array_equal(PadClasses(3).fit(unknown).predict(rows), here)


def test_values_that_are_missing(rows):
    holed = rows.copy()
    holed[7, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        PadClasses(3).fit(holed)
    fitted = PadClasses(3).fit(rows)
    with pytest.raises(ValueError, match="NaN"):
        fitted.predict(holed)
    lazy = da.from_array(holed, chunks=(500, 6))
    assert fitted.predict(lazy).compute()[7] == -1
    with pytest.raises(PadflowError, match="finite"):
        PadClasses(3).fit(lazy)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [({"n_classes": 1}, "kmeans.classes"), ({"assign": "furthest"}, "assign"), ({"quantile": 2}, "quantile")],
)
def test_parameters_that_cannot_be(rows, parameters, words):
    with pytest.raises(ConfigError, match=words):
        PadClasses(**parameters).fit(rows)
