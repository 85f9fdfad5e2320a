# SPDX-License-Identifier: BSD-3-Clause
"""Public names: each resolves, is documented, and is imported when it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import padflow


@pytest.mark.parametrize("name", padflow.__all__)
def test_a_public_name_is_there_and_documented(name: str) -> None:
    public = getattr(padflow, name)
    assert public.__doc__
    assert name in dir(padflow)


def test_completion_shows_public_names_and_no_other() -> None:
    assert [name for name in dir(padflow) if not name.startswith("_")] == sorted(padflow.__all__)
    assert "__version__" in dir(padflow)


def test_every_public_name_has_a_home_and_no_other_name_has() -> None:
    assert sorted(padflow.__all__) == sorted(padflow._HOMES)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = padflow.nothing


def test_what_the_command_line_does_is_there_for_python() -> None:
    assert {"plan", "run", "label", "status", "verify", "simulate", "export"} <= set(padflow.__all__)


def test_nothing_heavy_is_imported_before_it_is_used() -> None:
    code = "import sys, padflow; print([m for m in ('numpy', 'dask', 'xarray', 'tensorflow') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
