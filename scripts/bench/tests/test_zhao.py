# SPDX-License-Identifier: BSD-3-Clause
"""The family of measured shapes: what it takes from the tables, and that it looks like them."""

from __future__ import annotations

import datetime
import pickle
from pathlib import Path

import numpy as np
import pytest

from harness.zhao import CHANNELS_MEV, Zhao, tables_file, zhao_family
from padflow.errors import ConfigError
from padflow.shapes.names import BUTTERFLY, name_shapes
from padflow.simulation.conditions import Conditions
from padflow.simulation.continuum import pads_of_series
from padflow.simulation.day import ENERGIES, FOLDED_PITCH_ANGLES, PITCH_ANGLES, Noise, Settings, make_day

HOURS, SHELLS = np.arange(0, 24, 2.0), np.arange(15, 31) / 5


def conditions(**values: np.ndarray) -> Conditions:
    """Return conditions of six places on the equator without scatter, but for ``values``."""
    usual = {name: np.zeros(6) for name in ("time_ms", "L", "MLT", "dst", "main", "recovery")} | {
        "field_ratio": np.ones(6)
    }
    return Conditions(**(usual | {"latent": np.zeros((6, 13), np.float32), "scatter": 0.0} | values))


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Write tables of c2 = MLT / 100, c4 = L / 100, c6 = energy / 100 + activity / 10 where data are to be read."""
    energy = np.array([1.05, *CHANNELS_MEV])
    middle = np.empty((7, 3, 3, 12, 16))
    middle[:, :, 0] = (HOURS + 1)[:, None] / 100
    middle[:, :, 1] = SHELLS / 100
    middle[:, :, 2] = (energy[:, None] / 100 + np.arange(3) / 10)[..., None, None]
    middle[3, 1, :, 0, 5] = np.nan
    spread = np.full_like(middle, 0.1) * np.arange(1, 8)[:, None, None, None, None]
    folder = tmp_path / "zhao2018"
    folder.mkdir()
    np.savez(folder / "zhao.npz", E=energy, mlt=HOURS, L=SHELLS, median=middle, stddev=spread)
    monkeypatch.setenv("PADFLOW_REAL_DATA", str(tmp_path))
    return middle


def test_missing_tables_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PADFLOW_REAL_DATA", str(tmp_path))
    with pytest.raises(ConfigError, match=r"zhao2018/zhao\.npz is not there\. Set PADFLOW_REAL_DATA"):
        zhao_family(1)


@pytest.mark.usefixtures("tables")
def test_coefficients_are_those_of_the_tables_and_linear_between() -> None:
    place = conditions(
        MLT=np.array([1.0, 2.0, 23.0, 0.0, 12.5, 0.5]),
        L=np.array([3.0, 5.1, 6.0, 5.0, 7.0, 4.0]),
        dst=np.array([-5.0, -35.0, -20.0, 10.0, -200.0, -35.0]),
    )
    pads, population = zhao_family(0).pads(place, PITCH_ANGLES, ENERGIES)
    # Between 23 and 1 hours c2 goes from 0.23 to 0.01; activity 0 ends at -5 nT, 2 begins at -80 nT.
    c2, c4 = [0.01, 0.02, 0.23, 0.12, 0.125, 0.065], [0.03, 0.051, 0.06, 0.05, 0.06, 0.04]
    activity = np.array([0, 1, 0.5, 0, 2, 1])
    channel = np.minimum(ENERGIES, 5.2)
    c6 = channel / 100 + activity[:, None] / 10
    expected = np.stack([np.repeat(np.array(c)[:, None], 12, axis=1) for c in (c2, c4)] + [c6], axis=1)
    series = pads_of_series(expected.astype(np.float32), np.ones(6), PITCH_ANGLES)
    # The last place is beside a cell without data at 2.6 MeV, which is filled from a neighbour.
    np.testing.assert_allclose(pads[:5], series[:5], rtol=2e-4)
    np.testing.assert_allclose(pads[5][:, [0, 1, 3]], series[5][:, [0, 1, 3]], rtol=2e-4)
    assert np.isfinite(pads).all()
    assert (population == -1).all()


@pytest.mark.usefixtures("tables")
def test_shapes_scatter_as_far_as_the_tables_say_and_alike_at_all_energies() -> None:
    random = np.random.default_rng(0)
    number = 3000
    family = zhao_family(4)
    # The tables' spreads at the channels are 0.2, 0.3, ... 0.7; no more than 1.5 times the first counts.
    np.testing.assert_allclose(family.spread[0, 0, 0, :, 0], 0.7 * np.array([0.2, 0.3, 0.3, 0.3, 0.3, 0.3]), rtol=1e-6)
    place = conditions(
        time_ms=np.linspace(0, 86_000_000, number).astype(np.int64),
        latent=random.standard_normal((number, 13)).astype(np.float32),
    )
    deviation = family._deviations(place)
    correlation = np.corrcoef(deviation[:, :, 0].T)[np.triu_indices(6, 1)]
    assert 0.55 < correlation.mean() < 0.85  # 0.85 squared, but the smooth noise of a day has few independent values
    assert np.abs(np.corrcoef(deviation[:, 2].T)[0, 1:]).max() < 0.15
    assert 0.8 < deviation.std() < 1.2
    other = zhao_family(5)
    assert np.abs(other._deviations(place) - deviation).max() > 0.1


@pytest.mark.usefixtures("tables")
def test_family_travels_to_other_processes_and_says_what_it_is() -> None:
    family: Zhao = pickle.loads(pickle.dumps(zhao_family(4)))
    settings = Settings(4, family, Noise(), 200)
    one = make_day(settings, "rbspa", datetime.date(2013, 3, 1))
    other = make_day(Settings(4, zhao_family(4), Noise(), 200), "rbspa", datetime.date(2013, 3, 1))
    np.testing.assert_array_equal(one.flux, other.flux)
    assert family.parameters()["seed"] == 4
    assert len(family.parameters()["tables_sha256"]) == 16


def test_butterflies_are_where_they_were_measured() -> None:
    if not tables_file().is_file():
        pytest.skip(f"no tables of Zhao et al. 2018 at {tables_file()}")
    settings = Settings(1, zhao_family(1), Noise(), 300)
    days = [make_day(settings, "rbspa", datetime.date(2013, 3, 1) + datetime.timedelta(7 * i)) for i in range(90)]
    shell, hours = (np.concatenate([day.ephemeris[name] for day in days]) for name in ("L", "MLT"))
    pads = np.concatenate([day.pad[:, :, 1] for day in days])
    butterfly = name_shapes(FOLDED_PITCH_ANGLES, pads) == BUTTERFLY
    night, day = (hours > 20) | (hours < 4), (hours > 8) & (hours < 16)
    assert 0.35 < butterfly[night & (shell > 5.5)].mean() < 0.65
    assert butterfly[day & (shell > 3) & (shell < 5.5)].mean() < 0.03
