# SPDX-License-Identifier: BSD-3-Clause
"""Days that come in several files: all pieces are read, and files whose times overlap are not mixed."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml

from padflow import open_archive
from padflow.archive.catalog import Catalog
from padflow.archive.scan import scan_archive
from padflow.config.sections import ArchiveConfig
from padflow.instruments.instrument import load_instrument

HOURS = load_instrument("rept").model_copy(
    update={
        "name": "hours",
        "file_pattern": r"(?P<spacecraft>sat\d)_(?P<date>\d{8})(?:_(?P<hour>\d\d))?_v(?P<version>[\d.]+)\.cdf",
    }
)
DAYS = ("2013-03-01", "2013-03-02")
RECORDS = 40  # of 10.9 s


def write(
    factory: ModuleType, folder: Path, day: str, hour: int | None, *, start: float | None = None, version: str = "1.2"
) -> Path:
    """Write a file of `RECORDS` records that begin at an hour, by default that in its name."""
    name = "" if hour is None else f"_{hour:02d}"
    content = factory.rept(day=day, records=RECORDS, seed=hour or 0)
    content["Epoch"]["data"] += 3_600_000.0 * ((hour or 0) if start is None else start)
    return factory.write_cdf(folder / f"sat1_{day.replace('-', '')}{name}_v{version}.cdf", content)


@pytest.fixture
def folder(tmp_path: Path, factory: ModuleType) -> Path:
    """Two days of four files."""
    source = tmp_path / "cdf"
    source.mkdir()
    for day in DAYS:
        for hour in (0, 6, 12, 18):
            write(factory, source, day, hour)
    return source


def scanned(folder: Path, previous: Catalog | None = None) -> Catalog:
    return scan_archive(folder, HOURS, config=ArchiveConfig(source=folder), previous=previous)


def fates(catalog: Catalog, day: str = DAYS[0]) -> dict[str, str]:
    return {entry.path: entry.status for entry in catalog.files if entry.day == day}


def test_all_pieces_are_read_in_time_order(folder: Path, padflow, serial, tmp_path: Path) -> None:
    (tmp_path / "hours.yaml").write_text(yaml.safe_dump(HOURS.model_dump(mode="json")))
    config = tmp_path / "mine.yaml"
    archive = {"source": str(folder), "instrument": str(tmp_path / "hours.yaml"), "rows_per_part": 1024}
    config.write_text(yaml.safe_dump({"archive": archive}))
    ended = padflow("ingest", config, "--workdir", tmp_path / "run")
    assert ended.status == 0, ended.err
    found = open_archive(tmp_path / "run").load()
    assert found.sizes["time"] == 8 * RECORDS
    steps = np.diff(found["time"].values)
    assert (steps > np.timedelta64(0, "ns")).all()
    assert (steps > np.timedelta64(5, "h")).sum() == 7
    ended = padflow("verify", tmp_path / "run")
    assert ended.status == 0, ended.out
    assert f"{8 * RECORDS} records" in ended.out


def test_a_newer_version_of_one_piece_supersedes_that_piece_only(folder: Path, factory: ModuleType) -> None:
    newer = write(factory, folder, DAYS[0], 6, version="1.10")
    catalog = scanned(folder)
    assert fates(catalog) == {
        "sat1_20130301_00_v1.2.cdf": "used",
        newer.name: "used",
        "sat1_20130301_06_v1.2.cdf": "superseded",
        "sat1_20130301_12_v1.2.cdf": "used",
        "sat1_20130301_18_v1.2.cdf": "used",
    }
    assert sum(entry.rows for entry in catalog.used()) == 8 * RECORDS
    whole = newer.read_bytes()
    newer.write_bytes(whole[:2000])
    broken = scanned(folder, catalog)
    assert sum(entry.rows for entry in broken.used()) == 8 * RECORDS  # the older stands in for it
    assert [entry.path for entry in broken.set_aside()] == [newer.name]
    said = {entry.path: entry.message for entry in broken.used() if entry.message}
    assert said == {"sat1_20130301_06_v1.2.cdf": f"read in place of {newer.name}, which was set aside"}
    newer.write_bytes(whole)
    os.utime(newer, ns=(0, 1))
    assert fates(scanned(folder, broken)) == fates(catalog)


def test_a_broken_piece_costs_nothing_but_itself(folder: Path) -> None:
    (folder / "sat1_20130301_12_v1.2.cdf").write_bytes(b"")
    catalog = scanned(folder)
    assert [(entry.path, entry.reason) for entry in catalog.set_aside()] == [("sat1_20130301_12_v1.2.cdf", "empty")]
    assert sum(entry.rows for entry in catalog.used()) == 7 * RECORDS
    assert all(entry.message is None for entry in catalog.used())


def test_of_files_that_overlap_one_is_set_aside_with_both_names(folder: Path, factory: ModuleType) -> None:
    odd = write(factory, folder, DAYS[0], 7, start=6.05)  # in the middle of the file of six o'clock
    catalog = scanned(folder)
    (aside,) = catalog.set_aside()
    assert (aside.path, aside.reason) == (odd.name, "overlap")
    assert "sat1_20130301_06_v1.2.cdf" in aside.message
    assert "2013-03-01T06:03:05 to 2013-03-01T06:10:10" in aside.message
    assert sum(entry.rows for entry in catalog.used()) == 8 * RECORDS
    assert scanned(folder, catalog) == catalog
    (folder / "sat1_20130301_06_v1.2.cdf").unlink()  # a matter of the other file: it is looked at again
    assert scanned(folder, catalog).set_aside() == []


def test_of_files_that_overlap_the_newer_version_is_read(folder: Path, factory: ModuleType) -> None:
    whole_day = write(factory, folder, DAYS[0], None, start=6.05, version="1.1")
    catalog = scanned(folder)
    (old,) = (entry for entry in catalog.files if entry.status == "superseded")
    assert old.path == whole_day.name
    assert old.message.startswith("version 1.1 is older than 1.2 in sat1_20130301_06_v1.2.cdf, whose times overlap")
    assert scanned(folder, catalog) == catalog
    # An older one that no newer overlaps is no version of it: nothing of it may be lost.
    write(factory, folder, DAYS[0], None, start=9, version="1.1")
    assert sum(entry.rows for entry in scanned(folder).used()) == 9 * RECORDS


def test_copies_of_a_piece_are_read_once(folder: Path) -> None:
    (folder / "copy").mkdir()
    for path in list(folder.glob("*.cdf")):
        (folder / "copy" / path.name.upper().replace("CDF", "cdf")).write_bytes(path.read_bytes())
    catalog = scanned(folder)
    assert sum(entry.rows for entry in catalog.used()) == 8 * RECORDS
    assert catalog.set_aside() == []
