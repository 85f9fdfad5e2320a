"""What a run has made, opened as Datasets."""

from __future__ import annotations

import pytest

from padflow.errors import PadflowError
from padflow.records import BLOCK_ROWS
from padflow.store.opening import open_archive

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
