from __future__ import annotations

import io
import shutil
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from PIL import Image

from padflow.report import html
from padflow.report.figures import style
from padflow.report.figures.contents import FIGURES, draw
from padflow.report.figures.style import NothingToDraw, class_colour, class_hatch, class_marker, energy_scale
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


def test_png_is_fit_for_print(finished_run):
    content = style.png(draw("variance", read_run(finished_run)).figure)
    with Image.open(io.BytesIO(content)) as image:
        assert image.size[0] == 7 * 300
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_drawing_leaves_no_global_state(finished_run):
    before = dict(matplotlib.rcParams)
    draw("loss", read_run(finished_run))
    assert dict(matplotlib.rcParams) == before
    code = "import sys, padflow.pipeline.preloaded as _; "
    code += "print(*(f'matplotlib.{name}' in sys.modules for name in ('figure', 'pyplot')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "True False"


def test_importing_the_page_does_not_import_matplotlib():
    code = "import sys, padflow.report.html; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"


def test_twenty_classes_are_told_apart():
    looks = {(class_colour(i), class_marker(i), class_hatch(i)) for i in range(20)}
    assert len(looks) == 20


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
    assert len(drawings) == 9


def test_nan_everywhere_draws_or_says_why(small_run, edit_summary, edit_json):
    def blank(summary):
        for name in ("pad_mean", "pad_quantile", "flux_mean", "sample_score"):
            summary[name][:] = np.nan
        for name in ("occurrence", "occurrence_mlt"):
            summary[name][:] = 0
        return summary

    def blank_model(model):
        model["training"]["history"] = {"loss": [None, None], "val_loss": []}
        model["pca"] = {"explained_variance_ratio": [None] * 3, "spectrum": []}
        model["mean_shift"] = None

    edit_summary(small_run, blank)
    edit_json(small_run / "model/model.json", blank_model)
    drawings, left_out = draw_all(read_run(small_run))
    assert set(drawings) == {"sizes", "pads", "pads_quartiles"}
    assert "no record with a class has a usable position" in left_out["occurrence_l_time"]


def test_one_day_one_class_one_energy(make_run, tmp_path, edit_summary):
    folder = make_run(tmp_path / "run", n_classes=1, n_energies=1, n_pitch=9, spacecraft=["ela"], n_records=30)
    day = np.datetime64("2013-03-17", "ns") + np.array([0, 1]) * np.timedelta64(1, "D")

    def shorten(summary):
        summary = summary.isel(time_bin=slice(0, 1), time_edge=slice(0, 2))
        summary["occurrence"][:] = 3
        return summary.assign(time_edges=("time_edge", day))

    edit_summary(folder, shorten)
    assert not draw_all(read_run(folder))[1]


def test_folded_pitch_angles_use_the_quarter_circle(make_run, tmp_path, edit_summary):
    folder = make_run(tmp_path / "run", n_classes=2, n_energies=5, n_pitch=9, n_records=50)
    edit_summary(folder, lambda summary: summary.assign_coords(pitch_angle=np.arange(9) * 10 + 10.0))
    axes = draw("pads", read_run(folder)).figure.axes
    assert axes[0].get_xlim() == (0, 90)


def test_pad_lines_are_the_means(finished_run):
    run = read_run(finished_run)
    axes = draw("pads", run).figure.axes
    mean = run.summary["pad_mean"].transpose("cluster", "energy", "pitch_angle").values
    for i in (0, 5):
        segments = axes[i].collections[0].get_segments()  # empty where all is NaN
        lines = np.stack([segment[:, 1] for segment in segments if len(segment)])
        np.testing.assert_array_equal(lines, mean[i][np.isfinite(mean[i]).all(axis=1)])


def test_shares_of_a_cell_sum_to_one_and_empty_cells_are_blank(finished_run):
    run = read_run(finished_run)
    axes = draw("occurrence_l_time", run).figure.axes
    n = len(run.classes)
    maps = np.ma.stack([ax.collections[0].get_array() for ax in axes[:n]])
    counts = run.summary["occurrence"].transpose("cluster", "l_bin", "time_bin").values
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


def test_energies_with_too_few_counts_are_not_drawn_and_the_figure_says_so(small_run, edit_summary):
    def make_noisy(summary):
        noise = np.random.default_rng(0).uniform(0, 2, summary.sizes["pitch_angle"])
        summary["pad_mean"].transpose("cluster", "energy", "pitch_angle")[1, 2] = noise
        summary["pad_error"].transpose("cluster", "energy", "pitch_angle")[1, 2] = 0.3
        return summary

    everything = [len(drawn_lines(ax)) for ax in draw("pads", read_run(small_run)).figure.axes[:2]]
    edit_summary(small_run, make_noisy)
    run = read_run(small_run)
    drawing = draw("pads", run)
    assert [len(drawn_lines(ax)) for ax in drawing.figure.axes[:2]] == [everything[0], everything[1] - 1]
    assert f"{everything[1] - 1} of 5 energies" in [text.get_text() for text in drawing.figure.axes[1].texts]
    assert "too few counts are not drawn" in drawing.caption
    dashes = [text.get_text() for text in draw("pads_quartiles", run).figure.axes[0].texts]
    assert len(dashes) == 10 - everything[0] - (everything[1] - 1)
    edit_summary(small_run, lambda summary: summary.drop_vars("pad_error"))  # as an older padflow wrote it
    assert len(drawn_lines(draw("pads", read_run(small_run)).figure.axes[1])) == everything[1]


def drawn_lines(ax):
    return [segment for segment in ax.collections[0].get_segments() if np.isfinite(segment).all() and len(segment)]


def test_noon_is_up_and_dawn_right(finished_run):
    ax = draw("occurrence_l_mlt", read_run(finished_run)).figure.axes[0]

    def place(hour):
        return ax.transData.transform((hour * np.pi / 12, 4.0)) - ax.transData.transform((0.0, 0.0))

    assert place(12)[1] > 0 > place(0)[1]
    assert place(6)[0] > 0 > place(18)[0]


def test_energies_are_given_in_a_readable_unit():
    assert energy_scale(np.array([1.5e-5, 0.05])) == (pytest.approx([0.015, 50]), "keV")
    assert energy_scale(np.array([1.8, 20.0])) == (pytest.approx([1.8, 20.0]), "MeV")


def test_same_figure_same_bytes(small_run):
    run = read_run(small_run)
    assert style.png(draw("scores", run).figure) == style.png(draw("scores", run).figure)


def test_figures_do_not_depend_on_the_users_settings(finished_run, tmp_path):
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
            shutil.copytree(finished_run, tmp_path / name)
            for figure in drawn:
                html._write_figure(tmp_path / name, 0, figure)
            assert dict(matplotlib.rcParams) == before
        paths = sorted(path for path in (tmp_path / name).rglob("*.png") if path.stem in drawn)
        pictures[name] = [path.read_bytes() for path in paths]
    assert len(pictures["plain"]) == 2
    assert pictures["plain"] == pictures["theirs"]
