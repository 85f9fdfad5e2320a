# SPDX-License-Identifier: BSD-3-Clause
"""Compile arithmetic that NumPy would send through memory step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function, and keep the machine code for the next process where a folder can be written.

    Numba compiles again where the file of the function changes, not where that of another does: so a compiled function
    calls only those of its own file, and takes what else it needs as arguments.
    """
    try:
        return njit(function, cache=True, nogil=True, error_model="numpy")
    except RuntimeError:  # neither beside the module nor in the user's own folder
        return njit(function, nogil=True, error_model="numpy")
