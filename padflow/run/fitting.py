"""The stages that fit: autoencoder, principal components, number of classes, classes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from padflow.clustering.agglomerative import fit_ward
from padflow.clustering.kmeans import fit_kmeans
from padflow.clustering.meanshift import RepeatedModes, repeat_modes
from padflow.config import Config
from padflow.durable import read_json, write_bytes, write_json
from padflow.errors import ConfigError, PadflowError
from padflow.model import Classes, pack_arrays
from padflow.pca import IncrementalPCA, Moments
from padflow.run.context import Run
from padflow.run.ledger import PartTask, digest, drop_receipts, receipts, run_parts
from padflow.run.passes import (
    ARCHIVE,
    CLASSES,
    ENCODER,
    FIT,
    NETWORK,
    SPLIT,
    MomentsPart,
    Pass,
    fit_arrays,
    moments_file,
    preprocessor_for,
    read_moments,
)
from padflow.sampling import RowSampler, Split, days_of
from padflow.store import ArchiveReader

KERAS_MODEL = "autoencoder.keras"


def fitted(run: Run, name: str) -> dict[str, Any] | None:
    """Return what a fit left behind, or None where it has to be done."""
    return read_json(run.directory / FIT / f"{name}.json")


def code_size(config: Config, features: int) -> int:
    """Return the width of the code; half the features unless configured."""
    return config.train.code_size or max(1, features // 2)


def check_components(config: Config, axes: dict[str, list[float]]) -> None:
    """Refuse more components than the code has values, before anything is computed.

    Raises
    ------
    ConfigError
    """
    counts = np.ones(len(axes["energy"]))
    arrays = {name: np.array(values) for name, values in axes.items()} | {"counts_per_flux": counts}
    size = code_size(config, preprocessor_for(config.preprocess, arrays).features)
    if config.pca.components > size:
        raise ConfigError(
            f"pca.components = {config.pca.components}, but a code has only {size} values (train.code_size). Lower "
            "pca.components, or raise train.code_size."
        )


def fit_autoencoder(run: Run) -> None:
    """Train the autoencoder on rows drawn from the archive, unless the run has one."""
    if fitted(run, "train"):
        return
    # Only here: TensorFlow costs seconds and 600 MB.
    from padflow.autoencoder import save_keras, train_autoencoder, training_flags

    config, train = run.config, run.config.train
    readers = {g.group: ArchiveReader(run.directory / ARCHIVE, g.group) for g in run.groups}
    axes = next(iter(readers.values())).axes
    preprocessor = preprocessor_for(config.preprocess, axes)
    split = Split.deal(train, config.seed_of("split"), days=days_of(readers) if train.split == "day" else np.empty(0))
    with run.stage("train", total=train.epochs, unit="epochs") as stage:
        sampler = RowSampler(readers, preprocessor, split=split, config=train, seed=config.seed)
        rates = []

        def show(epoch: int, loss: float, val_loss: float, rows_per_second: float) -> None:
            rates.append(rows_per_second)
            text = f"epoch {epoch + 1} of at most {train.epochs}, loss {loss:.3e}, validation {val_loss:.3e}"
            run.progress.advance(1, text=f"{text}, {rows_per_second:,.0f} rows/s")

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
                progress=show,
            )
        finally:
            sampler.close()
        epochs = len(trained.history["loss"])
        stage.count(epochs * len(sampler.train))
        stage.summary = (
            f"{epochs} epochs of {len(sampler.train):,} rows, best validation loss "
            f"{trained.history['val_loss'][trained.best_epoch]:.3e} in epoch {trained.best_epoch + 1}"
        )
        model_dir = run.directory / "model"
        model_dir.mkdir(exist_ok=True)
        save_keras(trained, model_dir / KERAS_MODEL)
        arrays = {f"axis_{name}": values for name, values in axes.items()} | trained.network.to_arrays()
        content = pack_arrays(arrays)
        write_bytes(run.directory / FIT / NETWORK, content)
        write_json(run.directory / FIT / SPLIT, asdict(split))
        info = {
            "history": trained.history,
            "best_epoch": trained.best_epoch,
            "rows": len(sampler.train),
            "validation_rows": len(sampler.validation),
            "rows_per_second": float(np.median(rates)),
            "flags": training_flags(),
        }
        write_json(run.directory / FIT / "train.json", {"key": digest(content.hex()[-64:], epochs), "info": info})


def the_pass(run: Run, kind: type[Pass] = Pass, **more: Any) -> Any:
    """Return a pass of this run's configuration."""
    config = run.config
    return kind(
        run_dir=str(run.directory),
        preprocess=config.preprocess,
        rows_per_part=config.archive.rows_per_part,
        test_only=config.pca.rows == "test",
        **more,
    )


