# SPDX-License-Identifier: BSD-3-Clause
"""Figures of superposed epochs: what is drawn stands at its phase, and says when there is nothing."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from padflow.report.figures.contents import draw
from padflow.report.figures.style import NothingToDraw
from padflow.report.tables import read_run

MAIN = slice(4, 8)
"""Bins of the main phase."""


def test_a_class_of_the_main_phase_is_drawn_there(report_run):
    run = read_run(report_run)
    drawing = draw("superposed_classes", run)
    axes = drawing.figure.axes
    n = len(run.classes)
    titles = [ax.get_title(loc="left").partition(" ")[2] for ax in axes[: n + 3]]
    assert titles == [*(row.label for row in run.classes), "no class", "records", "events"]
    last = axes[n - 1].collections[0].get_array()[2:8]  # L 3 to 6
    np.testing.assert_array_equal(last[:, MAIN], 1)
    assert last[:, :4].max() == last[:, 8:].max() == 0
    assert axes[n - 1].get_xlim() == (0, 3)
    assert [label.get_text() for label in axes[n + 2].get_xticklabels()] == ["initial", "main", "recovery"]
    assert "the time of 5 storms, superposed" in drawing.caption


def test_shapes_are_drawn_by_energy(report_run):
    figure = draw("superposed_shapes", read_run(report_run)).figure
    assert [ax.get_title() for ax in figure.axes[:4]] == ["pancake", "flattop", "butterfly", "unclear"]
    assert [ax.get_ylabel() for ax in figure.axes[:8:4]] == ["1.8 MeV\nL", "4.2 MeV\nL"]
    butterfly = figure.axes[2].collections[0].get_array()[2:8]
    np.testing.assert_array_equal(butterfly[:, MAIN], 1)


def test_hours_of_other_events_have_their_axis(small_run):
    with xr.open_dataset(small_run / "superposed.nc", engine="h5netcdf") as found:
        found = found.load().rename(
            storm_time="event_hours", storm_time_edges="event_hours_edges", storm_time_edge="event_hours_edge"
        )
    found.to_netcdf(small_run / "superposed.nc", engine="h5netcdf")
    figure = draw("superposed_classes", read_run(small_run)).figure
    assert figure.get_supxlabel() == "Time from the event (h)"


def test_without_storms_the_report_says_how_to_give_them(small_run):
    (small_run / "superposed.nc").unlink()
    for name in ("superposed_classes", "superposed_shapes"):
        with pytest.raises(NothingToDraw, match="`padflow report DIR INDEX_FILE` draws them"):
            draw(name, read_run(small_run))
