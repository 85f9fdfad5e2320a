# SPDX-License-Identifier: BSD-3-Clause
"""Fit a model to an archive that is open as a Dataset: `padflow.fit`, for notebooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from padflow.autoencoder.denoiser import AnyNetwork
from padflow.autoencoder.split import Split, fit_rows
from padflow.autoencoder.training import deal_split, train_network
from padflow.clustering.classes import Classes
from padflow.components.fit import check_components
from padflow.components.moments import CodeStatistics
from padflow.components.projection import Projection
from padflow.compute.workers import DaskWorkers, SerialWorkers, Workers, explain_dask_errors, warn_of_plain
from padflow.config.sections import Config
from padflow.errors import ConfigError, brief
from padflow.features.checks import check_dataset
from padflow.features.dataset import DatasetReader
from padflow.features.preprocessor import Preprocessor
from padflow.instruments.origin import SIMULATED
from padflow.model.encoder import Encoder, code_statistics
from padflow.model.model import Model, fitted_model
from padflow.model.steps import (
    CodedParts,
    FitScores,
    class_energies,
    fit_classes,
    fit_components,
    shapes_to_fit,
)
from padflow.progress.events import Ending, OnEvent, Progress
from padflow.progress.shown import shown
from padflow.records import BLOCK_ROWS, Axes
from padflow.shapes.class_names import class_names, count_shapes, places_of, shapes_of_means, shapes_of_records
from padflow.shapes.means import mean_ratio, sum_shapes
from padflow.store.reading import needed_rows

if TYPE_CHECKING:
    from distributed import Client, Future


FIT_ROWS = 32 * BLOCK_ROWS
"""Rows of a Dataset in one task of `fit` (chosen)."""


def fit(dataset: xr.Dataset, config: Config, client: Client | None = None, *, on_event: OnEvent | None = None) -> Model:
    """Fit a model to an archive that is open as a Dataset.

    It does the same steps as ``padflow run`` (`padflow.model.steps`). So `Model.label` gives each record the class that
    a run of the same configuration gives it. All scores are held in memory, with 4 bytes for each component and record.
    Fit a whole mission with ``padflow run``.

    Parameters
    ----------
    dataset : xarray.Dataset
        As `padflow.open_archive` returns it.
    config : Config
        As `padflow.load_config` returns it. The sections `archive` and `cluster` are not used.
    client : distributed.Client, optional
        Where to compute; by default in this process. A Dataset in memory is sent to the workers. A Dataset of a store
        is read by them.
    on_event : callable, optional
        Gets each event (`padflow.progress.events`): stages begin, parts are done, stages end. By default a bar is drawn
        in a terminal and in a notebook.

    Returns
    -------
    Model

    Raises
    ------
    PadflowError
        Where the Dataset has another layout, or its times do not ascend.
    ConfigError
        Where `config` is no whole configuration, or needs something that the Dataset does not hold.

    Examples
    --------
    >>> import padflow
    >>> archive = padflow.open_archive("run", "rbspa")
    >>> quick = ["train.epochs=2", "kmeans.classes=3", "kmeans.init=k-means++", "kmeans.fit_to=all"]
    >>> model = padflow.fit(archive, padflow.load_config("recommended.yaml", [*quick, "kmeans.assign=nearest"]))
    >>> len(model.names)
    3
    >>> labels = model.label(archive)
    """
    if not isinstance(config, Config):
        raise ConfigError(
            f"fit needs a whole configuration, as padflow.load_config returns it, but got {brief(config)}."
        )
    check_dataset(dataset)
    reader, preprocessor = DatasetReader(dataset), Preprocessor(config.preprocess, Axes.of_dataset(dataset))
    check_components(config, preprocessor.features)
    split = deal_split(config, {reader.group: reader})
    with closing(shown(on_event)) as progress:
        with progress.stage("train", total=config.train.epochs, unit="epochs") as stage:

            def show(epoch: int, loss: float, val_loss: float, rows_per_second: float) -> None:
                progress.advance(1, text=f"loss {loss:.2e}, validation {val_loss:.2e}")

            trained, training = train_network(
                {reader.group: reader}, preprocessor, split=split, config=config, show_epoch=show
            )
            stage.summary = f"{len(training['history']['loss'])} epochs of {training['rows']:,} rows"
        return fit_encoded(
            dataset, config, network=trained.network, training=training, client=client, progress=progress
        )


def fit_encoded(
    dataset: xr.Dataset,
    config: Config,
    *,
    network: AnyNetwork,
    training: dict[str, Any],
    client: Client | None = None,
    progress: Progress | None = None,
) -> Model:
    """Fit components and classes to the codes of a network, with the steps of `padflow run`.

    Parameters
    ----------
    dataset, config, client
        As for `fit`.
    network : Network or DenoisingNetwork
    training : dict
        What the description of the model says about its training.
    progress : Progress, optional
        Gets the stages.
    """
    source = DatasetSource(dataset, config, network, client, progress or Progress())
    # First the components: they make the scores, and the classes are made of scores.
    fit_components(source)
    fit_classes(source)
    return source.model(training)


class DatasetSource:
    """An archive that is open as a Dataset. All results of parts and steps are kept in memory.

    Parameters
    ----------
    dataset, config, network
        As for `fit_encoded`.
    client : distributed.Client, optional
    progress : Progress
    """

    def __init__(
        self, dataset: xr.Dataset, config: Config, network: AnyNetwork, client: Client | None, progress: Progress
    ):
        self.config, self.network, self.progress = config, network, progress
        self.workers = _workers_of(client)
        reader = DatasetReader(dataset)
        self._reader = reader if client is None else _sent(reader, client)
        self.axes, self.rows = Axes.of_dataset(dataset), reader.rows
        self._simulated = str(dataset.attrs.get(SIMULATED, ""))
        self._split = deal_split(config, {reader.group: reader}) if config.pca.rows == "test" else None
        self._preprocessor = Preprocessor(config.preprocess, self.axes)

    def _spans(self) -> list[tuple[DatasetReader | Future, int, int]]:
        return [(self._reader, start, min(self.rows, start + FIT_ROWS)) for start in range(0, self.rows, FIT_ROWS)]

    def _of_parts(self, function: Callable[[tuple[DatasetReader, int, int]], Any]) -> list[Any]:
        return self.workers.map(function, self._spans(), on_done=self.progress.step)

    @contextmanager
    def coded(self, share: float) -> Iterator[CodedParts]:
        """Encode all parts."""
        with self.progress.stage("pca", total=len(self._spans()), unit="parts") as ending:
            function = partial(_span_statistics, self._preprocessor, self.network, self._split, share)
            coded = CodedParts(CodeStatistics.joined(self._of_parts(function)))
            yield coded
            ending.summary = coded.summary

    def keep_components(self, projection: Projection, info: dict[str, Any]) -> None:
        """Keep the components, and what the description says about them."""
        self._encoder, self._components = Encoder(self._preprocessor, self.network, projection), info

    def scores(self) -> FitScores:
        """Score all parts."""
        with self.progress.stage("score", total=len(self._spans()), unit="parts") as ending:
            energies = class_energies(self.config, self.shape_energy) if len(self.shape_energy) else None
            parts = self._of_parts(partial(_span_scores, self._encoder, self._split, energies))
            # The scores are in this process, so it reads them itself.
            scores, self._shapes = (
                FitScores.of(np.asarray, values, sizes=map(len, values), workers=SerialWorkers())
                for values in zip(*parts, strict=True)
            )
            ending.summary = f"{scores.total:,} records to fit to"
        return scores

    @property
    def shape_energy(self) -> np.ndarray:
        """Energies in MeV at which shapes are measured."""
        return self._encoder.shape_energy

    def shapes(self) -> FitScores | None:
        """Return the shapes of the records whose scores `scores` gave."""
        return self._shapes if len(self.shape_energy) else None

    def step(self, name: str, *, total: int = 0, unit: str, scores: int) -> AbstractContextManager[Ending]:
        """Begin a step with so many scores and `total` units, and end it."""
        return self.progress.stage(name, total=total, unit=unit)

    def keep_classes(self, classes: Classes, *, modes: np.ndarray, info: dict[str, Any]) -> None:
        """Keep the classes, and what the description says about them."""
        self._classes, self._info = classes, info

    def model(self, training: dict[str, Any]) -> Model:
        """Return the model of all that was kept. Its classes are named by their mean shapes."""
        axes, function = self.axes, partial(_span_shapes, self._encoder, self._classes, self.axes.counts_per_flux)
        with self.progress.stage("mean shapes", total=len(self._spans()), unit="parts"):
            sums = _added(self._of_parts(function))
        pads, counts = mean_ratio(sums), sums["name_counts"]
        shapes = shapes_of_means(axes.pitch_angle, pads)
        shapes = shapes_of_records(counts, self.shape_energy, energy=axes.energy, of_means=shapes)
        places = places_of(self._info.get("class_energies_MeV", ()), axes.energy)
        return fitted_model(
            self._encoder,
            self._classes,
            axes=self.axes,
            names=class_names(shapes, axes.pitch_angle, pads, places=places),
            training=training,
            components=self._components,
            found=self._info,
            simulated=self._simulated,
            settings=self.config.fit_settings(),
            more={},
        )


def _workers_of(client: Client | None) -> Workers:
    if client is None:
        return SerialWorkers()
    warn_of_plain(client)
    return DaskWorkers(client, threads=lambda: sum(client.nthreads().values()))


def _sent(reader: DatasetReader, client: Client) -> Future:
    """Send the Dataset once, and not with each task: to one worker, from which the others get it.

    A cluster that grows and shrinks with its work has no worker before there is work. It keeps the last worker that
    holds a result. So a first result is made, and the Dataset goes to its worker, which is not closed meanwhile.
    """
    with explain_dask_errors():
        held = client.submit(int, pure=False)
        held.result()
        (holders,) = client.who_has([held]).values()
        return client.scatter(reader, workers=list(holders), hash=False)


def _span_statistics(
    preprocessor: Preprocessor,
    network: Any,
    split: Split | None,
    share: float,
    span: tuple[DatasetReader, int, int],
) -> CodeStatistics:
    reader, start, stop = span
    rows = needed_rows(reader, start, stop, needs=preprocessor.needs)
    return code_statistics(rows, preprocessor, network, split=split, pairs_share=share)


def _span_scores(
    encoder: Encoder, split: Split | None, energies: np.ndarray | None, span: tuple[DatasetReader, int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the scores of a span, and the shapes at some energies, of the records that classes are fitted to."""
    reader, start, stop = span
    rows = needed_rows(reader, start, stop, needs=encoder.preprocessor.needs)
    scored = encoder.score(rows)
    chosen = fit_rows(scored["reason"], split, rows)
    shapes = np.empty((len(rows), 0)) if energies is None else shapes_to_fit(scored, energies)
    return scored["score"][chosen], shapes[chosen]


def _span_shapes(
    encoder: Encoder, classes: Classes, counts_per_flux: np.ndarray, span: tuple[DatasetReader, int, int]
) -> dict[str, np.ndarray]:
    reader, start, stop = span
    rows = needed_rows(reader, start, stop, needs=encoder.preprocessor.needs)
    scored, k = encoder.score(rows), len(classes.centres)
    pad_class = classes.classify(scored)["pad_class"]
    named = count_shapes(scored.get("shape", np.empty((len(rows), 0), np.int8)), pad_class, k)
    return sum_shapes(rows.flux, pad_class, k, counts_per_flux=counts_per_flux) | {"name_counts": named}


def _added(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.sum([part[name] for part in parts], axis=0) for name in parts[0]}
