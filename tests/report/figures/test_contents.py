# SPDX-License-Identifier: BSD-3-Clause
"""All figures of a run: whatever its size, and whatever its numbers lack."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from itertools import combinations

import matplotlib
import numpy as np
import pytest

from padflow.report import html
from padflow.report.figures.contents import FIGURES, draw
from padflow.report.figures.style import NothingToDraw
from padflow.report.tables import read_run


def draw_all(run, *, lay_out=False):
    """Make all figures, draw coarsely those that are quick to; return drawings and what was left out.

    Laying out, and drawing many panels of one kind, take most of the time.
    """
    drawings, left_out = {}, {}
    for name in FIGURES:
        try:
            drawings[name] = draw(name, run)
        except NothingToDraw as why:
            left_out[name] = str(why)
            continue
        figure = drawings[name].figure
        if not lay_out:
            figure.set_layout_engine("none")
        if len(figure.axes) <= 10:
            figure.savefig(io.BytesIO(), format="png", dpi=20)
    return drawings, left_out


def test_drawing_leaves_no_global_state(report_run):
    before = dict(matplotlib.rcParams)
    draw("loss", read_run(report_run))
    assert dict(matplotlib.rcParams) == before
    code = "import sys, padflow.pipeline.preloaded as _; "
    code += "print(*(f'matplotlib.{name}' in sys.modules for name in ('figure', 'pyplot')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "True False"


@pytest.mark.parametrize(
    ("target", "label", "words"),
    [
        (None, "Mean squared error", "Reconstruction loss"),
        ("itself", "Mean squared error", "Reconstruction loss"),
        ("other_spins", "Divergence (nat)", "counts of the other spins"),
    ],
)
def test_the_loss_is_named_by_the_target_of_training(small_run, edit_json, target, label, words):
    said = {} if target is None else {"target": target}
    edit_json(small_run / "model/model.json", lambda model: model["training"].update(said))
    drawing = draw("loss", read_run(small_run))
    assert {ax.get_ylabel() for ax in drawing.figure.axes} == {label}
    assert words in drawing.caption
    of_counts = target == "other_spins"
    assert ("does not tell separate populations apart better" in drawing.caption) == of_counts
    edit_json(small_run / "model/model.json", lambda model: model["pca"].update(signal_to_noise=[3.0, 1.5, 0.5]))
    of = "principal components of the root shares of the counts (" if of_counts else "of what the codes decode to ("
    assert of in draw("variance", read_run(small_run)).caption


@pytest.mark.parametrize(
    "size",
    [
        {"n_classes": 20, "n_energies": 40, "n_pitch": 40, "spacecraft": ["ela", "elb"], "n_records": 20_000},
        {"n_classes": 2, "n_energies": 5, "n_pitch": 9, "spacecraft": ["rbspa"], "n_records": 21},
    ],
)
def test_every_figure_draws_at_every_size(make_run, tmp_path, size):
    run = read_run(make_run(tmp_path / "run", **size))
    drawings, left_out = draw_all(run, lay_out=size["n_classes"] < 20)
    assert not left_out
    assert drawings.keys() == FIGURES.keys()


def test_no_share_above_all_is_written(small_run, edit_json):
    one = {"shares": [1.0], "unconfirmed_shares": [], "n_modes": 1}
    edit_json(small_run / "model/model.json", lambda model: model["mean_shift"].update(one))
    axis = draw("mean_shift", read_run(small_run)).figure.axes[1]
    low, high = axis.get_ylim()
    assert [tick for tick in axis.get_yticks() if low <= tick <= high] == [60, 80, 100]


def test_numbers_of_classes_do_not_lie_on_one_another(make_run, tmp_path, edit_summary):
    """Three classes are far from the others, and nine have the same scores: all twelve numbers can be read."""
    folder = make_run(tmp_path / "run", n_classes=12, n_energies=5, n_pitch=9, n_records=3000)

    def heap_up(summary):
        pad_class = summary["sample_class"].values
        summary["sample_score"][:] = np.where(pad_class < 3, 10.0 * (1 + pad_class), 0)[:, None]
        return summary

    edit_summary(folder, heap_up)
    drawing = draw("scores", read_run(folder))
    drawing.figure.draw_without_rendering()
    planes = [ax for ax in drawing.figure.axes if ax.name != "3d"]
    assert len(planes) == 3
    for ax in planes:
        assert [text.get_text() for text in ax.texts] == [str(number) for number in range(12)]
        assert [text.get_position() == (0, 0) for text in ax.texts] == [True] * 4 + [False] * 8
        for one, other in combinations(ax.texts, 2):
            assert not one.get_window_extent().overlaps(other.get_window_extent())
    assert "After 8 classes the colours begin again" in drawing.caption


def test_nan_everywhere_draws_or_says_why(small_run, edit_summary, edit_json):
    def blank(summary):
        for name in ("pad_mean", "pad_quantile", "flux_mean", "sample_score"):
            summary[name][:] = np.nan
        for name in ("l_time_records", "l_mlt_records"):
            summary[name][:] = 0
        return summary

    def blank_model(model):
        model["training"]["history"] = {"loss": [None, None], "val_loss": []}
        model["pca"] = {"explained_variance_ratio": [None] * 3, "spectrum": []}
        model["mean_shift"] = None

    (small_run / "superposed.nc").unlink()
    edit_summary(small_run, blank)
    edit_json(small_run / "model/model.json", blank_model)
    drawings, left_out = draw_all(read_run(small_run))
    assert set(drawings) == {"sizes", "pads", "pads_quartiles"}
    assert "no record has a usable position" in left_out["occurrence_l_time"]


def test_one_day_one_class_one_energy(make_run, tmp_path, edit_summary):
    folder = make_run(tmp_path / "run", n_classes=1, n_energies=1, n_pitch=9, spacecraft=["ela"], n_records=30)
    day = np.datetime64("2013-03-17", "ns") + np.array([0, 1]) * np.timedelta64(1, "D")

    def shorten(summary):
        summary = summary.isel(time=slice(0, 1), time_edge=slice(0, 2))
        summary["l_time_records"][:] = 3
        return summary.assign(time_edges=("time_edge", day))

    edit_summary(folder, shorten)
    assert not draw_all(read_run(folder))[1]


def test_figures_do_not_depend_on_the_users_settings(report_run, tmp_path):
    """As a ``matplotlibrc`` has them; there is no LaTeX here, and would be none on a node."""
    theirs = {
        "text.usetex": True,
        "font.family": "serif",
        "font.size": 20,
        "axes.grid": True,
        "axes.formatter.use_mathtext": True,
        "lines.linewidth": 9,
        "image.cmap": "jet",
        "savefig.bbox": "tight",
        "savefig.transparent": True,
        "timezone": "America/New_York",
        "xtick.direction": "in",
    }
    pictures = {}
    drawn = ("loss", "occurrence_l_time")
    for name, settings in (("plain", {}), ("theirs", theirs)):
        with matplotlib.rc_context(settings):
            before = dict(matplotlib.rcParams)
            shutil.copytree(report_run, tmp_path / name)
            for figure in drawn:
                html._write_figure(tmp_path / name, 0, figure)
            assert dict(matplotlib.rcParams) == before
        paths = sorted(path for path in (tmp_path / name).rglob("*.png") if path.stem in drawn)
        pictures[name] = [path.read_bytes() for path in paths]
    assert len(pictures["plain"]) == 2
    assert pictures["plain"] == pictures["theirs"]