def fit_components(run: Run) -> None:
    """Fit the principal components of the codes of all records, unless the run has them."""
    if fitted(run, "pca"):
        return
    halo = bool(run.config.preprocess.average_seconds)
    tasks = run.part_tasks("moments", fitted(run, "train")["key"], run.config.digest("preprocess", "pca"), halo=halo)
    with run.stage("pca", total=sum(t.stop - t.start for t in tasks)) as stage:
        done = run_parts(
            run.directory, "moments", tasks=tasks, function=the_pass(run, MomentsPart), workers=run.workers
        )
        for task, result, peak in done:
            run.progress.advance(task.stop - task.start)
            if result is not None:
                stage.count(task.stop - task.start, peak)
        total: Moments | None = None
        for task in tasks:
            part = read_moments(run.directory, task)
            total = part if total is None else total.merge(part)
        components = run.config.pca.components
        if total.n <= components:
            raise PadflowError(
                f"Only {total.n} records are selected for the fit, too few for {components} components. Widen the "
                "preprocess section (l_range, min_counts, min_flux, time_range), or set pca.rows=all."
            )
        pca = IncrementalPCA(components).merge(total)
        spectrum = IncrementalPCA().merge(total).explained_variance_ratio_
        info = {
            "explained_variance": pca.explained_variance_.tolist(),
            "explained_variance_ratio": pca.explained_variance_ratio_.tolist(),
            "noise_variance": float(pca.noise_variance_),
            "mean_log_likelihood": _finite(pca.mean_log_likelihood_),
            "spectrum": spectrum.tolist(),
            "records": total.n,
        }
        arrays = fit_arrays(run.directory, NETWORK)
        content = pack_arrays(arrays | {"pca_mean": pca.mean_, "pca_components": pca.components_})
        write_bytes(run.directory / FIT / ENCODER, content)
        write_json(run.directory / FIT / "pca.json", {"key": digest(content.hex()), "info": info})
        stage.summary = (
            f"{components} components of {total.n:,} records hold "
            f"{pca.explained_variance_ratio_.sum():.1%} of the variance"
        )
    drop_receipts(run.directory, "moments")
    for task in tasks:
        (run.directory / moments_file(task)).unlink(missing_ok=True)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def fit_classes(run: Run, tasks: list[PartTask]) -> None:
    """Find the number of classes by mean shift and the classes by k-means or Ward, unless the run has them."""
    if fitted(run, "cluster"):
        return
    config = run.config
    parts = [task for task in tasks if _fit_rows(run, task)]
    total = sum(_fit_rows(run, task) for task in parts)
    with run.stage("mean shift", unit="scores") as stage:
        if total < 10:
            raise PadflowError(
                f"Only {total} records are selected for clustering; at least 10 are needed. Widen the preprocess "
                "section, or set pca.rows=all."
            )
        found = _modes(run, parts, total)
        stage.count(len(found.repeats) * min(total, config.mean_shift.samples))
        counts = ", ".join(f"{k} clusters {n}x" for k, n in found.counts.items())
        stage.summary = f"{counts}; bandwidth {found.modes.bandwidth:.4g}"
    clusters = config.kmeans.clusters
    k = found.n_clusters if clusters == "mean_shift" else clusters
    if k < 2:
        raise PadflowError(
            "Mean shift found a single cluster, which classifies nothing. Set kmeans.clusters to a number, or lower "
            "mean_shift.quantile (or mean_shift.bandwidth) to look for finer structure."
        )
    with run.stage(config.method, unit="scores") as stage:
        classes, info = (_ward if config.method == "agglomerative" else _kmeans)(run, parts, total, k=k, found=found)
        stage.count(total)
        stage.summary = f"{k} classes of {total:,} scores"
        content = pack_arrays(classes.to_arrays() | {"modes": found.modes.modes})
        write_bytes(run.directory / FIT / CLASSES, content)
        info |= {
            "method": config.method,
            "mean_shift": {
                "bandwidth": found.modes.bandwidth,
                "n_clusters": found.n_clusters,
                "n_all": found.modes.n_all,
                "counts": {str(number): times for number, times in found.counts.items()},
                "shares": found.modes.share.tolist(),
            },
        }
        write_json(run.directory / FIT / "cluster.json", {"key": digest(content.hex()), "info": info})


