# SPDX-License-Identifier: BSD-3-Clause
"""Figures of the fit: training, principal components, scores and mean shift."""

from __future__ import annotations

from itertools import combinations, product
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox
from mpl_toolkits.mplot3d.axes3d import Axes3D

from padflow.report.figures.style import (
    FAINT,
    INK,
    LABEL_POINTS,
    OKABE_ITO,
    TICK_POINTS,
    Drawing,
    NothingToDraw,
    class_colour,
    class_marker,
    finish,
    letters,
    new_figure,
    numbers,
    percent,
    plain_log,
)
from padflow.report.tables import Run, history
from padflow.report.words import plural

BLUE, VERMILION = OKABE_ITO[0], OKABE_ITO[1]


LOSSES = {
    "itself": (
        "Mean squared error",
        "Reconstruction loss of the autoencoder (mean squared error of the normalised flux, no unit)",
    ),
    "other_spins": (
        "Divergence (nat)",
        "Loss of the autoencoder (Kullback-Leibler divergence of the counts of the other spins from its shares, nat "
        "for each energy; counting noise alone gives up to half a nat for each pitch angle)",
    ),
}
"""Label and meaning of the loss by target of training."""


def loss(run: Run) -> Drawing:
    """Draw training and validation loss by epoch, linear and logarithmic."""
    curves = {name: numbers(values) for name, values in history(run.model).items()}
    named = [("loss", "training", BLUE, "-"), ("val_loss", "validation", VERMILION, "--")]
    named = [entry for entry in named if np.isfinite(curves.get(entry[0], np.nan)).any()]
    if not named:
        raise NothingToDraw("Loss curves: model.json holds no training history.")
    training = run.model["training"]
    label_y, meaning = LOSSES[training.get("target", "itself")]
    figure = new_figure(2.5)
    for ax, letter, scale in zip(figure.subplots(1, 2), "ab", ("linear", "log"), strict=True):
        for name, label, colour, style in named:
            epochs = np.arange(1, len(curves[name]) + 1)
            marker = "o" if len(epochs) < 3 else ""
            ax.plot(epochs, curves[name], style, marker=marker, ms=3, lw=1.1, color=colour, label=label)
        positive = any((curves[name] > 0).any() for name, *_ in named)
        if scale == "log" and positive:
            ax.set_yscale("log")
            plain_log(ax.yaxis)
        if "val_loss" in [name for name, *_ in named]:
            best = int(np.nanargmin(curves["val_loss"]))
            ax.plot(best + 1, curves["val_loss"][best], "o", ms=5, mfc="none", mec=INK, mew=0.9)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        finish(ax, letter=letter, title=f"{scale} axis", x="Epoch", y=label_y)
    handles, labels = ax.get_legend_handles_labels()
    if "val_loss" in [name for name, *_ in named]:
        handles.append(Line2D([], [], marker="o", ms=5, mfc="none", mec=INK, mew=0.9, ls=""))
        labels.append("lowest validation loss")
    ax.legend(handles, labels, fontsize=TICK_POINTS, frameon=False)
    n_epochs = max(len(values) for values in curves.values())
    caption = (
        f"{meaning} after each of {n_epochs} epochs, on a linear (a) and a logarithmic (b) axis. Training: "
        f"{training.get('rows', 0):,} rows; validation: {training.get('validation_rows', 0):,} rows that "
        "were never trained on."
    )
    if _of_counts(run):
        caption += (
            " The autoencoder gives the shapes of records. It does not tell separate populations apart better, so the "
            "components are made of the counts."
        )
    return Drawing("loss", "Training of the autoencoder", caption, "Loss curves by epoch.", figure)


def _of_counts(run: Run) -> bool:
    """Return whether components are made of root shares of the counts, and not of codes."""
    return (run.model.get("training") or {}).get("target") == "other_spins"


def _noise_ratios(run: Run) -> list[float]:
    return (run.model.get("pca") or {}).get("signal_to_noise") or []


def variance(run: Run) -> Drawing:
    """Draw what decided which components are kept: their variance, or how far they stand out over noise."""
    return _signal_to_noise(run) if _noise_ratios(run) else _explained_variance(run)


