# SPDX-License-Identifier: BSD-3-Clause
"""Readers of the stores: any rows, as they were written."""

from __future__ import annotations

import pickle

import numpy as np

from padflow.records import BLOCK_ROWS, Needs, halo_rows
from padflow.store.reading import ArchiveReader, needed_rows

PART = 2 * BLOCK_ROWS


ROWS = 2 * PART + 700  # two whole parts and one that is not


def test_any_rows_are_read_as_they_were_written(archive, records):
    reader = ArchiveReader(archive, "rbspa")
    assert reader.rows == ROWS
    rng = np.random.default_rng(1)
    spans = [(0, ROWS), (PART, PART), (PART - 1, PART + 1), (ROWS - 1, ROWS), (0, 1)]
    spans += [tuple(sorted(rng.integers(0, ROWS + 1, 2))) for _ in range(20)]
    for start, stop in spans:
        found = reader.read(start, stop, ephemeris=("MLT", "B_Calc"))
        expected = records.take(slice(start, stop))
        assert found.time.dtype == "M8[ns]"
        assert found.time.tobytes() == expected.time.tobytes() == reader.times(start, stop).tobytes()
        assert found.flux.tobytes() == expected.flux.tobytes()
        assert list(found.ephemeris) == ["MLT"]
        assert found.ephemeris["MLT"].tobytes() == expected.ephemeris["MLT"].tobytes()


def test_a_reader_travels_light(archive, factories, records):
    reader = ArchiveReader(archive, "rbspa")
    reader.read(0, 10)
    sent = pickle.dumps(reader)
    assert len(sent) < 500
    again = pickle.loads(sent)
    assert again.read(5, 8).flux.tobytes() == records.flux[5:8].tobytes()
    np.testing.assert_array_equal(again.axes.counts_per_flux, factories.COUNTS_PER_FLUX)


def test_a_power_cut_between_metadata_and_parts_leaves_fill_values(tmp_path, prepare):
    store = tmp_path / "archive.zarr"
    prepare(store, rows=PART)
    assert np.isnan(ArchiveReader(store, "rbspa").read(0, PART).flux).all()
    assert np.isnat(ArchiveReader(store, "rbspa").times(0, PART)).all()


def test_what_is_needed_is_read_and_no_more(factories):
    of = factories.records(4 * BLOCK_ROWS, gap_share=0.01)
    for halo_seconds in (0, 15, 60, 1800, 5 * 10**5):
        reader = factories.MemoryReader(of, "rbspb")
        for start, stop in [(0, 1024), (1024, 2048), (3072, 4096), (700, 700)]:
            rows = needed_rows(reader, start, stop, needs=Needs(halo_seconds, ("L_star",)))
            first, end = halo_rows(of.time, start, stop, halo_seconds=halo_seconds)
            assert (rows.first, rows.first + len(rows.records)) == (first, end) == reader.reads[-1]
            assert (rows.group, rows.start, rows.stop) == ("rbspb", start, stop)
            assert rows.flux.tobytes() == of.flux[start:stop].tobytes()
            assert list(rows.records.ephemeris) == ["L_star"]
