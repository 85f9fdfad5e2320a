"""The stages that make the archive: look at the files, plan its parts, write them."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from padflow import __version__
from padflow.archive.catalog import Catalog, Trouble
from padflow.archive.changes import records_by_day, smaller
from padflow.archive.ingest import IngestPart, Unreadable, prepare_archive
from padflow.archive.plan import PartSpan
from padflow.archive.scan import KILLS_WORKERS, died, instrument_digest, killing_message, scan_archive
from padflow.clustering.fit import START_SCORES
from padflow.compute.local import choose_workers, machine_memory_bytes
from padflow.compute.workers import WorkerDeath
from padflow.errors import PadflowError
from padflow.pipeline.budget import Budget, check_budget, disk_bytes_left, estimate
from padflow.pipeline.directory import groups_of
from padflow.pipeline.held import guard_records, held_records
from padflow.pipeline.parts import PartTask, run_parts
from padflow.pipeline.receipts import Ingested, Labelled, Receipt, receipts
from padflow.pipeline.run import Run, begin_parts, commit_parts
from padflow.pipeline.stages.fit import check_fit
from padflow.store.durable import nearest_folder
from padflow.store.writing import drop_groups

MOST_NAMED = 3
"""Files that an error names, where none can be used."""


EXPECTED_COMPRESSION = 1.5
"""How many times smaller than in memory an archive is on disk at the least; simulated flux packs better."""


def scan(run: Run, *, previous: Catalog | None = None) -> None:
    """Look at the files, plan the parts, and refuse a plan that takes records away; nothing is written (`look`).

    Raises
    ------
    ConfigError
        Where records of the archive would be taken out of it, and more than was said they may be.
    """
    look(run, previous=previous)
    guard_records(run)
    keys = {(group, index): receipt.key for group, index, receipt in receipts(run.directory, Ingested)}
    stands = keys == run.ingest_keys and run.restart_from != "ingest"
    run.catalog = replace(run.catalog, kept={} if stands else smaller(run.held, records_by_day(run.groups)))


def look(run: Run, *, previous: Catalog | None = None) -> None:
    """Look at the files and plan the parts; nothing is written.

    Parameters
    ----------
    previous : Catalog, optional
        Of a scan by this run, with what it learnt since; by default that in the run directory is gone on from.
    """
    config, retry = run.config.archive, previous is None
    if previous is None:
        previous = run.directory.known_catalog()
        run.held = held_records(run.directory, run.config)
    with run.stage("scan", unit="files", noted=False) as stage:

        def map_files(function: Any, items: list[Any]) -> Iterator[Any]:
            for (_, entry, _), result in run.workers.each(function, items, tolerate_deaths=True):
                stage.count(1)
                run.progress.advance(1)
                yield died(entry, result.message) if isinstance(result, WorkerDeath) else result

        run.catalog = scan_archive(
            config.source, run.instrument, config=config, previous=previous, map_files=map_files, retry=retry
        )
        _plan_groups(run)
        states = Counter(entry.status for entry in run.catalog.files)
        records = sum(group.rows for group in run.groups)
        words = ", ".join(f"{states[s]} {s.replace('_', ' ')}" for s in sorted(states))
        stage.summary = f"{len(run.catalog.files)} files: {words}; {records:,} records"


def _plan_groups(run: Run) -> None:
    run.groups = groups_of(run.config, run.catalog)
    context = (instrument_digest(run.instrument),)
    run.ingest_keys = {(g.group, span.index): span.key(*context) for g in run.groups for span in g.parts()}


def budget_of(run: Run) -> Budget:
    """Return what the run will need, and refuse it where that is not there.

    Raises
    ------
    PadflowError
        Where no record can be used, or memory or disk are too small.
    """
    config = run.config
    if not run.groups:
        aside = run.catalog.set_aside()
        words = ", ".join(f"{count} {reason}" for reason, count in Counter(e.reason for e in aside).most_common())
        first = "; ".join(entry.message.rstrip(".") for entry in aside[:MOST_NAMED])
        raise PadflowError(f"No file in {run.catalog.source} can be used: {words}. The first: {first}.")
    axes = run.catalog.archive_axes()
    check_fit(run)
    ephemeris = sum(3 if name == "Position" else 1 for name in run.instrument.ephemeris)
    train = config.train
    budget = estimate(
        run.groups,
        bins=len(axes["pitch_angle"]) * len(axes["energy"]),
        ephemeris_values=ephemeris,
        components=config.pca.components,
        train_rows=train.max_rows + train.max_validation_rows,
        sampled_scores=config.mean_shift.samples * config.mean_shift.repeats + START_SCORES,
        workers=choose_workers(config.cluster),
    )
    run.budget = budget
    check_budget(
        budget,
        memory_limit=config.cluster.memory_limit,
        machine_bytes=machine_memory_bytes(),
        free_disk_bytes=shutil.disk_usage(nearest_folder(run.directory.path)).free,
        needed_disk_bytes=bytes_left(run),
        workdir=run.directory.path,
    )
    return budget


def bytes_left(run: Run) -> int:
    """Return how much more of the disk the run will take at most."""
    kinds: tuple[type[Receipt], ...] = (Ingested, Labelled)
    ingested, labelled = (sum(receipt.rows for _, _, receipt in receipts(run.directory, kind)) for kind in kinds)
    return disk_bytes_left(run.budget, compression=EXPECTED_COMPRESSION, ingested=ingested, labelled=labelled)


def ingest(run: Run) -> None:
    """Write the parts of the archive that are not there yet; plan again where a file turns out bad.

    Raises
    ------
    ConfigError
        Where the archive holds records of such a file, and no other file has them.
    """
    save_catalog(run)
    while bad := _ingest_once(run):
        scan(run, previous=run.catalog.with_bad(bad))  # for there may be an older version
        budget_of(run)
        save_catalog(run)


def save_catalog(run: Run) -> None:
    """Let the run directory be one of the files that were looked at."""
    if run.directory.known_catalog() != run.catalog:
        run.catalog.save(run.directory.catalog_file)


@dataclass(frozen=True)
class IngestTask(PartTask):
    """A part of the archive to be made.

    Parameters
    ----------
    span : PartSpan
        Which rows of which files it holds.
    """

    span: PartSpan


@dataclass(frozen=True)
class Ingest:
    """Makes a part of the archive, on a worker."""

    write: IngestPart

    def __call__(self, task: IngestTask) -> Ingested | Unreadable:
        """Return the receipt, or which files turned out bad."""
        part = self.write(task.span)
        if isinstance(part, Unreadable):
            return part
        return Ingested(task.key, task.start, task.stop, part.files, cleaned=part.cleaned)


def _ingest_once(run: Run) -> list[Trouble]:
    axes = run.catalog.archive_axes()
    store = run.directory.archive
    tasks = [
        IngestTask(span.group, span.index, span.start, span.stop, run.ingest_keys[span.group, span.index], span=span)
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
    with run.stage("ingest", total=sum(g.rows for g in run.groups), parts=len(tasks)) as stage:
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
    """Find the files of a part of which workers die, each on its own."""
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
