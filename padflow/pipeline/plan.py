# SPDX-License-Identifier: BSD-3-Clause
"""Decide what a run will do, before it does anything: from the CDF files, and from what the archive holds."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dask.utils import format_bytes

from padflow.archive.catalog import Catalog, RecordsByDay, axes_of
from padflow.archive.changes import records_by_day, smaller
from padflow.archive.plan import GroupPlan
from padflow.archive.scan import died, instrument_digest, scan_archive
from padflow.clustering.fit import START_SCORES
from padflow.components.fit import check_components
from padflow.compute.local import choose_workers, machine_memory_bytes
from padflow.compute.workers import WorkerDeath, Workers
from padflow.config.local_paths import local_path
from padflow.config.sections import Config
from padflow.errors import ConfigError, PadflowError
from padflow.facts import as_html, as_text
from padflow.features.preprocessor import Preprocessor
from padflow.instruments.instrument import Instrument, load_instrument
from padflow.model.model import Model
from padflow.pipeline.budget import Budget, check_budget, disk_bytes_left, estimate
from padflow.pipeline.directory import RunDirectory, groups_of
from padflow.pipeline.guard import guard_settings
from padflow.pipeline.held import Changes, Removal, changes_between, held_records, removal_of
from padflow.pipeline.receipts import Ingested, Labelled, Receipt, receipts
from padflow.pipeline.timing import StageTimes
from padflow.records import Axes
from padflow.store.durable import nearest_folder

MOST_NAMED = 3
"""Most files that an error names, where no file can be used."""


EXPECTED_COMPRESSION = 1.5
"""An archive on disk is at least this many times smaller than in memory (chosen; simulated flux packs better)."""


@dataclass(frozen=True)
class Request:
    """What a command asks for.

    Parameters
    ----------
    config : Config
    source : Path
        The folder of CDF files.
    directory : RunDirectory
    instrument : Instrument
    restart_from : str, optional
        Stage that is done again, with all after it.
    allow_removal : int
        Records that may be taken out of an archive that is there.
    command : str
        Text for ``run.json``.
    """

    config: Config
    source: Path
    directory: RunDirectory
    instrument: Instrument
    restart_from: str | None = None
    allow_removal: int = 0
    command: str = ""


@dataclass(frozen=True, repr=False)
class Plan:
    """What a run will do.

    Parameters
    ----------
    request : Request
        What was asked for.
    catalog : Catalog
        All files, and what becomes of each.
    groups : tuple of GroupPlan
        Days and parts of each spacecraft; there is at least one.
    ingest_keys : dict of (str, int) to str
        Keys that say what each part of the archive is made from, by group and number.
    held : dict of str to dict
        Records that the archive held before, by spacecraft and day.
    budget : Budget
        What the run needs.
    """

    request: Request
    catalog: Catalog
    groups: tuple[GroupPlan, ...]
    ingest_keys: dict[tuple[str, int], str]
    held: RecordsByDay
    budget: Budget

    def __repr__(self) -> str:
        return as_text("padflow.Plan", self._facts())

    def _repr_html_(self) -> str:
        return as_html("padflow.Plan", self._facts())

    def _facts(self) -> dict[str, str]:
        """Return what is shown of a plan."""
        budget = self.budget
        groups = ", ".join(f"{rows:,} of {name}" for name, rows in self.rows.items())
        disk = format_bytes(budget.archive_bytes + budget.results_bytes)
        memory = f"{format_bytes(budget.worker_bytes)} a worker, {format_bytes(budget.driver_bytes)} the driver"
        return {
            "directory": str(self.directory),
            "files": f"{budget.files:,}",
            "records": f"{self.records:,} ({groups})",
            "parts": f"{budget.parts:,}",
            "disk": f"at most {disk}, before compression",
            "memory": memory,
        }

    @property
    def config(self) -> Config:
        """The configuration."""
        return self.request.config

    @property
    def directory(self) -> RunDirectory:
        """The run directory."""
        return self.request.directory

    @property
    def instrument(self) -> Instrument:
        """The instrument."""
        return self.request.instrument

    @property
    def records(self) -> int:
        """Number of records of the archive."""
        return sum(group.rows for group in self.groups)

    @property
    def rows(self) -> dict[str, int]:
        """Number of records of each spacecraft."""
        return {group.group: group.rows for group in self.groups}

    @property
    def axes(self) -> Axes:
        """The axes of the archive."""
        return axes_of(self.catalog, self.instrument)

    @property
    def removal(self) -> Removal:
        """The records that the run takes out of the archive."""
        return removal_of(self.request.config.archive, self.catalog, self.groups, self.held)

    def validate(self) -> None:
        """Refuse a run that cannot be done, or that may not. Nothing has been written yet.

        Raises
        ------
        ConfigError
            Where it takes more records out of the archive than it may, or where a fit to this archive is not possible.
        PadflowError
            Where memory or disk are too small.
        """
        self.check_removal()
        self.check_needs()

    def check_removal(self) -> None:
        """Refuse to take more records out of the archive than the request allows.

        Raises
        ------
        ConfigError
            Names the days with the number of records and the cause, and what to do.
        """
        _check_removal(self.request, self.removal)

    def check_needs(self) -> None:
        """Refuse settings with which this archive cannot be fitted, and a run for which memory or disk are too small.

        Raises
        ------
        ConfigError, PadflowError
            Names what does not fit, and what to change.
        """
        config, path = self.config, self.directory.path
        check_components(config, Preprocessor(config.preprocess, self.axes).features)
        check_budget(
            self.budget,
            memory_limit=config.cluster.memory_limit,
            machine_bytes=machine_memory_bytes(),
            free_disk_bytes=shutil.disk_usage(nearest_folder(path)).free,
            needed_disk_bytes=self.bytes_left(),
            workdir=path,
        )

    def check_model(self, model: Model) -> None:
        """Refuse an archive whose axes are not those that a model was fitted to.

        Raises
        ------
        PadflowError
            Names the axis.
        """
        model.encoder(self.axes)

    def bytes_left(self) -> int:
        """Return how many bytes of the disk the run will still take at most."""
        kinds: tuple[type[Receipt], ...] = (Ingested, Labelled)
        ingested, labelled = (sum(receipt.rows for _, _, receipt in receipts(self.directory, kind)) for kind in kinds)
        return disk_bytes_left(self.budget, compression=EXPECTED_COMPRESSION, ingested=ingested, labelled=labelled)

    def changes(self) -> Changes:
        """Return what the run adds to, rewrites in and removes from the archive."""
        before = {(group, index): receipt.key for group, index, receipt in receipts(self.directory, Ingested)}
        return changes_between(before, self.ingest_keys, self.groups, self.held)

    def save_catalog(self) -> None:
        """Write the catalogue into the run directory."""
        if self.directory.known_catalog() != self.catalog:
            self.catalog.save(self.directory.catalog_file)


def request_of(
    config: Config,
    directory: str | Path,
    *,
    restart_from: str | None = None,
    allow_removal: int = 0,
    command: str = "",
) -> Request:
    """Check what a command asks for, and return it.

    Raises
    ------
    ConfigError
        Where there is no folder of CDF files, or the directory was made with another configuration.
    """
    source = config.archive.source
    if source is None:
        raise ConfigError(
            "archive.source is not set: write the folder of CDF files into the configuration, or give it by "
            "--source FOLDER."
        )
    if not source.is_dir():
        raise ConfigError(
            f"archive.source = {source} is not a folder; give the one that holds the CDF files, at any depth."
        )
    instrument = load_instrument(config.archive.instrument)
    folder = RunDirectory(local_path(directory, "--workdir").resolve())
    guard_settings(config, folder, restart_from=restart_from)
    return Request(config, source, folder, instrument, restart_from, allow_removal, command)


def make_plan(request: Request, *, workers: Workers, times: StageTimes) -> Plan:
    """Look at all files and plan what to do with them. Nothing is written.

    Raises
    ------
    ConfigError
        Where no file can be used, and the archive holds records.
    PadflowError
        Where no file can be used.
    """
    known = request.directory.known_catalog()
    held = held_records(request.directory, request.config)
    return _planned(request, known, held, retry=True, workers=workers, times=times)


def plan_again(plan: Plan, catalog: Catalog, *, workers: Workers, times: StageTimes) -> Plan:
    """Plan again after a file was found bad. There may be an older version of it.

    Parameters
    ----------
    catalog : Catalog
        The catalogue, in which the file is set aside.
    """
    return _planned(plan.request, catalog, plan.held, retry=False, workers=workers, times=times)


def approve(plan: Plan, *, say: Callable[[str], None]) -> None:
    """Refuse a run that cannot be done, or that may not; say which records go out of the archive."""
    plan.validate()
    say_removal(plan, say=say)


def say_removal(plan: Plan, *, say: Callable[[str], None]) -> None:
    """Say which records go out of the archive, if any."""
    if plan.removal.records:
        say(f"{plan.removal.records:,} records are taken out of the archive: {plan.removal}")


def _planned(
    request: Request,
    known: Catalog | None,
    held: RecordsByDay,
    *,
    retry: bool,
    workers: Workers,
    times: StageTimes,
) -> Plan:
    catalog = _scanned(request, known, retry=retry, workers=workers, times=times)
    groups = tuple(groups_of(request.config, catalog))
    if not groups:
        _check_removal(request, removal_of(request.config.archive, catalog, groups, held))
        raise PadflowError(_nothing_to_use(catalog))
    context = (instrument_digest(request.instrument),)
    ingest_keys = {(group.group, span.index): span.key(*context) for group in groups for span in group.parts()}
    # While parts are written again, they cannot say what the archive holds. Then the catalogue says it.
    written = {(group, index): receipt.key for group, index, receipt in receipts(request.directory, Ingested)}
    stands = written == ingest_keys and request.restart_from != "ingest"
    catalog = replace(catalog, kept={} if stands else smaller(held, records_by_day(groups)))
    return Plan(request, catalog, groups, ingest_keys, held, _budget(request, catalog, groups))


def _scanned(request: Request, known: Catalog | None, *, retry: bool, workers: Workers, times: StageTimes) -> Catalog:
    with times.stage("scan", unit="files", noted=False) as cost:

        def map_files(function: Any, items: list[Any]) -> Iterator[Any]:
            for (_, entry, _), result in workers.each(function, items, tolerate_deaths=True):
                cost.count(1)
                times.progress.advance(1)
                yield died(entry, result.message) if isinstance(result, WorkerDeath) else result

        catalog = scan_archive(
            request.source,
            request.instrument,
            config=request.config.archive,
            previous=known,
            map_files=map_files,
            retry=retry,
        )
        states = Counter(entry.status for entry in catalog.files)
        words = ", ".join(f"{states[s]} {s.replace('_', ' ')}" for s in sorted(states))
        records = sum(group.rows for group in groups_of(request.config, catalog))
        cost.summary = f"{len(catalog.files)} files: {words}; {records:,} records"
    return catalog


def _nothing_to_use(catalog: Catalog) -> str:
    aside = catalog.set_aside()
    words = ", ".join(f"{count} {reason}" for reason, count in Counter(e.reason for e in aside).most_common())
    first = "; ".join((entry.message or "").rstrip(".") for entry in aside[:MOST_NAMED])
    return f"No file in {catalog.source} can be used: {words}. The first: {first}."


def _check_removal(request: Request, removal: Removal) -> None:
    if removal.records <= request.allow_removal:
        return
    raise ConfigError(
        f"{request.directory}: {removal.records:,} of the {removal.held:,} records in the archive would be taken out: "
        f"{removal}. None was. Put back what is missing (is a disk not mounted, or archive.source = {request.source} "
        f"wrong?) and give the same command again, or let them go with --allow-removal {removal.records}."
    )


def _budget(request: Request, catalog: Catalog, groups: tuple[GroupPlan, ...]) -> Budget:
    axes, config = catalog.archive_axes(), request.config
    # With other spins a row is two views, and beside these there are the inputs and targets made of them.
    rows_for_each = 3 if config.train.target == "other_spins" else 1
    return estimate(
        groups,
        bins=len(axes["pitch_angle"]) * len(axes["energy"]),
        ephemeris_values=sum(3 if name == "Position" else 1 for name in request.instrument.ephemeris),
        components=config.pca.components,
        train_rows=rows_for_each * (config.train.max_rows + config.train.max_validation_rows),
        sampled_scores=config.mean_shift.samples * config.mean_shift.repeats + START_SCORES,
        workers=choose_workers(config.cluster),
    )
