# SPDX-License-Identifier: BSD-3-Clause
"""Figures of the classes: their mean distributions and quartiles."""

from __future__ import annotations

import numpy as np
import pytest

from padflow.report.figures.contents import draw
from padflow.report.tables import read_run


def test_folded_pitch_angles_use_the_quarter_circle(make_run, tmp_path, edit_summary):
    folder = make_run(tmp_path / "run", n_classes=2, n_energies=5, n_pitch=9, n_records=50)
    edit_summary(folder, lambda summary: summary.assign_coords(pitch_angle=np.arange(9) * 10 + 10.0))
    axes = draw("pads", read_run(folder)).figure.axes
    assert axes[0].get_xlim() == (0, 90)


def test_pad_lines_are_the_means(report_run):
    run = read_run(report_run)
    axes = draw("pads", run).figure.axes
    mean = run.summary["pad_mean"].transpose("pad_class", "energy", "pitch_angle").values
    for i in (0, 5):
        segments = axes[i].collections[0].get_segments()  # empty where all is NaN
        lines = np.stack([segment[:, 1] for segment in segments if len(segment)])
        np.testing.assert_array_equal(lines, mean[i][np.isfinite(mean[i]).all(axis=1)])


def test_energies_with_too_few_counts_are_not_drawn_and_the_figure_says_so(small_run, edit_summary):
    def make_noisy(summary):
        noise = np.random.default_rng(0).uniform(0, 2, summary.sizes["pitch_angle"])
        summary["pad_mean"].transpose("pad_class", "energy", "pitch_angle")[1, 2] = noise
        summary["pad_error"].transpose("pad_class", "energy", "pitch_angle")[1, 2] = 0.3
        return summary

    everything = [len(drawn_lines(ax)) for ax in draw("pads", read_run(small_run)).figure.axes[:2]]
    edit_summary(small_run, make_noisy)
    run = read_run(small_run)
    drawing = draw("pads", run)
    assert [len(drawn_lines(ax)) for ax in drawing.figure.axes[:2]] == [everything[0], everything[1] - 1]
    assert f"{everything[1] - 1} of 5 energies" in [text.get_text() for text in drawing.figure.axes[1].texts]
    assert "too few counts are not drawn" in drawing.caption
    grid = draw("pads_quartiles", run).figure.axes[0]
    dashes = [text.get_text() for text in grid.texts]
    assert len(dashes) == 10 - everything[0] - (everything[1] - 1)
    edit_summary(small_run, lambda summary: summary.drop_vars("pad_error"))  # as an older padflow wrote it
    assert len(drawn_lines(draw("pads", read_run(small_run)).figure.axes[1])) == everything[1]


def drawn_lines(ax):
    return [segment for segment in ax.collections[0].get_segments() if np.isfinite(segment).all() and len(segment)]


@pytest.fixture(scope="module")
def one_class(make_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("one_class") / "run"
    size = {"n_classes": 1, "n_energies": 6, "n_pitch": 17, "spacecraft": ["rbspa", "rbspb"], "n_records": 300}
    return read_run(make_run(folder, **size))


def test_the_legend_of_spacecraft_covers_no_text(one_class):
    figure = draw("sizes", one_class).figure
    figure.draw_without_rendering()
    upper = figure.axes[0]
    covered = upper.get_legend().get_window_extent()
    texts = [*upper.texts, upper.title, upper._left_title]
    assert not any(covered.overlaps(text.get_window_extent()) for text in texts if text.get_text())


def test_labels_of_one_class_have_room(one_class):
    figure = draw("pads_quartiles", one_class).figure
    figure.draw_without_rendering()
    assert figure.bbox.height >= figure.axes[0].get_tightbbox().height
    right = figure.axes[0].child_axes[1].yaxis.label.get_window_extent()
    assert right.y0 >= 0
    assert right.y1 <= figure.bbox.height


def test_each_panel_of_sizes_says_what_it_counts(small_run):
    assert [ax.get_xlabel() for ax in draw("sizes", read_run(small_run)).figure.axes] == ["Records", "Records"]