def _signal_to_noise(run: Run) -> Drawing:
    ratios = numbers(_noise_ratios(run))
    kept = len(run.model["pca"]["explained_variance_ratio"])
    figure = new_figure(2.5)
    ax = figure.subplots()
    index = np.arange(1, len(ratios) + 1)
    ax.bar(index, ratios, color=[BLUE if i <= kept else "#c9c9c9" for i in index], width=0.8)
    ax.axhline(1, lw=1, color=VERMILION)
    ax.set_xlim(0.4, len(ratios) + 0.6)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles = [
        Line2D([], [], marker="s", ls="", color=BLUE, label="kept"),
        Line2D([], [], marker="s", ls="", color="#c9c9c9", label="not kept"),
        Line2D([], [], lw=1, color=VERMILION, label="noise alone"),
    ]
    ax.legend(handles=handles, fontsize=TICK_POINTS, frameon=False, loc="upper right")
    finish(ax, x="Noise-adjusted component", y="Standard deviation / noise")
    of = "the root shares of the counts" if _of_counts(run) else "what the codes decode to"
    caption = (
        f"Standard deviation of records along each noise-adjusted component, over the noise (bars), which is how "
        f"records next to each other in time differ; the {kept} kept in blue. They are made of the first "
        f"{len(ratios)} principal components of {of} (minimum noise fraction, Green et al. 1988)."
    )
    alt = f"Bars of signal to noise; {kept} of {len(ratios)} components are kept."
    return Drawing("variance", "Noise-adjusted components", caption, alt, figure)


def _explained_variance(run: Run) -> Drawing:
    pca = run.model.get("pca") or {}
    kept = numbers(pca.get("explained_variance_ratio"))
    spectrum = numbers(pca.get("spectrum"))
    ratios = spectrum if len(spectrum) else kept
    if not np.isfinite(ratios).any():
        raise NothingToDraw("Explained variance: model.json holds no variances of principal components.")
    figure = new_figure(2.5)
    left, right = figure.subplots(1, 2)
    shown = min(len(ratios), 12)
    index = np.arange(1, shown + 1)
    colours = [BLUE if i <= len(kept) else "#c9c9c9" for i in index]
    left.bar(index, 100 * ratios[:shown], color=colours, width=0.8)
    left.plot(index, 100 * np.nancumsum(ratios)[:shown], "o-", ms=3, lw=1, color=VERMILION)
    left.set_ylim(0, 105)
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles = [
        Line2D([], [], marker="s", ls="", color=BLUE, label="kept"),
        Line2D([], [], marker="s", ls="", color="#c9c9c9", label="not kept"),
        Line2D([], [], marker="o", ms=3, lw=1, color=VERMILION, label="cumulative"),
    ]
    left.legend(handles=handles, fontsize=TICK_POINTS, frameon=False, loc="center right")
    finish(left, letter="a", title="first components", x="Principal component", y="Explained variance (%)")
    order = np.arange(1, len(ratios) + 1)
    positive = ratios > 0
    right.plot(order[positive], 100 * ratios[positive], ".", ms=3, color="#777777")
    right.plot(order[: len(kept)][kept > 0], 100 * kept[kept > 0], "o", ms=4, color=BLUE)
    if positive.any():
        right.set_yscale("log")
        plain_log(right.yaxis)
    right.xaxis.set_major_locator(MaxNLocator(integer=True))
    finish(right, letter="b", title="all components", x="Principal component", y="Explained variance (%)")
    caption = (
        "Share of the variance of the encoded records that each principal component explains (bars) and "
        f"its running sum (line), for the first {shown} (a), and for all {len(ratios)} on a logarithmic "
        f"axis (b). The {len(kept)} components kept (blue) explain {percent(float(np.nansum(kept)))}. "
        "Eigenvalues of the covariance of all encoded records, not standardised."
    )
    alt = f"Bars of explained variance; {len(kept)} components explain {percent(float(np.nansum(kept)))}."
    return Drawing("variance", "Principal components", caption, alt, figure)


BESIDE = sorted(product((0, 1, -1, 2, -2), repeat=2), key=lambda place: place[0] ** 2 + place[1] ** 2)
"""Places around that of a number, nearest first, in widths and heights of it."""


