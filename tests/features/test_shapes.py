# SPDX-License-Identifier: BSD-3-Clause
"""Shapes of all records: the same in memory and in Dask chunks of any size, and against one record at a time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from padflow.errors import ConfigError
from padflow.features.shapes import NAMES, ShapeMeter, measure_shapes
from padflow.records import BLOCK_ROWS, Axes
from padflow.shapes.folding import mirror_bins
from padflow.shapes.measures import NAMED, measure_counts
from padflow.shapes.names import BUTTERFLY_INDEX, SHAPES, name_shape

ROWS = BLOCK_ROWS + 456


@pytest.fixture(scope="module")
def records(factories):
    made = factories.records(ROWS, gap_share=0.01)
    field = np.linspace(100, 140, ROWS, dtype="f4")
    return replace(made, ephemeris=made.ephemeris | {"B_Eq": np.full(ROWS, 100, "f4"), "B_Calc": field})


@pytest.fixture(scope="module")
def in_memory(factories, records) -> xr.Dataset:
    return measure_shapes(factories.dataset(records))


@pytest.mark.parametrize("chunks", [100, BLOCK_ROWS, (10, 1000, ROWS - 1010)], ids=str)
def test_chunks_change_no_bit(factories, records, in_memory: xr.Dataset, chunks) -> None:
    lazy = measure_shapes(factories.dataset(records, chunks=chunks))
    assert all(isinstance(lazy[name].data, da.Array) for name in NAMES)
    computed = lazy.compute()
    for name in NAMES:
        assert computed[name].dtype == in_memory[name].dtype == (np.int8 if name in NAMED else np.float32)
        assert computed[name].values.tobytes() == in_memory[name].values.tobytes(), name


@pytest.mark.parametrize("row", [0, 5, 700, ROWS - 1])
def test_a_record_is_measured_by_the_counts_of_its_window(factories, records, in_memory: xr.Dataset, row: int) -> None:
    first = last = row
    seconds = records.time.astype("f8") / 1e9
    while first and seconds[first] - seconds[first - 1] <= 60 and seconds[row] - seconds[first - 1] <= 60:
        first -= 1
    while last < ROWS - 1 and seconds[last + 1] - seconds[last] <= 60 and seconds[last + 1] - seconds[row] <= 60:
        last += 1
    flux = records.flux[first : last + 1].astype("f8")
    folded, members = mirror_bins(factories.PITCH_ANGLE)
    with np.errstate(invalid="ignore"):
        pairs = np.stack([_mean(flux[:, m == 1], axis=1) for m in members])
    counts = _mean(pairs, axis=1) * (last + 1 - first) * members.sum(axis=1)[:, None] * factories.COUNTS_PER_FLUX
    expected = measure_counts(folded, members.sum(axis=1), counts)
    for name in ("c2", "c6_error", "sin_n", "j60_over_j90", "shape_probability"):
        np.testing.assert_allclose(in_memory[name].values[row], getattr(expected, name), rtol=2e-3, atol=1e-4)
    np.testing.assert_array_equal(in_memory["shape"].values[row], expected.shape)


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    valid = np.isfinite(values)
    total = np.where(valid, values, 0).sum(axis=axis)
    return np.where(valid.any(axis=axis), total / np.maximum(valid.sum(axis=axis), 1), np.nan)


def test_equatorial_coefficients_where_the_field_is_known_and_local_angles_reach_far(factories, records, in_memory):
    reaches = records.ephemeris["B_Calc"] <= 100 / np.sin(np.radians(70)) ** 2
    known = np.isfinite(in_memory["c2_equatorial"].values)
    np.testing.assert_array_equal(known, reaches[:, None] & np.isfinite(in_memory["c2"].values))
    without = measure_shapes(factories.dataset(records).drop_vars("B_Eq"))
    assert np.isnan(without["c2_equatorial"]).all()
    np.testing.assert_array_equal(without["c2"], in_memory["c2"])


def test_without_averaging_a_record_stands_for_itself(factories, records) -> None:
    whole = measure_shapes(factories.dataset(records), average_seconds=0)
    one = measure_shapes(factories.dataset(records.take(slice(7, 8))), average_seconds=0)
    np.testing.assert_allclose(one["c2"].values[0], whole["c2"].values[7], rtol=1e-4)


def test_energies_without_a_sensitivity_have_a_name_alone(factories, records) -> None:
    dataset = factories.dataset(records)
    dataset["counts_per_flux"] = dataset["counts_per_flux"].where(dataset["energy"] > 2)
    found = measure_shapes(dataset, average_seconds=0)
    assert np.isnan(found["shape_probability"][:, 0]).all()
    pads = records.flux[:50, :, 0]
    assert [SHAPES[code] for code in found["shape"].values[:50, 0]] == [
        name_shape(factories.PITCH_ANGLE, p) for p in pads
    ]
    assert np.isfinite(found["shape_probability"][:, 1]).mean() > 0.5


def test_attributes_say_what_the_codes_mean_and_by_which_limits(in_memory: xr.Dataset) -> None:
    attributes = in_memory["shape"].attrs
    assert attributes["flag_meanings"].split() == list(SHAPES)
    assert attributes["flag_values"].tolist() == list(range(len(SHAPES)))
    assert f"butterfly: largest flux at least {BUTTERFLY_INDEX:g} times" in attributes["comment"]
    assert all(in_memory[name].attrs["long_name"] for name in NAMES)


def test_files_hold_16_bits_a_value_and_lose_less_than_counting_does(in_memory: xr.Dataset, tmp_path: Path) -> None:
    in_memory.to_netcdf(tmp_path / "shapes.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "shapes.nc", engine="h5netcdf", mask_and_scale=False) as raw:
        assert {raw[name].dtype.itemsize for name in NAMES if name not in NAMED} == {2}
        assert {raw[name].dtype.itemsize for name in NAMED} == {1}
    with xr.open_dataset(tmp_path / "shapes.nc", engine="h5netcdf") as read:
        for name in NAMES:
            np.testing.assert_allclose(read[name], in_memory[name], atol=6e-3 if name == "peak_pitch_angle" else 6e-4)


def test_pitch_angles_on_one_side_are_taken_as_they_are_and_others_refused() -> None:
    axes = Axes(np.arange(5.0, 91, 5), np.array([2.1]), np.array([0.01]))
    meter = ShapeMeter(axes, average_seconds=0, max_gap_seconds=60)
    assert meter.joined.tolist() == [1] * 18
    with pytest.raises(ConfigError, match="symmetric about 90 degrees"):
        ShapeMeter(
            replace(axes, pitch_angle=np.array([10.0, 30, 50, 70, 90, 100])), average_seconds=0, max_gap_seconds=60
        )
