"""The stages that fit: autoencoder, principal components, number of classes, classes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from padflow.autoencoder.network import Network
from padflow.clustering.agreement import RepeatedModes
from padflow.clustering.classes import Classes
from padflow.clustering.fit import (
    FEWEST_SCORES,
    class_sizes,
    describe_modes,
    describe_number,
    draw_indices,
    find_number,
    kmeans_classes,
    mode_places,
    near_modes,
    number_of_classes,
    numbered_by_size,
    sample_indices,
    subsamples_to_search,
    ward_classes,
)
from padflow.components.fit import describe_components, fit_components_to, pairs_share
from padflow.components.moments import CodeStatistics
from padflow.config.sections import Config
from padflow.errors import PadflowError
from padflow.model.fit import kmeans_place
from padflow.pipeline.directory import Fit
from padflow.pipeline.parts import run_parts
from padflow.pipeline.passes import MomentsPart, Pass, moments_file, read_statistics
from padflow.pipeline.receipts import Coded, Part, Scored, digest, drop_receipts, parts_set_aside, receipts
from padflow.pipeline.run import Run
from padflow.pipeline.tasks import part_tasks, parts_of
from padflow.store.durable import write_bytes
from padflow.store.npz import pack_arrays
from padflow.store.npz_specs import CLASSES, ENCODER, NETWORK

ALL_DIED = (
    "Workers died of every part. They may lack memory: raise cluster.memory_limit or lower archive.rows_per_part."
)


def fit_autoencoder(run: Run) -> None:
    """Train the autoencoder on rows drawn from the archive, unless the run has one."""
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
    """Fit the principal components of the codes of all records, unless the run has them."""
    if run.directory.fitted("pca"):
        return
    halo = bool(run.config.preprocess.average_seconds)
    context = ("moments", run.directory.fit("train").key, run.config.digest("preprocess", "pca"))
    tasks = part_tasks(run.directory, run.groups, *context, halo=halo)
    with run.stage("pca", total=sum(t.stop - t.start for t in tasks), parts=len(tasks)) as stage:
        share = pairs_share(run.config, sum(group.rows for group in run.groups))
        function = MomentsPart.of(run.directory, run.config, pairs_share=share)
        for part in run_parts(run.directory, Coded, tasks=tasks, function=function, workers=run.workers):
            run.progress.advance(part.task.rows, reused=part.reused)
            if not part.reused:
                stage.count(part.task.rows, part.peak_memory_bytes)
        aside = [note.part.name for note in parts_set_aside(run.directory, Coded.stage)]
        whole = [task for task in tasks if task.name not in aside]
        if not whole:
            raise PadflowError(ALL_DIED)
        statistics = CodeStatistics.joined([read_statistics(run.directory, task) for task in whole])
        arrays = run.directory.arrays(NETWORK)
        projection, info = fit_components_to(statistics, run.config.pca, network=Network.from_arrays(arrays))
        if aside:
            info["parts_left_out"] = aside
        content = pack_arrays(arrays | projection.to_arrays())
        write_bytes(run.directory.fit_folder / ENCODER, content)
        run.directory.write_fit("pca", Fit(digest(content.hex()), info))
        stage.summary = describe_components(info)
    drop_receipts(run.directory, Coded.stage)
    for task in tasks:
        (run.directory.path / moments_file(task)).unlink(missing_ok=True)


def fit_classes(run: Run) -> None:
    """Find the number of classes by mean shift and the classes by k-means or Ward, unless the run has them."""
    if run.directory.fitted("cluster"):
        return
    config = run.config
    selected = {(group, index): receipt.fit for group, index, receipt in receipts(run.directory, Scored)}
    sizes = {part: selected[part.group, part.index] for part in parts_of(run.groups)}
    sizes = {part: size for part, size in sizes.items() if size}
    total = sum(sizes.values())
    with run.stage("mean shift", total=subsamples_to_search(config), unit="subsamples") as stage:
        if total < FEWEST_SCORES:
            raise PadflowError(
                f"Only {total} records are selected for clustering; at least {FEWEST_SCORES} are needed. Widen the "
                "preprocess section, or set pca.rows=all."
            )
        indices = draw_indices(config, total)
        samples = _samples(run, list(sizes), indices)
        with ThreadPoolExecutor(1) as aside:
            aside.submit(import_module, "dask_ml.cluster.k_means")  # for a second, in which this process only waits
            found = find_number(samples, config, apply=partial(run.workers.map, on_done=run.progress.step))
        stage.count(sum(len(index) for index in indices))
        stage.summary = describe_number(found)
    k = number_of_classes(config, found)
    with run.stage(config.method, unit="iterations" if config.method == "kmeans" else "scores") as stage:
        if config.method == "agglomerative":
            size = min(total, config.agglomerative.samples)
            index = sample_indices(total, size, seed=config.seed_of("kmeans"))
            classes: Classes
            classes, info = ward_classes(_samples(run, list(sizes), [index])[0], k)
        else:
            classes, info = _kmeans(run, sizes, k=k, found=found, samples=samples)
        stage.count(total)
        stage.summary = f"{len(classes.centres)} classes of {total:,} scores"
        content = pack_arrays(classes.to_arrays() | {"modes": mode_places(found, config)})
        write_bytes(run.directory.fit_folder / CLASSES, content)
        info |= {"method": config.method, "mean_shift": describe_modes(found)}
        run.directory.write_fit("cluster", Fit(digest(content.hex()), info))


def _samples(run: Run, parts: list[Part], indices: list[np.ndarray]) -> list[np.ndarray]:
    """Pick scores by their place among all that are fitted to, in one pass, a part in memory at a time."""
    pieces: list[list[np.ndarray]] = [[] for _ in indices]
    reader = Pass.of(run.directory, run.config)
    start = 0
    for task in parts:
        scores = reader.fit_scores(task)
        for index, drawn in zip(indices, pieces, strict=True):
            low, high = np.searchsorted(index, [start, start + len(scores)])
            drawn.append(scores[index[low:high] - start])
        start += len(scores)
    return [np.concatenate(drawn).astype("f8") for drawn in pieces]


def _kmeans(
    run: Run, sizes: dict[Part, int], *, k: int, found: RepeatedModes, samples: list[np.ndarray]
) -> tuple[Classes, dict[str, Any]]:
    import dask
    import dask.array as da

    read = partial(_load_scores, Pass.of(run.directory, run.config), found, run.config)
    load = dask.delayed(read, pure=False)
    components = run.config.pca.components
    tasks = list(sizes)
    if run.config.kmeans.fit_to == "near_modes":
        near = run.workers.map(partial(_count, read), tasks)
        sizes = {task: size for task, size in zip(tasks, near, strict=True) if size}
    blocks = [da.from_delayed(load(task), (size, components), "f8") for task, size in sizes.items()]
    with kmeans_place(run.workers, sum(sizes.values())):
        classes, info = kmeans_classes(
            da.concatenate(blocks),
            k,
            found=found,
            samples=samples,
            config=run.config,
            on_iteration=lambda moved: run.progress.advance(1, text=f"centres moved by {moved:.2e}"),
        )
    return numbered_by_size(classes, run.config, sizes=partial(_all_class_sizes, run, tasks)), info


def _load_scores(reader: Pass, found: RepeatedModes, config: Config, task: Part) -> np.ndarray:
    return near_modes(reader.fit_scores(task).astype("f8"), found, config)


def _count(read: Callable[[Part], np.ndarray], task: Part) -> int:
    return len(read(task))


def _all_class_sizes(run: Run, tasks: list[Part], classes: Classes) -> np.ndarray:
    return np.sum(run.workers.map(partial(_class_sizes, Pass.of(run.directory, run.config), classes), tasks), axis=0)


def _class_sizes(reader: Pass, classes: Classes, task: Part) -> np.ndarray:
    return class_sizes(classes, reader.fit_scores(task))
