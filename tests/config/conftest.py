# SPDX-License-Identifier: BSD-3-Clause
"""Files to read, for the tests of the configuration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from padflow.config.reading import load_config
from padflow.errors import ConfigError


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a text to a file of this test and return its path."""

    def _write(text: str, name: str = "my.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return _write


@pytest.fixture(scope="session")
def message_of() -> Callable[..., str]:
    """Return what is said of a configuration that is refused, from the arguments of `load_config`."""

    def _message_of(*arguments) -> str:
        with pytest.raises(ConfigError) as caught:
            load_config(*arguments)
        return str(caught.value)

    return _message_of
