# SPDX-License-Identifier: BSD-3-Clause
"""Fitting a model to an archive that is open in a notebook."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest
from distributed import Client, LocalCluster

from padflow import Model, fit, load_config, open_archive, open_results, status
from padflow.cli.text import status_text
from padflow.model.fit import FIT_ROWS
from padflow.progress.events import Event, PartDone, StageBegan, StageEnded, WorkEnded


@pytest.fixture(scope="module")
def opened(finished_run):
    config = load_config(finished_run.directory / "config.yaml")
    return open_archive(finished_run.directory).load(), config


@pytest.fixture(scope="module")
def told() -> list[Event]:
    """What a listener of the user's is told of the fit of `model`."""
    return []


@pytest.fixture(scope="module")
def model(opened, told: list[Event]) -> Model:
    return fit(*opened, on_event=told.append)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A cluster that has no worker before there is work, and then workers of two threads."""
    with (
        LocalCluster(n_workers=0, threads_per_worker=2, host="127.0.0.1", dashboard_address=":0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        cluster.adapt(minimum=0, maximum=2)
        yield client


@pytest.mark.parametrize("lazy", [False, True], ids=["in memory", "from its store"])
def test_a_cluster_fits_the_same_model(opened, finished_run, model: Model, client: Client, lazy: bool) -> None:
    dataset, config = opened
    labels = model.label(dataset)["pad_class"].values
    assert (labels >= 0).sum() > 1000
    found = fit(open_archive(finished_run.directory) if lazy else dataset, config, client=client)
    np.testing.assert_array_equal(found.label(dataset)["pad_class"].values, labels)


def test_a_listener_is_told_how_far_the_fit_is(model: Model, told: list[Event]) -> None:
    began = [event for event in told if isinstance(event, StageBegan)]
    assert [event.stage for event in began][:1] + [event.stage for event in began][-3:] == [
        "train",
        "mean shift",
        "kmeans",
        "mean shapes",
    ]
    assert [event.stage for event in told if isinstance(event, StageEnded)] == [event.stage for event in began]
    assert isinstance(told[-1], WorkEnded)
    parts = [event for event in told if isinstance(event, PartDone)]
    done = {event.stage: [part for part in parts if part.stage == event.stage] for event in began}
    assert all(sum(part.amount for part in done[event.stage]) <= event.total or not event.total for event in began)
    assert len(done["train"]) == len(model.info["training"]["history"]["loss"])
    assert re.fullmatch(r"loss \S+, validation \S+", done["train"][0].text)
    first, *iterations = done["kmeans"]
    assert (first.amount, first.text) == (0, "choosing the first centres")
    assert [event.amount for event in iterations] == [1] * model.info["iterations"]
    (searched,) = [event for event in began if event.stage == "mean shift"]
    assert len(done["mean shift"]) == searched.total > 0


def test_classes_are_numbered_by_all_records_that_are_theirs(opened, model: Model) -> None:
    dataset, config = opened
    assert config.kmeans.fit_to == "near_modes"
    pad_class = model.label(dataset)["pad_class"].values
    sizes = np.bincount(pad_class[pad_class >= 0])
    assert len(sizes) > 1
    assert (np.diff(sizes) <= 0).all()


def test_labels_are_those_of_a_run(opened, model: Model, finished_run) -> None:
    """Every record has the class, and the reason, that a run of the same archive and configuration gave it.

    The same rows train, by the same split. Moments of codes are added up in spans of `FIT_ROWS` rows here and in parts
    of the archive there, so that the last bits of scores may differ, but not the class.
    """
    dataset, config = opened
    assert config.archive.rows_per_part != FIT_ROWS
    stored = open_results(finished_run.directory).load()
    found = model.label(dataset)
    assert (stored["pad_class"] >= 0).sum() > 1000
    for name in ("time", "pad_class", "reason"):
        np.testing.assert_array_equal(found[name].values, stored[name].values, err_msg=name)
    for name in ("score", "distance", "margin", "reconstruction_error"):
        np.testing.assert_allclose(found[name].values, stored[name].values, rtol=1e-4, atol=1e-5, err_msg=name)


def test_it_is_the_model_of_a_run(opened, model: Model, finished_run) -> None:
    dataset, _ = opened
    of_run = Model.load(finished_run.directory / "model")
    expected, found = of_run.label(dataset)["pad_class"], model.label(dataset)["pad_class"]
    np.testing.assert_array_equal(found.values, expected.values)
    assert model.names == of_run.names
    assert found.attrs == expected.attrs == open_results(finished_run.directory)["pad_class"].attrs
    assert found.attrs["flag_meanings"].split() == list(model.names)
    assert found.attrs["flag_values"] == [*range(len(model.names))]
    assert model.info["settings"] == of_run.info["settings"]
    for name in ("separated", "separated_because"):
        assert model.info[name] == of_run.info[name] == status(finished_run.directory)[name]
    assert isinstance(model.info["separated"], bool)
    assert model.info["separated_because"] in status_text(status(finished_run.directory))
    assert model.info["simulated"] == of_run.info["simulated"] == "no measurement"


def test_a_model_keeps_its_names_when_it_is_saved_and_where_classes_look_otherwise(
    opened, model: Model, tmp_path
) -> None:
    dataset, _ = opened
    model.save(tmp_path)
    again = Model.load(tmp_path)
    assert again.names == model.names
    turned = dataset.assign(flux=dataset["flux"] * np.cos(np.radians(dataset["pitch_angle"])) ** 2)
    assert again.label(turned)["pad_class"].attrs == model.label(dataset)["pad_class"].attrs
