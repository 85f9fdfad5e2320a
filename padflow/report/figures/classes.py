# SPDX-License-Identifier: BSD-3-Clause
"""Figures of the classes: their sizes and their pitch-angle distributions."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from padflow.report.figures.style import (
    FAINT,
    INK,
    LABEL_POINTS,
    SOFT,
    TICK_POINTS,
    Drawing,
    NothingToDraw,
    class_colour,
    class_hatch,
    energy_colours,
    energy_scale,
    finish,
    finish_bar,
    letters,
    new_figure,
    percent,
)
from padflow.report.tables import Run

GRID_COLUMNS_MAX = 12  # energies side by side in the figure of quartiles


SMALLEST_GRID_INCHES = 2.7  # height of that figure, which its longest label needs


MAX_ERROR = 0.1
"""Standard error of a mean shape, whose average over pitch angle is 1, above which it would show noise (chosen)."""


def sizes(run: Run) -> Drawing:
    """Draw the records of each class, and of each reason for having none."""
    if not run.classes:
        raise NothingToDraw("Class sizes: the run has no classes.")
    n_rows = len(run.classes) + len(run.unlabelled)
    figure = new_figure(0.9 + 0.21 * n_rows + (0.65 if run.unlabelled else 0))
    if run.unlabelled:
        ratios = [len(run.classes) + 0.6, len(run.unlabelled) + 0.6]
        upper, lower = figure.subplots(2, 1, height_ratios=ratios)
        rows = [(reason, counts, percent(_total(counts) / _all(run))) for reason, counts in run.unlabelled.items()]
        colours = [FAINT] * len(rows)
        _bars(lower, run, rows, colours, [""] * len(rows))
        finish(lower, letter="b", title="without a class, % of all records", x="Records")
    else:
        upper = figure.subplots()
    rows = [(row.label, row.per_spacecraft, percent(row.share)) for row in run.classes]
    colours = [class_colour(i) for i in range(len(rows))]
    _bars(upper, run, rows, colours, [class_hatch(i) for i in range(len(rows))])
    title = "with a class, % of the records that have one"
    finish(upper, letter="a" if run.unlabelled else "", title=title, x="Records")
    _spacecraft_legend(upper, run)
    caption = (
        "Records of each class (number and shape of its mean pitch-angle distribution); percentages are of "
        f"the {run.n_labelled:,} records that have a class"
    )
    caption += f", and in (b) of all {_all(run):,} records, by the reason for having none." if run.unlabelled else "."
    if len(run.spacecraft) > 1:
        caption += f" Full colour: {run.spacecraft[0]}; paler: {', '.join(run.spacecraft[1:])}."
    alt = "Records by class: " + "; ".join(f"{row.label} {percent(row.share)}" for row in run.classes) + "."
    return Drawing("sizes", "Sizes of the classes", caption, alt, figure)


def _total(counts: dict[str, int]) -> int:
    return sum(counts.values())


def _all(run: Run) -> int:
    return run.n_labelled + run.n_unlabelled


def _shade(position: int) -> float:
    return 1.0 if position == 0 else 0.55 / position


def _bars(ax: Axes, run: Run, rows: list, colours: list[str], hatches: list[str]) -> None:
    """Draw stacked horizontal bars, first row on top, with the count and share written at their ends."""
    y = np.arange(len(rows))
    left = np.zeros(len(rows))
    for i, name in enumerate(run.spacecraft):
        width = np.array([counts.get(name, 0) for _, counts, _ in rows], dtype=float)
        bars = ax.barh(y, width, left=left, height=0.72, color=colours, alpha=_shade(i), linewidth=0)
        for bar, hatch in zip(bars, hatches, strict=True):
            bar.set(hatch=hatch, edgecolor="white")
        left += width
    for i, (_, counts, share) in enumerate(rows):
        ax.annotate(
            f"{_total(counts):,}  ({share})",
            (left[i], y[i]),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
        ).set(fontsize=TICK_POINTS, color=INK)
    ax.set_yticks(y, [name for name, *_ in rows], parse_math=False)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xlim(0, 1.28 * max(left.max(), 1))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=7))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.tick_params(axis="y", length=0)


def _spacecraft_legend(ax: Axes, run: Run) -> None:
    if len(run.spacecraft) > 1:
        handles = [Patch(facecolor=INK, alpha=_shade(i), label=name) for i, name in enumerate(run.spacecraft)]
        legend = ax.legend(handles=handles, fontsize=TICK_POINTS, frameon=False, ncols=len(handles), loc="lower right")
        legend.set_bbox_to_anchor((1.0, 1.0), ax.transAxes)


def pads(run: Run) -> Drawing:
    """Draw the mean pitch-angle distribution of each class, one line an energy, one panel a class."""
    mean = _pad_mean(run)
    known = _well_known(run, mean)
    shown = np.flatnonzero(known.any(axis=0)) if known.any() else np.arange(mean.sizes["energy"])
    values = np.where(known[:, None, :], mean.values, np.nan)[..., shown]
    all_energies, unit = energy_scale(mean["energy"].values.astype(float))
    energies = all_energies[shown]
    pitch = mean["pitch_angle"].values.astype(float)
    limit, clipped = _limit(values)
    colours, norm = energy_colours(len(energies))
    n = len(run.classes)
    n_columns = min(n, 4)
    n_rows = math.ceil(n / n_columns)
    figure = new_figure(0.7 + 1.45 * n_rows if n > 1 else 3.0)
    axes = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False).ravel()
    for i, (ax, row, letter) in enumerate(zip(axes, run.classes, letters(n), strict=False)):
        ax.axhline(1, color=FAINT, lw=0.6, ls=":")
        ax.add_collection(
            LineCollection([np.column_stack([pitch, line]) for line in values[i].T], array=np.arange(len(energies)))
        ).set(cmap=colours, norm=norm, linewidth=1.0)
        number = int(known[i].sum())
        if number < len(all_energies):
            text = f"{number} of {len(all_energies)} energies" if number else "too few counts"
            ax.text(0.03, 0.97, text, transform=ax.transAxes, va="top").set(fontsize=TICK_POINTS - 1, color=SOFT)
        ax.set(xlim=_pitch_limits(pitch), ylim=(0, limit if known.all() else 1.12 * limit), xticks=_pitch_ticks(pitch))
        finish(ax, letter=letter, title=row.label)
    for ax in axes[n:]:
        ax.set_visible(False)
    _label_shared(figure, axes, n, n_columns)
    bar = figure.colorbar(ScalarMappable(norm, colours), ax=list(axes), pad=0.015, fraction=0.05, aspect=30)
    step = math.ceil(len(energies) / 14)
    bar.set_ticks(np.arange(0, len(energies), step).tolist(), labels=[f"{e:.3g}" for e in energies[::step]])
    bar.ax.minorticks_off()
    finish_bar(bar, f"Energy ({unit})")
    caption = (
        "Mean flux of the records of each class against pitch angle, divided by its average over pitch "
        f"angle at the same energy (1, dotted, is isotropic), one line for each energy.{_clipped_words(clipped, limit)}"
        f"{_left_out_words(known, all_energies, unit)}"
    )
    alt = f"Mean pitch-angle distributions of {n} classes at {len(energies)} energies: "
    alt += "; ".join(row.label for row in run.classes) + "."
    return Drawing("pads", "Mean pitch-angle distribution of each class", caption, alt, figure)


def _pad_mean(run: Run) -> xr.DataArray:
    if "pad_mean" not in run.summary or not run.classes:
        raise NothingToDraw("Pitch-angle distributions: summary.nc holds no pad_mean.")
    return run.summary["pad_mean"].transpose("pad_class", "pitch_angle", "energy")


def _well_known(run: Run, mean: xr.DataArray) -> np.ndarray:
    """Return of which classes and energies (pad_class, energy) the mean shape is known well enough to be drawn.

    Where the summary holds no errors, of an older padflow, all that has a value is drawn.
    """
    there = np.isfinite(mean.values).any(axis=1)
    if "pad_error" not in run.summary:
        return there
    error = run.summary["pad_error"].transpose(*mean.dims).values
    squares, number = np.nansum(error**2, axis=1), np.isfinite(error).sum(axis=1)
    return there & (number > 0) & (squares <= MAX_ERROR**2 * number)


def _left_out_words(known: np.ndarray, energies: np.ndarray, unit: str) -> str:
    """Say which energies are not drawn, and why."""
    if known.all():
        return ""
    nowhere = [f"{energy:.3g}" for energy in energies[~known.any(axis=0)]]
    words = f"; at {', '.join(nowhere)} {unit} no class has enough" if nowhere else ""
    return (
        " Energies at which a class has too few counts are not drawn, for they would show noise (standard error of the "
        f"mean above {MAX_ERROR:g}){words}. All values, with their errors, are in tables/pads.csv."
    )


def _label_shared(figure: Figure, axes: np.ndarray, n: int, n_columns: int) -> None:
    """Label the outer panels once; a column that ends early keeps its tick labels."""
    for ax in axes[max(n - n_columns, 0) : n]:
        ax.tick_params(labelbottom=True)
    figure.supxlabel("Pitch angle (°)", fontsize=LABEL_POINTS, color=INK)
    figure.supylabel("Flux / average over pitch angle", fontsize=LABEL_POINTS, color=INK)


def _limit(values: np.ndarray) -> tuple[float, int]:
    """Return the top of the axis and how many values lie above: a few wild ones must not flatten the rest."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 2.0, 0
    limit = float(max(min(finite.max(), 1.6 * np.percentile(finite, 98)), 1.2)) * 1.05
    return limit, int((finite > limit).sum())


