# SPDX-License-Identifier: BSD-3-Clause
"""The steps of a fit over any source; what they give is tested in `test_fit` and with whole runs."""

from __future__ import annotations

import re

import dask
import numpy as np
import pytest

from padflow.clustering.agreement import RepeatedModes
from padflow.clustering.cells import Regions
from padflow.clustering.classes import NearestCentre
from padflow.clustering.fit import START_SCORES, near_modes
from padflow.clustering.mean_shift import Modes
from padflow.compute.workers import SerialWorkers
from padflow.config.sections import Config
from padflow.errors import PadflowError
from padflow.model import steps
from padflow.model.steps import FitScores, class_energies, fit_classes, kmeans_scheduler
from padflow.progress.events import Progress
from padflow.shapes.names import BUTTERFLY, PANCAKE

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


ENERGY = np.array([1.8, 2.1, 2.6, 3.4])


class Continuum:
    """Scores with one mode, and shapes whose names differ with the first coordinate."""

    def __init__(self, border: float) -> None:
        random = np.random.default_rng(4)
        self.config = Config(
            archive={"source": "unused"},
            pca={"components": 2},
            mean_shift={"samples": 1500, "repeats": 2, "quantile": 0.5},
            kmeans={"shape_energies": [3.3]},
        )
        self.workers, self.progress, self.shape_energy = SerialWorkers(), Progress(), ENERGY
        self._scores = random.normal(size=(3000, 2)).astype("f4")
        coordinates = random.uniform(-1, 1, (3000, 2))
        names = np.where(coordinates[:, :1] > border, BUTTERFLY, PANCAKE)
        self._shapes = np.concatenate([coordinates, names], axis=1).astype("f4")
        self.kept = None

    def scores(self):
        return FitScores(np.asarray, [self._scores], [3000], self.workers)

    def shapes(self):
        return FitScores(np.asarray, [self._shapes], [3000], self.workers)

    def step(self, name, **_):
        return self.progress.stage(name, total=1, unit="scores")

    def keep_classes(self, classes, *, modes, info):
        self.kept = classes, modes, info


def test_a_continuum_has_classes_of_its_shapes():
    source = Continuum(0.3)
    fit_classes(source)
    classes, modes, info = source.kept
    assert isinstance(classes, Regions)
    assert classes.names.tolist() == [[PANCAKE], [BUTTERFLY]]
    assert classes.energies.tolist() == [3]
    assert modes.shape == (1, 2)
    assert info["separated"] is False
    assert info["separated_because"].startswith("mean shift found no two modes")
    assert info["separated_because"].endswith(
        "so the 2 classes are regions of a continuum, and their borders are conventions"
    )
    assert (info["assign"], info["class_energies_MeV"]) == ("nearest_shape", [3.4])
    assert "agreement_of_halves" not in info  # of 3,000 records, for that is less than a stretch


def test_halves_of_a_continuum_are_compared(monkeypatch):
    monkeypatch.setattr(steps, "STRETCH", 300)
    source = Continuum(0.3)
    fit_classes(source)
    assert 0.9 < source.kept[2]["agreement_of_halves"] < 1  # cells of either half have their borders elsewhere
    source = Continuum(0.3)
    random = np.random.default_rng(1)
    source._shapes[:, -1] = random.choice([BUTTERFLY, PANCAKE], 3000)  # names that no coordinate tells
    fit_classes(source)
    assert source.kept[2]["agreement_of_halves"] < 0.3


def test_one_shape_is_one_class_and_no_error():
    source = Continuum(0.99)
    fit_classes(source)
    classes, _, info = source.kept
    assert len(classes.centres) == 1
    assert info["separated_because"].endswith("nearly all records have shapes of the same name, so there is one class")


def test_a_number_that_the_user_sets_is_made_of_the_scores():
    source = Continuum(0.3)
    source.config = source.config.model_copy(update={"kmeans": config(classes=3).kmeans})
    fit_classes(source)
    classes, _, info = source.kept
    assert isinstance(classes, NearestCentre)
    assert len(classes.centres) == 3
    assert info["separated"] is False


def test_the_nearest_energies_are_taken_or_the_lowest():
    assert class_energies(config(shape_energies=[3.3, 2.0]), ENERGY).tolist() == [1, 3]
    assert class_energies(config(shape_energies=[3.3, 3.5]), ENERGY).tolist() == [3]
    assert class_energies(config(), ENERGY).tolist() == [0]


def test_modes_that_do_not_tell_the_shape_are_a_continuum():
    source = Continuum(0.0)
    source._scores[::2] += 20  # two modes far apart, and in each the shapes of the other
    source.config = source.config.model_copy(update={"mean_shift": config().mean_shift.model_copy(update=FEW)})
    fit_classes(source)
    classes, modes, info = source.kept
    assert len(modes) == 2
    assert isinstance(classes, Regions)
    assert info["separated"] is False
    because = r"but only 5\d% of the records have the shape that most of their class have"
    assert re.search(because, info["separated_because"])


def test_modes_that_tell_the_shape_are_separated():
    source = Continuum(0.0)
    source._scores[source._shapes[:, -1] == BUTTERFLY] += 20
    source.config = source.config.model_copy(update={"mean_shift": config().mean_shift.model_copy(update=FEW)})
    fit_classes(source)
    classes, _, info = source.kept
    assert isinstance(classes, NearestCentre)
    assert len(classes.centres) == 2
    assert info["separated"] is True


FEW = {"samples": 1500, "repeats": 2, "quantile": 0.3}
