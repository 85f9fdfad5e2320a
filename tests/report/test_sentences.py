# SPDX-License-Identifier: BSD-3-Clause
"""The first paragraph: what was found, how sure it is, and what was left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from padflow.report.sentences import instrument_name, summary_sentences
from padflow.report.tables import read_run


@pytest.mark.parametrize(
    ("separated", "says"),
    [
        (True, "They are {} separated classes: the valleys are deep."),
        (
            False,
            "Not all of them are separated classes: the valleys are deep. "
            "Borders between such classes are conventions.",
        ),
        (None, ""),
    ],
)
def test_the_first_paragraph_says_whether_classes_are_separated(
    small_run: Path, edit_json: Callable, separated: bool | None, says: str
) -> None:
    def edit(model: dict) -> None:
        model |= {"separated": separated, "separated_because": "the valleys are deep"}

    edit_json(small_run / "model/model.json", edit)
    run = read_run(small_run)
    sentences = summary_sentences(run)
    assert sentences[2] == says.format(len(run.classes)) if says else "separated" not in " ".join(sentences)


def test_records_without_a_class_and_files_are_counted(small_run: Path) -> None:
    run = read_run(small_run)
    first, found, *_, without, used, aside = summary_sentences(run)
    assert f"{run.n_labelled + run.n_unlabelled:,} records" in first
    assert f"sorted into {len(run.classes)} classes" in found
    assert f"{run.n_unlabelled:,} records" in without
    number = sum(entry["status"] == "used" for entry in run.files)
    assert used == (f"{number} files were used." if number != 1 else "1 file was used.")
    assert aside == "1 file was set aside as unusable, listed below."


@pytest.mark.parametrize("instrument", ["REPT", {"name": "REPT"}])
def test_an_instrument_without_a_title_has_its_name(instrument: str | dict) -> None:
    assert instrument_name({"instrument": instrument}) == "REPT"
    assert instrument_name({"instrument": instrument, "title": "Relativistic telescope"}) == "Relativistic telescope"


def test_a_model_of_simulated_data_is_called_so(small_run: Path, edit_json: Callable) -> None:
    edit_json(small_run / "model/model.json", lambda model: model.update(simulated="no measurement"))
    first = summary_sentences(read_run(small_run))[0]
    assert first.endswith("Their classes are those of a model that was fitted to SIMULATED data, no measurement.")