def _clipped_words(clipped: int, limit: float) -> str:
    return f" {clipped:,} value{'s' * (clipped != 1)} above {limit:.2g} run out of the panels." if clipped else ""


def _pitch_limits(pitch: np.ndarray) -> tuple[float, float]:
    return (0, 90) if pitch.max() <= 90 else (0, 180)


def _pitch_ticks(pitch: np.ndarray) -> list[int]:
    return [0, 30, 60, 90] if pitch.max() <= 90 else [0, 45, 90, 135, 180]


def pads_quartiles(run: Run) -> Drawing:
    """Draw median, mean and quartiles of each class (rows) at each energy (columns)."""
    mean = _pad_mean(run)
    if "pad_quantile" not in run.summary:
        raise NothingToDraw("Quartiles of the pitch-angle distributions: summary.nc holds no pad_quantile.")
    quantile = run.summary["pad_quantile"].transpose("quantile", "pad_class", "pitch_angle", "energy")
    all_energies, unit = energy_scale(mean["energy"].values.astype(float))
    everywhere = _well_known(run, mean)
    drawn = np.flatnonzero(everywhere.any(axis=0)) if everywhere.any() else np.arange(len(all_energies))
    chosen = drawn[np.unique(np.linspace(0, len(drawn) - 1, min(len(drawn), GRID_COLUMNS_MAX)).round().astype(int))]
    low, middle, high = (quantile.sel(quantile=q).values[..., chosen] for q in (0.25, 0.5, 0.75))
    known = everywhere[:, chosen]
    series = np.where(known[:, None], np.stack([low, middle, high, mean.values[..., chosen]]), np.nan)
    limit, clipped = _limit(series)
    n_classes, n_energies = len(run.classes), len(chosen)
    figure = new_figure(max(0.75 + n_classes * (0.72 if n_classes <= 10 else 0.46), SMALLEST_GRID_INCHES))
    ax = figure.subplots()
    grid = _Grid(ax, mean["pitch_angle"].values.astype(float), limit)
    for i in range(n_classes):
        for j in range(n_energies):
            grid.cell(i, j, *series[:, i, :, j], colour=class_colour(i))
    grid.label(run, [f"{all_energies[k]:.3g}" for k in chosen], unit)
    caption = (
        "The same as in the figure before, with its spread: for each class (row) and energy (column, "
        f"{unit}) the median (line), the quartiles (band) and the mean (dots) over the records of the class "
        "of flux divided by its average over pitch angle; dotted: 1, isotropic. The band holds the counting noise of "
        "single records, which is most of it where counts are few. All cells share their axes, "
        f"0 to {grid.span:g}° and 0 to {limit:.2g}; a dash marks cells with too few counts (standard error of the mean "
        f"above {MAX_ERROR:g}).{_clipped_words(clipped, limit)}"
    )
    if n_energies < len(all_energies):
        caption += f" Shown: {n_energies} of {len(all_energies)} energies; all are in tables/pads.csv."
    alt = f"Quartiles of the pitch-angle distributions of {n_classes} classes at {n_energies} energies."
    return Drawing("pads_quartiles", "Spread within each class", caption, alt, figure)


