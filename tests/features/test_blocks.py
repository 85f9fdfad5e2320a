"""Blocks at fixed places of an archive: the same bits in parts of any size."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from padflow.config.sections import PreprocessConfig
from padflow.features.blocks import aligned_blocks, features_by_block, halo_rows, read_with_halo
from padflow.features.preprocessor import Preprocessor
from padflow.records import BLOCK_ROWS, Records


@given(start=st.integers(0, 9000), length=st.integers(0, 9000))
def test_blocks_cover_the_rows_and_end_at_fixed_places(start, length):
    blocks = list(aligned_blocks(start, start + length))
    assert [row for low, high in blocks for row in range(low, high)] == list(range(start, start + length))
    assert all(high % BLOCK_ROWS == 0 for _, high in blocks[:-1])
    assert all(0 < high - low <= BLOCK_ROWS for low, high in blocks)


# Few numbers: rows that lie exactly at the end of the reach are common.
@given(steps=st.lists(st.integers(0, 3), max_size=24), halo=st.integers(0, 6), draw=st.data())
def test_halo_rows_are_those_within_reach(steps, halo, draw):
    time = np.datetime64("2013-03-17", "ns") + np.cumsum([0, *steps]) * np.timedelta64(1, "s")
    start = draw.draw(st.integers(0, len(time)))
    stop = draw.draw(st.integers(start, len(time)))
    first, end = halo_rows(time, start, stop, halo_seconds=halo)
    if start == stop or not halo:
        assert (first, end) == (start, stop)
    else:
        reach = np.timedelta64(halo, "s")
        near = np.flatnonzero((time >= time[start] - reach) & (time <= time[stop - 1] + reach))
        assert (first, end) == (near[0], near[-1] + 1)


def rows_in_parts(reader, maker, edges) -> tuple[bytes, bytes]:
    rows, reason = [], []
    for start, stop in pairwise(edges):
        records, offset = read_with_halo(reader, maker, start=start, stop=stop)
        for where, features in features_by_block(maker, records, offset=offset, start=start, stop=stop):
            assert len(features.rows) == where.stop - where.start
            rows.append(features.rows)
            reason.append(features.reason)
    return np.concatenate(rows).tobytes(), np.concatenate(reason).tobytes()


@pytest.mark.parametrize(
    ("average_seconds", "cadence"),
    [(0, 11), (120, 11), (97.3, 2.5), (3600 * 5, 11)],  # the last reaches over many blocks
    ids=["off", "two minutes", "irregular", "halo of blocks"],
)
def test_features_have_the_same_bits_in_parts_of_any_size(factories, average_seconds, cadence):
    total = 5 * BLOCK_ROWS + 321
    many = average_seconds > 1000
    of = factories.records(total, cadence_seconds=cadence, gap_share=0 if many else 0.01)
    of = Records(of.time, of.flux[:, ::4, ::5].copy(), of.ephemeris)
    config = PreprocessConfig(
        average_seconds=average_seconds, l_range=(2.5, 6.5), min_counts=20, min_flux=3, min_valid_channels=10
    )
    maker = Preprocessor(
        config, factories.PITCH_ANGLE[::4], energy=factories.ENERGY[::5], counts_per_flux=factories.COUNTS_PER_FLUX[::5]
    )
    if many:
        reach = halo_rows(of.time, 3 * BLOCK_ROWS, 4 * BLOCK_ROWS, halo_seconds=maker.halo_seconds)
        assert reach[0] < 2.5 * BLOCK_ROWS
    reader = factories.MemoryReader(of)
    whole = rows_in_parts(reader, maker, [0, total])
    assert len(set(whole[1])) >= 4  # several reasons: the comparison is of something
    for size in (1, 2, 3):
        assert rows_in_parts(reader, maker, [*range(0, total, size * BLOCK_ROWS), total]) == whole
    starts = rows_in_parts(reader, maker, [2 * BLOCK_ROWS, 3 * BLOCK_ROWS])
    per_row = maker.features * 4
    assert starts[0] == whole[0][2 * BLOCK_ROWS * per_row : 3 * BLOCK_ROWS * per_row]


def test_read_with_halo_reads_what_is_needed_and_no_more(factories):
    of = factories.records(4 * BLOCK_ROWS, gap_share=0.01)
    for average_seconds in (0, 30, 120, 3600, 10**6):
        config = PreprocessConfig(average_seconds=average_seconds, l_range=(2, 7))
        maker = Preprocessor(config, factories.PITCH_ANGLE, energy=factories.ENERGY)
        reader = factories.MemoryReader(of)
        for start, stop in [(0, 1024), (1024, 2048), (3072, 4096), (700, 700)]:
            records, offset = read_with_halo(reader, maker, start=start, stop=stop)
            first, end = halo_rows(of.time, start, stop, halo_seconds=average_seconds / 2)
            assert (offset, offset + len(records)) == (first, end) == reader.reads[-1]
            assert list(records.ephemeris) == ["L_star"]