def scores(run: Run) -> Drawing:
    """Draw a sample of the scores in three dimensions and in the three planes, coloured by class."""
    points, position = _sample(run)
    n_dims = points.shape[1]
    figure = new_figure(6.6 if n_dims == 3 else 4.0)
    planes = list(combinations(range(n_dims), 2))
    shuffled = np.random.default_rng(0).permutation(len(points))  # no class is drawn over all others
    points, position = points[shuffled], position[shuffled]
    alpha = float(np.clip(60 / np.sqrt(len(points)), 0.15, 0.9))
    size = float(np.clip(4000 / len(points), 0.6, 12.0))
    marks = {"s": size, "alpha": alpha, "linewidths": 0, "rasterized": True}
    if n_dims == 3:
        ax = figure.add_subplot(2, 2, 1, projection="3d")
        _scatter(ax, points, position, marks | {"depthshade": False})
        _finish_3d(ax)
    numbers_of_planes = []
    for i, (h, v) in enumerate(planes):
        ax = figure.add_subplot(2, 2, i + 2) if n_dims == 3 else figure.add_subplot()
        _scatter(ax, points[:, [h, v]], position, marks)
        numbers_of_planes.append(_name_classes(ax, run, points[:, [h, v]], position))
        ax.set_aspect("equal", adjustable="datalim")
        letter = letters(4)[i + 1] if n_dims == 3 else ""
        finish(ax, letter=letter, x=f"Score of component {h + 1}", y=f"Score of component {v + 1}")
    _legend(figure, run)
    figure.draw_without_rendering()  # from here on it is known where the numbers are
    for of_plane in numbers_of_planes:
        _move_apart(of_plane)
    what, unit = "principal components", "no unit"
    if _noise_ratios(run):
        what, unit = "noise-adjusted components", "in units of the noise; logarithmic beyond some units"
    caption = (
        f"Scores of {len(points):,} records drawn at random (of {run.n_labelled:,} with a class) on the "
        f"first {n_dims} {what} of the encoded records ({unit}); colour: class. Points are "
        "transparent and drawn in random order, so that depth of colour follows density and, in the "
        "planes, no class hides another; numbers stand at the median of each class, or beside it where another number "
        f"is. The planes have equal scales{'; the axes of (a) are not to one scale' if n_dims == 3 else ''}."
    )
    if len(run.classes) > len(OKABE_ITO):
        caption += f" After {len(OKABE_ITO)} classes the colours begin again; the numbers tell these classes apart."
    alt = f"Scatter of {len(points):,} scores in {n_dims} dimensions, coloured by class."
    return Drawing("scores", "Records in score space", caption, alt, figure)


def _sample(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Return scores (n, at most 3) of labelled sampled records and the position of each one's class."""
    summary = run.summary
    if "sample_score" not in summary or "sample_class" not in summary:
        raise NothingToDraw("Scores: summary.nc holds no sample of scores.")
    points = summary["sample_score"].transpose("sample", "component").values[:, :3].astype(float)
    position_of = {row.pad_class: i for i, row in enumerate(run.classes)}
    position = np.array([position_of.get(int(c), -1) for c in summary["sample_class"].values], dtype=int)
    good = np.isfinite(points).all(axis=1) & (position >= 0)
    if not good.any() or points.shape[1] < 2:
        raise NothingToDraw("Scores: the sample in summary.nc holds no labelled record with two finite scores.")
    return points[good], position[good]


def _scatter(ax: Axes, points: np.ndarray, position: np.ndarray, marks: dict[str, Any]) -> None:
    colours = np.array([class_colour(p) for p in range(position.max() + 1)])
    markers = np.array([class_marker(p) for p in range(position.max() + 1)])
    scatter: Any = ax.scatter  # of two coordinates or, of Axes3D, three
    for marker in dict.fromkeys(markers):
        chosen = markers[position] == marker
        scatter(*points[chosen].T, c=colours[position[chosen]], marker=marker, **marks)


def _name_classes(ax: Axes, run: Run, points: np.ndarray, position: np.ndarray) -> list[Annotation]:
    """Write the number of each class at its median, and return what was written."""
    written = []
    for p in np.unique(position):
        middle = tuple(np.median(points[position == p], axis=0).tolist())
        text = ax.annotate(
            str(run.classes[p].pad_class), middle, xytext=(0, 0), textcoords="offset points", ha="center", va="center"
        )
        text.set(
            color=INK,
            fontsize=LABEL_POINTS,
            fontweight="bold",
            path_effects=[withStroke(linewidth=2, foreground="white")],
        )
        written.append(text)
    return written


def _move_apart(written: list[Annotation]) -> None:
    """Move each number that lies on an earlier one to the nearest free place; one without any is left out."""
    taken: list[Bbox] = []
    for text in written:
        own = text.get_window_extent().padded(1)
        places = [own.translated(right * own.width, up * own.height) for right, up in BESIDE]
        free = next((box for box in places if not any(box.overlaps(other) for other in taken)), None)
        if free is None:
            text.remove()
            continue
        taken.append(free)
        text.set_position(((free.x0 - own.x0) * 72 / text.figure.dpi, (free.y0 - own.y0) * 72 / text.figure.dpi))


def _finish_3d(ax: Axes3D) -> None:
    ax.view_init(elev=22, azim=-58)
    ax.set_box_aspect((1, 1, 0.9), zoom=0.95)
    ax.grid(False)
    ax.set_title("(a)", loc="left", fontsize=LABEL_POINTS, color=INK)
    for axis, label in zip((ax.xaxis, ax.yaxis, ax.zaxis), "123", strict=True):
        axis.set_label_text(f"Component {label}", fontsize=LABEL_POINTS, color=INK)
        axis.labelpad = -6
        axis.set_tick_params(labelsize=TICK_POINTS - 1, pad=-3, colors=INK)
        axis.set_major_locator(MaxNLocator(5))
        axis.set_pane_color("#f6f6f6")
        axis.pane.set(edgecolor="#c9c9c9", linewidth=0.5)
        axis.line.set(linewidth=0.6, color=INK)


def _legend(figure: Figure, run: Run) -> None:
    handles = [
        Line2D(
            [],
            [],
            ls="",
            marker=class_marker(i),
            ms=5,
            color=class_colour(i),
            label=f"{row.label}, {percent(row.share)}",
        )
        for i, row in enumerate(run.classes)
    ]
    n_columns = min(4, len(handles))
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=n_columns,
        fontsize=TICK_POINTS,
        frameon=False,
        handletextpad=0.2,
    )


