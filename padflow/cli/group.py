# SPDX-License-Identifier: BSD-3-Clause
"""The group of commands, and what commands share: paths, options, -v, and how text is printed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from padflow.cli.logs import logged
from padflow.config.local_paths import local_path
from padflow.errors import PadflowError, printable
from padflow.startup import let_libraries_speak


class LocalPath(click.Path):
    """A path of this machine's file systems; a URL is refused before anything is made."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        local_path(value, param.get_error_hint(ctx).strip("'") if param else "path")
        return super().convert(value, param, ctx)


FOLDER = LocalPath(path_type=Path, file_okay=False)


FILE = LocalPath(path_type=Path, dir_okay=False)


def _keep_source(context: click.Context, _: click.Parameter, source: Path | None) -> None:
    if source is None:
        return
    load_libraries()
    from padflow.config.starting import source_setting

    context.meta[__name__] = source_setting(source)


def _with_source(context: click.Context, _: click.Parameter, overrides: tuple[str, ...]) -> tuple[str, ...]:
    return (*context.meta.get(__name__, ()), *overrides)


source_option = click.option(
    "--source",
    type=FOLDER,
    default=None,
    is_eager=True,  # before --set, whose values come after this one
    expose_value=False,
    callback=_keep_source,
    help="Folder with the CDF files: the key archive.source.",
)


set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    callback=_with_source,
    metavar="SECTION.KEY=VALUE",
    help="Override a key; repeatable.",
)


workdir_option = click.option(
    "--workdir", type=FOLDER, default=None, help="Run directory; by default ./NAME-run for NAME.yaml."
)


run_options = (click.argument("path", metavar="CONFIG", type=FILE), source_option, workdir_option, set_option)


removal_option = click.option(
    "--allow-removal",
    type=click.IntRange(0),
    default=0,
    metavar="RECORDS",
    help="Let up to so many records go out of the archive, where their files are gone, bad or not chosen any more.",
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


def load_libraries() -> None:
    """Import what reads configurations. Help and the version do not wait for it.

    Raises
    ------
    PadflowError
        Where the user's settings of a library, such as Dask's YAML files, forbid its import.
    """
    try:
        import_module("padflow.config.reading")
    except Exception as error:
        text = " ".join(str(error).split())[:500]
        said = f"A library that padflow uses cannot be loaded: {type(error).__name__}: {text}"
        raise PadflowError(said) from error


def run_directory(path: Path, workdir: Path | None) -> Path:
    """Return the run directory of a configuration file."""
    return workdir or Path(f"{path.stem}-run")


def say(text: object, *, err: bool = False) -> None:
    """Print text; names of files and classes in it cannot command the terminal."""
    click.echo(printable(str(text)), err=err)


class Commands(click.Group):
    """Commands in the order in which they were added, which is the order of use; click's own order is the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; click would print an empty line where it is interrupted."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise click.Abort from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="padflow")
@verbose_option
def commands() -> None:
    """Unsupervised classes of pitch-angle distributions, for every record of a mission."""


def command(*options: Callable, **settings: Any) -> Callable:
    """Make a command with -v and these options, the first of them outermost; its log records are written."""

    def make(function: Callable) -> click.Command:
        function = _logged(function)
        for option in (verbose_option, *reversed(options)):
            function = option(function)
        return click.command(**settings)(function)

    return make


def _logged(function: Callable) -> Callable:
    @wraps(function)
    def logging_function(*arguments: Any, **options: Any) -> Any:
        load_libraries()
        with logged(verbose=click.get_current_context().ensure_object(Verbosity).verbose):
            return function(*arguments, **options)

    return logging_function
