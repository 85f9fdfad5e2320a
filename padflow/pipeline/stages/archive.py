# SPDX-License-Identifier: BSD-3-Clause
"""The stage ``ingest``: read the CDF files and write the parts of the archive."""

from __future__ import annotations

from dataclasses import dataclass

from padflow import __version__
from padflow.archive.catalog import Trouble
from padflow.archive.ingest import IngestPart, Unreadable, prepare_archive
from padflow.archive.plan import PartSpan
from padflow.archive.scan import KILLS_WORKERS, killing_message
from padflow.compute.workers import WorkerDeath
from padflow.errors import PadflowError
from padflow.pipeline.parts import PartTask, run_parts
from padflow.pipeline.plan import approve, plan_again
from padflow.pipeline.receipts import Ingested
from padflow.pipeline.run import Run, begin_parts, commit_parts
from padflow.store.writing import drop_groups


def ingest(run: Run) -> None:
    """Write the parts of the archive that are not there yet; plan again where a file is found bad.

    Raises
    ------
    ConfigError
        Where the archive holds records of a bad file that no other file has.
    """
    run.plan.save_catalog()
    while bad := _ingest_once(run):
        # There may be an older version of the file.
        catalog = run.catalog.with_bad(bad)
        run.plan = plan_again(run.plan, catalog, workers=run.workers, times=run.times)
        approve(run.plan, say=run.progress.say)
        run.plan.save_catalog()


@dataclass(frozen=True)
class IngestTask(PartTask):
    """A part of the archive that is to be made.

    Parameters
    ----------
    span : PartSpan
        Says which rows of which files it holds.
    """

    span: PartSpan


@dataclass(frozen=True)
class Ingest:
    """Makes a part of the archive, on a worker."""

    write: IngestPart

    def __call__(self, task: IngestTask) -> Ingested | Unreadable:
        """Return the receipt, or the files that cannot be read."""
        part = self.write(task.span)
        if isinstance(part, Unreadable):
            return part
        return Ingested(task.key, task.start, task.stop, part.files, cleaned=part.cleaned)


def _ingest_once(run: Run) -> list[Trouble]:
    axes = run.catalog.archive_axes()
    store, keys = run.directory.archive, run.plan.ingest_keys
    tasks = [
        IngestTask(span.group, span.index, span.start, span.stop, keys[span.group, span.index], span=span)
        for group in run.groups
        for span in group.parts()
    ]
    drop_groups(store, keep={plan.group for plan in run.groups})
    begin_parts(run, store, Ingested, tasks)
    for group in run.groups:
        prepare_archive(store, group, catalog=run.catalog, instrument=run.instrument, version=__version__)
    write = IngestPart(
        source=run.catalog.source,
        instrument=run.instrument,
        store=str(store),
        shape=(len(axes["pitch_angle"]), len(axes["energy"])),
        rows_per_part=run.config.archive.rows_per_part,
    )
    bad: list[Trouble] = []
    lethal: list[IngestTask] = []
    with run.stage("ingest", total=run.plan.records, parts=len(tasks)) as stage:
        for part in run_parts(run.directory, Ingested, tasks=tasks, function=Ingest(write), workers=run.workers):
            run.progress.advance(part.task.rows, reused=part.reused)
            if not part.reused:
                stage.count(part.task.rows, part.peak_memory_bytes)
            bad += part.unreadable
            if part.death is not None:
                lethal.append(part.task)
        for task in lethal:
            bad += _lethal_files(run, task, write)
        stage.summary = f"{stage.records:,} records written"
        if bad:
            stage.summary += f"; {len(set(bad))} files could not be read after all"
    if not bad:
        commit_parts(run, store)
    return sorted(set(bad))


def _lethal_files(run: Run, task: IngestTask, write: IngestPart) -> list[Trouble]:
    """Find the files of a part on which workers die, and read each alone for that."""
    paths = {source.path: None for day, _, _ in task.span.pieces for source in day.sources}
    found = []
    for path in paths:
        for _, result in run.workers.each(write.try_file, [(path, task.group)], tolerate_deaths=True):
            if isinstance(result, WorkerDeath):
                found.append(Trouble(path, KILLS_WORKERS, killing_message(path, result.message)))
    if not found:
        raise PadflowError(
            f"Workers died of {task}, but of none of its {len(paths)} files alone. They may lack memory: raise "
            "cluster.memory_limit or lower archive.rows_per_part."
        )
    return found
