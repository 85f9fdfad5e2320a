# SPDX-License-Identifier: BSD-3-Clause
"""Tell paths of this machine's file systems from URLs, and refuse the latter."""

from __future__ import annotations

import os
import re
from pathlib import Path

from padflow.errors import ConfigError

NOT_LOCAL = (
    "this is a URL, and padflow reads and writes only folders and files of this machine's file systems; download or "
    "mount what is there, and give its path"
)


def is_url(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is a URL: ``s3://...``, or ``s3:/...`` after `Path` has removed a slash."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+:[/:]", os.fspath(path)) is not None


def local_path(path: str | os.PathLike[str], what: str) -> Path:
    """Return a path. Refuse a URL, from which a folder with the name of its scheme would be made.

    Parameters
    ----------
    what : str
        Name of the argument or the option, for the message.

    Raises
    ------
    ConfigError
        For a URL such as ``s3://bucket/run``, ``https://host/file`` or ``file:///folder``.
    """
    if is_url(path):
        raise ConfigError(f"{what} {os.fspath(path)}: {NOT_LOCAL}.")
    return Path(path)
