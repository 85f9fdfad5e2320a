# SPDX-License-Identifier: BSD-3-Clause
"""The figures of the report. Matplotlib, which takes a second to import, is imported where one is drawn."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

from padflow.instruments.origin import SIMULATED
from padflow.report.tables import Run

if TYPE_CHECKING:
    from padflow.report.figures.style import Drawing


FIGURES = {
    "sizes": "classes",
    "pads": "classes",
    "pads_quartiles": "classes",
    "occurrence_l_time": "maps",
    "occurrence_l_mlt": "maps",
    "shapes_l_mlt": "maps",
    "superposed_classes": "superposed",
    "superposed_shapes": "superposed",
    "scores": "model",
    "variance": "model",
    "mean_shift": "model",
    "loss": "model",
}
"""By file name, in the order of the page: the module that has the function of this name."""


def draw(name: str, run: Run) -> Drawing:
    """Draw one figure of a run.

    Raises
    ------
    NothingToDraw
        Where the run has no data for it.
    """
    drawing: Drawing = getattr(import_module(f"padflow.report.figures.{FIGURES[name]}"), name)(run)
    if not run.simulated:
        return drawing
    import_module("padflow.report.figures.style").mark_simulated(drawing.figure)
    words = f"{SIMULATED} data. "
    return replace(drawing, caption=words + drawing.caption, alt=words + drawing.alt)
