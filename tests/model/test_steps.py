"""The steps of a fit over any source; what they give is tested in `test_fit` and with whole runs."""

from __future__ import annotations

import dask
import numpy as np
import pytest

from padflow.clustering.agreement import RepeatedModes
from padflow.clustering.classes import NearestCentre
from padflow.clustering.fit import START_SCORES, near_modes
from padflow.clustering.mean_shift import Modes
from padflow.compute.workers import SerialWorkers
from padflow.config.sections import Config
from padflow.errors import PadflowError
from padflow.model.steps import FitScores, fit_classes, kmeans_scheduler

SCORES = np.random.default_rng(2).normal(size=(1000, 2)).astype("f4")


def fit_scores(*edges: int) -> FitScores:
    """The scores in parts that end at `edges`."""
    parts = [(int(a), int(b)) for a, b in zip([0, *edges], [*edges, len(SCORES)], strict=True)]
    return FitScores.of(
        lambda part: SCORES[slice(*part)], parts, sizes=[b - a for a, b in parts], workers=SerialWorkers()
    )


def config(**kmeans) -> Config:
    return Config(archive={"source": "unused"}, pca={"components": 2}, kmeans=kmeans)


@pytest.mark.parametrize("edges", [(), (1,), (300, 300, 999)])
def test_scores_are_picked_by_their_place_among_all(edges):
    indices = [np.array([0, 299, 300, 998, 999]), np.arange(0, 1000, 7), np.empty(0, int)]
    found = fit_scores(*edges).pick(indices)
    for index, picked in zip(indices, found, strict=True):
        assert picked.dtype == np.float64
        np.testing.assert_array_equal(picked, SCORES[index])


@pytest.mark.parametrize("edges", [(), (200, 200, 640)])
def test_kmeans_gets_the_scores_near_modes_in_their_order(edges):
    found = RepeatedModes([], Modes(0.8, np.array([[0.0, 0.0], [2.0, 2.0]]), np.ones(2), 2))
    for fit_to, count in (("all", 1000), ("near_modes", None)):
        settings = config(fit_to=fit_to)
        expected = near_modes(SCORES.astype("f8"), found, settings)
        lazy = fit_scores(*edges).near(found, settings)
        assert lazy.shape == expected.shape == (count or len(expected), 2)
        assert 100 < len(expected) <= 1000
        np.testing.assert_array_equal(lazy.compute(scheduler="synchronous"), expected)


def test_sizes_of_classes_add_up_over_parts():
    classes = NearestCentre(np.array([[-0.5, 0.0], [0.5, 0.0]]))
    expected = np.bincount(classes.assign(SCORES)["pad_class"])
    np.testing.assert_array_equal(fit_scores(10, 500).class_sizes(classes), expected)
    assert fit_scores(10, 500).total == expected.sum() == 1000


def test_too_few_scores_are_refused_before_anything_is_begun():
    class Source:
        config = config()

        def scores(self):
            return FitScores(np.asarray, [SCORES[:4], SCORES[:5]], [4, 5], SerialWorkers())

    with pytest.raises(PadflowError, match=r"Only 9 records are selected .* 10 are needed\. Widen"):
        fit_classes(Source())


def test_kmeans_of_few_scores_runs_in_threads_of_this_process():
    class Elsewhere(SerialWorkers):
        def collections(self):
            return dask.config.set(scheduler="elsewhere")

    for rows, scheduler in ((START_SCORES, "threads"), (START_SCORES + 1, "elsewhere")):
        with kmeans_scheduler(Elsewhere(), rows):
            assert dask.config.get("scheduler") == scheduler
