"""What workers use, imported once: in the process that workers of this machine are forked from."""

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

    BallMeans(np.eye(2), 1.0)(np.eye(2))  # which Numba compiles at its first use


# Ctrl-C reaches every process of a terminal. It is the driver's affair, which ends its workers: they would each say so.
signal.signal(signal.SIGINT, signal.SIG_IGN)


gc.freeze()  # what is imported stays: to look through it again would copy the pages that forks share
