# SPDX-License-Identifier: BSD-3-Clause
"""`padflow.occurrence` against sums over all records, in memory and in chunks, and its memory."""

from __future__ import annotations

import tracemalloc

import dask.array as da
import numpy as np
import pytest
import xarray as xr

import padflow
from padflow.errors import PadflowError
from padflow.maps.orbits import begins_of_orbits
from padflow.records import Reason
from padflow.shapes.names import BUTTERFLY, SHAPES

ROWS = 5000


def records(rows: int = ROWS, *, chunks: int | None = None) -> tuple[xr.Dataset, xr.Dataset]:
    """Results and places of some orbits of 1000 records."""
    rng = np.random.default_rng(0)
    time = np.datetime64("2013-03-01", "ns") + np.arange(rows) * np.timedelta64(33, "s")
    pad_class = rng.integers(-1, 3, rows).astype("i2")
    flags = {"flag_values": [0, 1, 2], "flag_meanings": "a b c"}
    data = {
        "pad_class": ("time", pad_class, flags),
        "reason": ("time", np.where(pad_class < 0, Reason.LOW_COUNTS, 0).astype("i1")),
        "shape": (("time", "energy"), rng.integers(0, len(SHAPES), (rows, 2)).astype("i1")),
        "sym_h": ("time", rng.normal(-20, 30, rows).astype("f4")),
    }
    results = xr.Dataset(data, {"time": time, "energy": [1.8, 2.1]}, {"SIMULATED": "no measurement"})
    places = {
        "L": 3.5 + 2.5 * np.sin(2 * np.pi * np.arange(rows) / 1000),
        "MLT": (np.arange(rows) / 300) % 24,
        "MLAT": 20 * np.sin(np.arange(rows) / 500),
    }
    archive = xr.Dataset({name: ("time", values.astype("f4")) for name, values in places.items()}, {"time": time})
    if chunks is None:
        return results, archive
    return results.chunk({"time": chunks}), archive.chunk({"time": rows})


def test_shares_are_those_of_all_records_whatever_the_chunks() -> None:
    results, archive = records()
    found = padflow.occurrence(results, archive, by={"L": [3, 4, 5, 6], "sym_h": [-50, 0]})
    for chunks in (70, 999, ROWS):
        lazy = padflow.occurrence(*records(chunks=chunks), by={"L": [3, 4, 5, 6], "sym_h": [-50, 0]})
        xr.testing.assert_identical(found, lazy)
    L = archive["L"].values
    there = (L >= 4) & (L < 5) & (results["sym_h"].values >= -50) & (results["sym_h"].values < 0)
    cell = found.sel(L=4.5).isel(sym_h=0)
    assert cell["records"] == there.sum()
    assert cell["orbits"] == 5
    share = [(results["pad_class"].values[there] == c).mean() for c in range(3)]
    np.testing.assert_allclose(cell["class_share"], share, rtol=1e-6)
    assert cell["no_class_share"].sel(no_class="low_counts") == pytest.approx(1 - sum(share))
    butterflies = (results["shape"].values[there] == BUTTERFLY).mean(axis=0)
    np.testing.assert_allclose(cell["shape_share"].sel(shape="butterfly"), butterflies, rtol=1e-6)
    assert found.attrs["SIMULATED"] == "no measurement"
    assert found["pad_class"].attrs["flag_meanings"] == "a b c"


def test_a_filter_chooses_records_and_leaves_orbits_alone() -> None:
    results, archive = records(chunks=1000)
    near = abs(archive["MLAT"]) < 10
    found = padflow.occurrence(results, archive, by=("L",), where=near)
    assert int(found["records"].sum()) == int((near & (archive["L"] >= 1)).sum())
    orbit, L = np.cumsum(begins_of_orbits(archive["L"].values)), archive["L"].values
    there = near.values & (L >= 5) & (L < 5.25)
    assert int(found["orbits"].sel(L=5.125)) == len(np.unique(orbit[there]))
    by_time = padflow.occurrence(results, archive, by=("L", "time"))
    assert by_time["records"].dims == ("L", "time")
    assert int(by_time["records"].sum()) == ROWS


def test_a_filter_made_of_the_same_chunk() -> None:
    results, archive = records(chunks=ROWS)
    found = padflow.occurrence(results, archive, by=("L",), where=archive["L"] < 5)
    assert found["records"].sel(L=slice(5, None)).sum() == 0


def test_ten_times_the_records_take_no_more_memory() -> None:
    peaks = []
    for rows in (16_000, 160_000):
        results, archive = records(2000, chunks=2000)
        many = rows // 2000
        time = results["time"].values[0] + np.arange(rows) * np.timedelta64(33, "s")
        results = xr.concat([results] * many, "time").assign_coords(time=time)
        archive = xr.concat([archive] * many, "time").assign_coords(time=time)
        assert isinstance(results["pad_class"].data, da.Array)
        padflow.occurrence(results, archive)  # imports and caches
        tracemalloc.start()
        padflow.occurrence(results, archive)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        (lambda r, a: (r.isel(time=slice(1, None)), a), {}, "do not have the same times"),
        (lambda r, a: (r.drop_vars("pad_class"), a), {}, "which classes there are"),
        (lambda r, a: (r, a.drop_vars("MLT")), {}, "no MLT along time"),
        (lambda r, a: (r, a.drop_vars("L")), {"by": ("MLT",)}, "no L along time"),
        (lambda r, a: (r, a), {"by": "L"}, "names of variables"),
        (lambda r, a: (r, a), {"where": xr.DataArray(np.ones(3, bool), dims="time")}, "a bool for each record"),
    ],
)
def test_what_cannot_be_counted_is_refused(change: object, options: dict, words: str) -> None:
    with pytest.raises(PadflowError, match=words):
        padflow.occurrence(*change(*records(200)), **options)
