# SPDX-License-Identifier: BSD-3-Clause
"""Errors that a user sees: each is one paragraph that says what is wrong, where, and what to do."""

from __future__ import annotations

import reprlib

MOST_ECHOED = 200
"""Most characters of a text by a user that a message repeats: about a line (chosen)."""


class PadflowError(Exception):
    """Base of all errors of padflow. The command line prints its text and exits with status 1."""


class ConfigError(PadflowError):
    """A configuration, option or model that cannot be used as given; exit status 2."""


class CannotWrite(PadflowError, OSError):
    """A file that cannot be written: the folder is read-only, or permissions are missing."""


class CannotRead(PadflowError, OSError):
    """A file of the run directory that cannot be read: a disk or a file server failed."""


class NoSpace(CannotWrite):
    """A file for which there is no room: the disk is full, or a quota or a limit is reached."""


class BadFile(PadflowError):
    """An input file that is set aside. The run goes on without it.

    Parameters
    ----------
    reason : str
        Short code, by which catalogue and summaries count files: ``"truncated"``, ``"missing_variable"`` and so on.
    message : str
        One sentence that names the file or the variable, and says what was expected and what was found.
    """

    def __init__(self, reason: str, message: str):
        super().__init__(reason, message)
        self.reason = reason
        self.message = message

    def __str__(self) -> str:
        return self.message


def printable(text: str) -> str:
    """Escape control characters of terminals, for names of files may hold any characters."""
    return "".join(c if c.isprintable() or c in "\n\u00a0" else c.encode("unicode_escape").decode() for c in text)


def printable_line(text: str) -> str:
    """Escape control characters and ends of lines, for text that others wrote."""
    return printable(text).replace("\n", r"\n")


def one_line(text: str, most: int = MOST_ECHOED) -> str:
    """Return a text as one line of at most `most` characters. A longer one is cut in its middle."""
    line = " ".join(text[: 10 * most].split())
    if len(line) <= most and len(text) <= 10 * most:
        return line
    half = (most - 5) // 2
    return f"{line[:half]} ... {' '.join(text[-10 * most :].split())[-half:]}"


def brief(value: object) -> str:
    """Return the `repr` of a value, cut to one line, for a message."""
    return one_line(_BRIEF.repr(value))


class _Brief(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother = 4, 120, 120
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = self.maxfrozenset = 8

    def repr_int(self, x: int, level: int) -> str:
        # Python does not print integers of more than 4,300 digits.
        return repr(x) if x.bit_length() < 200 else f"an integer of {x.bit_length()} bits"


_BRIEF = _Brief()
