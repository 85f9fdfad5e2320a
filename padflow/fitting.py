"""Fit a model: what the stages of a run and `fit`, for an archive opened in a notebook, have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import dask
import dask.array as da
import numpy as np
import xarray as xr
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances_argmin_min
from threadpoolctl import threadpool_limits

from padflow import __version__
from padflow.blas import one_blas_thread
from padflow.clients import DaskWorkers, SerialWorkers, Workers
from padflow.clustering.agglomerative import fit_ward
from padflow.clustering.kmeans import fit_kmeans
from padflow.clustering.meanshift import RepeatedModes, repeat_modes
from padflow.config import BLOCK_ROWS, Config, PcaConfig
from padflow.encoder import CodeStatistics, Encoder, code_statistics, fit_rows
from padflow.errors import ConfigError, PadflowError
from padflow.model import Classes, Model
from padflow.network import Network
from padflow.noise import MOST_PAIRS, SOFTENING, noise_adjusted_axes
from padflow.pca import IncrementalPCA
from padflow.preprocessing import Preprocessor, preprocessor_of
from padflow.records import Records
from padflow.sampling import Reader, RowSampler, Split, days_of, read_with_halo

if TYPE_CHECKING:
    from distributed import Client

    from padflow.autoencoder import Trained

FEWEST_SCORES = 10
START_SCORES = 1_000_000
"""Most scores that k-means++ draws its start from, in the driver's memory."""
FIT_ROWS = 32 * BLOCK_ROWS
"""Rows of a Dataset that one task of `fit` deals with."""

ShowEpoch = Callable[[int, float, float, float], None]


