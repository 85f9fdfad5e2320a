# SPDX-License-Identifier: BSD-3-Clause
"""Write files so that each is whole under its name or not there at all, also after a power cut."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dask.utils import format_bytes

from padflow.errors import CannotRead, CannotWrite, NoSpace, PadflowError

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers of the system for a disk, quota or limit with no room left."""


NOT_ALLOWED = (errno.EROFS, errno.EACCES, errno.EPERM)


NOT_KNOWN_HERE = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
"""Error numbers of the system where a file system does not know an operation. padflow then does without."""


FileFacts = tuple[int, str]
"""What a receipt says about a file: size in bytes, and SHA-256 in hexadecimal."""


PARTIAL = ".partial"
"""Ending of a file that is being written. A process that died may have left one."""


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file by temporary file, fsync, rename and fsync of its folder.

    Raises
    ------
    NoSpace
        Where there is no room for it: names the file, its size and the free space.
    CannotWrite
        Where padflow may not write to its folder.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}{PARTIAL}")
    try:
        try:
            try:
                _write_synced(temporary, content)
            except FileNotFoundError:  # looking for the folder each time would take longer
                make_folder(path.parent)
                _write_synced(temporary, content)
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):  # where the folder is read-only now
                temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise explain_os_error(error, path, needed_bytes=len(content)) from error


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        _sync(file.fileno())


def _sync(handle: int) -> None:
    """Make a file or folder durable where its file system can; `lacks_of` says where it cannot."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in NOT_KNOWN_HERE:
            raise


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn an error of the system into one that names the file: that of the error, or `path`."""
    try:
        yield
    except PadflowError:
        raise
    except OSError as error:
        raise explain_os_error(error, Path(error.filename2 or error.filename or path)) from error


def explain_os_error(error: OSError, path: Path, *, needed_bytes: int | None = None) -> CannotWrite:
    """Return an error that says in words why `path` cannot be written, and what to do."""
    if isinstance(error, CannotWrite):
        return error
    if error.errno in NO_SPACE:
        folder = nearest_folder(path.parent)
        takes = "" if needed_bytes is None else f": it takes {format_bytes(needed_bytes)}, and"
        return NoSpace(
            f"{path} could not be written ({error.strerror}){takes or ':'} {folder} has "
            f"{format_bytes(shutil.disk_usage(folder).free)} free. Make room there, or raise the quota or the size "
            "limit, and run the same command again: it goes on from here."
        )
    if error.errno in NOT_ALLOWED:
        return CannotWrite(
            f"{path} cannot be written to ({error.strerror}). Make its folder writable and run the same command again, "
            "which goes on from here, or choose another --workdir."
        )
    if error.errno == errno.EEXIST:
        return CannotWrite(
            f"{path} cannot be replaced by a new file of its name ({error.strerror}). padflow needs a file system that "
            "can: choose a --workdir on another one, such as a local disk."
        )
    return CannotWrite(
        f"{path} could not be read or written ({error.strerror or error}). The disk, file server or mount failed: fix "
        "that and run the same command again, which goes on from here."
    )


def lacks_of(folder: Path) -> list[str]:
    """Return what the file system of a folder cannot do and padflow can do without.

    Raises
    ------
    CannotWrite
        Where it cannot do something that padflow needs: names the folder and what to do.
    """
    old, new, other = (folder / f".probe{os.getpid()}.{name}{PARTIAL}" for name in ("old", "new", "link"))
    try:
        with naming(folder):
            old.write_bytes(b"old")
            new.write_bytes(b"new")
            new.replace(old)
        tries = {
            "make files durable": lambda: _on(old, os.fsync),
            "make renames durable": lambda: _on(folder, os.fsync),
            "lock files": lambda: _on(old, lambda handle: fcntl.flock(handle, fcntl.LOCK_EX)),
            "link files": lambda: os.link(old, other),
        }
        return [what for what, attempt in tries.items() if not _can(attempt)]
    finally:
        for path in (old, new, other):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def _on(path: Path, function: Callable[[int], None]) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        function(handle)
    finally:
        os.close(handle)


def _can(attempt: Callable[[], None]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True


def nearest_folder(folder: Path) -> Path:
    """Return a folder, or the nearest folder above it that exists."""
    return next(one for one in (folder, *folder.parents) if one.exists())


def make_folder(folder: Path) -> None:
    """Make a folder and all folders above it, durably."""
    missing = [new for new in (folder, *folder.parents) if not new.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for new in reversed(missing):
        sync_folder(new.parent)


def sync_file(path: Path) -> None:
    """Make a file that other code wrote durable, with its name."""
    with path.open("rb") as file:
        _sync(file.fileno())
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable."""
    _on(folder, _sync)


def read_bytes(path: Path) -> bytes:
    """Return the content of a file.

    Raises
    ------
    FileNotFoundError
        Where there is none.
    CannotRead
        Where the system cannot read it: names the file.
    """
    with naming_read(path):
        return path.read_bytes()


@contextlib.contextmanager
def naming_read(path: Path) -> Iterator[None]:
    """Turn an error of reading into one that names the file; `FileNotFoundError` stays as it is."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise CannotRead(
            f"{path} cannot be read ({error.strerror or error}). Fix that and run the same command again."
        ) from error


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file durably, with keys in the order given."""
    write_bytes(path, (json.dumps(value, indent=1, default=str, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """Return the content of a JSON file, or None where there is no file or it is not whole."""
    try:
        return json.loads(read_bytes(path).decode())
    except (FileNotFoundError, ValueError, RecursionError):
        return None


def sha256_of(content: bytes) -> str:
    """Return the SHA-256 of some bytes in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def facts_of(content: bytes) -> FileFacts:
    """Return what a receipt says about a file: size in bytes, and SHA-256."""
    return len(content), sha256_of(content)


def remove_partial(folder: Path) -> None:
    """Remove unfinished files below a folder, which dead processes left."""
    for path in folder.rglob(f"*{PARTIAL}"):
        path.unlink(missing_ok=True)
