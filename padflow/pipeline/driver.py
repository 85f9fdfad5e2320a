"""A run from beginning to end: what is done in which order, on what cluster, and what is left alone."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path

import numpy as np
from dask.system import CPU_COUNT
from dask.utils import format_bytes

from padflow import __version__
from padflow.archive.catalog import axes_of
from padflow.compute.cluster import connect
from padflow.compute.local import machine_memory_bytes
from padflow.config.cluster import ClusterConfig
from padflow.config.local_paths import local_path
from padflow.config.sections import Config
from padflow.errors import CannotRead, ConfigError, NoSpace
from padflow.instruments.instrument import load_instrument
from padflow.model.model import Model
from padflow.pipeline.directory import Fit, Fixed, Provenance, RunDirectory
from padflow.pipeline.events import ProgressFile
from padflow.pipeline.guard import clear_from, guard_settings, left_from
from padflow.pipeline.held import guard_records
from padflow.pipeline.lock import locked
from padflow.pipeline.receipts import Labelled, receipts
from padflow.pipeline.run import Run
from padflow.pipeline.stages import STAGE_NAMES, STAGES, stages_to
from padflow.pipeline.stages.archive import budget_of, bytes_left, look, save_catalog, scan
from padflow.pipeline.stages.finish import reasons_of
from padflow.pipeline.trainer import Trainer
from padflow.progress.events import OnEvent
from padflow.progress.shown import shown
from padflow.store.durable import explain_os_error, lacks_of, remove_partial, write_bytes, write_json
from padflow.store.npz import pack_arrays
from padflow.store.npz_specs import CLASSES, ENCODER
from padflow.store.paths import refuse_links

PACKAGES = ("dask", "distributed", "dask-ml", "xarray", "zarr", "numpy", "scikit-learn", "cdflib")


@dataclass(frozen=True)
class Outcome:
    """What a command leaves its user with.

    Parameters
    ----------
    run : Run
    records, labelled : int
    reasons : dict of str to int
        Records without a class, by reason.
    """

    run: Run
    records: int
    labelled: int
    reasons: dict[str, int]


def open_run(
    config: Config,
    directory: Path,
    *,
    restart_from: str | None = None,
    note: str = "",
    allow_removal: int = 0,
    on_event: OnEvent | None = None,
) -> Run:
    """Open a run directory, or one that is to be made, for a configuration.

    Parameters
    ----------
    restart_from : str, optional
        Stage from which everything is done anew.
    note : str
        The command, for ``run.json``.
    allow_removal : int
        Records that may be taken out of an archive that is there; a plan that takes more is refused.
    on_event : callable, optional
        Gets each event (`padflow.progress.events`); by default a bar is drawn in a terminal and in a notebook.

    Raises
    ------
    ConfigError
        Where the directory was made with another configuration.
    """
    if config.archive.source is None:
        raise ConfigError(
            "archive.source is not set: write the folder of CDF files into the configuration, or use "
            "--set archive.source=FOLDER."
        )
    if not config.archive.source.is_dir():
        raise ConfigError(
            f"archive.source = {config.archive.source} is not a folder; give the one that holds the CDF files, at any "
            "depth."
        )
    instrument = load_instrument(config.archive.instrument)
    folder = RunDirectory(local_path(directory, "--workdir").resolve())
    guard_settings(config, folder, restart_from=restart_from)
    return Run(
        config,
        folder,
        instrument,
        shown(on_event, ProgressFile(folder)),
        restart_from=restart_from,
        command=note,
        allow_removal=allow_removal,
    )


def _look(run: Run) -> None:
    """Look at all there is and refuse what cannot be done; nothing is written."""
    scan(run)
    budget_of(run)


def _begin(run: Run) -> None:
    """Make the run directory one of this configuration and these files; only under its lock."""
    run.begun = True
    save_catalog(run)  # first, for it says what the archive holds, whatever is removed or written next
    if run.restart_from is not None:
        left = [str(path.relative_to(run.directory.path)) for path in left_from(run.directory, run.restart_from)]
        run.progress.say(f"--from {run.restart_from} removes from {run.directory}: {', '.join(left) or 'nothing'}")
        clear_from(run.directory, run.restart_from)
    remove_partial(run.directory.path)
    run.directory.fit_folder.mkdir(parents=True, exist_ok=True)
    _write_provenance(run, run.command)


def _write_provenance(run: Run, command: str) -> None:
    before = run.directory.provenance()
    write_bytes(run.directory.config_file, run.config.to_yaml().encode())
    values: Provenance = {
        "padflow": __version__,
        "created": before.get("created") or np.datetime_as_string(np.datetime64("now"), timezone="UTC"),
        "command": command or before.get("command", ""),
        "config_hash": run.config.digest(),
        "versions": {"python": platform.python_version()} | {name: installed_version(name) for name in PACKAGES},
        "host": {
            "platform": platform.platform(),
            "cores": CPU_COUNT,
            "memory_bytes": machine_memory_bytes(),
        },
        "flags": before.get("flags", {}),
        "stages": before.get("stages", {}) | run.timings,
    }
    write_json(run.directory.provenance_file, values)


@contextmanager
def _at_work(run: Run, *, trains: bool = False) -> Iterator[None]:
    try:
        with _folder_of(run), locked(run.directory), _progress_of(run):
            refuse_links(run.directory.path)
            _say_what_lacks(run)
            # Again, for another run may have ended.
            guard_settings(run.config, run.directory, restart_from=run.restart_from)
            anew = run.restart_from in [stage.name for stage in stages_to("train")]
            ahead = Trainer() if trains and (anew or not run.directory.fitted("train")) else nullcontext()
            with ahead as trainer, connect(run.config.cluster, run.directory.path) as workers:
                run.workers, run.trainer = workers, trainer
                try:
                    yield
                finally:
                    run.workers = run.trainer = None
    except OSError as error:
        if isinstance(error, CannotRead):
            raise
        known = explain_os_error(error, Path(error.filename or run.directory.path))
        if isinstance(known, NoSpace) and run.budget:
            more = format_bytes(bytes_left(run))
            raise NoSpace(f"{known} All of the run takes about {more} more.") from error
        if known is error:
            raise
        raise known from error


def _say_what_lacks(run: Run) -> None:
    if lacks := lacks_of(run.directory.path):
        run.progress.say(
            f"The file system of {run.directory} cannot {', '.join(lacks)}: padflow does without. After a power cut, "
            "run the same command again."
        )


@contextmanager
def _folder_of(run: Run) -> Iterator[None]:
    """Make the run directory, and remove it where the run never began."""
    made = [folder for folder in (run.directory.path, *run.directory.path.parents) if not folder.exists()]
    run.directory.path.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        if not run.begun:
            with suppress(OSError):  # logs of jobs stay
                for folder in made:
                    folder.rmdir()


@contextmanager
def _progress_of(run: Run) -> Iterator[None]:
    try:
        yield
    finally:
        with suppress(OSError):  # of a folder that has become read-only
            run.progress.close()


def run_all(run: Run, *, until: str | None = None) -> Outcome:
    """Do all stages that are not done, or those up to one.

    Raises
    ------
    ConfigError
        Where the directory holds the labels of a fitted model.
    """
    _refuse_labels(run)
    stages = stages_to(until or STAGE_NAMES[-1])
    with _at_work(run, trains="train" in [stage.name for stage in stages]):
        _look(run)
        _begin(run)
        for stage in stages:
            stage.do(run)
    return _outcome(run)


def _refuse_labels(run: Run) -> None:
    if run.directory.adopted():
        raise ConfigError(f"{run.directory} was made by `padflow label`; choose another --workdir for a run.")


def plan_only(run: Run, *, show: Callable[[Run], None]) -> None:
    """Scan the files and `show` what the run would need and change, without writing or doing any of it.

    Raises
    ------
    PadflowError
        Where the run would be refused; where that is for records it would take out of the archive, after they were
        shown.
    """
    _refuse_labels(run)
    cluster = run.config.cluster
    if cluster.by_jobs:  # jobs leave logs, and wait for their turn
        cluster = ClusterConfig()
    run.progress = shown()  # without progress.json
    with connect(cluster) as workers:
        run.workers = workers
        try:
            look(run)
        finally:
            run.workers = None
            run.progress.close()
    if not run.groups:
        guard_records(run)
    budget_of(run)
    show(run)
    guard_records(run)


def label_all(run: Run, model: Model) -> Outcome:
    """Ingest an archive and label it with a fitted model, without fitting anything.

    Raises
    ------
    ConfigError
        Where the directory is that of a run, or holds the labels of another model.
    """
    adopted = run.directory.adopted()
    if adopted is None and run.directory.fitted("train"):
        raise ConfigError(f"{run.directory} was made by `padflow run`; choose another --workdir for labels.")
    if adopted not in (None, model.digest()):
        raise ConfigError(f"{run.directory} holds the labels of another model; choose another --workdir.")
    with _at_work(run):
        _look(run)
        _refuse_other_axes(run, model)
        _begin(run)
        _adopt(run, model)
        for stage in STAGES:
            if stage.kind != "fit":
                stage.do(run)
    return _outcome(run)


def _refuse_other_axes(run: Run, model: Model) -> None:
    model.encoder(axes_of(run.catalog, run.instrument))


def _adopt(run: Run, model: Model) -> None:
    """Put a model's arrays where the passes look for fitted ones."""
    key = model.digest()
    directory = run.directory
    directory.write_adopted(key)
    write_bytes(directory.fit_folder / ENCODER, pack_arrays(model.encoder_arrays()))
    write_bytes(directory.fit_folder / CLASSES, pack_arrays(model.classes.to_arrays()))
    info = model.info
    clusters = ("method", "mean_shift", "iterations", "fit_inertia", "borders", "sample")
    directory.write_fit("train", Fit(key, info.get("training", {})))
    directory.write_fit("pca", Fit(key, info.get("pca", {})))
    directory.write_fit("cluster", Fit(key, {name: info[name] for name in clusters if name in info}))
    directory.write_fixed(Fixed(model.names, info.get("fitted_to", {}), info.get("settings", {})))
    model.save(directory.model)


def _outcome(run: Run) -> Outcome:
    return Outcome(
        run,
        records=sum(g.rows for g in run.groups),
        labelled=sum(_label_sizes(run)),
        reasons=reasons_of(run),
    )


def _label_sizes(run: Run) -> Iterable[int]:
    for _, _, receipt in receipts(run.directory, Labelled):
        yield from receipt.sizes
