"""Paths that a run directory or a catalogue may name."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from padflow.errors import PadflowError


def is_inside(relative: str) -> bool:
    """Return whether a path, joined to a folder, stays below it by its spelling."""
    path = PurePosixPath(relative)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\0" not in relative


def is_plain_name(name: str) -> bool:
    """Return whether a name may be that of a folder which padflow makes: letters, digits, and ``._+-`` inside."""
    return re.fullmatch(r"[a-z0-9][a-z0-9._+-]{0,63}", name) is not None and name != "zarr.json"


def refuse_links(directory: Path) -> None:
    """Refuse a folder that is to be written to where something below it is a symbolic link.

    What is written, replaced or removed below the folder would else be outside it. The folder itself may be a link.

    Raises
    ------
    PadflowError
        Names the link.
    """
    for folder, folders, files in os.walk(directory):
        for name in (*folders, *files):
            path = Path(folder) / name
            if path.is_symlink():
                raise PadflowError(
                    f"{path} is a symbolic link, and padflow writes nothing through links inside its run directory. "
                    "Put what it leads to in its place; to use another disk, put all of the run directory there."
                )
