# SPDX-License-Identifier: BSD-3-Clause
"""Stages are declared once: everything that knows of stages knows these."""

from __future__ import annotations

from inspect import signature
from pkgutil import resolve_name

import pytest

from padflow.cli.running import run
from padflow.config.sections import Config
from padflow.pipeline.guard import FIRST_STAGE
from padflow.pipeline.receipts import PART_KINDS
from padflow.pipeline.stage_order import STAGE_NAMES, STAGES, Stage, stages_from, stages_to
from padflow.pipeline.status import status


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_names_a_function_of_a_run(stage: Stage) -> None:
    assert list(signature(resolve_name(stage.function)).parameters) == ["run"]


def test_stages_stand_in_the_order_of_the_work() -> None:
    assert STAGE_NAMES == ("ingest", "train", "pca", "score", "classes", "label", "report")
    assert [stage.name for stage in stages_from("classes")] == ["classes", "label", "report"]
    assert [stage.name for stage in stages_to("pca")] == ["ingest", "train", "pca"]


def test_the_command_line_offers_them() -> None:
    (option,) = [option for option in run.params if option.name == "restart_from"]
    assert tuple(option.type.choices) == STAGE_NAMES


def test_status_tells_of_them(finished_run) -> None:
    facts = status(finished_run.directory)
    assert list(facts["stages"]) == [stage.name for stage in STAGES if stage.kind == "parts"]
    assert list(facts["fits"]) == [stage.name for stage in STAGES if stage.kind == "fit"]


def test_stages_of_parts_have_a_kind_of_receipt() -> None:
    assert [kind.stage for kind in PART_KINDS] == [stage.name for stage in STAGES if stage.kind == "parts"]


def test_a_fit_leaves_the_file_that_says_so_last() -> None:
    fits = [stage for stage in STAGES if stage.kind == "fit"]
    assert [stage.leaves[-1] for stage in fits] == [f"fit/{stage.name}.json" for stage in fits]


def test_keys_are_keys_of_the_configuration() -> None:
    known = Config().model_dump()
    for key in FIRST_STAGE:
        section, _, name = key.partition(".")
        assert section in known
        assert not name or name in known[section]
