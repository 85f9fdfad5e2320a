# SPDX-License-Identifier: BSD-3-Clause
"""What all commands share: the list of them, the order in it, and how an interrupted one ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import click
import pytest
from click.testing import CliRunner

from padflow.cli.commands import COMMANDS
from padflow.cli.group import Commands


def test_help_shows_each_command_in_the_order_of_use_with_a_whole_sentence(
    padflow: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = padflow("--help").out
    lines = text.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in lines] == [command.name for command in COMMANDS]
    assert [line for line in lines if "..." in line] == []
    names = [command.name for command in COMMANDS]
    assert names.index("config") < names.index("plan") < names.index("run") < names.index("status")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["status", "--help"], ["label", "--help"]])
def test_help_and_version_wait_for_no_library_but_click(arguments: list[str]) -> None:
    code = "import sys; from padflow.cli.main import main; main(); print('modules', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    modules = set(done.stdout.rpartition("\nmodules ")[2].split())
    assert "click" in modules
    assert {"dask", "jinja2", "numpy", "pydantic", "xarray", "yaml", "zarr"} & modules == set()


def test_an_interrupted_command_writes_no_empty_line() -> None:
    @click.group(cls=Commands)
    def made_up() -> None: ...

    @made_up.command()
    def wait() -> None:
        raise KeyboardInterrupt

    assert CliRunner().invoke(made_up, ["wait"], standalone_mode=False).output == ""
