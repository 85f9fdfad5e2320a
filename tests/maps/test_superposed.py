# SPDX-License-Identifier: BSD-3-Clause
"""Superposed epochs: where the records of storms go, what a storm counts for, and whether intervals hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import padflow
from padflow.errors import PadflowError

HOUR = np.timedelta64(1, "h")
FIRST = np.datetime64("2013-03-01", "ns")
TIMES = ("initial_start", "main_start", "recovery_start", "recovery_end")


def storms(number: int, rng: np.random.Generator) -> xr.Dataset:
    """Storms, one every ten days, whose phases have lengths of their own."""
    starts = FIRST + np.arange(number) * 240 * HOUR
    lengths = np.cumsum(rng.integers([10, 10, 40], [30, 30, 120], (number, 3)), axis=1) * HOUR
    times = np.concatenate([starts[:, None], starts[:, None] + lengths], axis=1)
    return xr.Dataset({name: ("storm", column) for name, column in zip(TIMES, times.T, strict=True)})


def records(of: xr.Dataset, share: np.ndarray, rng: np.random.Generator) -> tuple[xr.Dataset, xr.Dataset]:
    """Records every quarter of an hour at L 4.2; ``share`` of class 1 by storm and phase, and of class 0 the rest."""
    time = FIRST + np.arange(240 * 4 * of.sizes["storm"]) * np.timedelta64(15, "m")
    bounds = np.stack([of[name].values for name in TIMES], axis=1)
    place = np.searchsorted(bounds.ravel(), time, side="right")
    inside = place % 4 > 0
    own = np.where(inside, share[np.minimum(place // 4, len(share) - 1), place % 4 - 1], 0)
    pad_class = (rng.random(len(time)) < own).astype("i2")
    results = xr.Dataset(
        {
            "pad_class": ("time", pad_class, {"flag_values": [0, 1]}),
            "reason": ("time", np.zeros(len(time), "i1")),
        },
        {"time": time},
    )
    return results, xr.Dataset({"L": ("time", np.full(len(time), 4.2))}, {"time": time})


def test_classes_stand_at_their_phase_whatever_its_length() -> None:
    rng = np.random.default_rng(0)
    of = storms(6, rng)
    results, places = records(of, np.tile([0.0, 1.0, 0.0], (6, 1)), rng)
    for chunks in (None, 500):
        given = [results, places] if chunks is None else [data.chunk(time=chunks) for data in (results, places)]
        found = padflow.superpose(*given, of).sel(L=4.25)
        share = found["class_share"].sel(pad_class=1)
        assert share.values.tolist() == [0] * 4 + [1] * 4 + [0] * 4
        assert (found["events"] == 6).all()
        assert found.attrs["events_met"] == 6


def test_events_without_a_record_are_not_counted() -> None:
    rng = np.random.default_rng(0)
    of = storms(6, rng)
    results, places = (data.isel(time=slice(0, 240 * 4 * 2)) for data in records(of, np.zeros((6, 3)), rng))
    assert padflow.superpose(results, places, of).attrs["events_met"] == 2


def test_two_spacecraft_in_a_storm_are_one_event() -> None:
    rng = np.random.default_rng(0)
    of = storms(3, rng)
    results, places = records(of, np.full((3, 3), 0.5), rng)
    one, two = padflow.superpose(results, places, of), padflow.superpose([results] * 2, [places] * 2, of)
    np.testing.assert_array_equal(two["records"], 2 * one["records"])
    for name in ("events", "class_share"):
        np.testing.assert_array_equal(two[name], one[name])
    width, of_two = ((found["class_share_high"] - found["class_share_low"]).values for found in (one, two))
    assert np.nanmean(of_two) > 0.9 * np.nanmean(width)


def test_intervals_from_storms_hold_the_true_share() -> None:
    """Storms differ: in each phase of each the share scatters about the true one."""
    rng = np.random.default_rng(1)
    true = np.array([0.1, 0.5, 0.3])
    inside = []
    for _ in range(40):
        of = storms(12, rng)
        results, places = records(of, rng.beta(true * 3, (1 - true) * 3, (12, 3)), rng)
        found = padflow.superpose(results, places, of).sel(L=4.25, pad_class=1)
        expected = np.repeat(true, 4)
        low, high = found["class_share_low"].values, found["class_share_high"].values
        inside.append((low <= expected) & (expected <= high))
    assert 0.92 <= np.mean(inside) <= 0.99


def test_any_list_of_times_can_be_superposed() -> None:
    rng = np.random.default_rng(0)
    of = storms(3, rng)
    results, places = records(of, np.tile([0.0, 1.0, 1.0], (3, 1)), rng)
    found = padflow.superpose(results, places, of["main_start"].values).sel(L=4.25, pad_class=1)
    share = found["class_share"]
    assert share.dims == ("event_hours",)
    assert share.sel(event_hours=-3) == 0
    assert share.sel(event_hours=3) == 1


def test_datasets_that_do_not_fit_are_refused() -> None:
    rng = np.random.default_rng(0)
    of = storms(1, rng)
    results, places = records(of, np.ones((1, 3)), rng)
    with pytest.raises(PadflowError, match="as many Datasets"):
        padflow.superpose([results, results], [places], of)
