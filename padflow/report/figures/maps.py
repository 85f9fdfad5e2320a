"""Figures of where and when the classes occur: maps of L and time, and of L and magnetic local time."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LogNorm, Normalize, PowerNorm
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.projections.polar import PolarAxes

from padflow.report.figures.style import (
    FAINT,
    INK,
    LABEL_POINTS,
    TICK_POINTS,
    Drawing,
    NothingToDraw,
    finish,
    finish_bar,
    letters,
    new_figure,
    plain_log,
)
from padflow.report.tables import Run

EMPTY = "#ffffff"


SHARE_TICKS = (0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1)


CAPTION = (
    "Share of the records of each cell that have the class (the labelled records of the cell are 100 %; "
    "colours follow the square root, so that rare classes show). Cells without records are blank. The last "
    "panel counts the records of each cell: shares from few records are uncertain."
)


def occurrence_l_time(run: Run) -> Drawing:
    """Draw the share of each class against L and time."""
    counts = _counts(
        run,
        "occurrence",
        ("pad_class", "l_bin", "time_bin"),
        "Class against L and time",
        "l_edges",
        "time_edges",
    )
    share, total = _shares(counts)
    times = date2num(run.summary["time_edges"].values.astype("datetime64[us]"))
    l_edges = run.summary["l_edges"].values.astype(float)
    n = len(share) + 1
    n_columns = 2 if n in (2, 4) else 3
    n_rows = math.ceil(n / n_columns)
    figure = new_figure(0.75 + 1.25 * n_rows)
    axes = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False).ravel()
    norm, record_norm = _norms(total)
    low, high = _used_range(total, l_edges)
    for i, (ax, letter) in enumerate(zip(axes, letters(n), strict=False)):
        last = i == n - 1
        values, limits, colours = (total, record_norm, _cividis()) if last else (share[i], norm, _viridis())
        ax.pcolormesh(times, l_edges, np.ma.masked_invalid(values), norm=limits, cmap=colours, rasterized=True)
        locator = AutoDateLocator(minticks=2, maxticks=5)
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        ax.xaxis.get_offset_text().set(fontsize=TICK_POINTS, color=INK)
        ax.set(xlim=(times[0], times[-1]), ylim=(low, high))
        finish(ax, letter=letter, title="records" if last else run.classes[i].label)
        ax.tick_params(labelbottom=i >= n - n_columns)
        ax.xaxis.get_offset_text().set_visible(i >= n - n_columns)
    for ax in axes[n:]:
        ax.set_visible(False)
    figure.supxlabel("Time (UTC)", fontsize=LABEL_POINTS, color=INK)
    figure.supylabel("L", fontsize=LABEL_POINTS, color=INK)
    _colour_bars(figure, list(axes), n_rows, norm, record_norm)
    step = float(np.median(np.diff(times)))
    begin, end = (str(edge)[:10] for edge in run.summary["time_edges"].values[[0, -1]])
    caption = f"Classes against L and time, {begin} to {end}, {step:.3g} days a column. {CAPTION}"
    caption += _missing_words(run, counts, "L")
    alt = f"Maps of the share of {n - 1} classes against L and time."
    return Drawing("occurrence_l_time", "Where and when: L and time", caption, alt, figure)


def occurrence_l_mlt(run: Run) -> Drawing:
    """Draw the share of each class against L and magnetic local time, as dials with noon up."""
    what = "Class against L and magnetic local time"
    counts = _counts(run, "occurrence_mlt", ("pad_class", "l_bin", "mlt_bin"), what, "l_edges", "mlt_edges")
    share, total = _shares(counts)
    l_edges = run.summary["l_edges"].values.astype(float)
    hours, owner = _fine_hours(run.summary["mlt_edges"].values.astype(float))
    n = len(share) + 1
    n_columns = min(n, 3 if n <= 9 else 4 if n <= 16 else 5)
    n_rows = math.ceil(n / n_columns)
    figure = new_figure(0.1 + (0.35 + 5.0 / max(n_columns, 2)) * n_rows)
    axes = figure.subplots(n_rows, n_columns, subplot_kw={"projection": "polar"}, squeeze=False).ravel()
    norm, record_norm = _norms(total)
    _, high = _used_range(total, l_edges)
    for i, (ax, letter) in enumerate(zip(axes, letters(n), strict=False)):
        last = i == n - 1
        values, limits, colours = (total, record_norm, _cividis()) if last else (share[i], norm, _viridis())
        masked = np.ma.masked_invalid(values[:, owner])
        ax.pcolormesh(hours * np.pi / 12, l_edges, masked, norm=limits, cmap=colours, rasterized=True)
        _dial(ax, high, name_radii=i == 0)
        ax.set_title(
            f"({letter}) {'records' if last else run.classes[i].label}",
            loc="left",
            fontsize=LABEL_POINTS,
            color=INK,
        )
    for ax in axes[n:]:
        ax.set_visible(False)
    _colour_bars(figure, list(axes), n_rows, norm, record_norm)
    caption = (
        f"Classes against L (radius, 0 to {high:.3g}) and magnetic local time (h; noon up, dawn right, seen "
        f"from above the north pole; the Earth to scale at the centre, its night side black). {CAPTION}"
    )
    caption += _missing_words(run, counts, "L or MLT")
    alt = f"Dials of the share of {n - 1} classes against L and magnetic local time, noon up."
    return Drawing("occurrence_l_mlt", "Where: L and magnetic local time", caption, alt, figure)


def _counts(run: Run, name: str, dims: tuple[str, ...], what: str, *edges: str) -> xr.DataArray:
    missing = [variable for variable in (name, *edges) if variable not in run.summary]
    if missing:
        raise NothingToDraw(
            f"{what}: summary.nc holds no {' and no '.join(missing)} (the product has no such ephemeris)."
        )
    counts = run.summary[name].transpose(*dims)
    if not counts.size or not int(counts.sum()):
        raise NothingToDraw(f"{what}: no record with a class has a usable position.")
    return counts


def _missing_words(run: Run, counts: xr.DataArray, what: str) -> str:
    """Return a sentence on how many records with a class the map leaves out, or nothing where it shows all."""
    missing = run.n_labelled - int(counts.sum())
    if not missing:
        return ""
    low, high = run.summary["l_edges"].values[[0, -1]]
    return (
        f" Not shown: {missing:,} of the {run.n_labelled:,} records with a class, which have no {what} or an L outside "
        f"{low:.3g} to {high:.3g}."
    )


def _shares(counts: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    """Return shares (pad_class, row, column) and records (row, column), NaN in cells without records."""
    values = counts.values.astype(float)
    total = values.sum(axis=0)
    total[total == 0] = np.nan
    return values / total, total


def _norms(total: np.ndarray) -> tuple[Normalize, Normalize]:
    high = max(float(np.nanmax(total)), 10.0)
    return PowerNorm(0.5, vmin=0, vmax=1), LogNorm(vmin=1, vmax=high)


def _viridis() -> Colormap:
    return colormaps["viridis"].with_extremes(bad=EMPTY)


def _cividis() -> Colormap:
    return colormaps["cividis"].with_extremes(bad=EMPTY)


def _used_range(total: np.ndarray, edges: np.ndarray) -> tuple[float, float]:
    """Return the L edges around all cells with records; `total` holds the records of each cell (row, column)."""
    used = np.flatnonzero((total > 0).any(axis=1))  # a sum would not do: it is NaN where one cell of the row is empty
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


def _colour_bars(figure: Figure, axes: list[Axes], n_rows: int, norm: Normalize, record_norm: Normalize) -> None:
    # The bar that is added first ends up on the outside.
    bars = (
        (record_norm, _cividis(), "Records in the cell (last panel)"),
        (norm, _viridis(), "Share of the records in the cell"),
    )
    for limits, colours, label in bars:
        bar = figure.colorbar(ScalarMappable(limits, colours), ax=axes, pad=0.015, fraction=0.03, aspect=15 * n_rows)
        if limits is norm:
            bar.set_ticks(SHARE_TICKS, labels=[f"{100 * tick:.0f} %" for tick in SHARE_TICKS])
        else:
            plain_log(bar.ax.yaxis)
        finish_bar(bar, label)
