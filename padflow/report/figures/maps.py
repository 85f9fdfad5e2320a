"""Figures of where and when the classes occur: maps of L and time, and of L and magnetic local time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, ListedColormap, LogNorm, Normalize, PowerNorm
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.projections.polar import PolarAxes

from padflow.maps.run_maps import map_of
from padflow.report.figures.style import (
    FAINT,
    INK,
    LABEL_POINTS,
    TICK_POINTS,
    Drawing,
    NothingToDraw,
    energy_scale,
    finish,
    finish_bar,
    letters,
    new_figure,
    plain_log,
)
from padflow.report.tables import Run

EMPTY, UNSURE = "#ffffff", "#c9c9c9"


WIDEST_INTERVAL = 0.5
"""A share whose 95 % interval is wider is not drawn where a map stands for more than its own records (chosen)."""


SHARE_TICKS = (0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1)


MOST_ENERGIES, SMALLEST_NAMED_SHARE, SMALLEST_SHAPE_SHARE = 4, 0.05, 0.005
"""Shapes are drawn at so many energies, of those at which so many of all records have a name. A shape that fewer have
at all of them is left out (chosen)."""


CAPTION = (
    "Share of all records of each cell (100 % are all records measured there, with a class or without; colours follow "
    "the square root, so that rare classes show). Cells without records are blank."
)


UNSURE_WORDS = (
    " Grey: the 95 % interval of the share, which comes from the scatter of orbits, is wider than "
    f"{100 * WIDEST_INTERVAL:.0f} %, or a single orbit was there."
)


@dataclass(frozen=True)
class Panel:
    """A map: its title, values by L and another variable, whether they count, and where they are unsure."""

    title: str
    values: np.ndarray
    counts: bool = False
    unsure: np.ndarray | None = None


def occurrence_l_time(run: Run) -> Drawing:
    """Draw the share of each class against L and time."""
    found = _map(run, "l_time", "Class against L and time")
    panels = _class_panels(run, found, mark_unsure=False)
    times = date2num(found["time_edges"].values.astype("datetime64[us]"))
    l_edges = found["L_edges"].values.astype(float)
    n = len(panels)
    n_columns = 2 if n in (2, 4) else 3
    n_rows = math.ceil(n / n_columns)
    figure = new_figure(0.75 + 1.25 * n_rows)
    axes = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False).ravel()
    norms = _norms(found)
    low, high = _used_range(found["records"].values, l_edges)
    for i, (ax, panel, letter) in enumerate(zip(axes, panels, letters(n), strict=False)):
        _colour_cells(ax, times, l_edges, panel, norms)
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
    _colour_bars(figure, list(axes), n_rows, norms)
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
    panels = _class_panels(run, found, mark_unsure=True)
    n = len(panels)
    n_columns = min(n, 3 if n <= 9 else 4 if n <= 16 else 5)
    n_rows = math.ceil(n / n_columns)
    figure = new_figure(0.1 + (0.35 + 5.0 / max(n_columns, 2)) * n_rows)
    axes = figure.subplots(n_rows, n_columns, subplot_kw={"projection": "polar"}, squeeze=False).ravel()
    high = _draw_dials(list(axes), panels, found)
    for ax, panel, letter in zip(axes, panels, letters(n), strict=False):
        ax.set_title(f"({letter}) {panel.title}", loc="left", fontsize=LABEL_POINTS, color=INK)
    _colour_bars(figure, list(axes), n_rows, _norms(found))
    caption = f"Classes against L and magnetic local time. {_dial_words(high)} {CAPTION}{UNSURE_WORDS}"
    caption += _missing_words(run, found, "L or MLT")
    alt = f"Dials of the share of {len(run.classes)} classes, of records without a class, and of counts, noon up."
    return Drawing("occurrence_l_mlt", "Where: L and magnetic local time", caption, alt, figure)


def shapes_l_mlt(run: Run) -> Drawing:
    """Draw the share of each shape against L and magnetic local time: a column a shape, a row an energy."""
    what = "Shapes against L and magnetic local time"
    found = _map(run, "l_mlt", what)
    if "shape_share" not in found:
        raise NothingToDraw(f"{what}: the results have no shapes of records (recommended mode measures them).")
    everywhere = found["shape_share"].weighted(found["records"]).mean(("L", "MLT"))
    named = np.flatnonzero(1 - everywhere.sel(shape="unclear") >= SMALLEST_NAMED_SHARE)
    if not len(named):
        raise NothingToDraw(f"{what}: at no energy has one record in {1 / SMALLEST_NAMED_SHARE:.0f} a name.")
    energies = np.unique(named[np.linspace(0, len(named) - 1, MOST_ENERGIES).round().astype(int)])
    often = (everywhere.isel(shape_energy=energies) >= SMALLEST_SHAPE_SHARE).any("shape_energy")
    names = [str(name) for name in found["shape"].values if name != "unclear" and often.sel(shape=name)] + ["unclear"]
    figure = new_figure(0.5 + 1.25 * len(energies) * 5 / max(len(names), 4))
    grid = figure.subplots(len(energies), len(names), subplot_kw={"projection": "polar"}, squeeze=False)
    panels = []
    for energy in energies:
        for name in names:
            chosen = {"shape": name, "shape_energy": found["shape_energy"][energy]}
            share, unsure = _sure_share(found, "shape_share", chosen)
            panels.append(Panel(name, share, unsure=unsure))
    high = _draw_dials(list(grid.ravel()), panels, found)
    values, unit = energy_scale(found["shape_energy"].values[energies].astype(float))
    for ax, name in zip(grid[0], names, strict=True):
        ax.set_title(name, fontsize=LABEL_POINTS, color=INK)
    for ax, energy in zip(grid[:, 0], values, strict=True):
        ax.set_ylabel(f"{energy:.3g} {unit}", fontsize=LABEL_POINTS, color=INK, labelpad=12)
    _colour_bars(figure, list(grid.ravel()), len(energies), _norms(found), counts=False)
    caption = (
        f"Shapes against L and magnetic local time, at {len(energies)} of {found.sizes['shape_energy']} energies. "
        f"{_dial_words(high)} {CAPTION.replace('rare classes', 'rare shapes').replace('with a class', 'with a shape')} "
        f"Unclear: no shape is likely enough, or there are too few counts.{UNSURE_WORDS}"
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


def _class_panels(run: Run, found: xr.Dataset, *, mark_unsure: bool) -> list[Panel]:
    """Return a panel for each class, one for no class, and those that count records and orbits."""
    panels = []
    for place, row in enumerate(run.classes):
        share, unsure = _sure_share(found, "class_share", {"pad_class": found["pad_class"][place]})
        panels.append(Panel(row.label, share, unsure=unsure if mark_unsure else None))
    none = found["no_class_share"].sum("no_class", skipna=False).values
    counts = [
        Panel(name, np.where(found[name] > 0, found[name], np.nan), counts=True) for name in ("records", "orbits")
    ]
    return [*panels, Panel("no class", none), *counts]


def _sure_share(found: xr.Dataset, name: str, chosen: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    share, low, high = (found[name + end].sel(chosen).values for end in ("", "_low", "_high"))
    return share, np.isfinite(share) & ~(high - low <= WIDEST_INTERVAL)


def _colour_cells(
    ax: Axes, x_edges: np.ndarray, y_edges: np.ndarray, panel: Panel, norms: tuple[Normalize, Normalize]
) -> None:
    colours, norm = (_cividis(), norms[1]) if panel.counts else (_viridis(), norms[0])
    ax.pcolormesh(x_edges, y_edges, np.ma.masked_invalid(panel.values), norm=norm, cmap=colours, rasterized=True)
    if panel.unsure is not None and panel.unsure.any():
        grey = np.ma.masked_equal(panel.unsure.astype(float), 0)
        ax.pcolormesh(x_edges, y_edges, grey, cmap=ListedColormap([UNSURE]), rasterized=True)


def _draw_dials(axes: Sequence[PolarAxes], panels: Sequence[Panel], found: xr.Dataset) -> float:
    """Draw a dial for each panel, hide the other axes, and return the largest L."""
    l_edges = found["L_edges"].values.astype(float)
    hours, owner = _fine_hours(found["MLT_edges"].values.astype(float))
    _, high = _used_range(found["records"].values, l_edges)
    norms = _norms(found)
    for i, (ax, panel) in enumerate(zip(axes, panels, strict=False)):
        unsure = None if panel.unsure is None else panel.unsure[:, owner]
        fine = replace(panel, values=panel.values[:, owner], unsure=unsure)
        _colour_cells(ax, hours * np.pi / 12, l_edges, fine, norms)
        _dial(ax, high, name_radii=i == 0)
    for ax in axes[len(panels) :]:
        ax.set_visible(False)
    return high


def _dial_words(high: float) -> str:
    return (
        f"L is the radius, 0 to {high:.3g}; noon is up and dawn right, as seen from above the north pole; the Earth is "
        "to scale at the centre, its night side black."
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


def _norms(found: xr.Dataset) -> tuple[Normalize, Normalize]:
    """Return how shares and counts become colours."""
    return PowerNorm(0.5, vmin=0, vmax=1), LogNorm(vmin=1, vmax=max(float(found["records"].max()), 10.0))


def _viridis() -> Colormap:
    return colormaps["viridis"].with_extremes(bad=EMPTY)


def _cividis() -> Colormap:
    return colormaps["cividis"].with_extremes(bad=EMPTY)


def _used_range(total: np.ndarray, edges: np.ndarray) -> tuple[float, float]:
    """Return the L edges around all cells with records; `total` holds the records of each cell (row, column)."""
    used = np.flatnonzero((total > 0).any(axis=1))
    return (float(edges[used[0]]), float(edges[used[-1] + 1])) if len(used) else (float(edges[0]), float(edges[-1]))


def _fine_hours(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut each bin into slices of at most 0.2 h, so that dials look round; return edges, and the bin of each slice."""
    pieces = [np.linspace(a, b, math.ceil((b - a) / 0.2) + 1)[:-1] for a, b in pairwise(edges)]
    owner = np.repeat(np.arange(len(pieces)), [len(piece) for piece in pieces])
    return np.append(np.concatenate(pieces), edges[-1]), owner


