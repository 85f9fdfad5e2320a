# SPDX-License-Identifier: BSD-3-Clause
"""What a worker does with one part: compute moments, scores or labels.

Each pass is a small object that travels with its tasks. Fitted arrays do not travel: each worker reads them once from
the run directory.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np

from padflow.autoencoder.denoiser import network_from_arrays
from padflow.autoencoder.split import Split, fit_rows
from padflow.clustering.cells import OF_SHAPES
from padflow.clustering.classes import classes_from_arrays
from padflow.components.moments import CodeStatistics, Moments
from padflow.config.sections import Config, PreprocessConfig
from padflow.features.preprocessor import Preprocessor
from padflow.model.encoder import Encoder, code_statistics, scored_sizes
from padflow.model.steps import shapes_to_fit
from padflow.pipeline.directory import RunDirectory, read_left
from padflow.pipeline.parts import PartTask
from padflow.pipeline.receipts import Coded, Labelled, Part, Scored
from padflow.records import Reason, Rows
from padflow.store.durable import FileFacts, facts_of, write_bytes
from padflow.store.npz import pack_arrays
from padflow.store.npz_specs import CLASSES, ENCODER, NETWORK, OF_MOMENTS
from padflow.store.reading import ArchiveReader, ResultsReader, needed_rows
from padflow.store.run_files import FIT, RESULTS
from padflow.store.specs import LABELLED, results_specs, scored_specs
from padflow.store.writing import write_part

# What a worker keeps from one part to the next, by pass.
_kept_arrays = lru_cache(maxsize=4)(lambda directory, name, opened_ns: directory.arrays(name))


_kept_reader = lru_cache(maxsize=8)(lambda kind, store, group, opened_ns: kind(store, group))


@dataclass(frozen=True)
class Pass:
    """What all passes know.

    Parameters
    ----------
    directory : RunDirectory
    preprocess : PreprocessConfig
    rows_per_part : int
    test_only : bool
        Whether components and classes are fitted only to the test records of the split.
    opened_ns : int
        When the pass was made. Workers open the files again for each pass, and keep them open during it. On a network
        file system a look at a file may show its state of a minute ago; opening it does not.
    """

    directory: RunDirectory
    preprocess: PreprocessConfig
    rows_per_part: int
    test_only: bool
    opened_ns: int

    @classmethod
    def of(cls, directory: RunDirectory, config: Config, **more: Any) -> Self:
        """Return the pass for a run with this configuration."""
        return cls(
            directory=directory,
            preprocess=config.preprocess,
            rows_per_part=config.archive.rows_per_part,
            test_only=config.pca.rows == "test",
            opened_ns=time.time_ns(),
            **more,
        )

    def reader(self, group: str) -> ArchiveReader:
        """Return the reader of one spacecraft."""
        return _kept_reader(ArchiveReader, self.directory.archive, group, self.opened_ns)

    def results(self, group: str) -> ResultsReader:
        """Return the reader of one spacecraft's results."""
        return _kept_reader(ResultsReader, self.directory.results, group, self.opened_ns)

    def fitted(self, name: str) -> dict[str, np.ndarray]:
        """Return the arrays of a file of the run's ``fit`` folder."""
        return _kept_arrays(self.directory, name, self.opened_ns)

    @property
    def split(self) -> Split | None:
        """The split, where components and classes are fitted to a part of it."""
        return self.directory.split() if self.test_only else None

    def fit_scores(self, task: Part) -> np.ndarray:
        """Return those scores of a part to which classes are fitted, float32 (rows, component)."""
        return self.results(task.group).read("score", task.start, task.stop)[self._fitted_to(task)]

    def fit_shapes(self, task: Part, *, energies: np.ndarray) -> np.ndarray:
        """Return the shapes of the same records, see `padflow.model.steps.Source.shapes`."""
        results = self.results(task.group)
        scored = {name: results.read(name, task.start, task.stop) for name in OF_SHAPES}
        return shapes_to_fit(scored, energies)[self._fitted_to(task)]

    def _fitted_to(self, task: Part) -> np.ndarray:
        reason = self.results(task.group).read("reason", task.start, task.stop)
        rows = Rows.of_times(task.group, task.start, self.reader(task.group).times(task.start, task.stop))
        return fit_rows(reason, self.split, rows)

    def _write(self, task: PartTask, names: tuple[str, ...], values: dict[str, np.ndarray]) -> dict[str, FileFacts]:
        components, energies = (values.get(name, np.empty((0, 0))).shape[1] for name in ("score", "shape"))
        specs = [spec for spec in results_specs(components, energies) if spec.name in names]
        files = write_part(
            self.directory.results,
            task.group,
            task.index,
            specs=specs,
            values=values,
            rows_per_part=self.rows_per_part,
        )
        return {f"{RESULTS}/{name}": facts for name, facts in files.items()}


