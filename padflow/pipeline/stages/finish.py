# SPDX-License-Identifier: BSD-3-Clause
"""The stage ``report``: the summary of the classes, the model, and the page."""

from __future__ import annotations

import shutil
from collections import Counter
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from padflow.clustering.classes import classes_from_arrays
from padflow.errors import PadflowError
from padflow.instruments.origin import simulated_words
from padflow.maps.grid import time_edges
from padflow.maps.outcomes import Outcomes
from padflow.maps.run_maps import MapCounter
from padflow.model.model import class_attributes, fitted_model
from padflow.pipeline.directory import Fixed, RunDirectory, Shown
from padflow.pipeline.parts import PartTask
from padflow.pipeline.receipts import (
    PART_KINDS,
    Labelled,
    Scored,
    Summarised,
    digest,
    drop_receipts,
    parts_set_aside,
    receipts,
)
from padflow.pipeline.run import Run, run_pass
from padflow.pipeline.stages.fit import ALL_DIED, encoder_of
from padflow.pipeline.summary import SCORE_SAMPLES, SHAPE_SAMPLES, SummaryPart, summarise
from padflow.pipeline.tasks import parts_of
from padflow.records import Axes, Reason
from padflow.report.figures.contents import FIGURES
from padflow.shapes.class_names import class_names, places_of, shape_of_name
from padflow.store.durable import write_bytes
from padflow.store.npz_specs import CLASSES, ENCODER
from padflow.store.reading import ArchiveReader
from padflow.store.run_files import FIGURES_FOLDER
from padflow.store.writing import set_attributes


def finish(run: Run) -> None:
    """Make the summary, save the model, and write the report, where anything has changed."""
    from padflow.report.html import write_report

    made_from = [
        (kind.stage, group, index, receipt.content)
        for kind in PART_KINDS
        for group, index, receipt in receipts(run.directory, kind)
    ]
    key = digest(made_from, run.config.digest("kmeans"))
    shown = digest(key, [[e.path, e.status, e.reason, e.size_bytes, e.origin] for e in run.catalog.files])
    done = run.directory.shown()
    whole = run.directory.summary_file.is_file() and not any(parts_set_aside(run.directory, Summarised.stage))
    if done.key != key or not whole:
        _summarise(run, key=key)
        run.directory.write_shown(Shown(key))
    elif done.shown == shown and run.directory.page.is_file():
        return
    with run.stage("report", total=len(FIGURES), unit="figures") as stage:
        page = write_report(run.directory.path, apply=partial(run.workers.map, on_done=run.progress.step))
        stage.count(len(list((page.parent / FIGURES_FOLDER).glob("*.png"))))
        stage.summary = str(page)
    run.directory.write_shown(Shown(key, shown))


def _summarise(run: Run, *, key: str) -> None:
    parts = [receipt for _, _, receipt in receipts(run.directory, Labelled)]
    sizes = np.sum([part.sizes for part in parts], axis=0)
    if not sizes.sum():
        raise PadflowError(_nothing_selected(run))
    centroids = np.sum([part.sums for part in parts], axis=0) / np.maximum(sizes, 1)[:, None]
    readers = [ArchiveReader(run.directory.archive, g.group) for g in run.groups]
    first = min(reader.times(0, 1)[0] for reader in readers)
    last = max(reader.times(reader.rows - 1, reader.rows)[0] for reader in readers)
    config, shape_energy = run.config, encoder_of(run).shape_energy
    edges = time_edges(first, last).astype(np.int64).tolist()
    maps = MapCounter(tuple(edges), Outcomes(len(sizes), len(shape_energy)))
    function = SummaryPart.of(
        run.directory,
        run.config,
        l_variable=config.preprocess.l_variable,
        maps=maps,
        share_shapes=tuple((SHAPE_SAMPLES / np.maximum(sizes, 1)).tolist()),
        share_scores=max(SCORE_SAMPLES, config.kmeans.silhouette_samples) / int(sizes.sum()),
        centroids=tuple(tuple(row) for row in centroids.tolist()),
        seed=config.seed,
        shaped=len(shape_energy) > 0,
    )
    tasks = [PartTask(**vars(part), key=digest("summary", key)) for part in parts_of(run.groups)]
    died = run_pass(run, Summarised, tasks, function)
    if len(died) == len(tasks):
        raise PadflowError(ALL_DIED)
    dataset, metrics, classes = summarise(
        run.directory,
        [task for task in tasks if task not in died],
        axes=readers[0].axes,
        shape_energy=shape_energy,
        maps=maps,
        silhouette_samples=config.kmeans.silhouette_samples,
        seed=config.seed,
    )
    content = dataset.to_netcdf(engine="h5netcdf")
    write_bytes(run.directory.summary_file, bytes(content))
    run.directory.superposed_file.unlink(missing_ok=True)  # it is of other labels
    _save_model(run, metrics, classes, pads=dataset["pad_mean"])
    drop_receipts(run.directory, Summarised.stage)
    shutil.rmtree(run.directory.fit_folder / "summary", ignore_errors=True)


