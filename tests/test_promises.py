# SPDX-License-Identifier: BSD-3-Clause
"""Every promise of the documentation names the tests that hold it, and they exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def test_the_tests_that_hold_the_promises_exist() -> None:
    rows = [row for row in (REPOSITORY / "docs" / "promises.md").read_text().splitlines() if row.startswith("| ")][1:]
    assert len(rows) > 20
    for row in rows:
        promise, held_by = row.strip("| ").rsplit(" | ", 1)
        names = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", held_by)
        assert names, promise
        for file, test in names:
            path = REPOSITORY / file
            assert path.is_file(), f"{file} holds: {promise}"
            found = {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}
            assert test in found if test else any(name.startswith("test_") for name in found), f"{file}::{test}"
