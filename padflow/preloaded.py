"""What workers use, imported once: in the process that workers of this machine are forked from."""

import gc
from importlib import import_module

import dask_ml.cluster.k_means  # noqa: F401
import numpy as np

import padflow.archive.ingest
import padflow.archive.scan
import padflow.run.fitting
import padflow.run.summary  # noqa: F401
from padflow.clustering.ballmeans import BallMeans
from padflow.report.contents import FIGURES

BallMeans(np.eye(2), 1.0)(np.eye(2))  # which Numba compiles at its first use

for module in set(FIGURES.values()):
    import_module(f"padflow.report.{module}")

gc.freeze()  # what is imported stays: nobody need look through it for garbage, which copies the pages that forks share
