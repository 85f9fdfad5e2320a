"""Errors that reach a user: each is one paragraph that says what is wrong, where, and what to do."""

from __future__ import annotations

import reprlib

MOST_ECHOED = 200
"""Characters of what a user wrote that a message repeats: about a line (chosen)."""


class PadflowError(Exception):
    """Base of padflow's own errors; the command line prints its text and exits with status 1."""


class ConfigError(PadflowError):
    """A configuration, option or model that cannot be used as given; exit status 2."""


class CannotWrite(PadflowError, OSError):
    """A file that the system refuses to write: the folder is read-only, or permissions were lost."""


class CannotRead(PadflowError, OSError):
    """A file of the run directory that the system does not give: a disk or file server failed."""


class NoSpace(CannotWrite):
    """A file for which there is no room: the disk is full, or a quota or limit reached."""


class BadFile(PadflowError):
    """An input file that is set aside, never the end of a run.

    Parameters
    ----------
    reason : str
        Short code that the catalogue and summaries group by, such as ``"truncated"`` or ``"missing_variable"``.
    message : str
        One sentence that names the file or variable, what was expected and what was found.
    """

    def __init__(self, reason: str, message: str):
        super().__init__(reason, message)
        self.reason = reason
        self.message = message

    def __str__(self) -> str:
        return self.message


def printable(text: str) -> str:
    """Escape what would command a terminal, for names of files may hold anything."""
    return "".join(c if c.isprintable() or c in "\n\u00a0" else c.encode("unicode_escape").decode() for c in text)


def printable_line(text: str) -> str:
    """Escape also what would begin another line, for text that somebody else wrote."""
    return printable(text).replace("\n", r"\n")


def one_line(text: str, most: int = MOST_ECHOED) -> str:
    """Return a text as one line of at most `most` characters, cut in its middle."""
    line = " ".join(text[: 10 * most].split())
    if len(line) <= most and len(text) <= 10 * most:
        return line
    half = (most - 5) // 2
    return f"{line[:half]} ... {' '.join(text[-10 * most :].split())[-half:]}"


def brief(value: object) -> str:
    """Return a value as `repr` writes it, cut to a line however large it is, for a message that names it."""
    return one_line(_BRIEF.repr(value))


class _Brief(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother = 4, 120, 120
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = self.maxfrozenset = 8

    def repr_int(self, x: int, level: int) -> str:
        # Python refuses to write out more than 4,300 digits.
        return repr(x) if x.bit_length() < 200 else f"an integer of {x.bit_length()} bits"


_BRIEF = _Brief()
