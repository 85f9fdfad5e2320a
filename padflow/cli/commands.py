# SPDX-License-Identifier: BSD-3-Clause
"""The commands in the order of use, and the exit status of each way in which one can end."""

from __future__ import annotations

import sys
import traceback

import click

from padflow.cli.group import Verbosity, commands, say
from padflow.cli.looking import explore, export, report, status, storms, verify, view
from padflow.cli.machines import scheduler, submit, worker
from padflow.cli.making import init, show_config, simulate
from padflow.cli.running import demo, ingest, label, plan, run
from padflow.errors import ConfigError, PadflowError, one_line, printable
from padflow.startup import FAILED, INTERRUPTED, USAGE, interrupted

COMMANDS = (
    *(demo, simulate, init, show_config),
    *(plan, ingest, run, submit, scheduler, worker, label),
    *(status, verify, report, view, explore, storms, export),
)
"""In the order of use, in which `padflow --help` shows them."""

for _command in COMMANDS:
    commands.add_command(_command)


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
