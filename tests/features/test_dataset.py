# SPDX-License-Identifier: BSD-3-Clause
"""Kernels over Datasets: the same in memory and in Dask chunks of any size."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from padflow.config.sections import PreprocessConfig
from padflow.features.dataset import map_rows, preprocess
from padflow.features.preprocessor import Preprocessor
from padflow.records import BLOCK_ROWS, Needs, Reason
from padflow.store.reading import needed_rows

ROWS = 3 * BLOCK_ROWS + 456
CONFIG = PreprocessConfig(l_range=(2.5, 6.5), average_seconds=120, min_counts=50)
CHUNKS = [100, BLOCK_ROWS, 1500, 2 * BLOCK_ROWS, (10, 2000, ROWS - 2010), ROWS]


@pytest.fixture(scope="module")
def records(factories):
    return factories.records(ROWS, gap_share=0.01)


@pytest.fixture(scope="module")
def in_memory(factories, records):
    return preprocess(factories.dataset(records), CONFIG)


def test_in_memory_equals_the_blocks_one_by_one(factories, records, in_memory):
    maker = Preprocessor(CONFIG, factories.AXES)
    reader = factories.MemoryReader(records)
    for start in range(0, ROWS, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, ROWS)
        block = maker(needed_rows(reader, start, stop, needs=maker.needs))
        assert in_memory["features"].values[start:stop].tobytes() == block.rows.tobytes()
        np.testing.assert_array_equal(in_memory["reason"].values[start:stop], block.reason)
    assert 0.2 < np.mean(in_memory["reason"] == Reason.SELECTED) < 0.9


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
def test_chunks_change_no_bit(factories, records, in_memory, chunks):
    lazy = preprocess(factories.dataset(records, chunks=chunks), CONFIG)
    assert isinstance(lazy["features"].data, da.Array)
    assert (lazy["features"].shape, lazy["features"].dtype) == (in_memory["features"].shape, np.float32)
    assert all(size % BLOCK_ROWS == 0 for size in lazy["features"].chunks[0][:-1])
    computed = lazy.compute()
    for name in in_memory.variables:
        assert computed[name].values.tobytes() == in_memory[name].values.tobytes(), name


def test_nothing_is_computed_before_it_is_asked_for(factories, records):
    def refuse(block):
        raise AssertionError("computed")

    chunked = factories.dataset(records, chunks=BLOCK_ROWS)
    meta = np.empty((0, 0, 0), "f4")
    chunked["flux"] = chunked["flux"].copy(data=chunked["flux"].data.map_blocks(refuse, dtype="f4", meta=meta))
    lazy = preprocess(chunked, CONFIG)
    with pytest.raises(AssertionError, match="computed"):
        lazy.compute()


def test_a_slice_computes_only_the_blocks_it_needs(factories, records):
    seen = []

    def watch(block):
        seen.append(len(block))
        return block

    chunked = factories.dataset(records, chunks=BLOCK_ROWS)
    meta = np.empty((0, 0, 0), "f4")
    chunked["flux"] = chunked["flux"].copy(data=chunked["flux"].data.map_blocks(watch, dtype="f4", meta=meta))
    preprocess(chunked, CONFIG)["features"][:10].compute()
    assert len(seen) == 2  # the block, and the one that its averages reach into


def test_flux_in_another_order_of_dimensions_and_coarser_times(factories, records, in_memory):
    turned = factories.dataset(records).transpose("energy", "time", "pitch_angle")
    assert preprocess(turned, CONFIG)["features"].values.tobytes() == in_memory["features"].values.tobytes()
    whole = factories.dataset(records).isel(time=slice(50))
    whole["time"] = whole["time"].values.astype("M8[s]").astype("M8[ns]")
    coarse = whole.assign_coords(time=whole["time"].values.astype("M8[us]"))
    assert (
        preprocess(coarse, CONFIG)["features"].values.tobytes()
        == preprocess(whole, CONFIG)["features"].values.tobytes()
    )


def test_features_say_their_pitch_angle_and_energy(factories, in_memory):
    angles, energies = in_memory["feature_pitch_angle"].values, in_memory["feature_energy"].values
    assert in_memory["features"].dims == ("time", "feature")
    assert len(angles) == 9 * 12
    np.testing.assert_array_equal(angles, np.repeat(factories.PITCH_ANGLE[:9], 12))
    np.testing.assert_array_equal(energies, np.tile(factories.ENERGY, 9))


@pytest.mark.parametrize("chunks", [None, 100])
def test_an_empty_archive(factories, chunks):
    empty = preprocess(factories.dataset(factories.records(0), chunks=chunks), CONFIG).compute()
    assert empty["features"].shape == (0, 108)
    assert empty["reason"].dtype == np.int8


def test_attributes_of_the_archive_are_kept(factories, records):
    archive = factories.dataset(records).assign_attrs(spacecraft="rbspb")
    assert preprocess(archive, CONFIG).attrs == {"spacecraft": "rbspb"}
    assert archive["time"].attrs == preprocess(archive, CONFIG)["time"].attrs


def test_a_kernel_gets_its_rows_and_their_halo(factories, records):
    calls = []

    def kernel(rows):
        offset, start, stop, found = rows.first, rows.start, rows.stop, rows.records
        calls.append((offset, start, stop, offset + len(found)))
        near = np.flatnonzero(
            (records.time >= records.time[start] - np.timedelta64(300, "s"))
            & (records.time <= records.time[stop - 1] + np.timedelta64(300, "s"))
        )
        assert (offset, offset + len(found)) == (near[0], near[-1] + 1)
        assert list(found.ephemeris) == ["MLT"]
        return {"row": np.arange(start, stop)}

    out = map_rows(
        factories.dataset(records, chunks=1500),
        kernel,
        outputs={"row": ((), (), "i8")},
        needs=Needs(300, ("MLT", "B_Calc")),
    )
    assert isinstance(out, xr.Dataset)
    assert out["row"].values.tolist() == list(range(ROWS))
    assert sorted(call[1:3] for call in calls) == [(0, 2048), (2048, 3072), (3072, ROWS)]
