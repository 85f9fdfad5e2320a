# SPDX-License-Identifier: BSD-3-Clause
"""The figures of a report: what is common to all of them.

Figures are made by Matplotlib's object-oriented interface alone: ``pyplot`` is not touched, so drawing is safe in a
worker. ``rcParams`` are Matplotlib's own while a figure is drawn (`default_settings`), whatever the user's
``matplotlibrc`` says, and a notebook's are left as they were.
"""

from __future__ import annotations

import io
import string
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colorbar import Colorbar
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, NullLocator

from padflow.instruments.origin import NO_MEASUREMENT, SIMULATED

DEFAULTS = matplotlib.rcParamsDefault | {"timezone": "UTC"}


WIDTH_INCHES = 7.0  # text width of a two-column journal page (MNRAS, RASTI)


LABEL_POINTS = 8


TICK_POINTS = 7


DOTS_PER_INCH = 300


SCREEN_DOTS_PER_INCH = 110


INK = "#222222"


FAINT = "#8a8a8a"


SOFT = "#59636e"  # dark enough for small text


WARNING = "#9c2b00"


# Okabe and Ito (2008), Color Universal Design. Their yellow is unreadable on white: instead, the eighth is
# the wine of Tol (2021), Colour Schemes.
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9", "#CC79A7", "#000000", "#882255")


MARKERS = ("o", "^", "s")


HATCHES = ("", "//////", "......")


class NothingToDraw(Exception):
    """A figure that this run has no data for; the text says why."""


class ShownFigure(Figure):
    """A figure that a notebook shows where it is the value of a cell, whether pyplot is imported or not."""

    def _repr_png_(self) -> bytes:
        with default_settings():
            return _saved(self, "png", SCREEN_DOTS_PER_INCH, {"Software": None})


@dataclass(frozen=True)
class Drawing:
    """A figure with the words that go with it."""

    name: str
    title: str
    caption: str
    alt: str
    figure: Figure


@contextmanager
def default_settings() -> Iterator[None]:
    """Draw by Matplotlib's own settings, and no others: the same run gives the same figures for everybody.

    Not for threads side by side, for the settings are the process's.
    """
    # Neither is used: the canvas is chosen here, and dates are counted from where they were counted before.
    others = ("backend", "date.epoch")
    with matplotlib.rc_context({name: value for name, value in DEFAULTS.items() if name not in others}):
        yield


def class_colour(position: int) -> str:
    """Return the colour of the class at this position; after eight, with another marker and hatch."""
    return OKABE_ITO[position % len(OKABE_ITO)]


def class_marker(position: int) -> str:
    """Return the marker that tells apart classes of the same colour."""
    return MARKERS[position // len(OKABE_ITO) % len(MARKERS)]


def class_hatch(position: int) -> str:
    """Return the hatch that tells apart classes of the same colour."""
    return HATCHES[position // len(OKABE_ITO) % len(HATCHES)]


def new_figure(height_inches: float, *, width_inches: float = WIDTH_INCHES) -> Figure:
    """Return an empty white figure with an Agg canvas."""
    figure = ShownFigure(figsize=(width_inches, height_inches), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def mark_simulated(figure: Figure) -> None:
    """Write above a figure that it shows no measurement."""
    text = f"{SIMULATED}: {NO_MEASUREMENT}"
    figure.suptitle(text, x=0.99, ha="right", fontsize=TICK_POINTS, fontweight="bold", color=WARNING)


def finish(ax: Axes, *, letter: str = "", title: str = "", x: str = "", y: str = "") -> None:
    """Give a panel its letter, title, axis labels and the common line widths and sizes."""
    heading = f"({letter}) {title}".strip() if letter else title
    if heading:
        ax.set_title(heading, loc="left", fontsize=LABEL_POINTS, color=INK, pad=4, parse_math=False)
    if x:
        ax.set_xlabel(x, fontsize=LABEL_POINTS, color=INK, labelpad=2)
    if y:
        ax.set_ylabel(y, fontsize=LABEL_POINTS, color=INK, labelpad=2)
    ax.tick_params(which="both", labelsize=TICK_POINTS, width=0.6, colors=INK)
    ax.tick_params(which="major", length=3)
    ax.tick_params(which="minor", length=1.5)
    for side, spine in ax.spines.items():
        spine.set_linewidth(0.6)
        spine.set_color(INK)
        if side in ("top", "right"):
            spine.set_visible(False)


def finish_bar(bar: Colorbar, label: str) -> None:
    """Give a colour bar its label and the common line widths and sizes."""
    bar.set_label(label, fontsize=LABEL_POINTS, color=INK)
    bar.outline.set_linewidth(0.4)
    bar.ax.tick_params(labelsize=TICK_POINTS, length=2, width=0.6, colors=INK)
    bar.ax.tick_params(which="minor", length=0)


def plain_log(axis: Axis) -> None:
    """Write a logarithmic axis as 0.1, 1, 10; where it has fewer than two decades, 2, 3 and 5 too.

    Below half a decade not two of these may be there: then it has the round numbers of a linear axis.
    """
    low, high = axis.get_view_interval()
    if 0 < low < high < 3 * low:
        axis.set_major_locator(MaxNLocator(5, steps=(1, 2, 5, 10)))
        axis.set_minor_locator(NullLocator())
    elif 0 < low < high < 100 * low:
        axis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
        axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(lambda value, _: f"{value:g}")


def letters(n: int) -> list[str]:
    """Return the letters of ``n`` panels."""
    return [string.ascii_lowercase[i] if i < 26 else f"a{string.ascii_lowercase[i - 26]}" for i in range(n)]


def percent(share: float) -> str:
    """Write a share as a percentage that never rounds something to nothing."""
    value = 100 * share
    if 0 < value < 0.1:
        return "<0.1 %"
    return f"{value:.1f} %"


def map_without_pale_end(name: str) -> Colormap:
    """Return a sequential map whose light end still shows as a line on white paper."""
    colours = matplotlib.colormaps[name](np.linspace(0, 0.9, 256))
    return ListedColormap(colours, name=f"{name}_lines")


def energy_scale(energies: np.ndarray) -> tuple[np.ndarray, str]:
    """Return energies (given in MeV) and the unit in which they are easy to read."""
    if np.nanmax(energies) < 0.1:
        return energies * 1e3, "keV"
    return energies, "MeV"


def energy_colours(n: int) -> tuple[Colormap, BoundaryNorm]:
    """Return one colour of an ordered map for each of ``n`` energies, by rank."""
    colours = map_without_pale_end("viridis")(np.linspace(0, 1, n) if n > 1 else [0.5])
    return ListedColormap(colours), BoundaryNorm(np.arange(n + 1) - 0.5, n)


def png(figure: Figure) -> bytes:
    """Return the figure as PNG at print resolution; the same figure gives the same bytes."""
    return _saved(figure, "png", DOTS_PER_INCH, {"Software": None})


def pdf(figure: Figure) -> bytes:
    """Return the figure as PDF; the same figure gives the same bytes."""
    return _saved(figure, "pdf", DOTS_PER_INCH, {"CreationDate": None})


def _saved(figure: Figure, kind: str, dots_per_inch: int, metadata: dict[str, None]) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format=kind, dpi=dots_per_inch, facecolor="white", metadata=metadata)
    return stream.getvalue()


def numbers(values: Any) -> np.ndarray:
    """Return a JSON list of numbers as float64, None as NaN."""
    return np.array([np.nan if value is None else value for value in values or ()], dtype=float)
