# SPDX-License-Identifier: BSD-3-Clause
"""Records of two classes over L, MLT and storm phases, for the explorer."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

CLASSES = 2


def make_records(phases: bool, rows: int = 3000, seed: int = 0) -> tuple[xr.Dataset, xr.Dataset]:
    """Return results and archive; some records have no class, no L, no MLT, or no flux."""
    random = np.random.default_rng(seed)
    time = np.datetime64("2013-03-01T00:00", "ns") + np.arange(rows) * np.timedelta64(120, "s")
    energy, angle = np.array([1.8, 2.1]), (np.arange(5) + 0.5) * 36
    flux = random.uniform(1, 100, (rows, 5, 2)).astype("f4")
    flux[random.random(flux.shape) < 0.1] = np.nan
    l_value, mlt = random.uniform(0.5, 8.5, rows), random.uniform(0, 24, rows)
    l_value[:20], mlt[10:40] = np.nan, np.nan
    pad_class = random.integers(-1, CLASSES, rows).astype("i2")
    flags = {"flag_values": [0, 1], "flag_meanings": "butterfly pancake_steep"}
    results = xr.Dataset(
        {"pad_class": ("time", pad_class, flags)}, {"time": time, "energy": energy}, {"title": "Records <of> tests"}
    )
    if phases:
        results["storm_phase"] = ("time", random.integers(-1, 4, rows).astype("i1"))
    coordinates = {"time": time, "energy": energy, "pitch_angle": angle, "L": ("time", l_value), "MLT": ("time", mlt)}
    archive = xr.Dataset(
        {"flux": (("time", "pitch_angle", "energy"), flux), "counts_per_flux": ("energy", [1.0, 0.05])}, coordinates
    )
    return results, archive


@pytest.fixture(scope="session", params=[True, False], ids=["phases", "no phases"])
def records(request: pytest.FixtureRequest) -> tuple[xr.Dataset, xr.Dataset]:
    """Results and archive; tests leave them as they are."""
    return make_records(request.param)


@pytest.fixture(scope="session")
def stormy_records() -> tuple[xr.Dataset, xr.Dataset]:
    """The same, with storm phases."""
    return make_records(True)
