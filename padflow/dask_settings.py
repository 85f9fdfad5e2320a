"""Dask's settings for a cluster of this machine, whatever the user's own Dask configuration says."""

from __future__ import annotations

import os
from typing import Any

import dask
from dask.config import collect, merge

SECTIONS = ("distributed", "scheduler", "temporary-directory")
"""What decides how processes of a cluster start and talk; other sections are of collections, or of jobs."""


def own_dask_settings() -> dict[str, Any]:
    """Return Dask's defaults for what the user's YAML files and ``DASK_`` variables set otherwise.

    They are made for other clusters: a folder for scratch files that this machine does not have, another protocol,
    modules to import, timeouts. What a program has set by `dask.config.set` stands.
    """
    defaults = merge(*dask.config.defaults)
    own = {}
    for key, value in _flat(collect(paths=dask.config.paths, env=os.environ)):
        standard = dask.config.get(key, None, config=defaults)
        if key.replace("_", "-").split(".")[0] in SECTIONS and dask.config.get(key, None) == value != standard:
            own[key] = standard
    return own


def _flat(settings: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs = []
    for key, value in settings.items():
        name = f"{prefix}{key}"
        pairs += _flat(value, f"{name}.") if isinstance(value, dict) and value else [(name, value)]
    return pairs
