# SPDX-License-Identifier: BSD-3-Clause
"""Commands that compute in this process and on its workers: plan, ingest, run, label, and the demonstration."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import click

import padflow
from padflow.cli.group import (
    FOLDER,
    command,
    json_option,
    removal_option,
    run_directory,
    run_options,
    say,
    set_option,
)
from padflow.pipeline.stage_order import STAGE_NAMES
from padflow.startup import gc_paused

SET_ASIDE = 3
"""Exit status where the work was done and a file or a part was set aside."""


def _begun(path: Path, overrides: tuple[str, ...]) -> padflow.Config:
    """Read the configuration, and import what a run needs, as workers of this machine do meanwhile."""
    config = padflow.load_config(path, overrides)
    _start_fork_server(config)
    with gc_paused():
        import_module("padflow.pipeline.driver")
    return config


def _command(path: Path, overrides: tuple[str, ...]) -> str:
    """Return what ``run.json`` keeps of the command line."""
    return f"padflow {click.get_current_context().info_name} {path.name} {' '.join(overrides)}".strip()


def _start_fork_server(config: padflow.Config) -> None:
    """Let what workers are forked from import what it needs while this process does: both take seconds."""
    if config.cluster.kind == "local":
        from padflow.compute.local import start_fork_server

        start_fork_server()


@command(*run_options, removal_option, json_option)
def plan(path: Path, workdir: Path | None, overrides: tuple[str, ...], allow_removal: int, as_json: bool) -> None:
    """Print what a run will take and change. Writes nothing.

    A run that does not fit into memory or on the disk is refused.
    """
    config = _begun(path, overrides)
    from padflow.cli.text import plan_facts, plan_text

    found = padflow.plan(config, run_directory(path, workdir), allow_removal=allow_removal)
    facts = plan_facts(found)
    say(json.dumps(facts, indent=2) if as_json else plan_text(facts))
    found.check_removal()
    _say_removal(found)
    _say_set_aside(found)


@command(*run_options, removal_option)
def ingest(path: Path, workdir: Path | None, overrides: tuple[str, ...], allow_removal: int) -> None:
    """Read the CDF files into archive.zarr.

    Goes on where an earlier run stopped.
    """
    config = _begun(path, overrides)
    from padflow.cli.text import simulated_lines

    outcome = padflow.run(
        config,
        run_directory(path, workdir),
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
)
def run(
    path: Path,
    workdir: Path | None,
    overrides: tuple[str, ...],
    allow_removal: int,
    restart_from: str | None,
) -> None:
    """Do all stages, from CDF files to the report.

    Goes on where an earlier run stopped.
    """
    config = _begun(path, overrides)
    outcome = padflow.run(
        config,
        run_directory(path, workdir),
        restart_from=restart_from,
        allow_removal=allow_removal,
        command=_command(path, overrides),
    )
    _finish(outcome)


@command(click.argument("model", metavar="MODEL", type=FOLDER), *run_options, removal_option)
def label(model: Path, path: Path, workdir: Path | None, overrides: tuple[str, ...], allow_removal: int) -> None:
    """Label the archive of CONFIG with MODEL. Fits nothing.

    MODEL is the folder `model` of a run, or demo: the model for REPT that comes with padflow, fitted to SIMULATED data,
    to try things out. It decides how records are classified. CONFIG says with its sections archive and cluster which
    records, and where to compute.
    """
    from padflow.pipeline.labelling import config_for_labels

    fitted = padflow.Model.load(model)
    config, warning = config_for_labels(path, overrides, fitted)
    if warning:
        say(f"padflow: {warning}", err=True)
    if words := fitted.fitted_to_simulated:
        say(f"padflow: the model was fitted to {words}", err=True)
    directory = workdir or Path(f"{path.stem}-labels")
    command = f"padflow label {model} {path.name}"
    _finish(padflow.label(config, fitted, directory, allow_removal=allow_removal, command=command))


@command(
    click.option("--folder", type=FOLDER, default=None, help="CDF files; without it an archive is simulated."),
    click.option("--workdir", type=FOLDER, default="demo", show_default=True, help="Where all of it goes."),
    set_option,
)
def demo(folder: Path | None, workdir: Path, overrides: tuple[str, ...]) -> None:
    """Do a run on 20 simulated days, or on files of your own.

    It uses the recommended configuration. The last lines say what to do next.
    """
    from padflow.cli.text import next_steps
    from padflow.config.starting import source_setting
    from padflow.simulation.archive import parallel_map
    from padflow.store.durable import read_json

    own = folder
    if folder is None:
        folder = workdir / "cdf"
        if not (read_json(folder / "simulation.json") or {}).get("complete"):
            say("simulating 20 days of REPT on rbspa", err=True)
            padflow.simulate(folder, days=20, map_days=parallel_map)
    config = padflow.load_config("recommended", [*source_setting(folder), *overrides])
    outcome = padflow.run(config, workdir / "run", command="padflow demo")
    _finish(outcome, then=next_steps(outcome.plan.directory, own))


def _finish(outcome: Any, *, then: Sequence[str] = ()) -> None:
    """Print the classes, where the report is, and the lines ``then``."""
    from padflow.cli.text import outcome_text

    for text in (outcome_text(outcome), *then):
        say(text)
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
