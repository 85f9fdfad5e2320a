# SPDX-License-Identifier: BSD-3-Clause
"""Use one BLAS thread where bits matter: with more threads OpenBLAS adds in another order."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

from threadpoolctl import ThreadpoolController

# The limit holds for the whole process. Threads that run at the same time, as in Dask, would lift the limit of one
# another, or leave it behind for ever. So only one thread at a time may hold it.
_one_at_a_time = RLock()


@functools.cache
def _threadpools() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread. Other threads of Python that come here wait for the end."""
    with _one_at_a_time, _threadpools().limit(limits=1, user_api="blas"):
        yield
