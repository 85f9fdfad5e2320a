# SPDX-License-Identifier: BSD-3-Clause
"""Folders for this user alone, and what waits in their place."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

import pytest

from padflow.compute.private import check_temporary_folder, private_folder, write_private
from padflow.compute.security import KEY
from padflow.errors import ConfigError, PadflowError

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of another user")


def test_a_private_folder_is_for_this_user_and_gone_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "run" / ".private"
    path.mkdir(parents=True)
    (path / "left").write_text("by a process that was killed")
    before = os.umask(0)
    try:
        with private_folder(path) as folder:
            write_private(folder / KEY, "secret")
            assert stat.S_IMODE(path.stat().st_mode) == 0o700
            assert stat.S_IMODE((folder / KEY).stat().st_mode) == 0o600
            assert [one.name for one in path.iterdir()] == [KEY]
            with pytest.raises(FileExistsError):
                write_private(folder / KEY, "another")
    finally:
        os.umask(before)
    assert not path.exists()


def test_no_private_folder_where_a_link_or_a_file_waits(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    (tmp_path / "link").symlink_to(elsewhere)
    (tmp_path / "file").touch()
    for name, says in (("link", "is a symbolic link"), ("file", "is no folder")):
        with pytest.raises(PadflowError, match=f"{tmp_path / name} {says}"), private_folder(tmp_path / name):
            pass
    assert (elsewhere / "kept").exists()
    assert (tmp_path / "file").exists()


@needs_root
def test_no_private_folder_where_one_of_another_user_waits(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 65534, 65534)
    with (
        pytest.raises(PadflowError, match=f"{tmp_path / 'theirs'} belongs to the user with number 65534"),
        private_folder(tmp_path / "theirs"),
    ):
        pass
    assert (tmp_path / "theirs").exists()


def test_a_file_system_that_lets_others_in_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = Path.mkdir

    def as_windows_shares_do(self: Path, mode: int = 0o777, **more: object) -> None:
        make(self, mode, **more)
        self.chmod(0o777)

    monkeypatch.setattr(Path, "mkdir", as_windows_shares_do)
    with (
        pytest.raises(PadflowError, match=r"cannot be kept from other users.*--workdir"),
        private_folder(tmp_path / "new"),
    ):
        pass
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("mode", "good"), [(0o1777, True), (0o700, True), (0o755, True), (0o777, False)])
def test_a_temporary_folder_in_which_others_replace_files(
    mode: int, good: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    tmp_path.chmod(mode)
    with contextlib.nullcontext() if good else pytest.raises(ConfigError, match=f"{tmp_path}, .*Set TMPDIR"):
        check_temporary_folder()


@needs_root
def test_a_temporary_folder_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    os.chown(tmp_path, 12345, 12345)
    with pytest.raises(ConfigError, match=r"user with number 12345.*Set TMPDIR"):
        check_temporary_folder()
    os.chown(tmp_path, 65534, 65534)
    tmp_path.chmod(0o1777)  # as a container sees the /tmp of its host
    check_temporary_folder()
