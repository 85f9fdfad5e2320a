"""The figures of the report. Matplotlib, which takes a second to import, is imported where one is drawn."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

from padflow.origin import SIMULATED
from padflow.report.tables import Run

if TYPE_CHECKING:
    from padflow.report.figures import Drawing

FIGURES = {
    "sizes": "figures_classes",
    "pads": "figures_classes",
    "pads_quartiles": "figures_classes",
    "occurrence_l_time": "figures_maps",
    "occurrence_l_mlt": "figures_maps",
    "scores": "figures_model",
    "variance": "figures_model",
    "mean_shift": "figures_model",
    "loss": "figures_model",
}
"""By file name, in the order of the page: the module that has the function of this name."""


def draw(name: str, run: Run) -> Drawing:
    """Draw one figure of a run.

    Raises
    ------
    NothingToDraw
        Where the run has no data for it.
    """
    drawing: Drawing = getattr(import_module(f"padflow.report.{FIGURES[name]}"), name)(run)
    if not run.simulated:
        return drawing
    import_module("padflow.report.figures").mark_simulated(drawing.figure)
    words = f"{SIMULATED} data. "
    return replace(drawing, caption=words + drawing.caption, alt=words + drawing.alt)
