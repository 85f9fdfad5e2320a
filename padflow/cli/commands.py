"""The command line, in the order of the pipeline; every command is thin."""

from __future__ import annotations

import json
import re
import sys
import traceback
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial, wraps
from importlib import import_module
from pathlib import Path
from typing import Any

import click

import padflow
from padflow import __version__
from padflow.cli.logs import logged
from padflow.config.local_paths import local_path
from padflow.config.reading import load_config
from padflow.config.sections import Config
from padflow.config.text import documented_yaml
from padflow.config.types import FIRST_YEAR, LAST_YEAR
from padflow.errors import ConfigError, PadflowError, one_line, printable, printable_line
from padflow.pipeline.stage_order import STAGE_NAMES
from padflow.startup import INTERRUPTED, gc_paused, interrupted, let_libraries_speak

DONE, FAILED, USAGE, SET_ASIDE = 0, 1, 2, 3


INCLUDE_NOTE = "# include: site.yaml   (takes the keys of another file; keys of this one override them)"
"""Begins what `padflow config` prints: the one key of a file that is not of the configuration."""


TROUBLES = (
    "missing",
    "truncated",
    "empty",
    "html",
    "only_fill",
    "versions",
    "out_of_order",
    "doubled",
    "border",
    "bad_flux",
    "bad_epochs",
)
"""Names of `padflow.simulation.archive.Troubles`, here so that help does not wait for its imports."""


