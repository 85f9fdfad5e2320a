"""Fit a model to an archive that is open as a Dataset: `padflow.fit`, for notebooks."""

from __future__ import annotations

from contextlib import AbstractContextManager, closing
from functools import partial
from typing import TYPE_CHECKING, Any

import dask
import dask.array as da
import numpy as np
import xarray as xr

from padflow import __version__
from padflow.autoencoder.network import Network
from padflow.autoencoder.split import Split, fit_rows
from padflow.autoencoder.training import deal_split, train_network
from padflow.clustering.agreement import RepeatedModes
from padflow.clustering.classes import Classes
from padflow.clustering.fit import (
    FEWEST_SCORES,
    START_SCORES,
    class_sizes,
    describe_modes,
    describe_number,
    draw_indices,
    find_number,
    kmeans_classes,
    near_modes,
    number_of_classes,
    numbered_by_size,
    sample_indices,
    subsamples_to_search,
    ward_classes,
)
from padflow.components.fit import check_components, fit_components_to, pairs_share
from padflow.components.moments import CodeStatistics
from padflow.compute.workers import DaskWorkers, SerialWorkers, Workers, losses_explained, warn_of_plain
from padflow.config.sections import Config
from padflow.errors import ConfigError, PadflowError, brief
from padflow.features.checks import check_dataset
from padflow.features.dataset import DatasetReader
from padflow.features.preprocessor import Preprocessor
from padflow.model.encoder import Encoder, code_statistics
from padflow.model.model import Model
from padflow.progress.events import OnEvent, Progress
from padflow.progress.shown import shown
from padflow.records import BLOCK_ROWS, Axes
from padflow.shapes.means import mean_ratio, sum_shapes
from padflow.shapes.names import class_names, shapes_of_classes
from padflow.store.reading import needed_rows

if TYPE_CHECKING:
    from distributed import Client, Future


def kmeans_place(workers: Workers, rows: int) -> AbstractContextManager[Any]:
    """Return a context in which k-means of so many scores runs on the workers, or of few in threads of this process.

    Which is where k-means++ has them anyway. An iteration takes workers longer to be handed out than to be done.
    """
    return workers.collections() if rows > START_SCORES else dask.config.set(scheduler="threads")


FIT_ROWS = 32 * BLOCK_ROWS
"""Rows of a Dataset that one task of `fit` deals with."""


