# SPDX-License-Identifier: BSD-3-Clause
"""Files are whole or not there, whatever fails while they are written."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from padflow.errors import CannotRead, CannotWrite
from padflow.store.durable import PARTIAL, lacks_of, read_json, remove_partial, sha256_of, write_bytes, write_json


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_write_makes_folders_and_replaces(tmp_path):
    path = tmp_path / "a" / "b" / "file"
    write_bytes(path, b"old, and longer")
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert files_below(tmp_path) == ["a/b/file"]


@pytest.mark.parametrize("call", ["os.fsync", "pathlib.Path.replace", "pathlib.Path.open"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failing_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, call, error):
    path = tmp_path / "file"
    write_bytes(path, b"old")

    def fail(*_arguments, **_options):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(call, fail)
        with pytest.raises(type(error)):
            write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert files_below(tmp_path) == ["file"]


def test_content_is_synced_before_its_name_and_the_folder_after(tmp_path, monkeypatch):
    path = tmp_path / "file"
    events = []
    fsync, replace = os.fsync, Path.replace

    def watched_fsync(handle):
        synced = Path(f"/proc/self/fd/{handle}").readlink()
        events.append(("sync", synced.suffix if synced.is_file() else "folder"))
        fsync(handle)

    def watched_replace(self, target):
        events.append(("rename", self.read_bytes()))
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(Path, "replace", watched_replace)
    write_bytes(path, b"content")
    assert events == [("sync", PARTIAL), ("rename", b"content"), ("sync", "folder")]


def test_a_killed_process_leaves_the_old_file_and_one_that_can_be_swept(tmp_path):
    path = tmp_path / "deep" / "file"
    write_bytes(path, b"old")
    program = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom padflow.store.durable import write_bytes\n"
        "os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_bytes(Path(sys.argv[1]), b'new' * 100000)\n"
    )
    died = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert died.returncode == -9
    assert path.read_bytes() == b"old"
    left = [name for name in files_below(tmp_path) if name != "deep/file"]
    assert len(left) == 1
    assert left[0].endswith(PARTIAL)
    remove_partial(tmp_path)
    assert files_below(tmp_path) == ["deep/file"]


def test_json_keeps_order_and_refuses_nan(tmp_path):
    path = tmp_path / "file.json"
    write_json(path, {"b": 1, "a": [1.5, None, "ü"], "when": Path("somewhere")})
    assert list(json.loads(path.read_text())) == ["b", "a", "when"]
    assert read_json(path) == {"b": 1, "a": [1.5, None, "ü"], "when": "somewhere"}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"b": float("nan")})
    assert read_json(path)["b"] == 1


@pytest.mark.parametrize("content", [b"", b'{"a": 1', b"\xff\xfe", b"\0" * 100])
def test_json_that_is_not_whole_is_none(tmp_path, content):
    (tmp_path / "file.json").write_bytes(content)
    assert read_json(tmp_path / "file.json") is None
    assert read_json(tmp_path / "other.json") is None


def test_sha256():
    assert sha256_of(b"abc") == hashlib.sha256(b"abc").hexdigest()
    assert sha256_of(b"abc").startswith("ba7816bf 8f01cfea".replace(" ", ""))


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_what_a_file_system_cannot_sync_is_written_all_the_same_and_told(tmp_path, monkeypatch, number):
    def refuse(_handle):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    write_bytes(tmp_path / "file", b"content")
    assert (tmp_path / "file").read_bytes() == b"content"
    assert lacks_of(tmp_path) == ["make files durable", "make renames durable"]
    assert files_below(tmp_path) == ["file"]


@pytest.mark.parametrize("call", ["os.fsync", "pathlib.Path.replace", "pathlib.Path.open"])
@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
def test_a_disk_that_fails_is_named_by_the_file(tmp_path, monkeypatch, call, number):
    def fail(*_arguments, **_options):
        raise OSError(number, os.strerror(number))

    (tmp_path / "read").write_bytes(b"{}")
    monkeypatch.setattr(call, fail)
    with pytest.raises(CannotWrite, match=rf"{tmp_path}/file could not be .*run the same command again"):
        write_bytes(tmp_path / "file", b"content")
    if call == "pathlib.Path.open":
        with pytest.raises(CannotRead, match=rf"{tmp_path}/read cannot be read .*run the same command again"):
            read_json(tmp_path / "read")
