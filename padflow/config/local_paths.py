"""Paths of this machine's file systems, and addresses that look like paths but are none."""

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
    """Return whether a path is a URL, also one of whose slashes `Path` has left one: ``s3://...`` or ``s3:/...``."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+:[/:]", os.fspath(path)) is not None


def local_path(path: str | os.PathLike[str], what: str) -> Path:
    """Return a path, and refuse a URL, which would else become a folder named after its scheme.

    Parameters
    ----------
    what : str
        Name of the argument or option, for the message.

    Raises
    ------
    ConfigError
        For a URL such as ``s3://bucket/run``, ``https://host/file`` or ``file:///folder``.
    """
    if is_url(path):
        raise ConfigError(f"{what} {os.fspath(path)}: {NOT_LOCAL}.")
    return Path(path)
