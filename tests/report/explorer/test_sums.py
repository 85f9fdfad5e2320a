# SPDX-License-Identifier: BSD-3-Clause
"""Sums of the explorer against sums record by record."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from padflow.errors import PadflowError
from padflow.maps.grid import L_EDGES
from padflow.report.explorer import sums as module
from padflow.report.explorer.sums import REGION_L, REGIONS, region_of, sum_records

MIN_COUNTS = 10


def ratio_of(flux: np.ndarray, counts_per_flux: float) -> np.ndarray:
    known = np.isfinite(flux)
    total = flux[known].sum()
    few = total * counts_per_flux < MIN_COUNTS
    return np.full(len(flux), np.nan) if few else flux / (total / known.sum())


def test_sums_are_those_of_the_records_one_by_one(
    records: tuple[xr.Dataset, xr.Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 700)
    results, archive = records
    found = sum_records(results, archive, classes=2)
    expected = {name: np.zeros_like(getattr(found, name)) for name in ("counts", "cells", "ratio", "number", "by_day")}
    days = np.unique(results.time.values.astype("datetime64[D]")).tolist()
    assert found.days.tolist() == days
    for i in range(results.sizes["time"]):
        l_value, mlt, number = float(archive.L[i]), float(archive.MLT[i]), int(results.pad_class[i])
        outcome = 2 if number < 0 else number
        phase = int(results.storm_phase[i]) + 1 if "storm_phase" in results else 0
        region = REGIONS - 1
        for ring in range(5):
            for sector, (low, high) in enumerate([(21, 27), (3, 9), (9, 15), (15, 21)]):
                if REGION_L[ring] <= l_value < REGION_L[ring + 1] and (low <= mlt < high or low <= mlt + 24 < high):
                    region = 4 * ring + sector
        expected["counts"][outcome, phase, region] += 1
        if L_EDGES[0] <= l_value < L_EDGES[-1] and np.isfinite(mlt):
            expected["cells"][outcome, phase, int((l_value - 1) // 0.25), int(mlt)] += 1
        expected["by_day"][days.index(results.time.values[i].astype("datetime64[D]").tolist()), outcome] += 1
        for e in range(2):
            ratio = ratio_of(archive.flux.values[i, :, e].astype("f8"), float(archive.counts_per_flux[e]))
            expected["ratio"][outcome, phase, region, e] += np.nan_to_num(ratio)
            expected["number"][outcome, phase, region, e] += np.isfinite(ratio)
    for name, values in expected.items():
        np.testing.assert_allclose(getattr(found, name), values, rtol=1e-5, atol=1e-6, err_msg=name)
    assert found.counts.sum() == found.by_day.sum() == results.sizes["time"]
    assert (found.squares >= found.ratio**2 / np.maximum(found.number, 1) - 1e-4).all()


def test_regions_have_their_lower_edges_and_night_goes_over_midnight() -> None:
    l_value = np.array([1.0, 2.99, 3.0, 7.99, 8.0, 0.9, np.nan, 4.5, 4.5])
    mlt = np.array([0.0, 2.99, 3.0, 20.9, 5.0, 5.0, 5.0, np.nan, 21.0])
    last = REGIONS - 1
    assert region_of(l_value, mlt).tolist() == [0, 0, 5, 19, last, last, last, last, 8]


def test_an_archive_without_places_is_refused(records: tuple[xr.Dataset, xr.Dataset]) -> None:
    results, archive = records
    with pytest.raises(PadflowError, match="no MLT"):
        sum_records(results, archive.drop_vars("MLT"), classes=2)
    with pytest.raises(PadflowError, match="neither L nor L_star"):
        sum_records(results, archive.drop_vars("L"), classes=2)
    renamed = sum_records(results, archive.rename(L="L_star"), classes=2)
    assert np.array_equal(renamed.counts, sum_records(results, archive, classes=2).counts)
