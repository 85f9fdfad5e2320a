"""The stages that score and label every record."""

from __future__ import annotations

from padflow import __version__
from padflow.components.projection import Projection
from padflow.instruments.origin import group_attributes
from padflow.pipeline.directory import fit_arrays, fitted
from padflow.pipeline.passes import LabelPart, LabelStandIn, ScorePart, ScoreStandIn
from padflow.pipeline.receipts import PartTask, put_stand_in
from padflow.pipeline.run import Run, begin_parts, commit_parts, run_pass
from padflow.pipeline.tasks import label_tasks, score_tasks
from padflow.store.npz_specs import ENCODER
from padflow.store.specs import RESULTS, results_specs
from padflow.store.writing import drop_groups, prepare_group


def score(run: Run) -> list[PartTask]:
    """Score every record; return the tasks, whose keys name what they depend on."""
    components = Projection.from_arrays(fit_arrays(run.directory, ENCODER)).components
    tasks = score_tasks(run.directory, run.groups, run.config, components=fitted(run, "pca")["key"])
    drop_groups(run.directory / RESULTS, keep={group.group for group in run.groups})
    begin_parts(run, RESULTS, "score", tasks)
    for group in run.groups:
        prepare_group(
            run.directory / RESULTS,
            group.group,
            specs=results_specs(components),
            rows=group.rows,
            rows_per_part=group.rows_per_part,
            axes={},
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
    run_pass(run, "score", tasks, ScorePart.of(*of_run), stand_in=ScoreStandIn.of(*of_run))
    return tasks


def label(run: Run, scored: list[PartTask]) -> list[PartTask]:
    """Give every scored record its class."""
    tasks = label_tasks(run.directory, scored, classes=fitted(run, "cluster")["key"])
    begin_parts(run, RESULTS, "label", tasks)
    of_run = run.directory, run.config
    for task in run_pass(run, "label", tasks, LabelPart.of(*of_run), stand_in=LabelStandIn.of(*of_run)):
        # Its scores would say that its records were selected.
        put_stand_in(run.directory, "score", task, function=ScoreStandIn.of(*of_run), workers=run.workers)
    commit_parts(run, RESULTS)
    return tasks
