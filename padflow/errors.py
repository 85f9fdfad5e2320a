"""Errors that reach a user: each is one paragraph that says what is wrong, where, and what to do."""

from __future__ import annotations


class PadflowError(Exception):
    """Base of padflow's own errors; the command line prints its text and exits with status 1."""


class ConfigError(PadflowError):
    """A configuration, option or model that cannot be used as given; exit status 2."""


class CannotWrite(PadflowError, OSError):
    """A file that the system refuses to write: the folder is read-only, or permissions were lost."""


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
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
