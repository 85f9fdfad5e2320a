# SPDX-License-Identifier: BSD-3-Clause
"""Maps of shares and counts, whatever their axes: panels, colours and words that figures of occurrence share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, ListedColormap, LogNorm, Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from padflow.report.figures.style import NothingToDraw, finish_bar
from padflow.report.tables import Run

EMPTY, UNSURE = "#ffffff", "#c9c9c9"


WIDEST_INTERVAL = 0.5
"""A share whose 95 % interval is wider is not drawn where a map stands for more than its own records (chosen)."""


COUNTS = ("records", "orbits", "events")
"""What maps count."""


SHARE_TICKS = (0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1)


CAPTION = (
    "Share of all records of each cell (100 % are all records measured there, with a class or without; colours follow "
    "the square root, so that rare classes show). Cells without records are blank."
)


SHAPES_CAPTION = (
    f"{CAPTION.replace('rare classes', 'rare shapes').replace('with a class', 'with a shape')} "
    "Unclear: no shape is likely enough, or there are too few counts."
)
"""The same of maps of shapes."""


def unsure_words(blocks: str) -> str:
    """Return what grey means; `blocks` is orbits or events."""
    return (
        f" Grey: the 95 % interval of the share, which comes from the scatter of {blocks}, is wider than "
        f"{100 * WIDEST_INTERVAL:.0f} %, or there is only one of them in the cell."
    )


MOST_ENERGIES, SMALLEST_NAMED_SHARE, SMALLEST_SHAPE_SHARE = 4, 0.05, 0.005
"""Shapes are drawn at so many energies, of those at which so many of all records have a name. A shape that fewer have
at all of them is left out (chosen)."""


@dataclass(frozen=True)
class Panel:
    """A map: its title, values by L and another variable, what they are, and where they are unsure."""

    title: str
    values: np.ndarray
    kind: str = "share"
    unsure: np.ndarray | None = None


def class_panels(run: Run, found: xr.Dataset, *, mark_unsure: bool) -> list[Panel]:
    """Return a panel for each class, one for no class, and those that count records and orbits or events."""
    panels = []
    for place, row in enumerate(run.classes):
        share, unsure = sure_share(found, "class_share", {"pad_class": found["pad_class"][place]})
        panels.append(Panel(row.label, share, unsure=unsure if mark_unsure else None))
    none = found["no_class_share"].sum("no_class", skipna=False).values
    counted = ("records", "orbits" if "orbits" in found else "events")
    counts = [Panel(name, np.where(found[name] > 0, found[name], np.nan), name) for name in counted]
    return [*panels, Panel("no class", none), *counts]


def shape_panels(found: xr.Dataset, what: str) -> tuple[list[Panel], list[str], np.ndarray]:
    """Return panels of shapes, those of one energy after the other; the names of the shapes; and the energies in MeV.

    Raises
    ------
    NothingToDraw
        Where there are no shapes, or hardly one has a name.
    """
    if "shape_share" not in found:
        raise NothingToDraw(f"{what}: the results have no shapes of records (recommended mode measures them).")
    everywhere = found["shape_share"].weighted(found["records"]).mean(found["records"].dims)
    named = np.flatnonzero(1 - everywhere.sel(shape="unclear") >= SMALLEST_NAMED_SHARE)
    if not len(named):
        raise NothingToDraw(f"{what}: at no energy has one record in {1 / SMALLEST_NAMED_SHARE:.0f} a name.")
    places = np.unique(named[np.linspace(0, len(named) - 1, MOST_ENERGIES).round().astype(int)])
    often = (everywhere.isel(shape_energy=places) >= SMALLEST_SHAPE_SHARE).any("shape_energy")
    names = [str(name) for name in found["shape"].values if name != "unclear" and often.sel(shape=name)] + ["unclear"]
    panels = []
    for energy in found["shape_energy"][places]:
        for name in names:
            share, unsure = sure_share(found, "shape_share", {"shape": name, "shape_energy": energy})
            panels.append(Panel(name, share, unsure=unsure))
    return panels, names, found["shape_energy"].values[places].astype(float)


def sure_share(found: xr.Dataset, name: str, chosen: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return a share, and where it is too uncertain to be drawn."""
    share, low, high = (found[name + end].sel(chosen).values for end in ("", "_low", "_high"))
    return share, np.isfinite(share) & ~(high - low <= WIDEST_INTERVAL)


def colour_cells(ax: Axes, x_edges: np.ndarray, y_edges: np.ndarray, panel: Panel, norms: dict[str, Normalize]) -> None:
    """Draw a panel: shares or counts, and grey where they are unsure."""
    values, norm = np.ma.masked_invalid(panel.values), norms[panel.kind]
    ax.pcolormesh(x_edges, y_edges, values, norm=norm, cmap=_colours(panel.kind), rasterized=True)
    if panel.unsure is not None and panel.unsure.any():
        grey = np.ma.masked_equal(panel.unsure.astype(float), 0)
        ax.pcolormesh(x_edges, y_edges, grey, cmap=ListedColormap([UNSURE]), rasterized=True)


def norms_of(found: xr.Dataset) -> dict[str, Normalize]:
    """Return how shares and counts become colours, by what they are."""
    counts = [name for name in COUNTS if name in found]
    largest = {name: max(float(found[name].max()), 10.0) for name in counts}
    return {"share": PowerNorm(0.5, vmin=0, vmax=1)} | {name: LogNorm(1, largest[name]) for name in counts}


def _colours(kind: str) -> Colormap:
    return colormaps["cividis" if kind in COUNTS else "viridis"].with_extremes(bad=EMPTY)


def used_range(total: np.ndarray, edges: np.ndarray) -> tuple[float, float]:
    """Return the L edges around all cells with records; `total` holds the records of each cell (row, column)."""
    used = np.flatnonzero((total > 0).any(axis=1))
    return (float(edges[used[0]]), float(edges[used[-1] + 1])) if len(used) else (float(edges[0]), float(edges[-1]))


def colour_bars(
    figure: Figure, axes: list[Axes], n_rows: int, norms: dict[str, Normalize], *, counts: bool = True
) -> None:
    """Draw a bar for shares, and one for each kind of counts."""
    # The bar that is added first ends up on the outside.
    for kind, limits in reversed(norms.items()):
        if kind in COUNTS and not counts:
            continue
        mappable = ScalarMappable(limits, _colours(kind))
        bar = figure.colorbar(mappable, ax=axes, pad=0.012, fraction=0.025, aspect=18 * n_rows)
        if kind in COUNTS:
            # Below two decades the decades alone are too few to read a value by.
            low, high = bar.ax.get_ylim()
            if high < 100 * low:
                bar.set_ticks(FixedLocator([n for n in (1, 2, 5, 10, 20, 50) if n <= high]))
            bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
            finish_bar(bar, f"{kind.capitalize()} in the cell")
        else:
            bar.set_ticks(SHARE_TICKS, labels=[f"{100 * tick:.0f} %" for tick in SHARE_TICKS])
            finish_bar(bar, "Share of all records of the cell")
