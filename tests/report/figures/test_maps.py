# SPDX-License-Identifier: BSD-3-Clause
"""Maps of the classes: every record that is counted is drawn, or said to be left out."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from padflow.maps.run_maps import map_of
from padflow.report.figures.contents import draw
from padflow.report.figures.style import NothingToDraw
from padflow.report.tables import read_run


def test_shares_are_of_all_records_and_empty_cells_are_blank(report_run):
    run = read_run(report_run)
    axes = draw("occurrence_l_time", run).figure.axes
    n = len(run.classes)
    drawn = np.ma.stack([ax.collections[0].get_array() for ax in axes[: n + 1]])
    assert [ax.get_title(loc="left")[4:] for ax in axes[n : n + 3]] == ["no class", "records", "orbits"]
    found = map_of(run.summary, "l_time")
    empty = found["records"].values == 0
    assert empty.any()
    np.testing.assert_array_equal(np.ma.getmaskarray(drawn), np.broadcast_to(empty, drawn.shape))
    np.testing.assert_allclose(drawn.sum(axis=0).compressed(), 1, rtol=1e-6)
    assert 0.03 < drawn[n].mean() < 0.2
    np.testing.assert_array_equal(drawn[:n], np.ma.masked_invalid(found["class_share"].values))


def test_a_share_that_orbits_do_not_agree_on_is_grey(report_run):
    run = read_run(report_run)
    ax = draw("occurrence_l_mlt", run).figure.axes[0]
    found = map_of(run.summary, "l_mlt").isel(pad_class=0)
    width = (found["class_share_high"] - found["class_share_low"]).values
    unsure = (found["records"].values > 0) & ~(width <= 0.5)
    assert 0 < unsure.sum() < (found["records"].values > 0).sum()
    assert "12 h MLT" in [label.get_text() for label in ax.get_xticklabels()]
    assert "L 2" in [label.get_text() for label in ax.get_yticklabels()]
    grey = ax.collections[1].get_array()
    np.testing.assert_array_equal(~np.ma.getmaskarray(grey), np.repeat(unsure, 5, axis=1))


@pytest.mark.parametrize(
    ("name", "variable", "slices"),  # a dial is drawn in slices of a fifth of an hour
    [("occurrence_l_time", "l_time", 1), ("occurrence_l_mlt", "l_mlt", 5)],
)
def test_every_record_that_is_counted_is_within_the_panels(small_run, edit_summary, name, variable, slices):
    def one_empty_cell_a_row(summary):
        counts = summary[f"{variable}_records"]
        counts[:] = 0
        counts[4:9] = 2
        counts[4:9, 0] = 0
        counts[6, 0] = 2  # only this row has no empty cell: a sum over NaN keeps it and drops the others
        return summary

    edit_summary(small_run, one_empty_cell_a_row)
    run = read_run(small_run)
    ax = draw(name, run).figure.axes[len(run.classes) + 1]
    cells = ax.collections[0].get_array()
    edges = run.summary["L_edges"].values
    low, high = ax.get_ylim()
    inside = (edges[:-1] >= low) & (edges[1:] <= high)
    assert cells[inside].sum() == slices * run.summary[f"{variable}_records"].sum()


def test_a_map_says_how_many_records_it_leaves_out(small_run, edit_summary):
    def count_two(summary):
        summary["l_time_records"][:] = 0
        summary["l_time_records"][4, 1:3] = 1
        return summary

    edit_summary(small_run, count_two)
    run = read_run(small_run)
    every = run.n_labelled + run.n_unlabelled
    assert f"Not shown: {every - 2} of the {every} records" in draw("occurrence_l_time", run).caption


def test_shapes_that_occur_are_drawn_by_energy(report_run):
    figure = draw("shapes_l_mlt", read_run(report_run)).figure
    titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
    assert titles == ["pancake", "cap", "flattop", "butterfly", "unclear"]
    assert [ax.get_ylabel() for ax in figure.axes[::5][:2]] == ["1.8 MeV", "4.2 MeV"]


def test_shapes_are_left_out_where_the_results_have_none(small_run, edit_summary):
    edit_summary(small_run, lambda summary: summary.drop_dims("shape"))
    with pytest.raises(NothingToDraw, match="no shapes of records"):
        draw("shapes_l_mlt", read_run(small_run))


def test_noon_is_up_and_dawn_right(report_run):
    ax = draw("occurrence_l_mlt", read_run(report_run)).figure.axes[0]

    def place(hour):
        return ax.transData.transform((hour * np.pi / 12, 4.0)) - ax.transData.transform((0.0, 0.0))

    assert place(12)[1] > 0 > place(0)[1]
    assert place(6)[0] > 0 > place(18)[0]


def test_long_names_of_many_classes_do_not_run_into_one_another(make_run, tmp_path):
    run = read_run(make_run(tmp_path / "run", n_classes=12, n_energies=3, n_pitch=9, n_records=200))
    run = replace(run, classes=tuple(replace(row, name="butterfly_to_pancake") for row in run.classes))
    figure = draw("occurrence_l_mlt", run).figure
    figure.draw_without_rendering()
    extents = [ax._left_title.get_window_extent() for ax in figure.axes[:12]]
    assert not any(one.overlaps(other) for one, other in combinations(extents, 2))
