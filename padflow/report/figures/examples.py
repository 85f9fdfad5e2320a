# SPDX-License-Identifier: BSD-3-Clause
"""Single records of a class, drawn: the most typical and the least certain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from padflow.report.figures.style import (
    FAINT,
    INK,
    LABEL_POINTS,
    SOFT,
    TICK_POINTS,
    energy_colours,
    energy_scale,
    finish,
    finish_bar,
    mark_simulated,
    new_figure,
)

FEWEST_COUNTS = 300
"""Counts over all pitch angles from which an energy is drawn (chosen: some 18 a bin of REPT, known to a quarter)."""


@dataclass(frozen=True)
class Example:
    """What is drawn of a record: the average of the records around it, from which it got its class.

    Parameters
    ----------
    words : str
        When and where it was, and how sure its class is.
    flux : ndarray, shape (pitch_angle, energy)
        cm-2 s-1 sr-1 MeV-1, NaN where missing.
    counts : ndarray, shape (pitch_angle, energy)
        All that were counted; NaN where they are not known.
    """

    words: str
    flux: np.ndarray
    counts: np.ndarray


def draw_examples(
    typical: Sequence[Example],
    uncertain: Sequence[Example],
    *,
    pitch_angle: np.ndarray,
    energy: np.ndarray,
    title: str,
    simulated: bool,
) -> Figure:
    """Draw typical records in the upper row and uncertain ones in the lower, each energy as a line with its errors.

    Parameters
    ----------
    pitch_angle : ndarray, shape (pitch_angle,)
        Degrees.
    energy : ndarray, shape (energy,)
        MeV.
    """
    n = max(len(typical), len(uncertain))
    figure = new_figure(4.2)
    panels = figure.subplots(2, n, sharex=True, sharey=True, squeeze=False)
    colours, norm = energy_colours(len(energy))
    for row, examples in zip(panels, (typical, uncertain), strict=True):
        for ax, example in zip(row, examples, strict=False):
            _draw(ax, example, pitch_angle, [colours(norm(i)) for i in range(len(energy))])
        for ax in row[len(examples) :]:
            ax.set_visible(False)
    panels[0, 0].set(xlim=(0, 180), xticks=[0, 90, 180], ylim=(0, 1.1 * panels[0, 0].get_ylim()[1]))
    finish(panels[0, 0], y="Most typical")
    finish(panels[1, 0], y="Least certain")
    figure.supxlabel("Pitch angle (°)", fontsize=LABEL_POINTS)
    figure.supylabel("Flux / average over pitch angle", fontsize=LABEL_POINTS)
    energies, unit = energy_scale(energy)
    bar = figure.colorbar(ScalarMappable(norm, colours), ax=list(panels.flat), pad=0.015, fraction=0.05, aspect=30)
    bar.set_ticks(np.arange(len(energies)).tolist(), labels=[f"{value:.3g}" for value in energies])
    bar.ax.minorticks_off()
    finish_bar(bar, f"Energy ({unit})")
    figure.text(0.01, 0.985, title, va="top", fontsize=LABEL_POINTS, color=INK, parse_math=False)
    if simulated:
        mark_simulated(figure)
    else:
        figure.set_layout_engine("constrained", rect=(0, 0, 1, 0.94))
    return figure


def _draw(ax: Axes, example: Example, pitch_angle: np.ndarray, colours: list) -> None:
    """Draw a record: flux over its average, with standard errors from counting where counts are known."""
    ax.axhline(1, color=FAINT, lw=0.6, ls=":")
    total = np.nansum(example.counts, axis=0)
    known = np.isfinite(example.counts).any(axis=0)
    drawn = 0
    for position, colour in enumerate(colours):
        flux, counts = example.flux[:, position], example.counts[:, position]
        there = np.isfinite(flux)
        if not there.any() or flux[there].mean() <= 0 or (known[position] and total[position] < FEWEST_COUNTS):
            continue
        share = flux / flux[there].mean()
        error = share / np.sqrt(np.maximum(counts, 1)) if known[position] else None
        ax.errorbar(pitch_angle, share, error, color=colour, lw=0.9, elinewidth=0.5)
        drawn += 1
    note = f"{drawn} of {len(colours)} energies" if drawn else "too few counts"
    ax.text(0.03, 0.97, note, transform=ax.transAxes, va="top").set(fontsize=TICK_POINTS - 1, color=SOFT)
    finish(ax)
    ax.set_title(example.words, loc="left", fontsize=TICK_POINTS, pad=3, color=INK)
