# SPDX-License-Identifier: BSD-3-Clause
"""The steps of a fit that come after the network, for any source of records: components, number of classes, classes.

What is done in which order stands here alone. A source gives parts and keeps what a step finds: a run in its directory,
`padflow.fit` in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, Protocol, Self

import dask
import dask.array as da
import numpy as np
from sklearn.metrics import adjusted_rand_score

from padflow.autoencoder.denoiser import AnyNetwork
from padflow.clustering.agreement import NoModes, RepeatedModes
from padflow.clustering.cells import fit_cells, shape_coordinates
from padflow.clustering.classes import Classes
from padflow.clustering.fit import (
    FEWEST_SCORES,
    START_SCORES,
    KMeansClasses,
    class_sizes,
    describe_modes,
    describe_number,
    draw_indices,
    find_number,
    kmeans_classes,
    mode_scores,
    modes_as_scores,
    near_modes,
    number_of_classes,
    numbered_by_size,
    sample_indices,
    subsamples_to_search,
    ward_classes,
)
from padflow.clustering.separation import Separation, separation_of
from padflow.components.fit import describe_components, fit_components_to, pairs_share
from padflow.components.moments import CodeStatistics
from padflow.components.projection import Projection
from padflow.compute.workers import Workers
from padflow.config.sections import Config
from padflow.errors import PadflowError
from padflow.progress.events import Progress
from padflow.shapes.class_names import count_shapes
from padflow.shapes.names import UNCLEAR

CELL_SAMPLES = 100_000
"""Most records that cells are made of (chosen: 500 a cell)."""


STRETCH = 8192
"""Records in a stretch that goes into one half of an archive: somewhat more than a day of REPT."""


LEAST_TOLD = 0.7
"""Least share of the records whose shape has the name that most of their class have, where classes are separated.
Chosen on simulated archives: 0.93 where populations are separate, 0.81 where they are wide, 0.46 of two modes of an
archive with measured shapes that was seen in two seasons."""


class Step(Protocol):
    """A step that goes on."""

    summary: str
    """What it will say at its end."""


@dataclass
class CodedParts:
    """A pass over all parts that has encoded their records.

    Parameters
    ----------
    statistics : CodeStatistics
        Of the codes of all parts.
    summary : str
        What the pass will say at its end.
    """

    statistics: CodeStatistics
    summary: str = ""


@dataclass(frozen=True)
class FitScores:
    """The scores that classes are fitted to, part by part, so that those of one part are in memory at a time.

    Parameters
    ----------
    read : callable
        Returns the scores of a part, float32 (rows, component). It travels to workers.
    parts : sequence
        What `read` takes, in order; parts that have scores.
    sizes : sequence of int
        Numbers of scores of the parts.
    workers : Workers
        Who reads them where all parts are read one by one.
    """

    read: Callable[[Any], np.ndarray]
    parts: Sequence[Any]
    sizes: Sequence[int]
    workers: Workers

    @classmethod
    def of(
        cls, read: Callable[[Any], np.ndarray], parts: Iterable[Any], *, sizes: Iterable[int], workers: Workers
    ) -> Self:
        """Return the scores of those parts that have some."""
        known = [(part, size) for part, size in zip(parts, sizes, strict=True) if size]
        return cls(read, [part for part, _ in known], [size for _, size in known], workers)

    @property
    def total(self) -> int:
        """Number of scores."""
        return sum(self.sizes)

    def pick(self, indices: list[np.ndarray]) -> list[np.ndarray]:
        """Return the scores at each of some lists of places, ascending, as float64, in one pass over the parts."""
        pieces: list[list[np.ndarray]] = [[] for _ in indices]
        start = 0
        for part in self.parts:
            scores = self.read(part)
            for index, drawn in zip(indices, pieces, strict=True):
                low, high = np.searchsorted(index, [start, start + len(scores)])
                drawn.append(scores[index[low:high] - start])
            start += len(scores)
        return [np.concatenate(drawn).astype("f8") for drawn in pieces]

    def near(self, found: RepeatedModes, config: Config) -> da.Array:
        """Return the scores that k-means is fitted to, float64 (rows, component), lazily, a block a part."""
        read = partial(_read_near, self.read, found, config)
        sizes = self.sizes
        if config.kmeans.fit_to == "near_modes":
            # A Dask array has to know the length of its blocks before they are computed.
            sizes = self.workers.map(partial(_count, read), self.parts)
        load = dask.delayed(read, pure=False)
        components = config.pca.components
        blocks = [
            da.from_delayed(load(part), (size, components), "f8")
            for part, size in zip(self.parts, sizes, strict=True)
            if size
        ]
        return da.concatenate(blocks)

    def class_sizes(self, classes: KMeansClasses) -> np.ndarray:
        """Return how many of the scores each class takes, int (classes,)."""
        return np.sum(self.workers.map(partial(_class_sizes, self.read, classes), self.parts), axis=0)


def _read_near(read: Callable[[Any], np.ndarray], found: RepeatedModes, config: Config, part: Any) -> np.ndarray:
    return near_modes(read(part).astype("f8"), found, config)


def _count(read: Callable[[Any], np.ndarray], part: Any) -> int:
    return len(read(part))


def _class_sizes(read: Callable[[Any], np.ndarray], classes: KMeansClasses, part: Any) -> np.ndarray:
    return class_sizes(classes, read(part))


class Source(Protocol):
    """Records that a model is fitted to: gives them part by part, and keeps what each step finds."""

    @property
    def config(self) -> Config:
        """The configuration."""

    @property
    def workers(self) -> Workers:
        """Who computes."""

    @property
    def progress(self) -> Progress:
        """Who is told of each part that is done."""

    @property
    def rows(self) -> int:
        """Number of records."""

    @property
    def network(self) -> AnyNetwork:
        """The trained network."""

    def coded(self, share: float) -> AbstractContextManager[CodedParts]:
        """Encode all parts, as a step with its progress; see `padflow.model.encoder.code_statistics` for `share`."""

    def keep_components(self, projection: Projection, info: dict[str, Any]) -> None:
        """Keep the components, and what is to be said of them."""

    def scores(self) -> FitScores:
        """Return the scores by these components."""

    @property
    def shape_energy(self) -> np.ndarray:
        """Energies in MeV at which shapes are measured; none without a denoiser."""

    def shapes(self) -> FitScores | None:
        """Return, in the order of `scores`, the coordinates and the names of the shapes at `class_energies`.

        float32 (rows, coordinates + named energies), see `padflow.clustering.cells.shape_coordinates`. None without a
        denoiser.
        """

    def step(self, name: str, *, total: int = 0, unit: str, scores: int) -> AbstractContextManager[Step]:
        """Begin a step that deals with so many scores in `total` units, and end it."""

    def keep_classes(self, classes: Classes, *, modes: np.ndarray, info: dict[str, Any]) -> None:
        """Keep the classes, the modes among the scores, and what is to be said of them."""


def class_energies(config: Config, energy: np.ndarray) -> np.ndarray:
    """Return the places of the energies at which classes of a continuum tell the shape."""
    wanted = config.kmeans.shape_energies or energy[:1].tolist()
    return np.unique([int(np.abs(np.log(energy / near)).argmin()) for near in wanted])


def shapes_to_fit(scored: Mapping[str, np.ndarray], energies: np.ndarray) -> np.ndarray:
    """Return what `Source.shapes` reads, from the arrays of a part."""
    coordinates, names = shape_coordinates(scored, energies)
    return np.concatenate([coordinates, names], axis=1, dtype=np.float32)


def fit_components(source: Source) -> None:
    """Fit the components of the codes.

    Raises
    ------
    PadflowError
        Where too few records are selected.
    """
    share = pairs_share(source.config, source.rows)
    # All that components need to know of the codes is their mean and scatter, and how neighbours in time differ: each
    # part gives its own, and they add up in the order of the parts.
    with source.coded(share) as coded:
        projection, info = fit_components_to(coded.statistics, source.config.pca, network=source.network)
        source.keep_components(projection, info)
        coded.summary = describe_components(info)


def fit_classes(source: Source) -> None:
    """Find the number of classes by mean shift, and the classes by k-means or Ward's method.

    Raises
    ------
    PadflowError
        Where too few records are selected, or mean shift finds a single class.
    """
    config, scores = source.config, source.scores()
    if scores.total < FEWEST_SCORES:
        raise PadflowError(
            f"Only {scores.total} records are selected for clustering; at least {FEWEST_SCORES} are needed. Widen the "
            "preprocess section, or set pca.rows=all."
        )
    # Mean shift says where scores are densest. It is asked of several subsamples: what most of them have is kept.
    indices = draw_indices(config, scores.total)
    drawn = sum(len(index) for index in indices)
    with source.step("mean shift", total=subsamples_to_search(config), unit="subsamples", scores=drawn) as step:
        samples = scores.pick(indices)
        with ThreadPoolExecutor(1) as aside:
            aside.submit(import_module, "dask_ml.cluster.k_means")  # for a second, in which this process only waits
            found = _find_number(source, samples)
        # Modes are populations of their own only where there is a valley between them.
        separation = separation_of(mode_scores(np.concatenate(samples), config), found.modes)
        step.summary = f"{describe_number(found)}; {'separated' if separation.separated else 'not separated'}"
    # Classes are made of all scores, or of a sample of the shapes where the scores are a continuum; Ward's method makes
    # them of a sample, for it needs all distances.
    unit = "iterations" if config.method == "kmeans" else "scores"
    with source.step(config.method, unit=unit, scores=scores.total) as step:
        classes, info = _classes(source, scores, found=found, separation=separation, samples=samples)
        step.summary = f"{len(classes.centres)} classes of {scores.total:,} scores"
        info |= {"method": config.method, "mean_shift": describe_modes(found, separation)}
        source.keep_classes(classes, modes=modes_as_scores(found, config), info=info)


def _find_number(source: Source, samples: list[np.ndarray]) -> RepeatedModes:
    try:
        return find_number(samples, source.config, apply=partial(source.workers.map, on_done=source.progress.step))
    except NoModes as none:
        if not len(source.shape_energy):
            raise
        return none.largest()  # the density has no place of its own: a continuum, of which shapes make classes


def _classes(
    source: Source, scores: FitScores, *, found: RepeatedModes, separation: Separation, samples: list[np.ndarray]
) -> tuple[Classes, dict[str, Any]]:
    config, by_modes = source.config, source.config.kmeans.classes == "mean_shift"
    shapes = source.shapes() if by_modes and config.method == "kmeans" else None
    if shapes is not None and not separation.separated:
        return _regions(source, shapes, separation.describe(0)["separated_because"])
    joined = found.take(separation.populations) if by_modes and separation.separated else found
    k = number_of_classes(config, joined)
    if config.method == "agglomerative":
        return _described(separation, *_ward(scores, k, config))
    classes, info = _kmeans(source, scores, k=k, found=joined, samples=samples)
    # A gap between modes may also be where the spacecraft was not, in a continuum of shapes.
    if shapes is not None and (told := _share_told(source, classes, scores, shapes)) < LEAST_TOLD:
        because = (
            f"there are valleys between modes, but only {told:.0%} of the records have the shape that most of "
            f"their class have, so the modes are not shapes of their own (at least {LEAST_TOLD:.0%} is needed)"
        )
        return _regions(source, shapes, because)
    return _described(separation, classes, info)


def _described(separation: Separation, classes: Classes, info: dict[str, Any]) -> tuple[Classes, dict[str, Any]]:
    return classes, info | separation.describe(len(classes.centres))


def _share_told(source: Source, classes: KMeansClasses, scores: FitScores, shapes: FitScores) -> float:
    """Return the share of the records whose shape has the name that most of their class have."""
    index = [sample_indices(scores.total, min(scores.total, CELL_SAMPLES), seed=source.config.seed_of("kmeans"))]
    (some_scores,), (some_shapes,) = scores.pick(index), shapes.pick(index)
    names = len(class_energies(source.config, source.shape_energy))
    name = some_shapes[:, -names].astype(np.int8)  # at the lowest of the energies
    pad_class = np.where(name == UNCLEAR, -1, classes.assign(some_scores)["pad_class"])
    counts = count_shapes(name[:, None], pad_class, int(pad_class.max(initial=0)) + 1)[:, 0]
    return float(counts.max(axis=1).sum() / max(counts.sum(), 1))


def _regions(source: Source, shapes: FitScores, because: str) -> tuple[Classes, dict[str, Any]]:
    """Cut the shapes of a continuum into classes that tell them."""
    seed, energies = source.config.seed_of("kmeans"), class_energies(source.config, source.shape_energy)
    source.progress.advance(0, text="cells of the shapes")
    index = sample_indices(shapes.total, min(shapes.total, CELL_SAMPLES), seed=seed)
    (sample,) = shapes.pick([index])
    coordinates, names = sample[:, : -len(energies)], sample[:, -len(energies) :].astype(np.int8)
    fit = partial(fit_cells, energies=energies, seed=seed)
    regions = fit(coordinates, names)
    # Neighbouring records are alike, so halves are made of whole stretches.
    halves = [index // STRETCH % 2 == number for number in range(2)]
    by_half = [fit(coordinates[half], names[half]).nearest for half in halves if half.any()]
    labels = [nearest.assign(coordinates)["pad_class"] for nearest in by_half]
    if (number := len(regions.names)) == 1:
        because += "; nearly all records have shapes of the same name, so there is one class"
    else:
        because += f"; so the {number} classes are regions of a continuum, and their borders are conventions"
    at = [float(source.shape_energy[place]) for place in energies]
    info: dict[str, Any] = {"assign": "nearest_shape", "class_energies_MeV": at, "sample": len(sample)}
    if len(labels) == len(halves):
        info["agreement_of_halves"] = float(adjusted_rand_score(*labels))
    return regions, info | {"separated": False, "separated_because": because}


def _ward(scores: FitScores, k: int, config: Config) -> tuple[Classes, dict[str, Any]]:
    size = min(scores.total, config.agglomerative.samples)
    (sample,) = scores.pick([sample_indices(scores.total, size, seed=config.seed_of("kmeans"))])
    return ward_classes(sample, k)


def _kmeans(
    source: Source, scores: FitScores, *, k: int, found: RepeatedModes, samples: list[np.ndarray]
) -> tuple[KMeansClasses, dict[str, Any]]:
    def show(moved: float) -> None:
        source.progress.advance(1, text=f"centres moved by {moved:.2e}")

    source.progress.advance(0, text="choosing the first centres")
    near, config = scores.near(found, source.config), source.config
    with kmeans_scheduler(source.workers, len(near)):
        classes, info = kmeans_classes(near, k, found=found, samples=samples, config=config, on_iteration=show)
    return numbered_by_size(classes, config, sizes=scores.class_sizes), info


def kmeans_scheduler(workers: Workers, rows: int) -> AbstractContextManager[Any]:
    """Return a context in which k-means of so many scores runs on the workers, or of few in threads of this process.

    K-means++ has few scores in this process anyway. An iteration takes workers longer to be handed out than to be done.
    """
    return workers.collections() if rows > START_SCORES else dask.config.set(scheduler="threads")
