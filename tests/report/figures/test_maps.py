"""Maps of the classes: every record that is counted is drawn, or said to be left out."""

from __future__ import annotations

import numpy as np
import pytest

from padflow.report.figures.contents import draw
from padflow.report.tables import read_run


def test_shares_of_a_cell_sum_to_one_and_empty_cells_are_blank(report_run):
    run = read_run(report_run)
    axes = draw("occurrence_l_time", run).figure.axes
    n = len(run.classes)
    maps = np.ma.stack([ax.collections[0].get_array() for ax in axes[:n]])
    counts = run.summary["occurrence"].transpose("pad_class", "l_bin", "time_bin").values
    empty = counts.sum(axis=0) == 0
    assert empty.any()
    np.testing.assert_array_equal(np.ma.getmaskarray(maps), np.broadcast_to(empty, maps.shape))
    np.testing.assert_allclose(maps.sum(axis=0).compressed(), 1)
    cell = tuple(np.argwhere(~empty)[7])
    np.testing.assert_allclose(maps[(slice(None), *cell)], counts[(slice(None), *cell)] / counts.sum(axis=0)[cell])


@pytest.mark.parametrize(
    ("name", "variable", "slices"),  # a dial is drawn in slices of a fifth of an hour
    [("occurrence_l_time", "occurrence", 1), ("occurrence_l_mlt", "occurrence_mlt", 5)],
)
def test_every_record_that_is_counted_is_within_the_panels(small_run, edit_summary, name, variable, slices):
    def one_empty_cell_a_row(summary):
        counts = summary[variable]
        counts[:] = 0
        counts[:, 4:9] = 2
        counts[1, 6] = 5
        counts[:, 4:9, 0] = 0
        counts[:, 6, 0] = 2  # only this row has no empty cell: a sum over NaN keeps it and drops the others
        return summary

    edit_summary(small_run, one_empty_cell_a_row)
    run = read_run(small_run)
    ax = draw(name, run).figure.axes[len(run.classes)]
    cells = ax.collections[0].get_array()
    edges = run.summary["l_edges"].values
    low, high = ax.get_ylim()
    inside = (edges[:-1] >= low) & (edges[1:] <= high)
    assert cells[inside].sum() == slices * run.summary[variable].sum()


def test_a_map_says_how_many_records_it_leaves_out(small_run, edit_summary):
    def count_two(summary):
        summary["occurrence"][:] = 0
        summary["occurrence"][0, 4, 1:3] = 1
        return summary

    edit_summary(small_run, count_two)
    run = read_run(small_run)
    words = f"Not shown: {run.n_labelled - 2} of the {run.n_labelled} records with a class"
    assert words in draw("occurrence_l_time", run).caption


def test_noon_is_up_and_dawn_right(report_run):
    ax = draw("occurrence_l_mlt", read_run(report_run)).figure.axes[0]

    def place(hour):
        return ax.transData.transform((hour * np.pi / 12, 4.0)) - ax.transData.transform((0.0, 0.0))

    assert place(12)[1] > 0 > place(0)[1]
    assert place(6)[0] > 0 > place(18)[0]