class _Grid:
    """Small multiples in one pair of axes: a hundred cells cost what one panel costs.

    A cell is one unit wide and high, of which ``FILL`` is the frame and the rest the gap.
    """

    FILL = 0.88

    def __init__(self, ax: Axes, pitch: np.ndarray, limit: float):
        self.ax = ax
        self.limit = limit
        self.span = _pitch_limits(pitch)[1]
        self.x = self.FILL * pitch / self.span

    def _y(self, row: int, values: np.ndarray | float) -> np.ndarray:
        return self.FILL * np.clip(values, 0, self.limit) / self.limit - row

    def cell(
        self,
        row: int,
        column: int,
        low: np.ndarray,
        middle: np.ndarray,
        high: np.ndarray,
        mean: np.ndarray,
        *,
        colour: str,
    ) -> None:
        """Draw one class at one energy; every series has shape (pitch_angle,)."""
        ax, x = self.ax, self.x + column
        edges = np.array([0, self.FILL])
        ax.fill_between(column + edges, -row, self.FILL - row, color="#f5f5f5", lw=0, zorder=0)
        if not np.isfinite(middle).any() and not np.isfinite(mean).any():
            ax.text(column + self.FILL / 2, self.FILL / 2 - row, "–", ha="center", va="center", color=FAINT)
            return
        ax.plot(column + edges, np.full(2, self._y(row, 1.0)), ":", lw=0.5, color=FAINT, zorder=1)
        ax.fill_between(x, self._y(row, low), self._y(row, high), color=colour, alpha=0.35, lw=0, zorder=2)
        ax.plot(x, self._y(row, middle), lw=0.9, color=colour, zorder=3)
        ax.plot(x, self._y(row, mean), ".", ms=1.3, mew=0, color=INK, zorder=4)

    def label(self, run: Run, energies: list[str], unit: str) -> None:
        """Write classes at the left, energies on top, pitch angle at the bottom, values at the right."""
        ax, n_rows, n_columns = self.ax, len(run.classes), len(energies)
        ax.set_xlim(-0.04, n_columns - 1 + self.FILL + 0.04)
        ax.set_ylim(-(n_rows - 1) - 0.06, self.FILL + 0.06)
        rows = [self.FILL / 2 - i for i in range(n_rows)]
        ax.set_yticks(rows, [row.label.replace(" ", "\n", 1) for row in run.classes], parse_math=False)
        marks = [(j + self.FILL * at / self.span, at) for j in range(n_columns) for at in self._marks(n_columns)]
        ax.set_xticks([at for at, _ in marks], [str(label) for _, label in marks])
        finish(ax, x="Pitch angle (°)")
        ax.tick_params(axis="y", length=0)
        top = ax.secondary_xaxis("top")
        top.set_xticks([j + self.FILL / 2 for j in range(n_columns)], energies)
        top.set_xlabel(f"Energy ({unit})", fontsize=LABEL_POINTS, color=INK)
        top.tick_params(labelsize=TICK_POINTS, length=0, colors=INK)
        right = ax.secondary_yaxis("right")
        values = [0, 1, 2] if self.limit >= 2.3 else [0, 1]
        right.set_yticks(
            [float(self._y(i, v)) for i in range(n_rows) for v in values],
            [str(v) for _ in range(n_rows) for v in values],
        )
        right.set_ylabel("Flux / average over pitch angle", fontsize=LABEL_POINTS, color=INK)
        right.tick_params(labelsize=TICK_POINTS - 1, length=2, width=0.6, colors=INK)
        for axis in (ax, top, right):
            for spine in axis.spines.values():
                spine.set_visible(False)

    def _marks(self, n_columns: int) -> list[int]:
        half = int(self.span // 2)
        return [half] if n_columns > 6 else [half // 2, half, half * 3 // 2]
