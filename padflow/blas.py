"""One BLAS thread where bits matter: with another number of threads OpenBLAS adds in another order."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

from threadpoolctl import ThreadpoolController

# The limit is the process's, not the thread's. Threads side by side, as Dask has them, would lift it under one
# another, and leave it behind for good where they end in another order than they began: one at a time, then.
_one_at_a_time = RLock()


@functools.cache
def _threadpools() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread; other threads wait at this place until it is free again."""
    with _one_at_a_time, _threadpools().limit(limits=1, user_api="blas"):
        yield
