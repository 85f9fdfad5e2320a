# SPDX-License-Identifier: BSD-3-Clause
"""Simulated CDF files through a second reader, pycdfpp."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pycdfpp
import pytest

from padflow.simulation.archive import simulate_archive
from padflow.simulation.day import ENERGIES, Day, Noise, Settings, make_day
from padflow.simulation.families import FAMILIES

DAY = datetime.date(2013, 3, 9)
NOISE = Noise(fills_per_day=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    simulate_archive(folder, start=DAY, days=1, noise=NOISE)
    return folder


@pytest.fixture(scope="module")
def path(folder: Path) -> Path:
    return folder / "rbspa/l3/ect/rept/sectors/rel03/2013/rbspa_rel03_ect-rept-sci-l3_20130309_v5.6.0.cdf"


@pytest.fixture(scope="module")
def cdf(path: Path) -> pycdfpp.CDF:
    return pycdfpp.load(str(path))


@pytest.fixture(scope="module")
def made() -> Day:
    return make_day(Settings(0, FAMILIES["separated"], NOISE), "rbspa", DAY)


def text(variable: pycdfpp.Variable, name: str) -> str:
    return variable.attributes[name][0]


def test_file_agrees_with_what_was_generated(cdf: pycdfpp.CDF, made: Day) -> None:
    np.testing.assert_array_equal(cdf["FEDU"].values, made.flux)
    for name, values in made.ephemeris.items():
        np.testing.assert_array_equal(cdf[name].values, values)
    times = pycdfpp.to_datetime64(cdf["Epoch"])
    np.testing.assert_array_equal(times, made.time_ms.astype("datetime64[ms]").astype("datetime64[ns]"))


def test_layout_types_and_majority(cdf: pycdfpp.CDF, made: Day) -> None:
    n = len(made.time_ms)
    double = pycdfpp.DataType.CDF_DOUBLE
    expected = {
        "Epoch": (pycdfpp.DataType.CDF_EPOCH, (n,), False),
        "FEDU": (double, (n, 17, 12), False),
        "FEDU_Alpha": (double, (1, 17), True),
        "FEDU_Energy": (double, (1, 12), True),
        "FEDU_Energy_DELTA_minus": (double, (1, 12), True),
        "FEDU_Energy_DELTA_plus": (double, (1, 12), True),
        "Position": (double, (n, 3), False),
        "FEDU_Alpha_LABL": (pycdfpp.DataType.CDF_CHAR, (1, 1, 17, 10), True),
        "FEDU_Energy_LABL": (pycdfpp.DataType.CDF_CHAR, (1, 1, 12, 8), True),
        **dict.fromkeys(("L", "L_star", "I", "B_Calc", "B_Eq", "MLT", "MLAT"), (double, (n,), False)),
    }
    found = {name: (v.type, tuple(v.shape), v.is_nrv) for name, v in cdf.items()}
    assert found == expected
    assert cdf.majority == pycdfpp.Majority.row
    assert cdf.compression == pycdfpp.CompressionType.no_compression
    assert all(v.compression == pycdfpp.CompressionType.no_compression for _, v in cdf.items())
    np.testing.assert_allclose(cdf["FEDU_Alpha"].values[0], (np.arange(17) + 0.5) * 180 / 17)
    energies = [1.8, 2.1, 2.6, 3.4, 4.2, 5.2, 6.3, 7.7, 9.9, 12.3, 15.2, 20.0]
    np.testing.assert_array_equal(cdf["FEDU_Energy"].values[0], energies)


def test_channels_meet(cdf: pycdfpp.CDF) -> None:
    low = ENERGIES - cdf["FEDU_Energy_DELTA_minus"].values[0]
    high = ENERGIES + cdf["FEDU_Energy_DELTA_plus"].values[0]
    assert (low < ENERGIES).all()
    np.testing.assert_allclose(high[:-1], low[1:])


def test_attributes(cdf: pycdfpp.CDF) -> None:
    flux = cdf["FEDU"]
    assert [text(flux, f"DEPEND_{i}") for i in range(3)] == ["Epoch", "FEDU_Alpha", "FEDU_Energy"]
    assert text(flux, "UNITS") == "cm!e-2!ns!e-1!nsr!e-1!nMeV!e-1!n"
    assert text(flux, "VAR_TYPE") == "data"
    numeric = [v for _, v in cdf.items() if v.type == pycdfpp.DataType.CDF_DOUBLE]
    for variable in numeric:
        fill, low, high = (variable.attributes[key] for key in ("FILLVAL", "VALIDMIN", "VALIDMAX"))
        assert fill.type() == pycdfpp.DataType.CDF_DOUBLE
        assert fill.value == [-1e31]
        assert low.value[0] < high.value[0]
        assert text(variable, "UNITS")
        if not variable.is_nrv:
            assert text(variable, "DEPEND_0") == "Epoch"
    assert all(text(v, "CATDESC") and text(v, "FIELDNAM") == name for name, v in cdf.items())
    assert text(cdf["Position"], "UNITS") == "km"
    for name in ("TITLE", "TEXT"):
        assert "SIMULATED" in cdf.attributes[name][0]
    assert cdf.attributes["Logical_source"][0] == "rbspa_rel03_ect-rept-sci-l3"
    assert cdf.attributes["Data_version"][0] == "5.6.0"


def test_values_within_their_valid_range_or_fill(cdf: pycdfpp.CDF) -> None:
    for name, variable in cdf.items():
        if variable.type == pycdfpp.DataType.CDF_DOUBLE:
            values = variable.values[variable.values != -1e31]
            low, high = (variable.attributes[key].value[0] for key in ("VALIDMIN", "VALIDMAX"))
            assert ((values >= low) & (values <= high)).all(), name


def test_fills_of_three_kinds(cdf: pycdfpp.CDF) -> None:
    fill = cdf["FEDU"].values == -1e31
    whole = fill.all(axis=(1, 2))
    channel = fill.all(axis=1).any(axis=1) & ~whole
    assert whole.any()
    assert channel.any()
    assert not (fill.any(axis=1) & ~fill.all(axis=1)).any()
    lost = cdf["L_star"].values == -1e31
    closed = (cdf["L"].values > 2) & (cdf["L"].values < 4)
    assert lost[closed].any()
    assert not lost[closed].all()


def test_a_day_has_the_spins_of_a_real_one() -> None:
    day = make_day(Settings(0, FAMILIES["separated"], Noise(gaps_per_day=0)), "rbspb", DAY)
    assert 7731 <= len(day.time_ms) <= 7910
    steps = np.diff(day.time_ms) / 1000
    assert abs(steps.mean() - day.spin_seconds) < 1e-3
    assert steps.min() > 10.8
    assert steps.max() < 11.3
    midnight = np.datetime64(DAY).astype("datetime64[ms]").astype(np.int64)
    assert midnight < day.time_ms[0] < midnight + 12_000
    assert midnight + 86_400_000 - 24_000 < day.time_ms[-1] < midnight + 86_400_000
