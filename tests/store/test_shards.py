# SPDX-License-Identifier: BSD-3-Clause
"""Parts as bytes, against zarr-python, tensorstore (in test_store) and damage."""

from __future__ import annotations

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from padflow.errors import PadflowError
from padflow.store.shards import encode_chunk, encode_shard, read_rows

CHUNK, CHUNKS, LEVEL = 64, 5, 3
ROWS = CHUNK * CHUNKS


@pytest.fixture(scope="module")
def values():
    values = np.random.default_rng(0).integers(0, 50, (ROWS, 3, 2)).astype("f4")
    values[CHUNK : 2 * CHUNK] = np.nan
    return values


@pytest.fixture(scope="module")
def shard(values, tmp_path_factory):
    path = tmp_path_factory.mktemp("shard") / "0"
    path.write_bytes(encode_shard(values, chunk_rows=CHUNK, level=LEVEL))
    return path


def written_by_zarr(folder, values, **layout):
    array = zarr.create_array(
        folder,
        shape=values.shape,
        dtype=values.dtype,
        fill_value=np.nan,
        compressors=zarr.codecs.ZstdCodec(level=LEVEL, checksum=True),
        config={"write_empty_chunks": True},
        **layout,
    )
    array[...] = values
    return folder / "c/0/0/0"


def test_zarr_writes_the_same_shard(shard, values, tmp_path):
    theirs = written_by_zarr(tmp_path / "z", values, chunks=(CHUNK, 3, 2), shards=(ROWS, 3, 2))
    assert theirs.read_bytes() == shard.read_bytes()


def test_zarr_writes_the_same_chunk(values, tmp_path):
    theirs = written_by_zarr(tmp_path / "z", values, chunks=(ROWS, 3, 2))
    assert theirs.read_bytes() == encode_chunk(values, level=LEVEL)


@settings(deadline=None)
@given(st.integers(0, ROWS - 1), st.integers(1, ROWS))
def test_any_rows_of_a_shard_are_read_back(shard, values, first, rows):
    out = np.empty((min(rows, ROWS - first), 3, 2), "f4")
    read_rows(shard, first, out, chunk_rows=CHUNK, chunks=CHUNKS)
    assert out.tobytes() == values[first : first + rows].tobytes()


@settings(deadline=None)
@given(st.integers(0, ROWS - 1), st.integers(1, ROWS))
def test_any_rows_of_a_chunk_are_read_back(tmp_path_factory, values, first, rows):
    path = tmp_path_factory.getbasetemp() / "chunk"
    path.write_bytes(encode_chunk(values, level=LEVEL))
    out = np.empty((min(rows, ROWS - first), 3, 2), "f4")
    read_rows(path, first, out, chunk_rows=ROWS, chunks=0)
    assert out.tobytes() == values[first : first + rows].tobytes()


@pytest.mark.parametrize("where", [*range(12), -5, -30])
def test_a_flipped_byte_is_found(shard, tmp_path, where):
    content = bytearray(shard.read_bytes())
    content[where] ^= 0x55
    damaged = tmp_path / "0"
    damaged.write_bytes(content)
    with pytest.raises(PadflowError, match=r"0 is damaged .*verify --repair"):
        read_rows(damaged, 0, np.empty((ROWS, 3, 2), "f4"), chunk_rows=CHUNK, chunks=CHUNKS)


@pytest.mark.parametrize("size", [0, 3, 50, 200])
def test_a_file_cut_short_is_found(shard, tmp_path, size):
    damaged = tmp_path / "0"
    damaged.write_bytes(shard.read_bytes()[:size])
    with pytest.raises(PadflowError, match="is damaged"):
        read_rows(damaged, 0, np.empty((ROWS, 3, 2), "f4"), chunk_rows=CHUNK, chunks=CHUNKS)


def test_a_chunk_of_fewer_rows_is_found(values, tmp_path):
    short = tmp_path / "0"
    short.write_bytes(encode_chunk(values[: ROWS - 1], level=LEVEL))
    with pytest.raises(PadflowError, match="is damaged"):
        read_rows(short, 0, np.empty((ROWS, 3, 2), "f4"), chunk_rows=ROWS, chunks=0)


def test_what_cannot_be_read_is_not_called_damaged(tmp_path):
    (tmp_path / "0").mkdir()
    with pytest.raises(PadflowError, match=r"0 cannot be read \(Is a directory\)"):
        read_rows(tmp_path / "0", 0, np.empty((ROWS, 3, 2), "f4"), chunk_rows=ROWS, chunks=0)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_rows(tmp_path / "none", 0, np.empty((1, 3, 2), "f4"), chunk_rows=CHUNK, chunks=CHUNKS)
