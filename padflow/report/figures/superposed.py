# SPDX-License-Identifier: BSD-3-Clause
"""Figures of superposed epochs: classes and shapes by L and the time of storms, or of other events."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from padflow.report.figures.cells import (
    CAPTION,
    SHAPES_CAPTION,
    Panel,
    class_panels,
    colour_bars,
    colour_cells,
    norms_of,
    shape_panels,
    unsure_words,
    used_range,
)
from padflow.report.figures.style import (
    INK,
    LABEL_POINTS,
    Drawing,
    NothingToDraw,
    energy_scale,
    finish,
    letters,
    new_figure,
)
from padflow.report.tables import Run
from padflow.report.words import plural

PHASE_NAMES = ("initial", "main", "recovery")


def superposed_classes(run: Run) -> Drawing:
    """Draw the share of each class against L and the time of events."""
    found, clock = _superposed(run, "Classes in storms")
    panels = class_panels(run, found, mark_unsure=True)
    n = len(panels)
    n_columns = 2 if n in (2, 4) else 3
    n_rows = math.ceil(n / n_columns)
    figure = new_figure(0.75 + 1.25 * n_rows)
    axes = list(figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False).ravel())
    _draw(axes, panels, found, clock)
    for i, (ax, panel, letter) in enumerate(zip(axes, panels, letters(n), strict=False)):
        finish(ax, letter=letter, title=panel.title)
        ax.tick_params(labelbottom=i >= n - n_columns, axis="x")
    for ax in axes[n:]:
        ax.set_visible(False)
    figure.supxlabel(_axis_words(clock), fontsize=LABEL_POINTS, color=INK)
    figure.supylabel("L", fontsize=LABEL_POINTS, color=INK)
    colour_bars(figure, axes, n_rows, norms_of(found))
    caption = f"Classes against L and {_clock_words(found, clock)} {CAPTION}{unsure_words('events')}"
    alt = (
        f"Maps of the share of {len(run.classes)} classes against L and the time of events, of no class, and of counts."
    )
    return Drawing("superposed_classes", "In storms: classes", caption, alt, figure)


def superposed_shapes(run: Run) -> Drawing:
    """Draw the share of each shape against L and the time of events: a column a shape, a row an energy."""
    what = "Shapes in storms"
    found, clock = _superposed(run, what)
    found = found.rename(energy="shape_energy") if "energy" in found.dims else found
    panels, names, energies = shape_panels(found, what)
    n_rows = len(energies)
    figure = new_figure(0.9 + 1.2 * n_rows)
    grid = figure.subplots(n_rows, len(names), sharex=True, sharey=True, squeeze=False)
    axes = list(grid.ravel())
    _draw(axes, panels, found, clock)
    for ax in axes:
        finish(ax)
    for ax, name in zip(grid[0], names, strict=True):
        ax.set_title(name, fontsize=LABEL_POINTS, color=INK)
    values, unit = energy_scale(energies)
    for ax, energy in zip(grid[:, 0], values, strict=True):
        ax.set_ylabel(f"{energy:.3g} {unit}\nL", fontsize=LABEL_POINTS, color=INK)
    figure.supxlabel(_axis_words(clock), fontsize=LABEL_POINTS, color=INK)
    colour_bars(figure, axes, n_rows, norms_of(found), counts=False)
    caption = f"Shapes against L and {_clock_words(found, clock)} {SHAPES_CAPTION}{unsure_words('events')}"
    alt = f"Maps of the share of the shapes {', '.join(names)} at {n_rows} energies against L and the time of events."
    return Drawing("superposed_shapes", "In storms: shapes by energy", caption, alt, figure)


def _superposed(run: Run, what: str) -> tuple[xr.Dataset, str]:
    """Return the superposed epochs and the name of their clock."""
    if run.superposed is None:
        raise NothingToDraw(f"{what}: no storms were given. `padflow report DIR INDEX_FILE` draws them.")
    if not int(run.superposed["records"].sum()):
        raise NothingToDraw(f"{what}: no record was taken in one of the events.")
    return run.superposed, "storm_time" if "storm_time" in run.superposed.dims else "event_hours"


def _draw(axes: Sequence[Axes], panels: Sequence[Panel], found: xr.Dataset, clock: str) -> None:
    x_edges, l_edges = (found[f"{name}_edges"].values.astype(float) for name in (clock, str(found["records"].dims[0])))
    low, high = used_range(found["records"].values, l_edges)
    norms = norms_of(found)
    for ax, panel in zip(axes, panels, strict=False):
        colour_cells(ax, x_edges, l_edges, panel, norms)
        ax.set(xlim=(x_edges[0], x_edges[-1]), ylim=(low, high))
        if clock == "storm_time":
            borders = range(1, len(PHASE_NAMES))
            ax.set_xticks(np.arange(len(PHASE_NAMES)) + 0.5, PHASE_NAMES)
            ax.tick_params(axis="x", length=0)
        else:
            borders = range(1)
        for border in borders:
            ax.axvline(border, color="white", lw=1.6)
            ax.axvline(border, color=INK, lw=0.7, ls="--")


def _axis_words(clock: str) -> str:
    return "Phase of the storm, stretched to one length" if clock == "storm_time" else "Time from the event (h)"


def _clock_words(found: xr.Dataset, clock: str) -> str:
    number = int(found.attrs["events_met"])
    if clock == "storm_time":
        return (
            f"the time of {plural(number, 'storm')}, superposed; each phase is stretched to the same length, from its "
            "begin to its end (dashed: begin of the main phase, and lowest SYM-H or Dst)."
        )
    return f"the time from {plural(number, 'event')}, superposed (dashed: the event)."
