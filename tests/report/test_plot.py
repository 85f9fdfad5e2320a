# SPDX-License-Identifier: BSD-3-Clause
"""A figure of the report in a notebook: its panels, and pyplot knows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import matplotlib
import pytest
from matplotlib import pyplot

from padflow.errors import ConfigError, PadflowError
from padflow.report.figures.contents import FIGURES
from padflow.report.plot import plot
from padflow.report.tables import read_run


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    pyplot.switch_backend("agg")
    pyplot.close("all")  # of other tests of this process, as the examples of docstrings
    yield
    pyplot.close("all")


def test_panels_are_those_of_the_report_and_pyplot_shows_their_figure(report_run: Path) -> None:
    before = dict(matplotlib.rcParams)
    panels = plot(report_run, "occurrence_l_time")
    titles = [panel.get_title(loc="left") for panel in panels]
    labels = [row.label for row in read_run(report_run).classes]
    assert [title.partition(" ")[2] for title in titles] == [*labels, "no class", "records", "orbits"]
    assert pyplot.gcf() is panels[0].figure
    assert dict(matplotlib.rcParams) == before
    assert plot(report_run)[0].figure is not panels[0].figure
    assert len(pyplot.get_fignums()) == 2


def test_other_settings_of_the_user_do_not_count(report_run: Path) -> None:
    with matplotlib.rc_context({"axes.facecolor": "red"}):
        (panel, *_) = plot(report_run, "sizes")
    assert panel.get_facecolor() == (1, 1, 1, 1)


def test_its_help_names_each_figure() -> None:
    assert [name for name in FIGURES if f'``"{name}"``' not in plot.__doc__] == []


def test_what_cannot_be_drawn_is_said(small_run: Path, edit_json, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no figure 'pad', but sizes, pads"):
        plot(small_run, "pad")
    with pytest.raises(PadflowError, match=r"model\.json"):
        plot(tmp_path, "pads")
    edit_json(small_run / "model/model.json", lambda model: model["training"].pop("history"))
    with pytest.raises(PadflowError, match=r"cannot be drawn\. Loss"):
        plot(small_run, "loss")
    assert not pyplot.get_fignums()
