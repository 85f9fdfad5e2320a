"""Fixtures shared by the whole suite."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real HOPE and ELFIN files; they are not part of this repository."""
    folder = Path(os.environ.get("PADFLOW_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real CDF files at {folder}; set PADFLOW_REAL_DATA to a folder with hope/ and elfin/")
    return folder
