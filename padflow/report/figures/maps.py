# SPDX-License-Identifier: BSD-3-Clause
"""Figures of where and when the classes occur: maps of L and time, and of L and magnetic local time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from textwrap import fill

import numpy as np
import xarray as xr
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.patheffects import withStroke
from matplotlib.projections.polar import PolarAxes

from padflow.maps.run_maps import map_of
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
    FAINT,
    INK,
    LABEL_POINTS,
    TICK_POINTS,
    Drawing,
    NothingToDraw,
    energy_scale,
    finish,
    letters,
    new_figure,
)
from padflow.report.tables import Run

LETTERS_OF_DIALS = 80
"""Letters that fit above the dials of a row, in all (tried out)."""


def occurrence_l_time(run: Run) -> Drawing:
    """Draw the share of each class against L and time."""
    found = _map(run, "l_time", "Class against L and time")
    panels = class_panels(run, found, mark_unsure=False)
    times = date2num(found["time_edges"].values.astype("datetime64[us]"))
    l_edges = found["L_edges"].values.astype(float)
    n = len(panels)
    n_columns = 2 if n in (2, 4) else 3
    n_rows = math.ceil(n / n_columns)
    figure = new_figure(0.75 + 1.25 * n_rows)
    axes = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False).ravel()
    norms = norms_of(found)
    low, high = used_range(found["records"].values, l_edges)
    for i, (ax, panel, letter) in enumerate(zip(axes, panels, letters(n), strict=False)):
        colour_cells(ax, times, l_edges, panel, norms)
        locator = AutoDateLocator(minticks=2, maxticks=5)
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        ax.xaxis.get_offset_text().set(fontsize=TICK_POINTS, color=INK)
        ax.set(xlim=(times[0], times[-1]), ylim=(low, high))
        finish(ax, letter=letter, title=panel.title)
        ax.tick_params(labelbottom=i >= n - n_columns)
        ax.xaxis.get_offset_text().set_visible(i >= n - n_columns)
    for ax in axes[n:]:
        ax.set_visible(False)
    figure.supxlabel("Time (UTC)", fontsize=LABEL_POINTS, color=INK)
    figure.supylabel("L", fontsize=LABEL_POINTS, color=INK)
    colour_bars(figure, list(axes), n_rows, norms)
    step = float(np.median(np.diff(times)))
    begin, end = (str(edge)[:10] for edge in found["time_edges"].values[[0, -1]])
    caption = (
        f"Classes against L and time, {begin} to {end}, {step:.3g} days a column. {CAPTION} A share from one orbit "
        f"says what was measured then, and little of other orbits.{_missing_words(run, found, 'L')}"
    )
    alt = f"Maps of the share of {len(run.classes)} classes against L and time, of no class, and of counts."
    return Drawing("occurrence_l_time", "Where and when: L and time", caption, alt, figure)


def occurrence_l_mlt(run: Run) -> Drawing:
    """Draw the share of each class against L and magnetic local time, as dials with noon up."""
    found = _map(run, "l_mlt", "Class against L and magnetic local time")
    panels = class_panels(run, found, mark_unsure=True)
    n = len(panels)
    n_columns = 2 if n in (2, 4) else 3 if n <= 9 else 4 if n <= 16 else 5
    n_rows = math.ceil(n / n_columns)
    figure = new_figure(0.1 + (0.35 + 5.0 / max(n_columns, 3)) * n_rows)
    axes = figure.subplots(n_rows, n_columns, subplot_kw={"projection": "polar"}, squeeze=False).ravel()
    high = _draw_dials(list(axes), panels, found)
    for ax, panel, letter in zip(axes, panels, letters(n), strict=False):
        title = fill(f"({letter}) {panel.title}", LETTERS_OF_DIALS // n_columns)
        ax.set_title(title, loc="left", fontsize=LABEL_POINTS, color=INK, parse_math=False)
    colour_bars(figure, list(axes), n_rows, norms_of(found))
    caption = f"Classes against L and magnetic local time. {_dial_words(high)} {CAPTION}{unsure_words('orbits')}"
    caption += _missing_words(run, found, "L or MLT")
    alt = f"Dials of the share of {len(run.classes)} classes, of records without a class, and of counts, noon up."
    return Drawing("occurrence_l_mlt", "Where: L and magnetic local time", caption, alt, figure)


def shapes_l_mlt(run: Run) -> Drawing:
    """Draw the share of each shape against L and magnetic local time: a column a shape, a row an energy."""
    what = "Shapes against L and magnetic local time"
    found = _map(run, "l_mlt", what)
    panels, names, energies = shape_panels(found, what)
    figure = new_figure(0.5 + 1.25 * len(energies) * 5 / max(len(names), 4))
    grid = figure.subplots(len(energies), len(names), subplot_kw={"projection": "polar"}, squeeze=False)
    high = _draw_dials(list(grid.ravel()), panels, found)
    values, unit = energy_scale(energies)
    for ax, name in zip(grid[0], names, strict=True):
        ax.set_title(name, fontsize=LABEL_POINTS, color=INK)
    for ax, energy in zip(grid[:, 0], values, strict=True):
        ax.set_ylabel(f"{energy:.3g} {unit}", fontsize=LABEL_POINTS, color=INK, labelpad=12)
    colour_bars(figure, list(grid.ravel()), len(energies), norms_of(found), counts=False)
    caption = (
        f"Shapes against L and magnetic local time, at {len(energies)} of {found.sizes['shape_energy']} energies. "
        f"{_dial_words(high)} {SHAPES_CAPTION}{unsure_words('orbits')}"
    )
    alt = f"Dials of the share of the shapes {', '.join(names)} at {len(energies)} energies, noon up."
    return Drawing("shapes_l_mlt", "Where: shapes by energy", caption, alt, figure)


def _map(run: Run, name: str, what: str) -> xr.Dataset:
    found = map_of(run.summary, name)
    if "class_share" not in found:
        raise NothingToDraw(f"{what}: summary.nc holds no such map (the product has no such ephemeris).")
    if not int(found["records"].sum()):
        raise NothingToDraw(f"{what}: no record has a usable position.")
    return found


def _draw_dials(axes: Sequence[PolarAxes], panels: Sequence[Panel], found: xr.Dataset) -> float:
    """Draw a dial for each panel, hide the other axes, and return the largest L."""
    l_edges = found["L_edges"].values.astype(float)
    hours, owner = _fine_hours(found["MLT_edges"].values.astype(float))
    _, high = used_range(found["records"].values, l_edges)
    norms = norms_of(found)
    for i, (ax, panel) in enumerate(zip(axes, panels, strict=False)):
        unsure = None if panel.unsure is None else panel.unsure[:, owner]
        fine = replace(panel, values=panel.values[:, owner], unsure=unsure)
        colour_cells(ax, hours * np.pi / 12, l_edges, fine, norms)
        _dial(ax, high, name_radii=i == 0)
    for ax in axes[len(panels) :]:
        ax.set_visible(False)
    return high


def _dial_words(high: float) -> str:
    return (
        f"L is the radius, 0 to {high:.3g}; noon is up and dawn right, as seen from above the north "
        "pole; the Earth is to scale at the centre, its night side black."
    )


def _missing_words(run: Run, found: xr.Dataset, what: str) -> str:
    """Return a sentence on how many records the map leaves out, or nothing where it shows all."""
    every = run.n_labelled + run.n_unlabelled
    missing = every - int(found["records"].sum())
    if not missing:
        return ""
    low, high = found["L_edges"].values[[0, -1]]
    return (
        f" Not shown: {missing:,} of the {every:,} records, which have no {what} or an L outside "
        f"{low:.3g} to {high:.3g}."
    )


def _fine_hours(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut each bin into slices of at most 0.2 h, so that dials look round; return edges, and the bin of each slice."""
    pieces = [np.linspace(a, b, math.ceil((b - a) / 0.2) + 1)[:-1] for a, b in pairwise(edges)]
    owner = np.repeat(np.arange(len(pieces)), [len(piece) for piece in pieces])
    return np.append(np.concatenate(pieces), edges[-1]), owner


def _dial(ax: PolarAxes, high: float, *, name_radii: bool) -> None:
    ax.set_theta_zero_location("S")  # midnight down; hours run anticlockwise, so dawn is right
    ax.set_rlim(0, high)
    ax.set_thetagrids([0, 90, 180, 270], ["0", "6", "12 h MLT" if name_radii else "12", "18"])
    radii = [r for r in range(2, math.ceil(high)) if r % 2 == 0]
    _, labels = ax.set_rgrids(radii, [f"L {r}" if name_radii else "" for r in radii], angle=45)
    ax.grid(lw=0.4, color=FAINT, alpha=0.8)
    ax.tick_params(labelsize=TICK_POINTS - 1, pad=-3, colors=INK)
    for label in labels:
        label.set(color=INK, ha="center", va="center")
        label.set_path_effects([withStroke(linewidth=1.5, foreground="white")])
    ax.spines["polar"].set_linewidth(0.6)
    for middle, colour in ((0, "black"), (np.pi, "white")):
        half = np.linspace(middle - np.pi / 2, middle + np.pi / 2, 40)
        ax.fill_between(half, 0, 1, facecolor=colour, edgecolor="black", linewidth=0.4, zorder=5)
