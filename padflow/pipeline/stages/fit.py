# SPDX-License-Identifier: BSD-3-Clause
"""The stages that fit: autoencoder, principal components, number of classes, classes.

`padflow.model.steps` does the work. This module gives it the records of a run, and writes what it finds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from padflow.autoencoder.denoiser import AnyNetwork, network_from_arrays
from padflow.clustering.classes import Classes
from padflow.components.moments import CodeStatistics
from padflow.components.projection import Projection
from padflow.compute.workers import Workers
from padflow.config.sections import Config
from padflow.errors import PadflowError
from padflow.features.preprocessor import Preprocessor
from padflow.model import steps
from padflow.model.encoder import Encoder
from padflow.pipeline.directory import Fit
from padflow.pipeline.parts import run_parts
from padflow.pipeline.passes import MomentsPart, Pass, moments_file, read_statistics
from padflow.pipeline.receipts import Coded, Scored, digest, drop_receipts, parts_set_aside, receipts
from padflow.pipeline.run import Run
from padflow.pipeline.tasks import part_tasks, parts_of
from padflow.pipeline.timing import StageCost
from padflow.progress.events import Progress
from padflow.records import Axes
from padflow.store.durable import write_bytes
from padflow.store.npz import pack_arrays
from padflow.store.npz_specs import CLASSES, ENCODER, NETWORK

ALL_DIED = (
    "Workers died of every part. They may lack memory: raise cluster.memory_limit or lower archive.rows_per_part."
)


def fit_autoencoder(run: Run) -> None:
    """Train the autoencoder on rows of the archive, unless the run has one."""
    if run.trainer is None:
        return
    run.workers.rest()  # until training ends
    with run.stage("train", total=run.config.train.epochs, unit="epochs") as stage:

        def show(epoch: int, loss: float, val_loss: float, rows_per_second: float) -> None:
            run.progress.advance(1, text=f"loss {loss:.2e}, validation {val_loss:.2e}")

        peak = run.trainer.train(run.directory, [group.group for group in run.groups], show)
        info = run.directory.fit("train").info
        epochs = len(info["history"]["loss"])
        stage.count(epochs * info["rows"], peak)
        stage.summary = (
            f"{epochs} epochs of {info['rows']:,} rows, best validation loss "
            f"{info['history']['val_loss'][info['best_epoch']]:.3e} in epoch {info['best_epoch'] + 1}"
        )
        run.directory.note({"flags": info["flags"]})


def fit_components(run: Run) -> None:
    """Fit the components of the codes of all records, unless the run has them."""
    if not run.directory.fitted("pca"):
        steps.fit_components(RunSource(run))


def fit_classes(run: Run) -> None:
    """Find the number of classes and the classes, unless the run has them."""
    if not run.directory.fitted("classes"):
        steps.fit_classes(RunSource(run))


def encoder_of(run: Run) -> Encoder:
    """Return the fitted encoder of a run."""
    arrays = run.directory.arrays(ENCODER)
    return Encoder.from_arrays(Preprocessor(run.config.preprocess, Axes.from_arrays(arrays)), arrays)


@dataclass(frozen=True)
class RunSource:
    """The archive of a run. Its parts have receipts, and what a step finds goes into the ``fit`` folder."""

    run: Run

    @property
    def config(self) -> Config:
        """The configuration."""
        return self.run.config

    @property
    def workers(self) -> Workers:
        """The workers of the run."""
        return self.run.workers

    @property
    def progress(self) -> Progress:
        """Who is told of each part that is done."""
        return self.run.progress

    @property
    def rows(self) -> int:
        """Number of records of all spacecraft."""
        return sum(group.rows for group in self.run.groups)

    @property
    def network(self) -> AnyNetwork:
        """The network of the stage before."""
        return network_from_arrays(self.run.directory.arrays(NETWORK))

    @contextmanager
    def coded(self, share: float) -> Iterator[steps.CodedParts]:
        """Encode the parts that have no receipt, add up the statistics of all parts, and remove their files."""
        run, directory = self.run, self.run.directory
        context = ("moments", directory.fit("train").key, run.config.digest("preprocess", "pca"))
        tasks = part_tasks(directory, run.groups, *context, halo=bool(run.config.preprocess.average_seconds))
        with run.stage("pca", total=self.rows, parts=len(tasks)) as stage:
            function = MomentsPart.of(directory, run.config, pairs_share=share)
            for part in run_parts(directory, Coded, tasks=tasks, function=function, workers=self.workers):
                run.progress.advance(part.task.rows, reused=part.reused)
                if not part.reused:
                    stage.count(part.task.rows, part.peak_memory_bytes)
            aside = self._parts_left_out()
            whole = [task for task in tasks if task.name not in aside]
            if not whole:
                raise PadflowError(ALL_DIED)
            coded = steps.CodedParts(CodeStatistics.joined([read_statistics(directory, task) for task in whole]))
            yield coded
            stage.summary = coded.summary
        drop_receipts(directory, Coded.stage)
        for task in tasks:
            (directory.path / moments_file(task)).unlink(missing_ok=True)

    def _parts_left_out(self) -> list[str]:
        return [note.part.name for note in parts_set_aside(self.run.directory, Coded.stage)]

    def keep_components(self, projection: Projection, info: dict[str, Any]) -> None:
        """Write the components beside the network, and last the file that says so."""
        directory = self.run.directory
        if aside := self._parts_left_out():
            info = info | {"parts_left_out": aside}
        content = pack_arrays(directory.arrays(NETWORK) | projection.to_arrays())
        write_bytes(directory.fit_folder / ENCODER, content)
        directory.write_fit("pca", Fit(digest(content.hex()), info))

    def scores(self) -> steps.FitScores:
        """Return the scores of all parts in the store of results; workers read them."""
        return self._to_fit(Pass.of(self.run.directory, self.config).fit_scores)

    def _to_fit(self, read: Callable[[Any], np.ndarray]) -> steps.FitScores:
        selected = {(group, index): receipt.fit for group, index, receipt in receipts(self.run.directory, Scored)}
        parts = parts_of(self.run.groups)
        sizes = [selected[part.group, part.index] for part in parts]
        return steps.FitScores.of(read, parts, sizes=sizes, workers=self.workers)

    @property
    def shape_energy(self) -> np.ndarray:
        """Energies in MeV at which shapes are measured."""
        return encoder_of(self.run).shape_energy

    def shapes(self) -> steps.FitScores | None:
        """Return the shapes in the store of results, of the records whose scores `scores` returns."""
        if not len(self.shape_energy):
            return None
        energies = steps.class_energies(self.config, self.shape_energy)
        return self._to_fit(partial(Pass.of(self.run.directory, self.config).fit_shapes, energies=energies))

    @contextmanager
    def step(self, name: str, *, total: int = 0, unit: str, scores: int) -> Iterator[StageCost]:
        """Begin a stage that deals with so many scores in `total` units, and end it."""
        with self.run.stage(name, total=total, unit=unit) as stage:
            stage.count(scores)
            yield stage

    def keep_classes(self, classes: Classes, *, modes: np.ndarray, info: dict[str, Any]) -> None:
        """Write the classes, and last the file that says so."""
        content = pack_arrays(classes.to_arrays() | {"modes": modes})
        write_bytes(self.run.directory.fit_folder / CLASSES, content)
        self.run.directory.write_fit("classes", Fit(digest(content.hex()), info))
