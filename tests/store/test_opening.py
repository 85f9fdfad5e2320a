# SPDX-License-Identifier: BSD-3-Clause
"""What a run has made, opened as Datasets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

from padflow.errors import PadflowError
from padflow.records import BLOCK_ROWS
from padflow.store.opening import open_archive, open_results

PART = 2 * BLOCK_ROWS


def test_open_archive_finds_the_only_one_and_names_those_there_are(archive, tmp_path, records):
    with pytest.raises(PadflowError, match=r"rbspa, rbspb; name one"):
        open_archive(archive)
    with pytest.raises(PadflowError, match=r"rbspa, rbspb.*not ela"):
        open_archive(archive, "ela")
    with pytest.raises(PadflowError, match="no Zarr store"):
        open_archive(tmp_path / "none.zarr")
    with open_archive(archive, "rbspa") as opened:
        assert opened["flux"].chunks[0] == (PART, PART, 700)
        assert opened["flux"].values.tobytes() == records.flux.tobytes()
    with open_archive(archive, "rbspa", chunks={"time": 2 * PART}) as opened:
        assert opened["flux"].chunks[0] == (2 * PART, 700)


def test_files_that_a_run_is_just_writing_are_not_looked_at(archive: Path) -> None:
    """Zarr would warn of each: zarr-python writes metadata into such a file first."""
    before = set(open_archive(archive, "rbspa").variables)
    for folder in (archive, archive / "rbspa", archive / "rbspa/flux"):
        (folder / "zarr.d4b077a3779f48428916c934e429c31f.partial").write_bytes(b"{")
    assert set(open_archive(archive, "rbspa").variables) == before


def test_numbers_of_16_bits_are_given_as_32(finished_run) -> None:
    results = open_results(finished_run.directory)
    stored = zarr.open_group(finished_run.directory / "results.zarr", mode="r")["rbspa/max_over_j90"]
    assert stored.dtype == np.float16
    assert results["max_over_j90"].dtype == np.float32
    np.testing.assert_array_equal(results["max_over_j90"].values, stored[...].astype("f4"))
    assert np.isfinite(results["max_over_j90"].mean().compute())
