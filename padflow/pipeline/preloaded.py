# SPDX-License-Identifier: BSD-3-Clause
"""Import what workers of this machine use, once: in the process from which they are forked."""

import gc
import signal
from importlib import import_module

from padflow.startup import gc_paused

with gc_paused():
    from padflow.report.figures.contents import FIGURES

    modules = [
        "padflow.archive.ingest",
        "padflow.archive.scan",
        "padflow.pipeline.stages.fit",
        "padflow.pipeline.summary",
        "padflow.compute.servers",
    ]
    modules += [f"padflow.report.figures.{module}" for module in FIGURES.values()]
    for module in modules:
        import_module(module)

    import numpy as np

    from padflow.clustering.ball_means import BallMeans

    BallMeans(np.eye(2), 1.0)(np.eye(2))  # Numba compiles it at its first use


# Ctrl-C reaches all processes of a terminal. The driver hears it and ends its workers; each would report it otherwise.
signal.signal(signal.SIGINT, signal.SIG_IGN)


gc.freeze()  # modules stay: a search for garbage in them would copy memory pages that forked processes share
