# SPDX-License-Identifier: BSD-3-Clause
"""Commands that make what a run begins with: an archive to try things on, and a configuration."""

from __future__ import annotations

import json
import re
import shlex
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

import padflow
from padflow.cli.group import FILE, FOLDER, command, run_directory, say, set_option
from padflow.config.presets import PRESETS
from padflow.errors import ConfigError, one_line

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

FAMILIES = ("separated", "continuum", "wide", "single")
"""Names of `padflow.simulation.families.FAMILIES`, for the same reason."""

DAY = click.DateTime(["%Y-%m-%d"])

FIRST_SIMULATED, LAST_SIMULATED = 1960, 2100
"""Years in which a simulated archive may begin."""


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
        type=DAY,
        default="2013-03-01",
        show_default=True,
        help="First day.",
    ),
    click.option("--days", type=click.IntRange(1, 36_500), default=20, show_default=True, help="Number of days."),
    click.option(
        "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Seed of all that is random."
    ),
    click.option(
        "--family",
        type=click.Choice(FAMILIES),
        default=FAMILIES[0],
        show_default=True,
        help="separated: populations that are apart; continuum: shapes that change smoothly, as measured ones do; "
        "wide: populations with wide scatter and sharp borders that wander; single: one population everywhere.",
    ),
    click.option(
        "--populations",
        type=click.IntRange(3, 8),
        default=None,
        help="Number of populations of the family separated; 6 by default.",
    ),
    click.option("--troubles", is_flag=True, help="Add all that archives suffer."),
    click.option("--trouble", multiple=True, metavar="NAME[=DAYS]", help=f"Add one kind: {', '.join(TROUBLES)}."),
    click.option("--workers", type=click.IntRange(1, 1024), default=None, help="Processes; one a core by default."),
)
def simulate(folder: Path, spacecraft: tuple[str, ...], start: datetime, **options: Any) -> None:
    """Simulate an archive of REPT level-3 files in DIR.

    The true shape and population of each record stand in truth_*.nc, the storms in sym_h_simulated.txt and
    dst_simulated.txt.
    """
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
    click.argument("path", metavar="[FILE]", type=FILE, default="padflow.yaml"),
    click.option(
        "--preset",
        type=click.Choice(PRESETS),
        default=PRESETS[0],
        show_default=True,
        help="recommended: what we use for REPT; killey2023: the published method; the others: for that instrument.",
    ),
    click.option("--source", type=FOLDER, default=None, help="Folder with the CDF files."),
    click.option("--spacecraft", multiple=True, help="Such as rbspa; repeatable. All by default."),
    click.option("--start", type=DAY, default=None, help="First day. By default the first there is."),
    click.option("--end", type=DAY, default=None, help="Last day, included. By default the last there is."),
)
def init(
    path: Path,
    preset: str,
    source: Path | None,
    spacecraft: tuple[str, ...],
    start: datetime | None,
    end: datetime | None,
) -> None:
    """Write a configuration to FILE, by default padflow.yaml.

    FILE must not exist. Where it is -, the configuration is printed.
    """
    from padflow.config.starting import starting_yaml

    if str(path) in PRESETS:
        raise ConfigError(f"{path} is the name of a preset: write `padflow init {path}.yaml --preset {path}`.")
    first, last = (None if time is None else time.date() for time in (start, end))
    text = starting_yaml(preset, source=source, spacecraft=spacecraft, start=first, end=last)
    if path == Path("-"):
        say(text)
        return
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(f"{path} exists. Give another name, or remove it.") from None
    arguments = f"{shlex.quote(str(path))}{'' if source else ' --source FOLDER'}"
    say(f"{path} holds the preset {preset}; each of its keys is explained there. Now:")
    say(f"  padflow plan {arguments}    says what a run will take; writes nothing")
    say(f"  padflow run {arguments}     does the run, into {run_directory(path, None)}")


@command(
    click.argument("path", metavar="[CONFIG]", type=FILE, required=False),
    click.option("--schema", is_flag=True, help="Print the JSON schema of every key."),
    set_option,
    name="config",
)
def show_config(path: Path | None, schema: bool, overrides: tuple[str, ...]) -> None:
    """Print CONFIG, or the defaults, with every key explained.

    CONFIG is a file, or the name of a preset, such as recommended; so it is for all commands.
    """
    from padflow.config.text import documented_yaml

    if schema:
        say(json.dumps(padflow.Config.model_json_schema(), indent=2))
    else:
        say(f"{INCLUDE_NOTE}\n\n{documented_yaml(padflow.load_config(path, overrides))}")
