# SPDX-License-Identifier: BSD-3-Clause
"""One figure of the report, for notebooks: `padflow.plot`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from padflow.config.local_paths import local_path
from padflow.errors import ConfigError, PadflowError, brief
from padflow.report.figures.contents import FIGURES, draw
from padflow.report.tables import read_run

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot(run_dir: str | Path, figure: str = "pads") -> list[Axes]:
    """Draw a figure of the report of a run, and return its panels.

    A notebook shows the figure below the cell. In a script, ``matplotlib.pyplot.show()`` shows it.

    Parameters
    ----------
    run_dir : path
        The directory of a run that has a report.
    figure : str
        Name of the figure: ``"sizes"`` (records of each class), ``"pads"`` (mean pitch-angle distributions),
        ``"pads_quartiles"`` (the same with quartiles), ``"occurrence_l_time"``, ``"occurrence_l_mlt"`` (where classes
        occur), ``"shapes_l_mlt"``, ``"superposed_classes"``, ``"superposed_shapes"`` (in storms), ``"scores"``,
        ``"variance"``, ``"mean_shift"`` or ``"loss"``.

    Returns
    -------
    list of matplotlib.axes.Axes
        The panels in the order of their letters, without colour bars. Their figure is ``axes[0].figure``.

    Raises
    ------
    ConfigError
        Where there is no figure of this name.
    PadflowError
        Where the run has no report yet, or no data for the figure.

    Examples
    --------
    >>> import padflow
    >>> panels = padflow.plot("my-run", "pads")
    >>> [panel.get_title(loc="left") for panel in panels]
    ['(a) 0 pancake 1', '(b) 1 flattop 2']
    >>> panels[0].figure.savefig("pads.pdf")
    """
    if figure not in FIGURES:
        raise ConfigError(f"The report has no figure {brief(figure)}, but {', '.join(FIGURES)}.")
    run = read_run(local_path(run_dir, "run_dir"))
    from matplotlib import pyplot
    from matplotlib.axes import Axes

    from padflow.report.figures.style import NothingToDraw, default_settings

    with default_settings():
        try:
            made = draw(figure, run).figure
        except NothingToDraw as why:
            raise PadflowError(f"The figure cannot be drawn. {why}") from None
    pyplot.figure(made)  # from now on it is one of those that notebooks and `pyplot.show` show
    return [ax for ax in made.axes if isinstance(ax, Axes) and ax.get_visible() and ax.get_label() != "<colorbar>"]
