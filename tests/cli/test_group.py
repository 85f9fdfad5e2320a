# SPDX-License-Identifier: BSD-3-Clause
"""What all commands share: the list of them, the order in it, and how an interrupted one ends."""

from __future__ import annotations

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


def test_an_interrupted_command_writes_no_empty_line() -> None:
    @click.group(cls=Commands)
    def made_up() -> None: ...

    @made_up.command()
    def wait() -> None:
        raise KeyboardInterrupt

    assert CliRunner().invoke(made_up, ["wait"], standalone_mode=False).output == ""
