"""Fixtures of the archive's tests."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def factory() -> ModuleType:
    """The module cdf_factory; tests are imported by path, so that it cannot be imported by name."""
    spec = importlib.util.spec_from_file_location("cdf_factory", Path(__file__).with_name("cdf_factory.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