def fit(dataset: xr.Dataset, config: Config, client: Client | None = None, *, on_event: OnEvent | None = None) -> Model:
    """Fit a model to an archive that is open as a Dataset.

    Scores, 4 bytes a component and record, are held in memory; a whole mission is better fitted by
    ``padflow run``.

    Parameters
    ----------
    dataset : xarray.Dataset
        As `padflow.open_archive` returns it.
    config : Config
        `padflow.load_config`; the sections `archive` and `cluster` are not used.
    client : distributed.Client, optional
        Where to compute; here by default. A Dataset in memory is sent to each of its workers, one opened from a
        store is read by them.
    on_event : callable, optional
        Gets each event (`padflow.progress.events`): stages begin, parts are done, stages end. By default a bar is drawn
        in a terminal and in a notebook.

    Returns
    -------
    Model

    Raises
    ------
    PadflowError
        Where the Dataset is not laid out so, or its times do not ascend.
    ConfigError
        Where `config` is no whole configuration, or asks for what the Dataset does not hold.

    Examples
    --------
    >>> import padflow
    >>> archive = padflow.open_archive("run", "rbspa")
    >>> quick = ["train.epochs=2", "kmeans.clusters=3", "kmeans.init=k-means++", "kmeans.fit_to=all"]
    >>> model = padflow.fit(archive, padflow.load_config("recommended.yaml", [*quick, "kmeans.borders=halfway"]))
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
    network: Network,
    training: dict[str, Any],
    client: Client | None = None,
    progress: Progress | None = None,
) -> Model:
    """Fit all that comes after the network.

    Parameters
    ----------
    dataset, config, client
        As `fit` has them.
    network : Network
    training : dict
        What the model's description is to say of its training.
    progress : Progress, optional
        Is told of the stages.
    """
    progress = progress or Progress()
    workers = _workers_of(client)
    reader, preprocessor = DatasetReader(dataset), Preprocessor(config.preprocess, Axes.of_dataset(dataset))
    chosen = deal_split(config, {reader.group: reader}) if config.pca.rows == "test" else None
    shared = reader if client is None else _sent(reader, client)
    spans = [(shared, start, min(reader.rows, start + FIT_ROWS)) for start in range(0, reader.rows, FIT_ROWS)]
    share = pairs_share(config, reader.rows)
    statistics = partial(_span_statistics, preprocessor, network, chosen, share)
    with progress.stage("pca", total=len(spans), unit="parts"):
        parts = workers.map(statistics, spans, on_done=progress.step)
        joined = CodeStatistics.joined(parts)
        projection, components = fit_components_to(joined, config.pca, network=network)
    encoder = Encoder(preprocessor, network, projection)
    with progress.stage("score", total=len(spans), unit="parts") as stage:
        scores = np.concatenate(workers.map(partial(_span_scores, encoder, chosen), spans, on_done=progress.step))
        stage.summary = f"{len(scores):,} records to fit to"
    if len(scores) < FEWEST_SCORES:
        raise PadflowError(f"Only {len(scores)} records are selected for clustering; {FEWEST_SCORES} are needed.")
    classes, info = _fit_classes(scores, config, workers, progress)
    axes = Axes.of_dataset(dataset)
    sums = partial(_span_shapes, encoder, classes, axes.counts_per_flux)
    with progress.stage("mean shapes", total=len(spans), unit="parts"):
        shapes = shapes_of_classes(
            axes.pitch_angle, mean_ratio(_added(workers.map(sums, spans, on_done=progress.step)))
        )
    info |= {
        "padflow": __version__,
        "training": training,
        "pca": components,
        "method": config.method,
        "settings": config.fit_settings(),
    }
    return Model(config.preprocess, axes, network, projection, classes, info, class_names(shapes))


def _workers_of(client: Client | None) -> Workers:
    if client is None:
        return SerialWorkers()
    warn_of_plain(client)
    return DaskWorkers(client, threads=lambda: sum(client.nthreads().values()))


def _sent(reader: DatasetReader, client: Client) -> Future:
    """Send the Dataset once, and not with each task: to one worker, from which the others fetch it.

    A cluster that grows and shrinks with its work has no worker before there is some, and keeps the last one that
    holds a result: by then that is one which will not be closed in the middle of the sending.
    """
    with losses_explained():
        held = client.submit(int, pure=False)
        held.result()
        (holders,) = client.who_has([held]).values()
        return client.scatter(reader, workers=list(holders), hash=False)


def _fit_classes(
    scores: np.ndarray, config: Config, workers: Workers, progress: Progress
) -> tuple[Classes, dict[str, Any]]:
    samples = [scores[index].astype("f8") for index in draw_indices(config, len(scores))]
    with progress.stage("mean shift", total=subsamples_to_search(config), unit="subsamples") as stage:
        found = find_number(samples, config, apply=partial(workers.map, on_done=progress.step))
        stage.summary = describe_number(found)
    k = number_of_classes(config, found)
    with progress.stage(config.method, unit="iterations" if config.method == "kmeans" else "scores") as stage:
        classes, info = _classes_of(scores, k, found, samples, config, workers, progress)
        stage.summary = f"{len(classes.centres)} classes of {len(scores):,} scores"
    return classes, info | {"mean_shift": describe_modes(found)}


def _classes_of(
    scores: np.ndarray,
    k: int,
    found: RepeatedModes,
    samples: list[np.ndarray],
    config: Config,
    workers: Workers,
    progress: Progress,
) -> tuple[Classes, dict[str, Any]]:
    if config.method == "agglomerative":
        size = min(len(scores), config.agglomerative.samples)
        return ward_classes(scores[sample_indices(len(scores), size, seed=config.seed_of("kmeans"))], k)

    def show(moved: float) -> None:
        progress.advance(1, text=f"centres moved by {moved:.2e}")

    near = near_modes(scores.astype("f8"), found, config)
    with kmeans_place(workers, len(near)):
        lazy = da.from_array(near, chunks=(FIT_ROWS, -1))
        classes, info = kmeans_classes(lazy, k, found=found, samples=samples, config=config, on_iteration=show)
    return numbered_by_size(classes, config, sizes=lambda classes: class_sizes(classes, scores)), info


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


def _span_scores(encoder: Encoder, split: Split | None, span: tuple[DatasetReader, int, int]) -> np.ndarray:
    reader, start, stop = span
    rows = needed_rows(reader, start, stop, needs=encoder.preprocessor.needs)
    scored = encoder.score(rows)
    return scored["score"][fit_rows(scored["reason"], split, rows)]


def _span_shapes(
    encoder: Encoder, classes: Classes, counts_per_flux: np.ndarray, span: tuple[DatasetReader, int, int]
) -> dict[str, np.ndarray]:
    reader, start, stop = span
    rows = needed_rows(reader, start, stop, needs=encoder.preprocessor.needs)
    cluster = classes.assign(encoder.score(rows)["score"])["cluster"]
    return sum_shapes(rows.flux, cluster, len(classes.centres), counts_per_flux=counts_per_flux)


def _added(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.sum([part[name] for part in parts], axis=0) for name in parts[0]}
