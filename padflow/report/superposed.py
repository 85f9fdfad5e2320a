# SPDX-License-Identifier: BSD-3-Clause
"""Superposed epochs of a run, kept in its directory for the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from padflow.config.plain_yaml import parse_yaml
from padflow.maps.superposed import superpose
from padflow.report.tables import read_run
from padflow.store.durable import write_bytes
from padflow.store.opening import open_archive, open_results
from padflow.store.run_files import SUPERPOSED


def write_superposed(run_dir: Path, events: xr.Dataset | Sequence[np.datetime64] | np.ndarray) -> None:
    """Superpose events for all spacecraft of a run, and write ``superposed.nc``, which the report draws.

    Parameters
    ----------
    run_dir : Path
        A finished run directory.
    events : xarray.Dataset or times
        As for `padflow.superpose`.

    Raises
    ------
    PadflowError
        Where the run is not finished, or `padflow.superpose` refuses the events.
    """
    run = read_run(run_dir)
    l_variable = parse_yaml(run.config_text)["preprocess"]["l_variable"]
    results, archives = ([open_(run_dir, name) for name in run.spacecraft] for open_ in (open_results, open_archive))
    found = superpose(results, archives, events, l_variable=l_variable)
    write_bytes(run_dir / SUPERPOSED, bytes(found.to_netcdf(engine="h5netcdf")))