def _fit_rows(run: Run, task: PartTask) -> int:
    from padflow.run.ledger import receipt_path

    return read_json(receipt_path(run.directory, "score", task.group, task.index))["fit"]


def _samples(run: Run, parts: list[PartTask], total: int, *, sizes: list[int], seeds: list[int]) -> list[np.ndarray]:
    """Draw subsamples of all scores in one pass, each without replacement and in the order of records."""
    chosen = [
        np.sort(np.random.default_rng(seed).choice(total, size, replace=False))
        for size, seed in zip(sizes, seeds, strict=True)
    ]
    pieces: list[list[np.ndarray]] = [[] for _ in chosen]
    reader = the_pass(run)
    start = 0
    for task in parts:
        scores = reader.fit_scores(task)
        for indices, drawn in zip(chosen, pieces, strict=True):
            low, high = np.searchsorted(indices, [start, start + len(scores)])
            drawn.append(scores[indices[low:high] - start])
        start += len(scores)
    return [np.concatenate(drawn).astype("f8") for drawn in pieces]


def _modes(run: Run, parts: list[PartTask], total: int) -> RepeatedModes:
    config = run.config.mean_shift
    seed = run.config.seed_of("mean_shift")
    size = min(config.samples, total)
    if config.repeats > 1 and size > 0.8 * total:
        # Repeats of the same rows would agree without saying anything.
        size = max(10, int(0.8 * total))
    seeds = [seed + repeat for repeat in range(config.repeats)]
    samples = _samples(run, parts, total, sizes=[size] * config.repeats, seeds=seeds)
    return repeat_modes(
        samples,
        apply=run.workers.map,
        quantile=config.quantile,
        bandwidth_samples=config.bandwidth_samples,
        bandwidth=config.bandwidth,
        min_share=config.min_share,
        seed=seed,
    )


def _kmeans(
    run: Run, parts: list[PartTask], total: int, *, k: int, found: RepeatedModes
) -> tuple[Classes, dict[str, Any]]:
    import dask
    import dask.array as da

    config = run.config.kmeans
    reader = the_pass(run)
    components = run.config.pca.components
    load = dask.delayed(partial(_load_scores, reader), pure=False)
    blocks = [da.from_delayed(load(task), (_fit_rows(run, task), components), "f8") for task in parts]
    scores = da.concatenate(blocks).persist()
    init: Any = config.init
    if init == "modes":
        init = found.modes.modes if len(found.modes.modes) == k else "k-means||"
    fit = fit_kmeans(scores, k, init=init, max_iter=config.max_iter, tol=config.tol, seed=run.config.seed_of("kmeans"))
    return Classes(fit.centres), {
        "iterations": fit.n_iter,
        "fit_inertia": fit.inertia,
        "fit_sizes": fit.sizes.tolist(),
    }


def _load_scores(reader: Pass, task: PartTask) -> np.ndarray:
    return reader.fit_scores(task).astype("f8")


def _ward(
    run: Run, parts: list[PartTask], total: int, *, k: int, found: RepeatedModes
) -> tuple[Classes, dict[str, Any]]:
    size = min(total, run.config.agglomerative.samples)
    (sample,) = _samples(run, parts, total, sizes=[size], seeds=[run.config.seed_of("kmeans")])
    fit = fit_ward(sample.astype("f4"), k)
    return Classes(fit.centres, fit), {"sample": size}


def reasons_of(run: Run) -> Iterator[dict[str, int]]:
    """Yield the counts of records by reason of each part."""
    for _, _, receipt in receipts(run.directory, "score"):
        yield receipt["reasons"]


def fit_folder(directory: Path) -> Path:
    """Return the folder of fitted arrays, made where it is not there."""
    folder = directory / FIT
    folder.mkdir(parents=True, exist_ok=True)
    return folder
