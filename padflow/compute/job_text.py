# SPDX-License-Identifier: BSD-3-Clause
"""The text of job scripts: which values are allowed in it, and how they are quoted."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import dask

from padflow.errors import ConfigError, brief

if TYPE_CHECKING:
    from dask_jobqueue.core import Job


PROLOGUE = "job_script_prologue"


OURS = {
    "queue": "cluster.queue",
    "account": "cluster.account",
    "project": "cluster.account",
    "log_directory": "the run directory",
    "local_directory": "the run directory",
    PROLOGUE: "cluster.prologue",
}
"""The keys from which arguments of dask-jobqueue come, unless they are among `cluster.options`."""


NAMES_AND_PATHS = re.compile(r"(#\S+ -[JNeopqAP] )(.*)")
"""A line of a header with a name or a path as its value. Other lines follow the grammar of the queueing system."""


PLAIN = re.compile(r"[\w@%+=:,./\[\]-]*")
"""Text that queueing systems read as it is, without quotes."""


QUOTED_ALREADY = "#BSUB -P "
"""The line in which dask-jobqueue itself puts the value into double quotes."""


def check_texts(
    kind: str, arguments: Mapping[str, Any], options: Mapping[str, Any], *, section: str = "cluster.options"
) -> None:
    """Refuse text that would make another line in a job script, such as a directive or a command.

    Parameters
    ----------
    arguments : mapping
        Arguments of dask-jobqueue. Those that are missing come from Dask's own configuration, which is checked too.
    options : mapping
        Those of them that come from a section of the configuration.
    section : str
        Its name.

    Raises
    ------
    ConfigError
        Names the key.
    """
    elsewhere = dask.config.get(f"jobqueue.{kind}", {})
    theirs = {key.replace("-", "_"): value for key, value in elsewhere.items()}
    for name, value in (theirs | dict(arguments)).items():
        # HTCondor writes the prologue and the command into one line. For others, the prologue is lines of the shell.
        allowed = "\n\t" if name in (PROLOGUE, "env_extra") and kind != "htcondor" else ""
        if name not in arguments:
            key = f"jobqueue.{kind}.{name.replace('_', '-')} of Dask's configuration"
        else:
            key = f"{section}.{name}" if name in options else OURS.get(name, str(name))
        check_lines(key, value, allowed=allowed)


def check_lines(key: str, value: object, *, allowed: str = "") -> None:
    """Refuse a value with control characters, such as an end of line.

    Raises
    ------
    ConfigError
        Names the key.
    """
    for text in _texts(value):
        if not all(c.isprintable() or c in allowed for c in text):
            raise ConfigError(
                f"{key} = {brief(text)}: expected one line without control characters, for it becomes part of a "
                "job script."
            )


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _texts([*value.keys(), *value.values()])
    elif isinstance(value, list | tuple | set):
        for one in value:
            yield from _texts(one)


def quoted_header(header: str, extra: int) -> str:
    """Quote names and paths in the lines of a header, except in the last `extra` ones, which the user wrote.

    Raises
    ------
    ConfigError
        Where a value has a backslash, or both kinds of quotes.
    """
    lines = header.split("\n")
    own = len(lines) - extra
    return "\n".join([*map(_quoted_line, lines[:own]), *lines[own:]])


def _quoted_line(line: str) -> str:
    found = NAMES_AND_PATHS.fullmatch(line)
    if found is None:
        return line
    name, value = found.groups()
    if name == QUOTED_ALREADY:
        value = value[1:-1]
    if PLAIN.fullmatch(value):
        return line
    for quote in "\"'":
        if quote not in value and "\\" not in value:
            return f"{name}{quote}{value}{quote}"
    raise ConfigError(
        f"{brief(value)} holds a backslash or both kinds of quotes, which the header of a job script cannot hold; "
        "choose another queue, account or --workdir."
    )


def quoting(kind: type[Job]) -> type[Job]:
    """Return a class of jobs that quotes names and paths; that of dask-jobqueue does not."""
    base: Any = kind  # a base class that is known only here

    class QuotedJob(base):
        job_header: str
        _command_template: str

        def __init__(self, *arguments: Any, security: Any = None, **named: Any):
            super().__init__(*arguments, security=security, **named)
            if not hasattr(self, "job_header_dict"):  # HTCondor takes what follows on the line
                self.job_header = quoted_header(self.job_header, len(self.job_extra_directives))
            files = security.get_tls_config_for_role("worker") if security else {}
            for path in {path for name, path in files.items() if name != "ciphers" and path}:
                alone = rf"(?<= ){re.escape(path)}(?= |$)"
                self._command_template = re.sub(alone, lambda found: shlex.quote(found[0]), self._command_template)

    return QuotedJob
