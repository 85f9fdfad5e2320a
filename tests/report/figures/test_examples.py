# SPDX-License-Identifier: BSD-3-Clause
"""Records of a class as lines: no line without counts, errors where counts are known."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from padflow.report.figures.examples import FEWEST_COUNTS, Example, draw_examples

ANGLES = np.array([22.5, 67.5, 112.5, 157.5])
ENERGIES = np.array([1.8, 2.6, 3.4])


def example(counts: list[float]) -> Example:
    """Counts in all by energy, spread evenly over pitch angle."""
    return Example("when\nwhere", np.array([[1, 2, 3.0]] * 4), np.full((4, 3), counts) / 4)


def drawn(*, typical: list[Example], uncertain: list[Example], simulated: bool = False) -> Figure:
    return draw_examples(
        typical, uncertain, pitch_angle=ANGLES, energy=ENERGIES, title="class 1 butterfly", simulated=simulated
    )


def test_energies_with_too_few_counts_have_no_line() -> None:
    figure = drawn(typical=[example([FEWEST_COUNTS, FEWEST_COUNTS - 1, 9e9])], uncertain=[example([0, 0, 0])])
    lines = [ax.containers for ax in figure.axes[:2]]
    assert [len(containers) for containers in lines] == [2, 0]
    notes = [[text.get_text() for text in ax.texts] for ax in figure.axes[:2]]
    assert notes == [["2 of 3 energies"], ["too few counts"]]


def test_without_known_counts_all_lines_are_drawn_without_errors() -> None:
    figure = drawn(typical=[example([np.nan] * 3)], uncertain=[])
    (upper, lower, *_) = figure.axes
    assert len(upper.containers) == 3
    assert not any(container.has_yerr for container in upper.containers)
    assert not lower.get_visible()


def test_words_say_what_is_drawn() -> None:
    figure = drawn(typical=[example([9e9] * 3)], uncertain=[example([9e9] * 3)], simulated=True)
    texts = [text.get_text() for text in figure.texts]
    assert "class 1 butterfly" in texts
    assert "Flux / average over pitch angle" in texts
    assert figure.get_suptitle().startswith("SIMULATED")
    assert [ax.get_ylabel() for ax in figure.axes[:2]] == ["Most typical", "Least certain"]
    assert figure.axes[0].get_title(loc="left") == "when\nwhere"


@pytest.mark.parametrize("simulated", [False, True])
def test_what_is_written_does_not_lie_on_lines_or_words(simulated: bool) -> None:
    spike = Example("when\nwhere", np.array([[1.0], [9.0], [1.0], [1.0]]), np.full((4, 1), FEWEST_COUNTS / 4))
    words = {"pitch_angle": ANGLES, "energy": ENERGIES[:1], "title": "class 1 butterfly", "simulated": simulated}
    figure = draw_examples([spike], [spike], **words)
    figure.draw_without_rendering()
    panel, title = figure.axes[0], next(text for text in figure.texts if text.get_text() == "class 1 butterfly")
    errors = panel.containers[0].lines[2][0].get_segments()
    highest = panel.transData.transform([0, max(segment[:, 1].max() for segment in errors)])[1]
    assert highest < panel.texts[0].get_window_extent().y0
    assert panel._left_title.get_window_extent().y1 < title.get_window_extent().y0
