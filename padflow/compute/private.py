# SPDX-License-Identifier: BSD-3-Clause
"""Folders and files that no other user can enter or read."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from padflow.errors import ConfigError, PadflowError

OWNER_UNKNOWN = 65534
"""The number of the owner of files whose user a container does not know, such as /tmp of the host."""


@contextmanager
def private_folder(path: Path) -> Iterator[Path]:
    """Make a folder as `make_private` does, and remove it at the end."""
    make_private(path)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def make_private(path: Path) -> None:
    """Make an empty folder for this user only (mode 0700). A folder that a dead process left there is removed first.

    Raises
    ------
    PadflowError
        Where there is a link, a file or something of another user, or where the file system lets others in.
    """
    _remove_own(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700)  # an error where another user has made it meanwhile
    found = path.lstat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        path.rmdir()
        raise PadflowError(
            f"{path} cannot be kept from other users: its file system gave it the mode {stat.filemode(found.st_mode)}, "
            "though it was made with 0700. Choose a --workdir on another one."
        )


def _remove_own(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISLNK(found.st_mode):
        what = "is a symbolic link"
    elif not stat.S_ISDIR(found.st_mode):
        what = "is no folder"
    elif found.st_uid != os.geteuid():
        what = f"belongs to the user with number {found.st_uid}"
    else:
        shutil.rmtree(path)
        return
    raise PadflowError(f"{path} {what}: padflow does not put private files there. Remove it.")


def write_private(path: Path, content: str) -> None:
    """Write a new file that only its owner may read."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
        file.write(content)


def check_temporary_folder() -> None:
    """Refuse a folder for temporary files in which other users can replace them.

    Raises
    ------
    ConfigError
        Names the folder.
    """
    folder = Path(tempfile.gettempdir())
    found = folder.stat()
    sticky = bool(found.st_mode & stat.S_ISVTX)
    mine = found.st_uid in (os.geteuid(), 0) or (sticky and found.st_uid == OWNER_UNKNOWN)
    if not mine or (found.st_mode & stat.S_IWOTH and not sticky):
        raise ConfigError(
            f"{folder}, where temporary files go, lets other users replace them (it belongs to the user with number "
            f"{found.st_uid} and has the mode {stat.filemode(found.st_mode)}). Set TMPDIR to a folder of your own."
        )
