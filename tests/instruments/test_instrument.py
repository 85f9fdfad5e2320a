# SPDX-License-Identifier: BSD-3-Clause

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from padflow.errors import ConfigError
from padflow.instruments import instrument
from padflow.instruments.instrument import BUILT_IN, Instrument, load_instrument

REPT = load_instrument("rept")
ENERGY = np.array([1.8, 2.1, 2.6, 3.4, 4.2, 5.2, 6.3, 7.7, 9.9, 12.3, 15.2, 20.0])


def test_built_in():
    folder = Path(instrument.__file__).parent
    assert sorted(BUILT_IN) == sorted(path.stem for path in folder.glob("*.yaml"))
    for name in BUILT_IN:
        assert load_instrument(name).name == name
        assert load_instrument(folder / f"{name}.yaml") == load_instrument(name)


def test_mageis_grid_is_logarithmic():
    expected = [float(f"{energy:.3g}") for energy in np.geomspace(0.035, 3.0, 18)]
    assert list(load_instrument("mageis").energy.grid) == expected


def test_a_bin_is_observed_for_its_share_of_a_spin():
    assert load_instrument("rept").accumulation_seconds == 10.9 / 17


def test_fields_are_described():
    for model in (Instrument, *(type(getattr(REPT, key)) for key in ("pitch_angle", "energy"))):
        assert all(field.description for field in model.model_fields.values())


def test_grids():
    hope = load_instrument("hope").energy.grid
    assert len(hope) == 72
    assert (hope[0], hope[-1]) == (14.98455e-6, 0.05176768)
    assert np.ptp(np.diff(np.log(hope))) < 0.01  # evenly spaced, so no digit went wrong
    assert load_instrument("elfin-epd-hs").pitch_angle.grid == tuple(range(10, 171, 20))
    for name in ("elfin-epd-hs", "elfin-epd-fs"):
        assert 90 in load_instrument(name).pitch_angle.grid


def test_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        REPT.flux = "FPDU"


def test_own_file_round_trip(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(load_instrument("hope").model_dump(mode="json") | {"name": "mine"}))
    mine = load_instrument(path)
    assert mine.name == "mine"
    assert mine.energy == load_instrument("hope").energy
    assert load_instrument(str(path)) == mine


def test_unknown_name_lists_the_known():
    with pytest.raises(ConfigError, match="no instrument 'repd': give one of rept, mageis, hope"):
        load_instrument("repd")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"fluxx": 1}, "unknown key 'fluxx'"),
        ({"flux_per": "MEV"}, "'flux_per'"),
        (
            {"energy": {"variable": "E", "units": "MeV", "grid": [2, 1]}},
            "'energy.grid': must hold at least two",
        ),
        ({"energy": {"variable": "E", "units": "MeV", "grid": [0, 1]}}, "'energy.grid.0'"),
        ({"energy": {"variable": "E"}}, "'energy.units'"),
        ({"pitch_angle": {"variable": "A", "grid": [10, 190]}}, "'pitch_angle.grid.1'"),
        ({"file_pattern": "(?P<date>x)"}, "'file_pattern': needs the named group(s) (?P<spacecraft>...)"),
        ({"flux_axes": ["energy", "energy"]}, "'flux_axes': must be [pitch_angle, energy] or [energy, pitch_angle]"),
        ({"flux_axes": ["energy"]}, "'flux_axes"),
        ({"flux_axes": ["energies", "pitch_angle"]}, "'flux_axes.0'"),
        ({"file_pattern": "("}, "'file_pattern': is no regular expression"),
        ({"flux": "{craft}_flux"}, "'flux': '{craft}_flux' may hold no braces"),
        ({"time": " "}, "'time': is empty"),
        ({"ephemeris": {"Lstar": "L"}}, "'ephemeris.Lstar"),
        ({"ephemeris": {"L": "{x}"}}, "'ephemeris'"),
        ({"geometric_factor_cm2_sr": -1}, "'geometric_factor_cm2_sr'"),
        ({"accumulation_seconds": math.inf}, "'accumulation_seconds'"),
    ],
)
def test_wrong_keys_are_named(tmp_path, change, expected):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(REPT.model_dump(mode="json") | change))
    with pytest.raises(ConfigError) as caught:
        load_instrument(path)
    assert str(path) in str(caught.value)
    assert expected in str(caught.value)


@pytest.mark.parametrize("text", ["a: [", "- 1", "", "!!python/object:os.system {}", "\x00"])
def test_files_that_are_no_mapping(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"mine\.yaml"):
        load_instrument(path)


def test_counts_per_flux():
    counts = REPT.counts_per_flux(ENERGY)
    seconds = 10.9 / 17
    for k in range(1, 11):
        upper, lower = math.sqrt(ENERGY[k] * ENERGY[k + 1]), math.sqrt(ENERGY[k] * ENERGY[k - 1])
        assert counts[k] == pytest.approx(0.2 * seconds * (upper - lower))
    edge = math.sqrt(ENERGY[0] * ENERGY[1])
    assert counts[0] == pytest.approx(0.2 * seconds * (edge - ENERGY[0] ** 2 / edge))
    edge = math.sqrt(ENERGY[-1] * ENERGY[-2])
    assert counts[-1] == pytest.approx(0.2 * seconds * (ENERGY[-1] ** 2 / edge - edge))
    assert counts.dtype == np.float64


def test_counts_are_nan_where_unknown():
    assert np.isnan(load_instrument("mageis").counts_per_flux(ENERGY)).all()
    assert np.isnan(REPT.counts_per_flux(np.array([2.0]))).all()
    counts = REPT.counts_per_flux(np.array([1, 2, np.nan, 4, 5, 6.0]))
    np.testing.assert_array_equal(np.isnan(counts), [False, True, True, True, False, False])