def _save_model(run: Run, metrics: dict[str, float], classes: list[dict[str, Any]], *, pads: xr.DataArray) -> None:
    fixed = _fixed_at_the_fit(run, classes, pads)
    model = fitted_model(
        encoder_of(run),
        classes_from_arrays(run.directory.arrays(CLASSES)),
        axes=Axes.from_arrays(run.directory.arrays(ENCODER)),
        names=fixed.names,
        training=run.directory.fit("train").info,
        components=run.directory.fit("pca").info,
        found=run.directory.fit("classes").info,
        simulated=fixed.simulated,
        settings=fixed.settings,
        more={
            "instrument": run.instrument.name,
            "title": run.instrument.title,
            "metrics": {name: value if np.isfinite(value) else None for name, value in metrics.items()},
            "classes": [
                {"pad_class": c["pad_class"], "name": name, "shape": shape_of_name(name)} | c
                for c, name in zip(classes, fixed.names, strict=True)
            ],
            "fitted_to": fixed.fitted_to,
        },
    )
    model.save(run.directory.model)
    attributes = class_attributes(fixed.names, model.fitted_to_simulated)
    for group in run.groups:
        set_attributes(run.directory.results, f"{group.group}/pad_class", attributes)


def _fixed_at_the_fit(run: Run, classes: list[dict[str, Any]], pads: xr.DataArray) -> Fixed:
    """Return the names of the classes, and what they were fitted to: the first summary after the fit finds both.

    Later summaries do not change them, even where the archive has grown and the classes have other shapes in it.
    """
    found = run.directory.fixed()
    if found is None:
        told = run.directory.fit("classes").info.get("class_energies_MeV", ())
        places, shapes = places_of(told, pads["energy"].values), [pad_class["shapes"] for pad_class in classes]
        found = Fixed(
            names=class_names(shapes, pads["pitch_angle"].values, pads.values, places=places),
            fitted_to={
                g.group: {"records": g.rows, "first": g.days[0].day, "last": g.days[-1].day} for g in run.groups
            },
            settings=run.config.fit_settings(),
            simulated=simulated_words(run.catalog.origin_of_files()),
        )
        run.directory.write_fixed(found)
        found = run.directory.fixed() or found  # in the form in which a later summary reads it
    return found


def _nothing_selected(run: Run) -> str:
    reasons = reasons_of(run.directory)
    words = ", ".join(f"{count:,} {name}" for name, count in reasons.items())
    return (
        f"All {run.plan.records:,} records were left out: {words}. Widen the preprocess section of the "
        "configuration (l_range, time_range, energy_range, min_valid_channels, min_flux, min_counts, "
        "min_filled_share)."
    )


def reasons_of(directory: RunDirectory) -> dict[str, int]:
    """Return how many records have no class, by the name of the reason."""
    total: Counter[int] = Counter()
    for _, _, receipt in receipts(directory, Scored):
        total.update(receipt.reasons)
    return {Reason(code).name.lower(): n for code, n in sorted(total.items()) if code != Reason.SELECTED}
