# SPDX-License-Identifier: BSD-3-Clause
"""The smooth noise of which records' shapes are made."""

from __future__ import annotations

import datetime

import numpy as np

from padflow.simulation.conditions import smooth_noise
from padflow.simulation.orbit import unix_ms

START_MS = unix_ms(datetime.date(2013, 3, 1))


DAY_MS = 86_400_000


def test_smooth_noise_has_unit_variance_and_goes_on_over_midnight() -> None:
    today = START_MS // DAY_MS
    pieces = []
    for day in range(today, today + 6):
        time_ms = day * DAY_MS + np.arange(0, DAY_MS, 10_000)
        pieces.append(smooth_noise(0, 0, time_ms, day))
    noise = np.concatenate(pieces)
    assert np.abs(noise.mean(axis=0)).max() < 0.25
    np.testing.assert_allclose(noise.var(axis=0), 1, atol=0.25)
    jumps = np.abs(np.diff(noise, axis=0))
    border = np.cumsum([len(p) for p in pieces[:-1]])
    assert jumps[border - 1].max() < jumps.max() < 0.4
    correlation = np.corrcoef(noise.T) - np.eye(noise.shape[1])
    assert np.abs(correlation).max() < 0.35
    assert not np.array_equal(pieces[0], smooth_noise(0, 1, today * DAY_MS + np.arange(0, DAY_MS, 10_000), today))
