# SPDX-License-Identifier: BSD-3-Clause
"""Commands that look: how far a run is, whether it is whole, its page, a day of it, its labels; and at storms."""

from __future__ import annotations

import json
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import click

import padflow
from padflow.cli.group import FILE, FOLDER, command, json_option, say
from padflow.errors import ConfigError, PadflowError, one_line, printable_line


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
    """Count the records of the run in DIR and check every file.

    The numbers must be those of the catalogue, and the checksums of each part those of its receipt.
    """
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


@command(
    click.argument("directory", metavar="DIR", type=FOLDER),
    click.argument("paths", metavar="[INDEX_FILE]...", type=FILE, nargs=-1),
    click.option("--events", metavar="FILE.csv", type=FILE, default=None, help="Your own storms or times."),
)
def report(directory: Path, paths: tuple[Path, ...], events: Path | None) -> None:
    """Draw the figures and the page of the run in DIR again.

    With an INDEX_FILE of SYM-H or Dst, figures show what happens in storms.
    """
    from padflow.compute.workers import SerialWorkers
    from padflow.indices.epochs import read_events
    from padflow.pipeline.directory import RunDirectory
    from padflow.pipeline.lock import locked
    from padflow.pipeline.status import refuse_first_scan
    from padflow.progress.shown import shown
    from padflow.report.figures.contents import FIGURES
    from padflow.report.html import write_report
    from padflow.report.superposed import write_superposed

    if paths and events is not None:
        raise ConfigError("--events: give either files of an index or your own events.")
    run = RunDirectory.at(directory)
    refuse_first_scan(run)
    run.config()  # refuses a folder that is no run directory
    given = read_events(events) if events else padflow.find_storms(padflow.read_indices(*paths)) if paths else None
    with locked(run), closing(shown()) as progress, progress.stage("report", total=len(FIGURES), unit="figures"):
        if given is not None:
            write_superposed(directory, given)
        page = write_report(directory, apply=partial(SerialWorkers().map, on_done=progress.step))
    say(page)


@command(
    click.argument("directory", metavar="DIR", type=FOLDER),
    click.argument("when", metavar="[TIME]", required=False),
    click.option("--end", default=None, metavar="TIME", help="Draw from TIME to this time, not included."),
    click.option("--orbit", is_flag=True, help="Draw the orbit of TIME."),
    click.option("--class", "pad_class", type=int, default=None, help="Draw records of this class, without TIME."),
    click.option("--spacecraft", default=None, help="Which one, where the run has several."),
    click.option("--energy", multiple=True, type=click.FloatRange(0, min_open=True), help="MeV; repeatable."),
    click.option("--index", "indices", multiple=True, type=FILE, help="File with SYM-H or Dst; repeatable."),
    click.option(
        "--output", default=None, metavar="FILE", type=FILE, help="Ends in .png or .pdf. Named after TIME by default."
    ),
)
def view(directory: Path, when: str | None, pad_class: int | None, output: Path | None, **options: Any) -> None:
    """Draw a day of the run in DIR, or records of a class.

    TIME is a day such as 2013-03-17, or with --end or --orbit a time such as 2013-03-17T06:00. The figure shows flux,
    pitch angles, shapes and classes. With --class it shows the most typical and the least certain records of the class.
    """
    from padflow.report.view import save

    if (when is None) == (pad_class is None):
        raise ConfigError("Give a TIME such as 2013-03-17, or --class and the number of a class.")
    output = output or Path(f"class_{pad_class}.png" if when is None else f"{when.replace(':', '')}.png")
    if output.suffix not in (".png", ".pdf"):
        raise ConfigError(f"--output {output}: the name must end in .png or .pdf.")
    if pad_class is not None:
        figure = padflow.view_class(directory, pad_class, spacecraft=options["spacecraft"])
    else:
        start, end = _time(when, "TIME"), _time(options.pop("end"), "--end")
        energies, files = options.pop("energy"), options.pop("indices")
        indices = padflow.read_indices(*files) if files else None
        figure = padflow.view(directory, start, end, energies=energies, indices=indices, **options)
    save(figure, output)
    say(output)


@command(
    click.argument("directory", metavar="DIR", type=FOLDER),
    click.argument("output", metavar="FILE|FOLDER", type=FILE),
    click.option("--spacecraft", default=None, help="Which one, where the run has several."),
    click.option("--start", default=None, metavar="TIME", help="First time, such as 2013-03-17T06:00."),
    click.option("--end", default=None, metavar="TIME", help="End, not included."),
)
def export(directory: Path, output: Path, spacecraft: str | None, start: str | None, end: str | None) -> None:
    """Write labels of the run in DIR for other programs.

    FILE.nc is NetCDF, FILE.csv is CSV; into a FOLDER go daily CDF files.
    """
    count = padflow.export(
        directory, output, spacecraft=spacecraft, start=_time(start, "--start"), end=_time(end, "--end")
    )
    say(f"{count:,} records in {output}")


@command(
    click.argument("directory", metavar="DIR", type=FOLDER),
    click.argument("paths", metavar="[INDEX_FILE]...", type=FILE, nargs=-1),
    click.option("--spacecraft", default=None, help="Which one, where the run has several."),
)
def explore(directory: Path, paths: tuple[Path, ...], spacecraft: str | None) -> None:
    """Write a page to choose class, energy and region on.

    The page is DIR/report/explorer.html; it needs neither network nor server.
    Storm phases need an INDEX_FILE of SYM-H or Dst.
    """
    from padflow.pipeline.directory import RunDirectory
    from padflow.pipeline.lock import locked
    from padflow.report.explorer.page import write_explorer

    run = RunDirectory.at(directory)
    run.config()  # refuses a folder that is no run directory
    storms = padflow.find_storms(padflow.read_indices(*paths)) if paths else None
    with locked(run):
        page = write_explorer(directory, storms=storms, spacecraft=spacecraft)
    say(page)


@command(
    click.argument("paths", metavar="INDEX_FILE...", type=FILE, nargs=-1, required=True),
    click.option("--output", metavar="FILE.csv", type=FILE, default=None, help="Write the list as CSV to this file."),
)
def storms(paths: tuple[Path, ...], output: Path | None) -> None:
    """List the geomagnetic storms in files of SYM-H or Dst.

    INDEX_FILE is of Kyoto (WDC format) or of OMNI (CDF). Times are UTC.
    """
    from padflow.cli.text import storms_text
    from padflow.indices.table import storm_csv
    from padflow.report.words import plural
    from padflow.store.durable import write_bytes

    if output is not None and output.suffix != ".csv":
        raise ConfigError(f"--output {output}: the name must end in .csv.")
    found = padflow.find_storms(padflow.read_indices(*paths))
    if output is None:
        say(storms_text(found))
    else:
        write_bytes(output, storm_csv(found).encode())
        say(f"{plural(found.sizes['storm'], 'storm')} in {output}")


def _time(text: str | None, option: str) -> Any:
    import numpy as np

    from padflow.config.types import FIRST_YEAR, LAST_YEAR

    if text is None:
        return None
    with suppress(ValueError, OverflowError):
        # Years that 64 bits of nanoseconds do not hold would come out as others; NumPy also takes NaT, now and today.
        if FIRST_YEAR <= int(text[:4]) <= LAST_YEAR and text[4:5] in ("", "-"):
            return np.datetime64(text.removesuffix("Z"), "ns")
    raise ConfigError(f"{option} {one_line(text)}: expected a UTC time such as 2013-03-17 or 2013-03-17T06:00.")
