# SPDX-License-Identifier: BSD-3-Clause
"""The stages ``score`` and ``label``, which go over all records."""

from __future__ import annotations

from padflow import __version__
from padflow.instruments.origin import group_attributes
from padflow.pipeline.parts import put_placeholder
from padflow.pipeline.passes import LabelPart, LabelPlaceholder, ScorePart, ScorePlaceholder
from padflow.pipeline.receipts import Labelled, Scored
from padflow.pipeline.run import Run, begin_parts, commit_parts, run_pass
from padflow.pipeline.stages.fit import encoder_of
from padflow.pipeline.tasks import label_tasks, score_tasks
from padflow.store.specs import results_specs
from padflow.store.writing import drop_groups, prepare_group


def score(run: Run) -> None:
    """Score every record."""
    encoder = encoder_of(run)
    components, energy = encoder.projection.components, encoder.shape_energy
    tasks = score_tasks(run.directory, run.groups, run.config, components=run.directory.fit("pca").key)
    drop_groups(run.directory.results, keep={group.group for group in run.groups})
    begin_parts(run, run.directory.results, Scored, tasks)
    for group in run.groups:
        prepare_group(
            run.directory.results,
            group.group,
            specs=results_specs(components, len(energy)),
            rows=group.rows,
            rows_per_part=group.rows_per_part,
            axes={"energy": (energy, {"units": "MeV"})} if len(energy) else {},
            attributes={
                "Conventions": "CF-1.11",
                **group_attributes(
                    run.catalog.origin_of_files(group.group),
                    title=f"Classes of pitch-angle distributions: {run.instrument.title}, {group.group}",
                ),
                "spacecraft": group.group,
                "padflow_version": __version__,
            },
        )
    of_run = run.directory, run.config
    run_pass(run, Scored, tasks, ScorePart.of(*of_run), placeholder=ScorePlaceholder.of(*of_run))


def label(run: Run) -> None:
    """Give every scored record its class."""
    tasks = label_tasks(run.directory, run.groups, classes=run.directory.fit("classes").key)
    begin_parts(run, run.directory.results, Labelled, tasks)
    of_run = run.directory, run.config
    for task in run_pass(run, Labelled, tasks, LabelPart.of(*of_run), placeholder=LabelPlaceholder.of(*of_run)):
        # Where a part has scores, they would say that its records are selected.
        put_placeholder(run.directory, Scored, task, function=ScorePlaceholder.of(*of_run), workers=run.workers)
    commit_parts(run, run.directory.results)
