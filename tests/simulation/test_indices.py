# SPDX-License-Identifier: BSD-3-Clause
"""SYM-H and Dst of a simulated archive: the formats, and the storms that its records meet."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import brentq

from padflow.indices.reading import read_indices
from padflow.indices.storms import QUIET_LEVEL, STORM_LEVEL, find_storms
from padflow.instruments.origin import NO_MEASUREMENT, SIMULATED
from padflow.simulation.archive import simulate_archive
from padflow.simulation.belt import storm_indices, storms_between
from padflow.simulation.day import Noise, Settings, make_day
from padflow.simulation.families import FAMILIES
from padflow.simulation.indices import MARGIN_DAYS, write_indices

START = datetime.date(2013, 3, 1)
FIRST = np.datetime64(START) - MARGIN_DAYS
DAYS = 60
ALL_DAYS = DAYS + 2 * MARGIN_DAYS
HALF = 0.5
"""What rounding to 1 nT adds or takes away."""


@pytest.fixture(scope="module")
def level() -> Callable[[np.ndarray], np.ndarray]:
    """The exact level at times in days since 1970."""
    first = int(FIRST.astype(int))
    storms = storms_between(5, first - 110, first + ALL_DAYS)
    return lambda days: storm_indices(storms, np.atleast_1d(days))[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("indices")
    write_indices(folder, seed=5, start=START, days=DAYS)
    return folder


def test_records_have_the_lengths_of_the_formats(folder: Path) -> None:
    minutes = (folder / "sym_h_simulated.txt").read_text().splitlines()
    assert {len(line) for line in minutes} == {400}
    assert len(minutes) == 24 * ALL_DAYS
    assert "SYMSIMULATED " in minutes[0]
    assert {len(line) for line in (folder / "dst_simulated.txt").read_text().splitlines()} == {120}


def test_values_are_those_of_the_storms(folder: Path, level: Callable) -> None:
    indices = read_indices(folder / "sym_h_simulated.txt", folder / "dst_simulated.txt")
    assert indices["sym_h"].attrs[SIMULATED] == indices["dst"].attrs[SIMULATED] == NO_MEASUREMENT
    minutes = FIRST.astype("datetime64[m]") + np.arange(ALL_DAYS * 1440)
    np.testing.assert_array_equal(indices["time_1min"], minutes)
    exact = level(minutes.astype(float) / 1440)
    np.testing.assert_allclose(indices["sym_h"], exact, rtol=0, atol=HALF + 1e-4)
    np.testing.assert_array_equal(indices["time_1h"], minutes[::60])
    np.testing.assert_allclose(indices["dst"], exact.reshape(-1, 60).mean(axis=1), rtol=0, atol=HALF + 1e-4)
    assert exact.min() < STORM_LEVEL


def test_storms_of_the_file_are_those_of_the_simulation_to_the_minute(folder: Path, level: Callable) -> None:
    """Rounded values are quiet from -15.5 nT on, and the lowest where the exact ones are within the lowest 1 nT."""
    storms = find_storms(read_indices(folder / "sym_h_simulated.txt"))
    assert storms.sizes["storm"] >= 2
    assert storms.attrs[SIMULATED] == NO_MEASUREMENT
    days = (storms[["main_start", "recovery_start", "recovery_end"]] - np.datetime64(0, "ns")) / np.timedelta64(1, "D")
    for number in range(storms.sizes["storm"]):
        main, lowest, end = (float(day[number]) for day in days.values())
        depth = float(storms["lowest"][number])
        for place, limit in ((main, QUIET_LEVEL), (end, QUIET_LEVEL), (lowest, depth + 1)):
            root = brentq(lambda t, limit=limit: level(t)[0] - (limit - HALF), place - 2 / 1440, place + 2 / 1440)
            assert abs(root - place) <= 1.001 / 1440
        within = level(np.arange(main, end, 1 / 1440))
        assert within[2:-2].max() < QUIET_LEVEL - HALF + 0.1
        assert np.rint(within.min()) == depth < STORM_LEVEL


def test_records_of_an_archive_meet_the_storms_of_its_files(tmp_path: Path) -> None:
    make = partial(simulate_archive, start=START, days=1, seed=5, records_per_day=300)
    summary = make(tmp_path / "one")
    assert summary.indices == {name: tmp_path / "one" / f"{name}_simulated.txt" for name in ("sym_h", "dst")}
    sym_h = read_indices(summary.indices["sym_h"])["sym_h"]
    assert sym_h.sizes["time_1min"] == (1 + 2 * MARGIN_DAYS) * 1440
    storm = datetime.datetime.fromtimestamp(86_400 * float(storms_between(5, 15780, 15810)[0].minimum), datetime.UTC)
    summary = make(tmp_path / "storm", start=storm.date())
    sym_h = read_indices(summary.indices["sym_h"])["sym_h"]
    settings = Settings(5, FAMILIES["separated"], Noise(), 300)
    day = make_day(settings, "rbspa", storm.date())
    L, L_star = day.ephemeris["L"], day.ephemeris["L_star"]
    closed = L_star > 0
    dst = -1500 * ((1 - L_star / L) / (L / 6) ** 3 - 0.03)[closed]  # `ephemeris_of` the other way round
    found = sym_h.sel(time_1min=day.time_ms[closed].astype("datetime64[ms]"), method="ffill")
    assert dst.min() < -40
    np.testing.assert_allclose(found, dst, rtol=0, atol=1.5)


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    one, two = (write_indices(tmp_path / name, seed=3, start=START, days=2) for name in "ab")
    assert [path.read_bytes() for path in one.values()] == [path.read_bytes() for path in two.values()]
