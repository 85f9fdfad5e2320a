# SPDX-License-Identifier: BSD-3-Clause
"""Entry of the command line, which hears Ctrl-C and SIGTERM from its first tenth of a second on."""

from __future__ import annotations

import sys

from padflow.startup import USAGE, interruptible


def main() -> None:
    """Run the command line; errors are one paragraph, and a traceback only with -v."""
    with interruptible():
        if sys.flags.optimize:  # zarr 3 takes keys of metadata away within an assert
            print("padflow: PYTHONOPTIMIZE (or python -O) leaves out what zarr needs: unset it.", file=sys.stderr)
            sys.exit(USAGE)
        from padflow.cli.commands import run_commands

        run_commands()