def code_size(config: Config, features: int) -> int:
    """Return the width of the code; half the features unless configured."""
    return config.train.code_size or max(1, features // 2)


def check_components(config: Config, features: int) -> None:
    """Refuse more components than the code has values, before anything is computed.

    Raises
    ------
    ConfigError
    """
    size = code_size(config, features)
    if config.pca.components > size:
        raise ConfigError(
            f"pca.components = {config.pca.components}, but a code has only {size} values (train.code_size). Lower "
            "pca.components, or raise train.code_size."
        )


def deal_split(config: Config, readers: Mapping[str, Reader]) -> Split:
    """Deal an archive's records into training, validation and test."""
    days = days_of(readers) if config.train.split == "day" else np.empty(0, np.int64)
    return Split.deal(config.train, config.seed_of("split"), days=days)


def train_network(
    readers: Mapping[str, Reader],
    preprocessor: Preprocessor,
    *,
    split: Split,
    config: Config,
    show_epoch: ShowEpoch | None = None,
) -> tuple[Trained, dict[str, Any]]:
    """Train the autoencoder on rows drawn from an archive.

    Returns
    -------
    Trained
        Network, history and Keras model.
    dict
        The same history with the numbers of rows, the speed and the flags that change bits, for the model's
        description.
    """
    # Only here: TensorFlow costs seconds and 600 MB.
    from padflow.autoencoder import train_autoencoder, training_flags

    train = config.train
    sampler = RowSampler(readers, preprocessor, split=split, config=train, seed=config.seed)
    rates: list[float] = []

    def progress(epoch: int, loss: float, val_loss: float, rows_per_second: float) -> None:
        rates.append(rows_per_second)
        if show_epoch is not None:
            show_epoch(epoch, loss, val_loss, rows_per_second)

    try:
        trained = train_autoencoder(
            sampler.rows_of_epoch,
            sampler.validation,
            code_size=code_size(config, preprocessor.features),
            epochs=train.epochs,
            batch_size=train.batch_size,
            learning_rate=train.learning_rate,
            patience=train.patience,
            restore_best=train.restore_best,
            seed=config.seed,
            progress=progress,
        )
    finally:
        sampler.close()
    info = {
        "history": trained.history,
        "best_epoch": trained.best_epoch,
        "rows": len(sampler.train),
        "validation_rows": len(sampler.validation),
        "rows_per_second": float(np.median(rates)),
        "flags": training_flags(),
    }
    return trained, info


def pairs_share(config: Config, rows: int) -> float:
    """Return the share of an archive's rows whose difference to a neighbour tells the noise."""
    return MOST_PAIRS / max(rows, 1) if config.pca.scale == "noise" else 0.0


@dataclass(frozen=True)
class Components:
    """Mean of the codes, float64 (code,), axes of the scores, float64 (component, code), and what to say of them."""

    mean: np.ndarray
    axes: np.ndarray
    softening: float
    info: dict[str, Any]


def fit_components_to(statistics: CodeStatistics, config: PcaConfig, *, network: Network) -> Components:
    """Fit the components to the statistics of all codes, which `network` made.

    Axes over noise are found in what the codes decode to, to first order about their mean: the length of a code
    along one of its values is whatever training made it, that of what it decodes to is not.

    Raises
    ------
    PadflowError
        Where too few records were selected.
    """
    total, components = statistics.moments, config.components
    if total.n <= components:
        raise PadflowError(
            f"Only {total.n} records are selected for the fit, too few for {components} components. Widen the "
            "preprocess section (l_range, min_counts, min_flux, time_range), or set pca.rows=all."
        )
    pca, whole = IncrementalPCA(components).merge(total), IncrementalPCA().merge(total)
    likelihood = pca.mean_log_likelihood_
    info = {
        "explained_variance": pca.explained_variance_.tolist(),
        "explained_variance_ratio": pca.explained_variance_ratio_.tolist(),
        "noise_variance": float(pca.noise_variance_),
        "mean_log_likelihood": float(likelihood) if np.isfinite(likelihood) else None,
        "spectrum": whole.explained_variance_ratio_.tolist(),
        "records": total.n,
        "scale": config.scale,
    }
    axes, softening = pca.components_, 0.0
    if config.scale == "noise":
        slopes = network.decoder_slopes(total.mean)
        decoded = IncrementalPCA().merge(total.mapped(slopes))
        with one_blas_thread():
            differences = statistics.differences @ slopes
            axes, ratio = noise_adjusted_axes(decoded, differences, components=components)
            axes = axes @ slopes.T
        softening = SOFTENING
        info |= {"signal_to_noise": ratio.tolist(), "pairs": len(statistics.differences), "softening": softening}
    return Components(pca.mean_, axes, softening, info)


def describe_components(info: dict[str, Any]) -> str:
    """Return a line about fitted components."""
    kept = len(info["explained_variance_ratio"])
    if info["scale"] == "noise":
        ratios = ", ".join(f"{ratio:.1f}" for ratio in info["signal_to_noise"][:kept])
        return f"{kept} components of {info['records']:,} records stand out over the noise {ratios} times"
    share = sum(info["explained_variance_ratio"])
    return f"{kept} components of {info['records']:,} records hold {share:.1%} of the variance"


def draw_indices(config: Config, total: int) -> list[np.ndarray]:
    """Return which of `total` scores, in order, make each subsample for mean shift."""
    section, seed = config.mean_shift, config.seed_of("mean_shift")
    size = min(section.samples, total)
    if section.repeats > 1 and size > 0.8 * total:
        # Repeats on the same rows would agree without saying anything.
        size = max(FEWEST_SCORES, int(0.8 * total))
    return [sample_indices(total, size, seed=seed + repeat) for repeat in range(section.repeats)]


def sample_indices(total: int, size: int, *, seed: int) -> np.ndarray:
    """Draw `size` of `total` without replacement, ascending."""
    return np.sort(np.random.default_rng(seed).choice(total, size, replace=False))


def find_number(
    samples: Iterable[np.ndarray], config: Config, *, apply: Callable[..., Iterable] = map
) -> RepeatedModes:
    """Find the modes of subsamples of the scores by mean shift."""
    section = config.mean_shift
    return repeat_modes(
        samples,
        apply=apply,
        quantile=section.quantile,
        bandwidth_samples=section.bandwidth_samples,
        bandwidth=section.bandwidth,
        starts=section.starts,
        min_share=section.min_share,
        seed=config.seed_of("mean_shift"),
    )


def number_of_classes(config: Config, found: RepeatedModes) -> int:
    """Return the number of classes, as configured or as mean shift found it.

    Raises
    ------
    PadflowError
        Where that is 1.
    """
    clusters = config.kmeans.clusters
    k = found.n_clusters if clusters == "mean_shift" else clusters
    if k < 2:
        raise PadflowError(
            "Mean shift found a single cluster, which classifies nothing. Set kmeans.clusters to a number, or lower "
            "mean_shift.quantile (or mean_shift.bandwidth) to look for finer structure."
        )
    return k


def best_start(sample: np.ndarray, k: int, *, modes: np.ndarray, config: Config) -> np.ndarray:
    """Return first centres for k-means: from the modes, or from a drawn start that ends better on a sample.

    The modes alone may lead into a poor optimum: one that holds a hundredth of the records ties down a centre.
    """
    seed = config.seed_of("kmeans")
    starts: list[tuple[Any, int]] = [("k-means++", seed + i) for i in range(config.kmeans.starts)]
    if len(modes) == k or not starts:
        starts.insert(0, (modes if len(modes) == k else "k-means++", seed))
    # More threads than one would sum in another order.
    with threadpool_limits(1):
        fits = [KMeans(k, init=init, n_init=1, random_state=state).fit(sample) for init, state in starts]
    return min(fits, key=lambda fit: fit.inertia_).cluster_centers_


def near_modes(scores: np.ndarray, found: RepeatedModes, config: Config) -> np.ndarray:
    """Return those of the scores that k-means is fitted to, see `KMeansConfig.fit_to`."""
    if config.kmeans.fit_to == "all":
        return scores
    _, squared = pairwise_distances_argmin_min(scores, found.modes.modes, metric="sqeuclidean")
    return scores[squared <= found.modes.bandwidth**2]


def kmeans_classes(
    scores: da.Array, k: int, *, found: RepeatedModes, sample: np.ndarray, config: Config
) -> tuple[Classes, dict[str, Any]]:
    """Fit k-means to all scores, a dask array (scores, component) with known chunks.

    Parameters
    ----------
    sample : ndarray, shape (rows, component)
        Scores on which starts are compared.
    """
    section = config.kmeans
    init: Any = section.init
    if init == "modes":
        init = best_start(sample, k, modes=found.modes.modes, config=config)
    scores = scores.persist()
    fitted = fit_kmeans(
        scores,
        k,
        init=init,
        max_iter=section.max_iter,
        tol=section.tol,
        seed=config.seed_of("kmeans"),
        init_rows=START_SCORES,
    )
    info = {"iterations": fitted.n_iter, "fit_inertia": fitted.inertia, "fit_sizes": fitted.sizes.tolist()}
    return Classes(fitted.centres), info


def ward_classes(sample: np.ndarray, k: int) -> tuple[Classes, dict[str, Any]]:
    """Cluster a sample of scores by Ward's method; other records take the class of their nearest neighbour."""
    fitted = fit_ward(sample.astype(np.float32), k)
    return Classes(fitted.centres, fitted), {"sample": len(sample)}


def describe_modes(found: RepeatedModes) -> dict[str, Any]:
    """Return what to say of mean shift in the model's description."""
    modes = found.modes
    return {
        "bandwidth": modes.bandwidth,
        "n_clusters": found.n_clusters,
        "n_all": modes.n_all,
        "counts": {str(number): times for number, times in found.counts.items()},
        "shares": modes.share.tolist(),
    }


@dataclass(frozen=True)
class DatasetReader:
    """Read rows of an archive that is open as a Dataset."""

    dataset: xr.Dataset

    @property
    def rows(self) -> int:
        """Number of records."""
        return self.dataset.sizes["time"]

    def times(self, start: int, stop: int) -> np.ndarray:
        """Return the times of rows [start, stop) as datetime64[ns]."""
        return self.dataset["time"].values[start:stop].astype("datetime64[ns]")

    def read(self, start: int, stop: int, *, ephemeris: tuple[str, ...] = ()) -> Records:
        """Return rows [start, stop) with the ephemeris named, as far as the Dataset has it."""
        rows = self.dataset.isel(time=slice(start, stop))
        flux = rows["flux"].transpose("time", "pitch_angle", "energy")
        # The caller may be a task of a cluster: what it reads it must compute itself.
        with dask.config.set(scheduler="synchronous"):
            found = {name: rows[name].values for name in ephemeris if name in rows}
            return Records(self.times(start, stop), flux.values.astype(np.float32, copy=False), found)


def fit(dataset: xr.Dataset, config: Config, client: Client | None = None) -> Model:
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
        Where to compute; here by default. A Dataset in memory is sent to its workers, one opened from a
        store is read by them.

    Returns
    -------
    Model
    """
    reader, preprocessor = DatasetReader(dataset), preprocessor_of(dataset, config.preprocess)
    check_components(config, preprocessor.features)
    group = _group_of(dataset)
    split = deal_split(config, {group: reader})
    trained, training = train_network({group: reader}, preprocessor, split=split, config=config)
    return fit_encoded(dataset, config, network=trained.network, training=training, client=client)


def _group_of(dataset: xr.Dataset) -> str:
    # Rows are dealt by the name of their spacecraft, here as in a run.
    return str(dataset.attrs.get("spacecraft", ""))


def fit_encoded(
    dataset: xr.Dataset, config: Config, *, network: Network, training: dict[str, Any], client: Client | None = None
) -> Model:
    """Fit all that comes after the network.

    Parameters
    ----------
    dataset, config, client
        As `fit` has them.
    network : Network
    training : dict
        What the model's description is to say of its training.
    """
    workers = SerialWorkers() if client is None else DaskWorkers(client)
    reader, preprocessor = DatasetReader(dataset), preprocessor_of(dataset, config.preprocess)
    group = _group_of(dataset)
    chosen = deal_split(config, {group: reader}) if config.pca.rows == "test" else None
    spans = [(start, min(reader.rows, start + FIT_ROWS)) for start in range(0, reader.rows, FIT_ROWS)]
    share = pairs_share(config, reader.rows)
    statistics = partial(_span_statistics, reader, group, preprocessor, network, chosen, share)
    components = fit_components_to(CodeStatistics.joined(workers.map(statistics, spans)), config.pca, network=network)
    encoder = Encoder(preprocessor, network, components.mean, components.axes, components.softening)
    scores = np.concatenate(workers.map(partial(_span_scores, reader, group, encoder, chosen), spans))
    if len(scores) < FEWEST_SCORES:
        raise PadflowError(f"Only {len(scores)} records are selected for clustering; {FEWEST_SCORES} are needed.")
    classes, info = _fit_classes(scores, config, workers)
    axes = {name: dataset[name].values for name in ("pitch_angle", "energy")}
    unknown = np.full(len(axes["energy"]), np.nan)
    axes["counts_per_flux"] = dataset["counts_per_flux"].values if "counts_per_flux" in dataset else unknown
    info |= {"padflow": __version__, "training": training, "pca": components.info, "method": config.method}
    return Model(
        config.preprocess,
        axes,
        network,
        components.mean,
        components.axes,
        classes,
        info,
        softening=components.softening,
    )


def _fit_classes(scores: np.ndarray, config: Config, workers: Workers) -> tuple[Classes, dict[str, Any]]:
    samples = [scores[index].astype("f8") for index in draw_indices(config, len(scores))]
    found = find_number(samples, config, apply=workers.map)
    k = number_of_classes(config, found)
    if config.method == "agglomerative":
        size = min(len(scores), config.agglomerative.samples)
        classes, info = ward_classes(scores[sample_indices(len(scores), size, seed=config.seed_of("kmeans"))], k)
    else:
        with workers.collections():
            lazy = da.from_array(near_modes(scores.astype("f8"), found, config), chunks=(FIT_ROWS, -1))
            sample = near_modes(samples[0], found, config)
            classes, info = kmeans_classes(lazy, k, found=found, sample=sample, config=config)
    return classes, info | {"mean_shift": describe_modes(found)}


def _span_statistics(
    reader: DatasetReader,
    group: str,
    preprocessor: Preprocessor,
    network: Any,
    split: Split | None,
    share: float,
    span: tuple[int, int],
) -> CodeStatistics:
    start, stop = span
    return code_statistics(
        reader, preprocessor, network, split=split, group=group, start=start, stop=stop, pairs_share=share
    )


def _span_scores(
    reader: DatasetReader, group: str, encoder: Encoder, split: Split | None, span: tuple[int, int]
) -> np.ndarray:
    records, offset = read_with_halo(reader, encoder.preprocessor, start=span[0], stop=span[1])
    scored = encoder.score(records, offset, *span)
    time = reader.times(*span)
    return scored["score"][fit_rows(scored["reason"], split, group=group, start=span[0], time=time)]
