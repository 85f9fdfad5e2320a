"""One BLAS thread while bits matter: with another number of threads OpenBLAS adds in another order."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController

# The limit is the process's, not the thread's: of threads side by side, as Dask has them, the first sets it
# and the last takes it back. Each for itself would lift it under the others, or leave it behind for good.
_lock = Lock()
_inside: list[Any] = []


@functools.cache
def _threadpools() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread, in this and all other threads of the process."""
    with _lock:
        _inside.append(None if _inside else _threadpools().limit(limits=1, user_api="blas"))
    try:
        yield
    finally:
        with _lock:
            if len(_inside) == 1:
                _inside[0].restore_original_limits()
            # The first entry holds what was before; which of the others goes does not matter.
            _inside.pop()
