# SPDX-License-Identifier: BSD-3-Clause
"""A store with records, for the tests of writing and reading."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from padflow.records import BLOCK_ROWS, Records
from padflow.store.specs import archive_specs
from padflow.store.writing import prepare_group, write_part

PART = 2 * BLOCK_ROWS
EPHEMERIS = ("L", "L_star", "MLT")


@pytest.fixture(scope="module")
def records(factories: ModuleType) -> Records:
    """Records of two whole parts and one that is not."""
    return factories.records(2 * PART + 700, missing_share=0.3)


@pytest.fixture
def prepare(factories: ModuleType) -> Callable[..., None]:
    """Make the arrays of a group, or change their number of rows."""

    def _prepare(
        store: Path, *, rows: int, group: str = "rbspa", rows_per_part: int = PART, pitch_angles: int = 17
    ) -> None:
        prepare_group(
            store,
            group,
            specs=archive_specs(pitch_angles, 12, ephemeris=EPHEMERIS),
            rows=rows,
            rows_per_part=rows_per_part,
            axes={
                "pitch_angle": (factories.PITCH_ANGLE, {"units": "degree"}),
                "energy": (factories.ENERGY, {"units": "MeV"}),
                "counts_per_flux": (factories.COUNTS_PER_FLUX, {"dimension": "energy"}),
            },
            attributes={"title": "test"},
        )

    return _prepare


@pytest.fixture
def write_all() -> Callable[..., dict[str, list]]:
    """Write the parts of some records, from the part ``first`` on; return their receipts."""

    def _write_all(store: Path, records: Records, *, first: int = 0) -> dict[str, list]:
        written = {}
        specs = archive_specs(17, 12, ephemeris=EPHEMERIS)
        for index in range(first, -(-len(records) // PART)):
            part = records.take(slice(index * PART, (index + 1) * PART))
            values = {"time": part.time.astype("i8"), "flux": part.flux, **part.ephemeris}
            written |= write_part(store, "rbspa", index, specs=specs, values=values, rows_per_part=PART)
        return written

    return _write_all


@pytest.fixture
def archive(tmp_path: Path, records: Records, prepare: Callable[..., None], write_all: Callable[..., dict]) -> Path:
    """Return a store with the records, and a second group that is empty."""
    store = tmp_path / "archive.zarr"
    prepare(store, rows=len(records))
    prepare(store, rows=0, group="rbspb")
    write_all(store, records)
    return store
