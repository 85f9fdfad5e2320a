# SPDX-License-Identifier: BSD-3-Clause
"""The way functions are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import pytest

from padflow import compiling


def test_where_no_folder_can_be_written_code_is_compiled_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_folder(function: Callable, *, cache: bool = False, **settings: Any) -> Callable:
        if cache:
            raise RuntimeError("cannot cache function: no locator available for file")
        return numba.njit(function, **settings)

    monkeypatch.setattr(compiling, "njit", without_folder)
    assert compiling.compiled(lambda x: x + 1)(2) == 3
