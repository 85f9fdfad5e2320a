# SPDX-License-Identifier: BSD-3-Clause
"""Write log records to standard error: short lines in a terminal, lines with their time in the log of a batch job."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from padflow.errors import printable_line

TIMES = "%Y-%m-%d %H:%M:%S"


@contextmanager
def logged(*, verbose: bool) -> Iterator[None]:
    """Write padflow's log records to standard error while a command is at work.

    In a terminal a bar shows how far a stage is. Records are lines above it, without a time. In the log of a batch job,
    and with -v, stages have lines too, and each line has its time.

    Parameters
    ----------
    verbose : bool
        Write all records. Dask writes its own warnings then (`padflow.compute.settings.dask_log_level`).
    """
    plain = sys.stderr.isatty() and not verbose
    handler = AboveBars(sys.stderr)
    handler.setFormatter(OneLine("%(message)s" if plain else "%(asctime)s %(message)s", TIMES))
    levels = {"padflow": logging.DEBUG if verbose else logging.INFO}
    levels["padflow.progress"] = logging.WARNING if plain else logging.NOTSET
    before = {name: logging.getLogger(name).level for name in levels}
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    logging.getLogger("padflow").addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger("padflow").removeHandler(handler)
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


class OneLine(logging.Formatter):
    """Formats a record as one line without control characters; warnings and errors begin with the word for it."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line."""
        if record.levelno >= logging.WARNING:
            record.message = f"{record.levelname.lower()}: {record.message}"
        record.message = printable_line(record.message)
        return super().formatMessage(record)


class AboveBars(logging.StreamHandler[TextIO]):
    """Writes lines above the bar, if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        if "tqdm" not in sys.modules:  # nobody has drawn a bar
            super().emit(record)
            return
        from tqdm import tqdm

        try:
            tqdm.write(self.format(record), file=self.stream)
            self.flush()
        except OSError:
            self.handleError(record)
