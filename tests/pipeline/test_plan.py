# SPDX-License-Identifier: BSD-3-Clause
"""A plan: made from files without writing anything, and refused by itself."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pytest

from padflow.archive.catalog import Trouble
from padflow.clustering.classes import NearestCentre
from padflow.components.projection import Projection
from padflow.compute.workers import SerialWorkers
from padflow.config.sections import Config
from padflow.errors import ConfigError, PadflowError
from padflow.model.model import Model
from padflow.pipeline.driver import Outcome
from padflow.pipeline.plan import Plan, approve, make_plan, plan_again, request_of
from padflow.pipeline.timing import StageTimes
from padflow.progress.events import Progress
from padflow.simulation.archive import simulate_archive


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cdf")
    simulate_archive(folder, days=3, records_per_day=500)
    return folder


def planned(source: Path, directory: Path, settings: dict | None = None, **asked: int) -> Plan:
    config = Config.model_validate({"archive": {"source": source, "rows_per_part": 1024}} | (settings or {}))
    request = request_of(config, directory, **asked)
    return make_plan(request, workers=SerialWorkers(), times=StageTimes(request.directory, Progress()))


@pytest.fixture
def plan(source: Path, tmp_path: Path) -> Plan:
    return planned(source, tmp_path / "run")


def test_a_plan_is_made_and_validated_without_a_write(plan: Plan, source: Path, tmp_path: Path) -> None:
    plan.validate()
    assert list(tmp_path.iterdir()) == []
    assert plan.records == sum(plan.rows.values()) == plan.budget.records
    assert plan.budget.files == len(plan.catalog.used()) == 3
    assert sorted(plan.ingest_keys) == [("rbspa", index) for index in range(plan.budget.parts)]
    changes = plan.changes()
    assert (changes.added.records, changes.removed.records) == (plan.records, 0)
    assert changes.parts == {"unchanged": 0, "rewritten": 0, "new": plan.budget.parts, "removed": 0}
    assert len(plan.axes.energy) * len(plan.axes.pitch_angle) * 4 * 1024 == plan.budget.part_bytes


def test_a_plan_and_what_came_of_it_are_shown_in_a_few_lines(plan: Plan) -> None:
    outcome = Outcome(plan, plan.records - 7, {"low_counts": 7})
    for shown, fact in ((plan, f"{plan.records:,} of rbspa"), (outcome, "7 low counts")):
        assert fact in repr(shown)
        assert fact in shown._repr_html_()
        assert str(plan.directory) in repr(shown)
        assert len(repr(shown).splitlines()) < 10


def test_training_on_other_spins_takes_more_memory(plan: Plan, source: Path, tmp_path: Path) -> None:
    settings = {
        "preprocess": {"normalise": "counts", "average_seconds": 120},
        "train": {"target": "other_spins"},
    }
    more = planned(source, tmp_path / "other", settings).budget.driver_bytes - plan.budget.driver_bytes
    assert more > 500 << 20  # 163,840 rows of 204 values: two views, and the inputs and targets of both


def test_a_plan_stays_as_it_is(plan: Plan) -> None:
    with pytest.raises(FrozenInstanceError):
        plan.held = {}  # type: ignore[misc]


def test_records_that_would_go_are_counted_and_refused(plan: Plan) -> None:
    (group,) = plan.groups
    first = group.days[0]
    more = replace(plan, held={"rbspa": {first.day: first.rows + 7, "2013-01-01": 4}})
    assert (more.removal.records, more.removal.held) == (11, first.rows + 11)
    said: list[str] = []
    with pytest.raises(
        ConfigError, match=r"11 of the .* rbspa 2013-01-01 \(4 records, no file\).*--allow-removal 11\."
    ):
        approve(more, say=said.append)
    assert said == []
    allowed = replace(more, request=replace(more.request, allow_removal=11))
    approve(allowed, say=said.append)
    assert said[0].startswith("11 records are taken out of the archive: rbspa 2013-01-01")
    with pytest.raises(ConfigError):
        replace(more, request=replace(more.request, allow_removal=10)).validate()


def test_what_memory_cannot_hold_is_refused(plan: Plan) -> None:
    large = replace(plan, budget=replace(plan.budget, worker_bytes=1 << 50))
    with pytest.raises(PadflowError, match="A worker would need"):
        large.validate()


def test_a_fit_that_the_files_do_not_allow_is_refused(plan: Plan) -> None:
    pca = plan.config.pca.model_copy(update={"components": 10_000})
    request = replace(plan.request, config=plan.config.model_copy(update={"pca": pca}))
    with pytest.raises(ConfigError, match="components"):
        replace(plan, request=request).validate()


def test_a_model_of_other_axes_is_refused(plan: Plan, factories) -> None:
    axes = replace(factories.AXES, energy=2 * factories.ENERGY)
    projection, classes = Projection(np.zeros(20), np.ones((3, 20))), NearestCentre(np.eye(3))
    model = Model(plan.config.preprocess, axes, factories.network(108), projection, classes)
    with pytest.raises(PadflowError, match="the energy axis"):
        plan.check_model(model)


def test_a_file_that_turned_out_bad_is_left_out_of_the_next_plan(plan: Plan) -> None:
    victim = plan.catalog.used()[1]
    catalog = plan.catalog.with_bad([Trouble(victim.path, "truncated", "it is cut short")])
    times = StageTimes(plan.directory, Progress())
    after = plan_again(plan, catalog, workers=SerialWorkers(), times=times)
    assert [entry.path for entry in after.catalog.set_aside()] == [victim.path]
    assert after.records < plan.records
    assert after.held is plan.held


def test_where_no_file_can_be_used_the_first_are_named(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cdf"
    folder.mkdir()
    for path in source.rglob("*.cdf"):
        (folder / path.name).write_bytes(b"")
    with pytest.raises(PadflowError, match=r"No file in .* can be used: 3 empty\. The first: "):
        planned(folder, tmp_path / "run")


@pytest.mark.parametrize(("archive", "words"), [({}, "is not set"), ({"source": "/nowhere"}, "is not a folder")])
def test_a_request_without_files_is_refused(archive: dict, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        request_of(Config.model_validate({"archive": archive}), tmp_path)