def mean_shift(run: Run) -> Drawing:
    """Draw how often mean shift found each number of classes, and the share of every mode."""
    found = run.model.get("mean_shift") or {}
    counts = {int(number): int(times) for number, times in (found.get("counts") or {}).items()}
    kept, unconfirmed = (_positive(found.get(name)) for name in ("shares", "unconfirmed_shares"))
    if not counts and not len(kept):
        raise NothingToDraw("Mean shift: model.json holds no result of mean shift.")
    n_kept, shares = int(found.get("n_modes") or len(kept)), np.concatenate([kept, unconfirmed])
    figure = new_figure(2.4)
    left, right = figure.subplots(1, 2)
    if counts:
        shown = {*counts, n_kept or min(counts)}
        left.bar(
            list(counts),
            list(counts.values()),
            width=0.7,
            color=[BLUE if n == n_kept else FAINT for n in counts],
        )
        if n_kept not in counts:  # no repeat found just those modes that most of them agree on and that were confirmed
            left.axvline(n_kept, color=BLUE, ls="--", lw=1)
        left.set_xlim(max(min(shown) - 2.5, 0.4), max(shown) + 2.5)
        left.set_ylim(0, 1.15 * max(counts.values()))
        left.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        left.yaxis.set_major_locator(MaxNLocator(integer=True))
    finish(left, letter="a", title="repeats", x="Number of classes", y="Times found")
    for colour, part in ((BLUE, slice(None, n_kept)), (FAINT, slice(n_kept, None))):
        order = np.arange(1, len(shares) + 1)[part]
        right.vlines(order, shares.min() / 2 * 100 if len(shares) else 0, 100 * shares[part], lw=1, color=colour)
        right.plot(order, 100 * shares[part], "o", ms=4, color=colour)
    if len(shares):
        right.set_yscale("log")
        right.set_ylim(shares.min() / 2 * 100, 115)
        plain_log(right.yaxis)
        right.set_xlim(0.4, len(shares) + 0.6)
    right.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
    finish(right, letter="b", title="modes", x="Mode", y="Share of records (%)")
    words = _mean_shift_words(found, counts, kept=n_kept, unconfirmed=len(unconfirmed))
    return Drawing("mean_shift", "Number of classes", *words, figure)


def _positive(shares: list[float | None] | None) -> np.ndarray:
    """Return the shares that a logarithmic axis can show, largest first."""
    values = numbers(shares)
    return np.sort(values[values > 0])[::-1]


def _mean_shift_words(found: dict[str, Any], counts: dict[int, int], *, kept: int, unconfirmed: int) -> tuple[str, str]:
    repeats = sum(counts.values())
    width = found.get("bandwidth")
    caption = (
        f"(a) How often flat-kernel mean shift found each number of classes in {repeats} "
        f"repeat{'s' * (repeats != 1)} on random samples of the scores; blue: the number of modes kept, {kept}. "
        "(b) Share of the records at each mode that two thirds of the repeats have, on a logarithmic axis; blue: kept."
    )
    if width is not None:
        caption += f" Bandwidth: {width:.3g} in units of the scores that mean shift works on."
    if unconfirmed:
        caption += f" Grey: {unconfirmed} not found again after scores far from the mean were drawn closer."
    if found.get("n_all") is not None:
        caption += f" A repeat found {plural(found['n_all'], 'mode')} before those of too few records were left out."
    alt = "Numbers of classes found: " + ", ".join(f"{n} ({times} times)" for n, times in sorted(counts.items())) + "."
    return caption, alt
