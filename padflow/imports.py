"""Imports that take seconds."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_garbage() -> Iterator[None]:
    """Look for no garbage while modules are imported: they make many objects, none of it, and a quarter of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
