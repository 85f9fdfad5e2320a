# SPDX-License-Identifier: BSD-3-Clause
"""A run directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from padflow.pipeline.directory import RunDirectory


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    """An empty run directory."""
    return RunDirectory(tmp_path)