def _dial(ax: PolarAxes, high: float, *, name_radii: bool) -> None:
    ax.set_theta_zero_location("S")  # midnight down; hours run anticlockwise, so dawn is right
    ax.set_rlim(0, high)
    ax.set_thetagrids([0, 90, 180, 270], ["0", "6", "12", "18"])
    radii = [r for r in range(2, math.ceil(high)) if r % 2 == 0]
    _, labels = ax.set_rgrids(radii, [str(r) if name_radii else "" for r in radii], angle=45)
    ax.grid(lw=0.4, color=FAINT, alpha=0.8)
    ax.tick_params(labelsize=TICK_POINTS - 1, pad=-3, colors=INK)
    for label in labels:
        label.set(color=INK, ha="center", va="center")
        label.set_path_effects([withStroke(linewidth=1.5, foreground="white")])
    ax.spines["polar"].set_linewidth(0.6)
    for middle, colour in ((0, "black"), (np.pi, "white")):
        half = np.linspace(middle - np.pi / 2, middle + np.pi / 2, 40)
        ax.fill_between(half, 0, 1, facecolor=colour, edgecolor="black", linewidth=0.4, zorder=5)


def _colour_bars(
    figure: Figure, axes: list[Axes], n_rows: int, norms: tuple[Normalize, Normalize], *, counts: bool = True
) -> None:
    # The bar that is added first ends up on the outside.
    bars = [(norms[0], _viridis(), "Share of all records of the cell")]
    if counts:
        bars.insert(0, (norms[1], _cividis(), "Records, or orbits, of the cell (last panels)"))
    for limits, colours, label in bars:
        bar = figure.colorbar(ScalarMappable(limits, colours), ax=axes, pad=0.015, fraction=0.03, aspect=15 * n_rows)
        if limits is norms[0]:
            bar.set_ticks(SHARE_TICKS, labels=[f"{100 * tick:.0f} %" for tick in SHARE_TICKS])
        else:
            plain_log(bar.ax.yaxis)
        finish_bar(bar, label)
