# SPDX-License-Identifier: BSD-3-Clause

from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from padflow.report.figures import style
from padflow.report.figures.contents import draw
from padflow.report.figures.style import class_colour, class_hatch, class_marker, energy_scale, plain_log
from padflow.report.tables import read_run


def test_png_is_fit_for_print(report_run):
    content = style.png(draw("variance", read_run(report_run)).figure)
    with Image.open(io.BytesIO(content)) as image:
        assert image.size[0] == 7 * 300
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_a_notebook_shows_a_figure_that_is_the_value_of_a_cell():
    figure = style.new_figure(1.0)
    figure.subplots().set_title("some")
    with Image.open(io.BytesIO(figure._repr_png_())) as image:
        assert image.size == (7 * 110, 110)


def test_same_figure_same_pdf():
    figures = [style.new_figure(1.0) for _ in range(2)]
    first, second = map(style.pdf, figures)
    assert first == second
    assert first.startswith(b"%PDF")


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (2.1, 2.7, ["2.2", "2.4", "2.6"]),
        (2.3, 5.1, ["3", "4", "5"]),
        (0.8, 30, ["1", "2", "3", "5", "10", "20", "30"]),
    ],
)
def test_a_logarithmic_axis_of_few_decades_has_plain_numbers(low: float, high: float, labels: list[str]) -> None:
    ax = Figure().subplots()
    ax.set(yscale="log", ylim=(low, high))
    plain_log(ax.yaxis)
    shown = zip(ax.get_yticks(), ax.get_yticklabels(), strict=True)
    assert [label.get_text() for tick, label in shown if low <= tick <= high] == labels
    assert not any(label.get_text() for label in ax.get_yticklabels(minor=True))


def test_twenty_classes_are_told_apart():
    looks = {(class_colour(i), class_marker(i), class_hatch(i)) for i in range(20)}
    assert len(looks) == 20


def test_energies_are_given_in_a_readable_unit():
    assert energy_scale(np.array([1.5e-5, 0.05])) == (pytest.approx([0.015, 50]), "keV")
    assert energy_scale(np.array([1.8, 20.0])) == (pytest.approx([1.8, 20.0]), "MeV")


def test_same_figure_same_bytes(small_run):
    run = read_run(small_run)
    assert style.png(draw("scores", run).figure) == style.png(draw("scores", run).figure)
