# SPDX-License-Identifier: BSD-3-Clause
"""A time range at a glance: flux, pitch angles, shapes, classes and an index, over one time axis."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.dates import AutoDateLocator, date2num, num2date
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from padflow.instruments.origin import SIMULATED
from padflow.report.figures.columns import Columns
from padflow.report.figures.style import (
    FAINT,
    INK,
    LABEL_POINTS,
    SOFT,
    TICK_POINTS,
    class_colour,
    class_hatch,
    energy_scale,
    finish,
    finish_bar,
    mark_simulated,
    new_figure,
)
from padflow.shapes.names import SHAPES

BAR = (1.012, 0.04, 0.018, 0.92)
"""Place of a colour bar beside its panel, in parts of the panel: left, bottom, width, height."""


COLUMNS = 400
"""Columns of a figure at most (chosen: each is as wide as a dot of a screen at least)."""


STEPS = 1.5
"""Times between records that a column has at least, so that none between two records is empty (chosen)."""


FEWEST_COUNTS = 100
"""Counts in a column and channel from which pitch angles are drawn (chosen: some 6 a bin of REPT)."""


DECADES = 4
"""Decades of flux that colours tell apart, below the largest (chosen)."""


NEAR = np.timedelta64(5, "m")
"""How far the record may be from a tick whose place is written there (chosen)."""


# Tol (2021), Colour Schemes: "muted". Those of classes are others, so that nobody takes one for the other.
SHAPE_COLOURS = {
    "unclear": "#E4E4E4",
    "pancake": "#332288",
    "cap": "#88CCEE",
    "flattop": "#44AA99",
    "butterfly": "#CC6677",
    "isotropic": "#DDCC77",
    "field-aligned": "#AA4499",
}


NO_CLASS = "#E4E4E4"


HEIGHTS = {"flux": 1.35, "pitch_angle": 0.95, "shape": 0.95, "class": 0.95, "index": 0.85}
"""Inches."""


LEGEND_INCHES = 0.13
"""Height of an entry of a legend."""


def quick_look(
    seen: xr.Dataset, start: np.datetime64, end: np.datetime64, *, title: str, index: xr.DataArray | None = None
) -> Figure:
    """Draw a time range.

    Parameters
    ----------
    seen : xarray.Dataset
        Loaded. ``flux`` (time, pitch_angle, channel) with the coordinates ``channel`` (MeV) and ``counts_per_flux``;
        ``pad_class`` and ``probability``; ``shape`` (time, energy) where it was measured; ``L``, ``MLT`` and ``MLAT``
        where they are known.
    index : xarray.DataArray, optional
        An index along one time axis, as `padflow.read_indices` returns it.
    """
    columns = Columns.of_times(seen["time"].values, start, end, columns=_number_of_columns(seen, end - start))
    kinds = [*(["flux"] if "L" in seen.variables else []), *["pitch_angle"] * seen.sizes["channel"]]
    kinds += [*(["shape"] if "shape" in seen else []), "class", *(["index"] if index is not None else [])]
    entries = len(np.unique(seen["pad_class"].values))
    inches = HEIGHTS | {"class": max(HEIGHTS["class"], LEGEND_INCHES * entries)}
    figure = new_figure(0.95 + sum(inches[kind] for kind in kinds))
    figure.set_layout_engine("constrained", h_pad=0.03, hspace=0.0)
    panels = figure.subplots(len(kinds), 1, sharex=True, squeeze=False, height_ratios=[inches[k] for k in kinds])[:, 0]
    of_kind = {kind: [ax for ax, own in zip(panels, kinds, strict=True) if own == kind] for kind in HEIGHTS}
    for ax in of_kind["flux"]:
        _flux_by_l(ax, seen)
    _pitch_angles(of_kind["pitch_angle"], seen, columns)
    for ax in of_kind["shape"]:
        _shapes(ax, seen, columns)
    for ax in of_kind["class"]:
        _classes(ax, seen, columns)
    if index is not None:
        _index(of_kind["index"][0], index, start, end)
    _time_axis(panels[-1], seen, start, end)
    labelled = int((seen["pad_class"].values >= 0).sum())
    panels[0].set_title(
        f"{title}: {seen.sizes['time']:,} records, {labelled:,} with a class",
        loc="left",
        fontsize=LABEL_POINTS,
        color=INK,
    )
    if SIMULATED in seen.attrs:
        mark_simulated(figure)
    return figure


def _number_of_columns(seen: xr.Dataset, length: np.timedelta64) -> int:
    time = seen["time"].values
    step = np.median(np.diff(time)) if len(time) > 1 else length
    return int(np.clip(length / (STEPS * step), 1, COLUMNS))


def _dates(times: np.ndarray) -> np.ndarray:
    return date2num(times.astype("M8[us]"))


def _mesh(ax: Axes, columns: Columns, edges: np.ndarray, values: np.ndarray, **more: Any) -> QuadMesh:
    """Draw values (columns, rows) between the edges of rows."""
    return ax.pcolormesh(_dates(columns.edges), edges, np.ma.masked_invalid(values).T, rasterized=True, **more)


def _flux_by_l(ax: Axes, seen: xr.Dataset) -> None:
    """Draw the flux averaged over pitch angle in the first channel, as the colour of L."""
    flux, place, dates = _angle_average(seen["flux"].values[:, :, 0]), seen["L"].values, _dates(seen["time"].values)
    drawn = np.isfinite(place) & (flux > 0)
    high = 10 ** np.ceil(np.log10(flux[drawn].max())) if drawn.any() else 1.0
    norm = LogNorm(high / 10**DECADES, high)
    ax.plot(dates, place, ".", ms=0.6, color=FAINT, rasterized=True, zorder=1)
    dots = ax.scatter(dates[drawn], place[drawn], c=flux[drawn], s=9, lw=0, norm=norm, cmap="viridis", rasterized=True)
    finish(ax, y="L")
    bar = ax.figure.colorbar(dots, cax=ax.inset_axes(BAR), extend="min")
    finish_bar(bar, f"Flux, {_channel_name(seen, 0)}\n(cm⁻² s⁻¹ sr⁻¹ MeV⁻¹)")


def _angle_average(flux: np.ndarray) -> np.ndarray:
    """Return the average of flux (records, pitch_angle) over the pitch angles that have a value; NaN without any."""
    there = np.isfinite(flux)
    number = there.sum(axis=1)
    total = np.where(there, flux, 0).sum(axis=1, dtype=float)
    return np.divide(total, number, out=np.full(len(flux), np.nan), where=number > 0)


def _channel_name(seen: xr.Dataset, position: int) -> str:
    energies, unit = energy_scale(seen["channel"].values)
    return f"{energies[position]:.3g} {unit}"


def _pitch_angles(panels: Iterable[Axes], seen: xr.Dataset, columns: Columns) -> None:
    """Draw flux by pitch angle over its average, a panel for each channel."""
    panels, angles = list(panels), seen["pitch_angle"].values
    edges = np.clip(np.concatenate([[0], (angles[1:] + angles[:-1]) / 2, [np.ceil(angles[-1] / 90) * 90]]), 0, 180)
    mean = columns.mean(seen["flux"].values)
    counts = columns.total(seen["flux"].values).sum(axis=1) * seen["counts_per_flux"].values
    few = counts < FEWEST_COUNTS  # never where counts are not known
    few[np.setdiff1d(np.arange(len(columns)), columns.filled)] = False
    for position, ax in enumerate(panels):
        values = mean[..., position]
        average = _angle_average(values)
        average[few[:, position] | (average == 0)] = np.nan
        share = values / average[:, None]
        mesh = _mesh(ax, columns, edges, share, vmin=0, vmax=2, cmap=colormaps["cividis"])
        ax.set(ylim=(edges[0], edges[-1]), yticks=np.arange(0, edges[-1] + 1, 45 if edges[-1] <= 90 else 90))
        finish(ax, y=f"Pitch angle (°)\n{_channel_name(seen, position)}")
        bar = ax.figure.colorbar(mesh, cax=ax.inset_axes(BAR), extend="max", ticks=[0, 1, 2])
        finish_bar(bar, "Flux / average\nover angles")
    if few.any():
        words = f"blank: fewer than {FEWEST_COUNTS} counts in a column"
        panels[0].text(1, 1.02, words, transform=panels[0].transAxes, ha="right").set(
            fontsize=TICK_POINTS - 1, color=SOFT
        )


def _shapes(ax: Axes, seen: xr.Dataset, columns: Columns) -> None:
    """Draw the commonest shape in each column, by energy."""
    energies, unit = energy_scale(seen["energy"].values)
    codes = columns.commonest(seen["shape"].values, kinds=len(SHAPES))
    colours = ListedColormap([SHAPE_COLOURS[name] for name in SHAPES])
    values = np.where(codes < 0, np.nan, codes)
    _mesh(ax, columns, np.arange(len(energies) + 1) - 0.5, values, vmin=-0.5, vmax=len(SHAPES) - 0.5, cmap=colours)
    step = int(np.ceil(len(energies) / 8))
    ax.set_yticks(np.arange(0, len(energies), step), [f"{energy:.3g}" for energy in energies[::step]])
    finish(ax, y=f"Shape\nEnergy ({unit})")
    _legend(
        ax, [Patch(facecolor=SHAPE_COLOURS[SHAPES[code]], label=SHAPES[code]) for code in np.unique(codes[codes >= 0])]
    )


def _classes(ax: Axes, seen: xr.Dataset, columns: Columns) -> None:
    """Draw the commonest class in each column as its colour, as high as its mean probability."""
    names = str(seen["pad_class"].attrs.get("flag_meanings", "")).split()
    own = seen["pad_class"].values
    kinds = max(len(names), int(own.max(initial=-1)) + 1)
    codes = columns.commonest(np.where(own < 0, kinds, own), kinds=kinds + 1)
    of_column = np.repeat(codes[columns.filled], np.diff(np.append(columns.first, len(own))))
    probability = np.where(own == of_column, seen["probability"].values, np.nan)
    height = columns.mean(probability)
    known = np.isfinite(height).any()
    height[np.isnan(height)] = 1
    edges, handles = _dates(columns.edges), []
    for code in np.unique(codes[codes >= 0]):
        colour = NO_CLASS if code == kinds else class_colour(code)
        hatch = "" if code == kinds else class_hatch(code)
        there = np.where(codes == code, height, 0)
        ax.stairs(there, edges, fill=True, color=colour, lw=0, hatch=hatch, rasterized=True)
        name = "no class" if code == kinds else f"{code} {names[code] if code < len(names) else ''}".replace("_", " ")
        handles.append(Patch(facecolor=colour, hatch=hatch, label=name))
    ax.set(ylim=(0, 1), yticks=[0, 0.5, 1] if known else [])
    finish(ax, y="Class\nProbability" if known else "Class")
    _legend(ax, handles)


def _legend(ax: Axes, handles: list[Patch]) -> None:
    ax.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(1.0, 1.05),
        fontsize=TICK_POINTS - 0.5,
        frameon=False,
        handlelength=1.0,
        labelspacing=0.25,
        borderaxespad=0.2,
    )


def _index(ax: Axes, index: xr.DataArray, start: np.datetime64, end: np.datetime64) -> None:
    """Draw an index from the value before the range to the one behind it; a gap is a gap of the line."""
    time = index[index.dims[0]].values
    first, last = np.searchsorted(time, start, side="right") - 1, np.searchsorted(time, end) + 1
    shown = slice(max(first, 0), last)
    ax.axhline(0, color=FAINT, lw=0.5, ls=":")
    ax.step(_dates(time[shown]), index.values[shown], where="post", lw=0.8, color=INK)
    name = str(index.attrs.get("long_name", index.name)).removesuffix(" index")
    finish(ax, y=f"{name}\n({index.attrs.get('units', '')})")


def _time_axis(ax: Axes, seen: xr.Dataset, start: np.datetime64, end: np.datetime64) -> None:
    """Write time below the lowest panel, and where the spacecraft was then."""
    low, high = _dates(np.array([start, end]))
    ax.set_xlim(low, high)
    ticks = [
        tick
        for tick in AutoDateLocator(minticks=4, maxticks=9).tick_values(*num2date([low, high]))
        if low <= tick <= high
    ]
    times = np.array([np.datetime64(num2date(tick).replace(tzinfo=None), "ns") for tick in ticks])
    places = [name for name in ("L", "MLT", "MLAT") if name in seen.variables]
    lines = [[_time_text(time, high - low) for time in times]]
    lines += [[_place_text(seen, name, time) for time in times] for name in places]
    ax.set_xticks(ticks, ["\n".join(texts) for texts in zip(*lines, strict=True)])
    ax.tick_params(axis="x", labelsize=TICK_POINTS)
    units = {"L": "L", "MLT": "MLT (h)", "MLAT": "MLAT (°)"}
    heads = ["UTC", *(units[name] for name in places)]
    ax.annotate(
        "\n".join(heads),
        (0, 0),
        xytext=(-28, -6.5),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right",
        va="top",
    ).set(fontsize=TICK_POINTS, color=SOFT)


def _time_text(time: np.datetime64, days: float) -> str:
    text = str(time.astype("M8[m]"))
    return text[11:] if days <= 2 else text[5:10] if days > 10 else f"{text[5:10]} {text[11:]}"


def _place_text(seen: xr.Dataset, name: str, time: np.datetime64) -> str:
    """Return the place at the record that is nearest in time, or a dash where none is within `NEAR`."""
    own = seen["time"].values
    nearest = int(np.abs(own - time).argmin())
    value = float(seen[name].values[nearest])
    return f"{value:.1f}".replace("-", "−") if abs(own[nearest] - time) <= NEAR and np.isfinite(value) else "–"
