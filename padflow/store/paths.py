# SPDX-License-Identifier: BSD-3-Clause
"""Check paths and names in files that are not trusted: they must stay inside their folder."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from padflow.errors import PadflowError


def is_inside(relative: str) -> bool:
    """Return whether a relative path stays below its folder. Links are not followed."""
    path = PurePosixPath(relative)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\0" not in relative


def is_plain_name(name: str) -> bool:
    """Return whether padflow may give a folder this name: letters and digits, and ``._+-`` between them."""
    return re.fullmatch(r"[a-z0-9][a-z0-9._+-]{0,63}", name) is not None and name != "zarr.json"


def refuse_links(directory: Path) -> None:
    """Refuse to write to a folder with a symbolic link below it.

    Through a link, files outside the folder could be written, replaced or removed. The folder itself may be a link.

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
