"""Fixtures of the tests of CDF files."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


def _module(name: str) -> ModuleType:
    """Return a module beside this file; tests are imported by path, so that it cannot be imported by name."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def nasa() -> ModuleType:
    """The module nasa_library."""
    if importlib.util.find_spec("spacepy") is None:
        pytest.skip("NASA's CDF library comes with spacepy, which is not installed")
    return _module("nasa_library")
