# SPDX-License-Identifier: BSD-3-Clause
"""Do a run from its beginning to its end: `run`, `plan` and `label`, for Python and for the command line."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
from dask.system import CPU_COUNT
from dask.utils import format_bytes

from padflow import __version__
from padflow.compute.cluster import connect
from padflow.compute.local import machine_memory_bytes
from padflow.compute.settings import PACKAGES
from padflow.compute.workers import Workers
from padflow.config.cluster import ClusterConfig
from padflow.config.sections import Config
from padflow.errors import CannotRead, ConfigError, NoSpace
from padflow.facts import as_html, as_text
from padflow.model.model import Model
from padflow.pipeline.directory import Fit, Fixed, Provenance, RunDirectory
from padflow.pipeline.guard import clear_from, guard_settings, left_from
from padflow.pipeline.labelling import decided_by
from padflow.pipeline.lock import locked
from padflow.pipeline.plan import Plan, Request, approve, make_plan, request_of
from padflow.pipeline.progress_file import ProgressFile
from padflow.pipeline.receipts import Labelled, receipts
from padflow.pipeline.run import Run
from padflow.pipeline.stage_order import STAGE_NAMES, STAGES, Stage, stages_to
from padflow.pipeline.stages.finish import reasons_of
from padflow.pipeline.timing import StageTimes
from padflow.pipeline.trainer import Trainer
from padflow.progress.events import OnEvent, Progress
from padflow.progress.shown import shown
from padflow.store.durable import explain_os_error, lacks_of, remove_partial, write_bytes, write_json
from padflow.store.npz import pack_arrays
from padflow.store.npz_specs import CLASSES, ENCODER
from padflow.store.paths import refuse_links


@dataclass(frozen=True, repr=False)
class Outcome:
    """The result of a run, or of labelling an archive.

    Parameters
    ----------
    plan : Plan
        What was done: the files, the records, the run directory.
    labelled : int
        Records that have a class.
    reasons : dict of str to int
        Records without a class, by reason.
    """

    plan: Plan
    labelled: int
    reasons: dict[str, int]

    def __repr__(self) -> str:
        return as_text("padflow.Outcome", self._facts())

    def _repr_html_(self) -> str:
        return as_html("padflow.Outcome", self._facts())

    def _facts(self) -> dict[str, str]:
        """Return what is shown of an outcome."""
        directory = self.plan.directory
        facts = {"directory": str(directory), "labelled": f"{self.labelled:,} of {self.records:,} records"}
        if self.reasons:
            facts["left out"] = ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in self.reasons.items())
        if directory.page.is_file():
            facts["report"] = str(directory.page)
        return facts

    @property
    def records(self) -> int:
        """Number of records of the archive."""
        return self.plan.records


def run(
    config: Config,
    directory: str | Path,
    *,
    restart_from: str | None = None,
    until: str | None = None,
    allow_removal: int = 0,
    command: str = "",
    on_event: OnEvent | None = None,
) -> Outcome:
    """Do all stages that are not done, from CDF files to the report.

    Parameters
    ----------
    config : Config
    directory : path
        The run directory. It is made if need be. An earlier run in it goes on.
    restart_from : str, optional
        Stage that is done again, with all after it: ``"ingest"``, ``"train"``, ``"pca"``, ``"score"``, ``"classes"``,
        ``"label"`` or ``"report"``.
    until : str, optional
        The last stage to do.
    allow_removal : int
        Records that may be taken out of an archive that is there. A run that takes more is refused.
    command : str
        How the run was started, for ``run.json``.
    on_event : callable, optional
        Gets each event (`padflow.progress.events`); by default a bar is drawn in a terminal and in a notebook.

    Returns
    -------
    Outcome

    Raises
    ------
    ConfigError
        Where the configuration cannot be used for these files, where the directory was made with another configuration
        or by `padflow.label`, or where records would be taken out of the archive.
    PadflowError
        Where no file can be used, memory or disk are too small, or somebody is at work in the directory.

    Examples
    --------
    >>> import padflow
    >>> archive = padflow.simulate("cdf", days=2, records_per_day=1000)
    >>> config = padflow.load_config("recommended.yaml", ["archive.source=cdf", "cluster.workers=1"])
    >>> outcome = padflow.run(config, "march", until="ingest")
    >>> outcome.records == archive.records
    True
    """
    request = request_of(config, directory, restart_from=restart_from, allow_removal=allow_removal, command=command)
    _refuse_labels(request.directory)
    stages = stages_to(until or STAGE_NAMES[-1])
    trains = "train" in [stage.name for stage in stages]
    with _at_work(request, on_event, trains=trains) as work, work.begun(work.planned()) as begun:
        plan_done = _do(stages, begun)
    return _outcome(plan_done)


def plan(config: Config, directory: str | Path, *, allow_removal: int = 0, on_event: OnEvent | None = None) -> Plan:
    """Look at the files, and return what a run would need and change. Nothing is written.

    Parameters
    ----------
    config, directory, allow_removal, on_event
        As for `padflow.run`.

    Returns
    -------
    Plan
        `Plan.validate` refuses what a run would refuse.

    Raises
    ------
    ConfigError, PadflowError
        Where the run would be refused; but not where it takes records out of the archive.

    Examples
    --------
    >>> import padflow
    >>> archive = padflow.simulate("cdf", days=2, records_per_day=1000)
    >>> config = padflow.load_config("recommended.yaml", ["archive.source=cdf", "cluster.workers=1"])
    >>> found = padflow.plan(config, "april")
    >>> found.changes().added.records == archive.records
    True
    >>> found.budget.files
    2
    """
    request = request_of(config, directory, allow_removal=allow_removal)
    _refuse_labels(request.directory)
    cluster = config.cluster
    if cluster.by_jobs:  # not as jobs: they write logs and wait in a queue
        cluster = ClusterConfig()
    progress = shown(on_event)  # without progress.json
    try:
        with connect(cluster) as workers:
            found = make_plan(request, workers=workers, times=StageTimes(request.directory, progress))
    finally:
        progress.close()
    found.check_needs()
    return found


def label(
    config: Config,
    model: Model,
    directory: str | Path,
    *,
    allow_removal: int = 0,
    command: str = "",
    on_event: OnEvent | None = None,
) -> Outcome:
    """Make an archive of CDF files, and label it with a fitted model. Nothing is fitted.

    Parameters
    ----------
    config : Config
        Gives the archive and the cluster; the model decides the rest.
    model : Model
    directory : path
        The directory of the labels. The directory of a run is refused.
    allow_removal, command, on_event
        As for `padflow.run`.

    Returns
    -------
    Outcome

    Raises
    ------
    ConfigError
        Where the directory is that of a run, or holds the labels of another model, or the archive has other axes.
    PadflowError
        As for `padflow.run`.

    Examples
    --------
    >>> import padflow
    >>> archive = padflow.simulate("cdf", days=2, records_per_day=1000)
    >>> small = ["train.epochs=2", "mean_shift.samples=300", "mean_shift.repeats=2", "preprocess.min_counts=100"]
    >>> small += ["archive.source=cdf", "cluster.workers=1"]
    >>> config = padflow.load_config("recommended.yaml", small)
    >>> fitted = padflow.run(config, "fitted")
    >>> outcome = padflow.label(config, padflow.Model.load("fitted/model"), "labelled")
    >>> outcome.labelled == fitted.labelled
    True
    """
    decided, _ = decided_by(model, config)
    request = request_of(decided, directory, allow_removal=allow_removal, command=command)
    _refuse_others_labels(request.directory, model)
    with _at_work(request, on_event, trains=False) as work:
        found = work.planned()
        found.check_model(model)
        with work.begun(found) as begun:
            _adopt(request.directory, model)
            plan_done = _do([stage for stage in STAGES if stage.kind != "fit"], begun)
    return _outcome(plan_done)


def _refuse_labels(directory: RunDirectory) -> None:
    if directory.adopted():
        raise ConfigError(f"{directory} was made by `padflow label`; choose another --workdir for a run.")


def _refuse_others_labels(directory: RunDirectory, model: Model) -> None:
    adopted = directory.adopted()
    if adopted is None and directory.fitted("train"):
        raise ConfigError(f"{directory} was made by `padflow run`; choose another --workdir for labels.")
    if adopted not in (None, model.digest()):
        raise ConfigError(f"{directory} holds the labels of another model; choose another --workdir.")


@dataclass(frozen=True)
class _Work:
    """What there is while a cluster runs."""

    request: Request
    workers: Workers
    trainer: Trainer | None
    times: StageTimes

    def planned(self) -> Plan:
        """Look at all files, and refuse a run that cannot be done. Nothing is written."""
        found = make_plan(self.request, workers=self.workers, times=self.times)
        approve(found, say=self.times.progress.say)
        return found

    @contextmanager
    def begun(self, found: Plan) -> Iterator[Run]:
        """Begin a planned run. If the disk gets full, say how much more space the whole run takes."""
        try:
            _begin(found, self.times)
            yield Run(found, self.workers, self.trainer, self.times)
        except CannotRead:
            raise
        except OSError as error:
            known = explain_os_error(error, Path(error.filename or found.directory.path))
            if not isinstance(known, NoSpace):
                raise
            raise NoSpace(f"{known} All of the run takes about {format_bytes(found.bytes_left())} more.") from error


@contextmanager
def _at_work(request: Request, on_event: OnEvent | None, *, trains: bool) -> Iterator[_Work]:
    directory = request.directory
    progress = shown(on_event, ProgressFile(directory))
    try:
        with _folder_of(directory), locked(directory), _closed(progress):
            refuse_links(directory.path)
            _say_what_lacks(directory, progress)
            # Once more under the lock, for another run may have ended meanwhile.
            guard_settings(request.config, directory, restart_from=request.restart_from)
            again = request.restart_from in [stage.name for stage in stages_to("train")]
            ahead = Trainer() if trains and (again or not directory.fitted("train")) else nullcontext()
            with ahead as trainer, connect(request.config.cluster, directory.path) as workers:
                yield _Work(request, workers, trainer, StageTimes(directory, progress))
    except OSError as error:
        if isinstance(error, CannotRead):
            raise
        known = explain_os_error(error, Path(error.filename or directory.path))
        if known is error:
            raise
        raise known from error


def _say_what_lacks(directory: RunDirectory, progress: Progress) -> None:
    if lacks := lacks_of(directory.path):
        progress.say(
            f"The file system of {directory} cannot {', '.join(lacks)}: padflow does without. After a power cut, "
            "run the same command again."
        )


@contextmanager
def _folder_of(directory: RunDirectory) -> Iterator[None]:
    """Make the run directory, and remove it at the end if it is empty."""
    made = [folder for folder in (directory.path, *directory.path.parents) if not folder.exists()]
    directory.path.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        with suppress(OSError):  # the folder is not empty
            for folder in made:
                folder.rmdir()


@contextmanager
def _closed(progress: Progress) -> Iterator[None]:
    try:
        yield
    finally:
        with suppress(OSError):  # the folder is read-only now
            progress.close()


def _begin(plan: Plan, times: StageTimes) -> None:
    """Write configuration and catalogue into the run directory. The caller holds its lock."""
    directory, restart_from = plan.directory, plan.request.restart_from
    plan.save_catalog()  # first: it says what the archive holds, before anything is removed or written
    if restart_from is not None:
        left = [str(path.relative_to(directory.path)) for path in left_from(directory, restart_from)]
        times.progress.say(f"--from {restart_from} removes from {directory}: {', '.join(left) or 'nothing'}")
        clear_from(directory, restart_from)
    remove_partial(directory.path)
    directory.fit_folder.mkdir(parents=True, exist_ok=True)
    _write_provenance(plan, times)


def _write_provenance(plan: Plan, times: StageTimes) -> None:
    directory = plan.directory
    before = directory.provenance()
    write_bytes(directory.config_file, plan.config.to_yaml().encode())
    values: Provenance = {
        "padflow": __version__,
        "created": before.get("created") or np.datetime_as_string(np.datetime64("now"), timezone="UTC"),
        "command": plan.request.command or before.get("command", ""),
        "config_hash": plan.config.digest(),
        "versions": {"python": platform.python_version()} | {name: installed_version(name) for name in PACKAGES},
        "host": {
            "platform": platform.platform(),
            "cores": CPU_COUNT,
            "memory_bytes": machine_memory_bytes(),
        },
        "flags": before.get("flags", {}),
        "stages": before.get("stages", {}) | times.facts,
    }
    write_json(directory.provenance_file, values)


def _do(stages: Sequence[Stage], at_work: Run) -> Plan:
    """Do stages one after the other; return the plan, which ingest may have changed."""
    for stage in stages:
        resolve_name(stage.function)(at_work)
    return at_work.plan


def _adopt(directory: RunDirectory, model: Model) -> None:
    """Write the arrays of a model to the places where passes read fitted arrays."""
    key = model.digest()
    directory.write_adopted(key)
    write_bytes(directory.fit_folder / ENCODER, pack_arrays(model.encoder_arrays()))
    write_bytes(directory.fit_folder / CLASSES, pack_arrays(model.classes.to_arrays()))
    info = model.info
    of_fit = ("method", "mean_shift", "iterations", "fit_inertia", "assign", "sample", "separated", "separated_because")
    directory.write_fit("train", Fit(key, info.get("training", {})))
    directory.write_fit("pca", Fit(key, info.get("pca", {})))
    directory.write_fit("classes", Fit(key, {name: info[name] for name in of_fit if name in info}))
    fixed = Fixed(model.names, info.get("fitted_to", {}), info.get("settings", {}), info.get("simulated", ""))
    directory.write_fixed(fixed)
    model.save(directory.model)


def _outcome(plan: Plan) -> Outcome:
    labels = receipts(plan.directory, Labelled)
    labelled = sum(sum(receipt.sizes) for _, _, receipt in labels)
    return Outcome(plan, labelled, reasons_of(plan.directory))