class LocalPath(click.Path):
    """A path of this machine's file systems; a URL is refused before anything is made."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        local_path(value, param.get_error_hint(ctx).strip("'") if param else "path")
        return super().convert(value, param, ctx)


FOLDER = LocalPath(path_type=Path, file_okay=False)


FILE = LocalPath(path_type=Path, dir_okay=False)


FIRST_SIMULATED, LAST_SIMULATED = 1960, 2100
"""Years in which a simulated archive may begin."""


set_option = click.option(
    "--set", "overrides", multiple=True, metavar="SECTION.KEY=VALUE", help="Override a key; repeatable."
)


workdir_option = click.option(
    "--workdir", type=FOLDER, default=None, help="Run directory; by default ./NAME-run for NAME.yaml."
)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")


def _be_verbose(context: click.Context, _: click.Parameter, verbose: bool) -> None:
    if verbose:
        context.find_root().ensure_object(Verbosity).verbose = True
        let_libraries_speak()


verbose_option = click.option(
    "-v",
    "--verbose",
    is_flag=True,
    expose_value=False,
    callback=_be_verbose,
    help="Log all that is done and what Dask warns of, and show tracebacks of errors.",
)


@dataclass
class Verbosity:
    """What the commands of one call know of -v.

    Parameters
    ----------
    verbose : bool
    """

    verbose: bool = False


def say(text: object, *, err: bool = False) -> None:
    """Print text; names of files and classes in it cannot command the terminal."""
    click.echo(printable(str(text)), err=err)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@verbose_option
def commands() -> None:
    """Unsupervised classes of pitch-angle distributions, for every record of a mission."""


def command(*options: Callable, **settings: Any) -> Callable:
    """Register a command with -v and these options, the first of them outermost; its log records are written."""

    def register(function: Callable) -> click.Command:
        function = _logged(function)
        for option in (verbose_option, *reversed(options)):
            function = option(function)
        return commands.command(**settings)(function)

    return register


def _logged(function: Callable) -> Callable:
    @wraps(function)
    def logging_function(*arguments: Any, **options: Any) -> Any:
        with logged(verbose=click.get_current_context().ensure_object(Verbosity).verbose):
            return function(*arguments, **options)

    return logging_function


@command(
    click.argument("folder", metavar="DIR", type=FOLDER),
    click.option(
        "--spacecraft",
        multiple=True,
        default=("rbspa",),
        show_default=True,
        help="rbspa or rbspb; repeatable.",
    ),
    click.option(
        "--start",
        type=click.DateTime(["%Y-%m-%d"]),
        default="2013-03-01",
        show_default=True,
        help="First day.",
    ),
    click.option("--days", type=click.IntRange(1, 36_500), default=20, show_default=True, help="Number of days."),
    click.option(
        "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Seed of all that is random."
    ),
    click.option(
        "--populations",
        type=click.IntRange(3, 8),
        default=6,
        show_default=True,
        help="Number of populations.",
    ),
    click.option("--troubles", is_flag=True, help="Add all that archives suffer."),
    click.option("--trouble", multiple=True, metavar="NAME[=DAYS]", help=f"Add one kind: {', '.join(TROUBLES)}."),
    click.option("--workers", type=click.IntRange(1, 1024), default=None, help="Processes; one a core by default."),
)
def simulate(folder: Path, spacecraft: tuple[str, ...], start: datetime, **options: Any) -> None:
    """Make an archive of REPT level-3 files in DIR, with the true populations in truth_*.nc."""
    from padflow.simulation.archive import parallel_map
    from padflow.simulation.troubles import Troubles

    if not FIRST_SIMULATED <= start.year <= LAST_SIMULATED:
        raise ConfigError(f"--start {start.date()}: expected a day from {FIRST_SIMULATED} to {LAST_SIMULATED}.")
    workers, everything, chosen = (options.pop(name) for name in ("workers", "troubles", "trouble"))
    summary = padflow.simulate(
        folder,
        spacecraft=spacecraft,
        start=start.date(),
        troubles=Troubles.all() if everything else _troubles(chosen),
        map_days=partial(parallel_map, workers=workers),
        **options,
    )
    say(f"{summary.files} files, {summary.records:,} records, {summary.bytes / 1e6:,.0f} MB in {folder}")


def _troubles(chosen: tuple[str, ...]) -> Any:
    """Read ``NAME`` or ``NAME=DAYS`` of each kind of trouble."""
    from padflow.simulation.troubles import Troubles

    counts = {}
    for text in chosen:
        name, _, days = text.partition("=")
        if name not in TROUBLES or not re.fullmatch("[0-9]{1,6}", days or "1"):
            raise ConfigError(
                f"--trouble {one_line(text)}: expected NAME or NAME=DAYS, with NAME one of {', '.join(TROUBLES)}."
            )
        counts[name] = int(days or 1)
    return Troubles(**counts) if counts else None


@command(
    click.argument("path", metavar="[CONFIG]", type=FILE, required=False),
    click.option("--schema", is_flag=True, help="Print the JSON schema of every key."),
    set_option,
    name="config",
)
def show_config(path: Path | None, schema: bool, overrides: tuple[str, ...]) -> None:
    """Print the defaults, or CONFIG as resolved, with every key explained."""
    if schema:
        say(json.dumps(Config.model_json_schema(), indent=2))
    else:
        say(f"{INCLUDE_NOTE}\n\n{documented_yaml(load_config(path, overrides))}")


def _begun(path: Path, overrides: tuple[str, ...]) -> Config:
    """Read the configuration, and import what a run needs, as workers of this machine do meanwhile."""
    config = load_config(path, overrides)
    _start_fork_server(config)
    with gc_paused():
        import_module("padflow.pipeline.driver")
    return config


def _run_directory(path: Path, workdir: Path | None) -> Path:
    return workdir or Path(f"{path.stem}-run")


def _command(path: Path, overrides: tuple[str, ...]) -> str:
    """Return what ``run.json`` keeps of the command line."""
    return f"padflow {click.get_current_context().info_name} {path.name} {' '.join(overrides)}".strip()


def _start_fork_server(config: Config) -> None:
    """Let what workers are forked from import what it needs while this process does: both take seconds."""
    if config.cluster.kind == "local":
        from padflow.compute.local import start_fork_server

        start_fork_server()


run_options = (click.argument("path", metavar="CONFIG", type=FILE), workdir_option, set_option)


removal_option = click.option(
    "--allow-removal",
    type=click.IntRange(0),
    default=0,
    metavar="RECORDS",
    help="Let up to so many records go out of the archive, where their files are gone, bad or not chosen any more.",
)


@command(*run_options, removal_option, json_option)
def plan(path: Path, workdir: Path | None, overrides: tuple[str, ...], allow_removal: int, as_json: bool) -> None:
    """Look at the files and print what a run will take and change; refuse one that cannot fit. Writes nothing."""
    config = _begun(path, overrides)
    from padflow.cli.text import plan_facts, plan_text

    found = padflow.plan(config, _run_directory(path, workdir), allow_removal=allow_removal)
    facts = plan_facts(found)
    say(json.dumps(facts, indent=2) if as_json else plan_text(facts))
    found.check_removal()
    _say_removal(found)
    _say_set_aside(found)


@command(*run_options, removal_option)
def ingest(path: Path, workdir: Path | None, overrides: tuple[str, ...], allow_removal: int) -> None:
    """Read the CDF files into archive.zarr; go on where an earlier run stopped."""
    config = _begun(path, overrides)
    from padflow.cli.text import simulated_lines

    outcome = padflow.run(
        config,
        _run_directory(path, workdir),
        until="ingest",
        allow_removal=allow_removal,
        command=_command(path, overrides),
    )
    for line in simulated_lines(outcome.plan):
        say(line)
    say(f"{outcome.records:,} records in {outcome.plan.directory.archive}")
    _say_set_aside(outcome.plan)


@command(
    *run_options,
    removal_option,
    click.option(
        "--from",
        "restart_from",
        type=click.Choice(STAGE_NAMES),
        default=None,
        help="Do this stage and all after it again.",
    ),
    name="run",
)
def run_command(
    path: Path,
    workdir: Path | None,
    overrides: tuple[str, ...],
    allow_removal: int,
    restart_from: str | None,
) -> None:
    """Do all stages, from CDF files to the report; go on where an earlier run stopped."""
    config = _begun(path, overrides)
    outcome = padflow.run(
        config,
        _run_directory(path, workdir),
        restart_from=restart_from,
        allow_removal=allow_removal,
        command=_command(path, overrides),
    )
    _finish(outcome)


@command(
    *run_options,
    click.option("--dry-run", is_flag=True, help="Only print the job script of the driver, and that of a worker."),
)
def submit(path: Path, workdir: Path | None, overrides: tuple[str, ...], dry_run: bool) -> None:
    """Hand `padflow run CONFIG` to the queueing system as a job, which asks for its workers."""
    from padflow.compute import jobs

    config = load_config(path, overrides)
    if not config.cluster.by_jobs:
        raise ConfigError(
            f"cluster.kind = {config.cluster.kind}: `padflow submit` is for slurm, pbs, sge, lsf and htcondor."
        )
    directory = (workdir or Path(f"{path.stem}-run")).absolute()
    settings = [word for text in overrides for word in ("--set", text)]
    job = jobs.driver_job(
        config.cluster,
        ["run", str(path.absolute()), "--workdir", str(directory), *settings],
        directory=directory,
    )
    if dry_run:
        say(f"# ---- the driver\n{job.job_script()}")
        say(f"# ---- each of up to {config.cluster.workers} workers, which the driver submits")
        say(jobs.worker_script(config.cluster, directory))
    else:
        say(f"job {jobs.submit(job)}; `padflow status {directory}` says how far it is")


server_options = (
    click.argument("path", metavar="CONFIG", type=FILE),
    click.argument("file", metavar="SCHEDULER_FILE", type=FILE),
    set_option,
)


@command(*server_options)
def scheduler(path: Path, file: Path, overrides: tuple[str, ...]) -> None:
    """Run the scheduler of a cluster that is started by hand; SCHEDULER_FILE gets its address.

    Of CONFIG, the section cluster is used. Workers (`padflow worker`) and the driver (`padflow run` with
    cluster.kind=scheduler and cluster.scheduler=SCHEDULER_FILE) find it, and its certificate, by that file.
    """
    from padflow.compute.allocation import run_scheduler

    run_scheduler(load_config(path, overrides).cluster, file.absolute())


@command(
    *server_options,
    click.option(
        "--processes", type=click.IntRange(1, 1024), default=1, show_default=True, help="Workers of one thread each."
    ),
)
def worker(path: Path, file: Path, overrides: tuple[str, ...], processes: int) -> None:
    """Run workers for the scheduler of SCHEDULER_FILE, with the memory limit of CONFIG, until it ends."""
    from padflow.compute.allocation import run_worker

    run_worker(load_config(path, overrides).cluster, file.absolute(), processes=processes)


@command(click.argument("model", metavar="MODEL", type=FOLDER), *run_options, removal_option)
def label(model: Path, path: Path, workdir: Path | None, overrides: tuple[str, ...], allow_removal: int) -> None:
    """Label the archive of CONFIG with the fitted MODEL (a run's model folder), fitting nothing.

    Of CONFIG, the sections archive and cluster are used; the model decides how records are classified.
    """
    from padflow.pipeline.labelling import config_for_labels

    fitted = padflow.Model.load(model)
    config, warning = config_for_labels(path, overrides, fitted)
    if warning:
        say(f"padflow: {warning}", err=True)
    directory = workdir or Path(f"{path.stem}-labels")
    command = f"padflow label {model} {path.name}"
    _finish(padflow.label(config, fitted, directory, allow_removal=allow_removal, command=command))


@command(click.argument("directory", metavar="DIR", type=FOLDER), json_option)
def status(directory: Path, as_json: bool) -> None:
    """Say how far the run in DIR is."""
    from padflow.cli.text import status_text

    facts = padflow.status(directory)
    say(json.dumps(facts, indent=2) if as_json else status_text(facts))


@command(
    click.argument("directory", metavar="DIR", type=FOLDER),
    click.option("--repair", is_flag=True, help="Let the next `padflow run` do broken parts again."),
    json_option,
)
def verify(directory: Path, repair: bool, as_json: bool) -> None:
    """Recount the run in DIR against its catalogue, and check every part's checksums."""
    from dataclasses import asdict

    from padflow.pipeline import verify as verifying
    from padflow.pipeline.directory import RunDirectory
    from padflow.pipeline.lock import locked

    verdict = padflow.verify(directory)
    if as_json:
        say(json.dumps(asdict(verdict), indent=2))
    else:
        for problem in verdict.problems:
            say(printable_line(problem))
        say(
            f"{verdict.parts} parts, {verdict.records:,} records, {verdict.labelled:,} labelled: "
            f"{len(verdict.problems) or 'no'} problems"
        )
    if repair and verdict.broken:
        with locked(RunDirectory.at(directory)):
            verifying.repair(directory, verdict.broken)
    if verdict.problems:
        first = "" if repair else f"`padflow verify --repair {directory}`, then "
        raise PadflowError(f"{directory} is not whole. Do {first}the `padflow run` that made it once more.")


@command(click.argument("directory", metavar="DIR", type=FOLDER))
def report(directory: Path) -> None:
    """Draw the figures and the page of the run in DIR again."""
    from padflow.compute.workers import SerialWorkers
    from padflow.pipeline.directory import RunDirectory
    from padflow.pipeline.lock import locked
    from padflow.progress.shown import shown
    from padflow.report.figures.contents import FIGURES
    from padflow.report.html import write_report

    run = RunDirectory.at(directory)
    run.config()  # of what is no run directory nothing is drawn
    with locked(run), closing(shown()) as progress, progress.stage("report", total=len(FIGURES), unit="figures"):
        page = write_report(directory, apply=partial(SerialWorkers().map, on_done=progress.step))
    say(page)


@command(
    click.argument("directory", metavar="DIR", type=FOLDER),
    click.argument("output", metavar="FILE", type=FILE),
    click.option("--spacecraft", default=None, help="Which one, where the run has several."),
    click.option("--start", default=None, metavar="TIME", help="First time, such as 2013-03-17T06:00."),
    click.option("--end", default=None, metavar="TIME", help="End, not included."),
)
def export(directory: Path, output: Path, spacecraft: str | None, start: str | None, end: str | None) -> None:
    """Write labels of the run in DIR to FILE.nc or FILE.csv."""
    count = padflow.export(
        directory, output, spacecraft=spacecraft, start=_time(start, "--start"), end=_time(end, "--end")
    )
    say(f"{count:,} records in {output}")


def _time(text: str | None, option: str) -> Any:
    import numpy as np

    if text is None:
        return None
    with suppress(ValueError, OverflowError):
        # Years that 64 bits of nanoseconds do not hold would come out as others; NumPy also takes NaT, now and today.
        if FIRST_YEAR <= int(text[:4]) <= LAST_YEAR and text[4:5] in ("", "-"):
            return np.datetime64(text.removesuffix("Z"), "ns")
    raise ConfigError(f"{option} {one_line(text)}: expected a UTC time such as 2013-03-17 or 2013-03-17T06:00.")


@command(
    click.option("--folder", type=FOLDER, default=None, help="CDF files; without it an archive is simulated."),
    click.option("--workdir", type=FOLDER, default=Path("demo"), show_default=True, help="Where all of it goes."),
    set_option,
)
def demo(folder: Path | None, workdir: Path, overrides: tuple[str, ...]) -> None:
    """Run the recommended configuration on FOLDER, or on 20 simulated days."""
    from padflow.simulation.archive import parallel_map
    from padflow.store.durable import read_json

    if folder is None:
        folder = workdir / "cdf"
        if not (read_json(folder / "simulation.json") or {}).get("complete"):
            say("simulating 20 days of REPT on rbspa", err=True)
            padflow.simulate(folder, days=20, map_days=parallel_map)
    config = load_config(_packaged("recommended.yaml"), [f"archive.source={folder.resolve()}", *overrides])
    _finish(padflow.run(config, workdir / "run", command="padflow demo"))


def _packaged(name: str) -> Path:
    """Return a configuration that comes with padflow: beside the sources, or installed with the package."""
    here = Path(__file__).parent.parent
    return next(p for p in (here / "configs" / name, here.parent / "configs" / name) if p.is_file())


def _finish(outcome: Any) -> None:
    """Print the classes and where the report is."""
    from padflow.cli.text import outcome_text

    say(outcome_text(outcome))
    _say_set_aside(outcome.plan)


def _say_removal(plan: Any) -> None:
    from padflow.pipeline.plan import say_removal

    say_removal(plan, say=partial(say, err=True))


def _say_set_aside(plan: Any) -> None:
    from padflow.cli.text import set_aside_lines

    lines = list(set_aside_lines(plan))
    for line in lines:
        say(line, err=True)
    if lines:
        raise SystemExit(SET_ASIDE)


def run_commands() -> None:
    """Run what the arguments of the process say; whatever ends it, ends it with a status and one paragraph."""
    told = Verbosity()
    try:
        commands(standalone_mode=False, obj=told)
    except click.ClickException as error:
        error.message = one_line(printable(error.message))  # type: ignore[misc]  # it is what `show` prints
        error.show()
        sys.exit(error.exit_code)
    except ConfigError as error:
        _fail(str(error), USAGE, told)
    except PadflowError as error:
        _fail(str(error), FAILED, told)
    except OSError as error:
        _fail(f"{error}. Run the same command again when this is fixed, to go on from here.", FAILED, told)
    except (click.exceptions.Abort, KeyboardInterrupt):
        _fail(INTERRUPTED, FAILED, told)
    except Exception as error:
        text = " ".join(str(error).split())[:500]
        _fail(f"{type(error).__name__}: {text}. This should not happen; -v shows where it did.", FAILED, told)


def _fail(message: str, status: int, told: Verbosity) -> None:
    if told.verbose:
        say(traceback.format_exc(), err=True)
    if interrupted():  # `padflow.startup` says so, whatever came of it
        sys.exit(FAILED)
    say(f"padflow: {message}", err=True)
    sys.exit(status)
