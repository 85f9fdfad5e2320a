"""Durable files: whole under their name or not there at all, also after a power cut."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

PARTIAL = ".partial"
"""Ending of a file that is still being written; one that is left behind belongs to a process that died."""


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file by temporary file, fsync, rename and fsync of its folder."""
    make_folder(path.parent)
    temporary = path.with_name(f"{path.name}.{os.getpid()}{PARTIAL}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, each durable in the one that holds it."""
    missing = [new for new in (folder, *folder.parents) if not new.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for new in reversed(missing):
        sync_folder(new.parent)


def sync_file(path: Path) -> None:
    """Make a file that another wrote durable, and its name."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file durably, with keys in the order given."""
    write_bytes(path, (json.dumps(value, indent=1, default=str, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """Return the content of a JSON file, or None where there is no file or it is not whole."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def sha256_of(content: bytes) -> str:
    """Return the SHA-256 of some bytes in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def remove_partial(folder: Path) -> None:
    """Remove what processes that died left half-written below a folder."""
    for path in folder.rglob(f"*{PARTIAL}"):
        path.unlink(missing_ok=True)