@dataclass(frozen=True)
class MomentsPart(Pass):
    """Computes the statistics of the codes of one part, and writes them into the ``fit`` folder.

    Parameters
    ----------
    pairs_share : float
        See `padflow.model.encoder.code_statistics`.
    """

    pairs_share: float

    def __call__(self, task: PartTask) -> Coded:
        """Return the receipt."""
        reader = self.reader(task.group)
        preprocessor = Preprocessor(self.preprocess, reader.axes)
        rows = needed_rows(reader, task.start, task.stop, needs=preprocessor.needs)
        network = network_from_arrays(self.fitted(NETWORK))
        statistics = code_statistics(rows, preprocessor, network, split=self.split, pairs_share=self.pairs_share)
        moments = statistics.moments
        arrays = {"n": np.array(moments.n), "mean": moments.mean, "scatter": moments.scatter}
        content = pack_arrays(arrays | {"differences": statistics.differences})
        name = moments_file(task)
        write_bytes(self.directory.path / name, content)
        return Coded(task.key, task.start, task.stop, {name: facts_of(content)}, fit=moments.n)


def moments_file(task: PartTask) -> str:
    """Return the path of the moments of a part, relative to the run directory."""
    return f"{FIT}/moments/{task.group}-{task.index:06d}.npz"


def read_statistics(directory: RunDirectory, task: PartTask) -> CodeStatistics:
    """Read the statistics of the codes of a part."""
    arrays = read_left(directory.path / moments_file(task), OF_MOMENTS, stage="pca")
    return CodeStatistics(Moments(int(arrays["n"]), arrays["mean"], arrays["scatter"]), arrays["differences"])


@dataclass(frozen=True)
class ScorePart(Pass):
    """Computes scores, reasons and reconstruction errors of one part."""

    def __call__(self, task: PartTask) -> Scored:
        """Return the receipt."""
        reader = self.reader(task.group)
        encoder = Encoder.from_arrays(Preprocessor(self.preprocess, reader.axes), self.fitted(ENCODER))
        rows = needed_rows(reader, task.start, task.stop, needs=encoder.preprocessor.needs)
        values = encoder.score(rows)
        values["time"] = rows.time.astype(np.int64)
        fitted = fit_rows(values["reason"], self.split, rows)
        codes, counts = np.unique(values["reason"], return_counts=True)
        return Scored(
            task.key,
            task.start,
            task.stop,
            self._write(task, tuple(values), values),
            fit=int(fitted.sum()),
            reasons=dict(zip(codes.tolist(), counts.tolist(), strict=True)),
        )


@dataclass(frozen=True)
class ScorePlaceholder(Pass):
    """Stands in for a part on which workers die: gives each record `Reason.SET_ASIDE`."""

    def __call__(self, task: PartTask) -> Scored:
        """Return the receipt."""
        rows = task.stop - task.start
        specs = scored_specs(*scored_sizes(self.fitted(ENCODER)))
        values = {spec.name: np.full((rows, *spec.sizes), spec.fill_value, spec.dtype) for spec in specs}
        values["time"] = self.reader(task.group).times(task.start, task.stop).astype(np.int64)
        values["reason"] = np.full(rows, Reason.SET_ASIDE, "i1")
        files = self._write(task, tuple(values), values)
        return Scored(task.key, task.start, task.stop, files, fit=0, reasons={int(Reason.SET_ASIDE): rows})


@dataclass(frozen=True)
class LabelPart(Pass):
    """Computes classes, distances and margins of one part."""

    def __call__(self, task: PartTask) -> Labelled:
        """Return the receipt."""
        classes = classes_from_arrays(self.fitted(CLASSES))
        scored = {name: self.results(task.group).read(name, task.start, task.stop) for name in classes.needs}
        score, values = scored["score"], classes.classify(scored)
        known = values["pad_class"] >= 0
        k = len(classes.centres)
        pad_class = values["pad_class"][known]
        sums = [np.bincount(pad_class, column, minlength=k) for column in score[known].astype("f8").T]
        return Labelled(
            task.key,
            task.start,
            task.stop,
            self._write(task, tuple(values), values),
            sizes=np.bincount(pad_class, minlength=k).tolist(),
            sums=np.transpose(sums).tolist(),
        )


@dataclass(frozen=True)
class LabelPlaceholder(Pass):
    """Stands in for a part on which workers die while they label it: gives no record a class."""

    def __call__(self, task: PartTask) -> Labelled:
        """Return the receipt."""
        rows = task.stop - task.start
        k = len(classes_from_arrays(self.fitted(CLASSES)).centres)
        components, _ = scored_sizes(self.fitted(ENCODER))
        values = {spec.name: np.full(rows, spec.fill_value, spec.dtype) for spec in LABELLED}
        files = self._write(task, tuple(values), values)
        return Labelled(task.key, task.start, task.stop, files, sizes=[0] * k, sums=[[0.0] * components] * k)


def labels_reason_agree(pad_class: np.ndarray, reason: np.ndarray) -> np.ndarray:
    """Mark the records that have either a class or a reason, but not both."""
    return (pad_class >= 0) == (reason == Reason.SELECTED)
