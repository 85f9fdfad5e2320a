# SPDX-License-Identifier: BSD-3-Clause
"""The look at every file: fates, reasons, counts, and which files are opened."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from padflow.archive import scan
from padflow.archive.catalog import Catalog
from padflow.archive.scan import own_rows, scan_archive
from padflow.config.sections import ArchiveConfig
from padflow.errors import ConfigError
from padflow.instruments.instrument import load_instrument

REPT = load_instrument("rept")
DAYS = ("2013-03-01", "2013-03-02", "2013-03-03", "2013-03-04")


def scanned(folder: Path, previous: Catalog | None = None, **chosen) -> Catalog:
    return scan_archive(folder, REPT, config=ArchiveConfig(source=folder, **chosen), previous=previous)


def file_name(day: str, version: str = "5.6.0", spacecraft: str = "rbspa") -> str:
    return f"{spacecraft}_rel03_ect-rept-sci-l3_{day.replace('-', '')}_v{version}.cdf"


@pytest.fixture
def folder(tmp_path: Path, factory: ModuleType) -> Path:
    for day in DAYS:
        factory.write_rept(tmp_path / file_name(day), day=day)
    return tmp_path


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are opened from here on."""
    names: list[str] = []
    inspect = scan.inspect

    def counted(path: Path, *arguments, **keywords) -> object:
        names.append(path.name)
        return inspect(path, *arguments, **keywords)

    monkeypatch.setattr(scan, "inspect", counted)
    return names


def test_every_trouble_has_its_fate(troubled_archive: Path) -> None:
    found = {entry.path: entry for entry in scanned(troubled_archive).files}
    made = json.loads((troubled_archive / "simulation.json").read_text())["files"]
    assert set(found) == {file["path"] for file in made if file["path"]}
    reasons = {"truncated": "truncated", "empty": "empty", "html": "not_cdf", "only_fill": "all_fill"}
    seen = set()
    for file in made:
        kinds = {trouble["kind"] for trouble in file["troubles"]}
        seen |= kinds
        if file["path"] is None:
            continue
        entry = found[file["path"]]
        bad = kinds & reasons.keys()
        if bad:
            assert (entry.status, entry.reason) == ("set_aside", reasons[bad.pop()])
            assert Path(file["path"]).name in entry.message
            assert (entry.rows, entry.edge_ns, entry.stray_ns) == (0, (), ())
        elif "versions" in kinds:
            assert (entry.status, entry.reason) == ("superseded", "superseded")
        else:
            assert entry.status == "used"
            assert (entry.records, entry.rows) == (file["records"], file["good_records"])
            assert bool(entry.stray_ns) == bool(kinds & {"border before", "border after"})
            assert ("invalid_time" in entry.notes) == ("bad_epochs" in kinds)
            assert ("doubled" in entry.notes) == ("doubled" in kinds)
            left_out = sum(entry.notes.values()) + len(entry.stray_ns)
            assert entry.records == entry.rows + left_out
    assert seen >= reasons.keys() | {"missing", "versions", "border after", "border before", "doubled", "bad_epochs"}


def test_order_of_looking_does_not_matter(folder: Path) -> None:
    def backwards(function: Callable, items: list) -> list:
        return [function(item) for item in reversed(items)]

    config = ArchiveConfig(source=folder)
    assert scan_archive(folder, REPT, config=config, previous=None, map_files=backwards) == scanned(folder)


def test_unchanged_files_are_not_opened_again(folder: Path, opened: list[str], factory: ModuleType) -> None:
    (folder / file_name("2013-03-09")).write_bytes(b"no CDF")
    first = scanned(folder)
    assert sorted(opened) == [*map(file_name, DAYS), file_name("2013-03-09")]
    opened.clear()
    assert scanned(folder, first) == first
    assert opened == []

    touched = folder / file_name(DAYS[1])
    os.utime(touched, ns=(0, 1))
    factory.write_rept(folder / file_name("2013-03-09"), day="2013-03-09", records=50)
    (folder / file_name(DAYS[3])).unlink()
    second = scanned(folder, first)
    assert sorted(opened) == [touched.name, file_name("2013-03-09")]
    assert [(entry.day, entry.rows) for entry in second.used()] == [
        *((day, 40) for day in DAYS[:3]),
        ("2013-03-09", 50),
    ]
    assert second == replace(scanned(folder), files=second.files)


def test_a_newer_version_supersedes_unopened_and_gives_way_again(
    folder: Path, opened: list[str], factory: ModuleType
) -> None:
    first = scanned(folder)
    opened.clear()
    newer = factory.write_rept(folder / file_name(DAYS[0], "5.10.0"), day=DAYS[0], records=30)
    second = scanned(folder, first)
    assert opened == [newer.name]
    assert {e.path: e.status for e in second.files if e.day == DAYS[0]} == {
        newer.name: "used",
        file_name(DAYS[0]): "superseded",
    }
    newer.unlink()
    opened.clear()
    assert scanned(folder, second) == first
    assert opened == [file_name(DAYS[0])]


def test_a_file_that_the_system_refuses_is_looked_at_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mending permissions or a file server changes neither size nor time of the file."""
    refused, whole = folder / file_name(DAYS[2]), Path.open

    def refuse(path: Path, *arguments, **keywords) -> object:
        if path == refused:
            raise PermissionError(13, "Permission denied", str(path))
        return whole(path, *arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        first = scanned(folder)
    (bad,) = first.set_aside()
    assert (bad.path, bad.reason) == (refused.name, "io_error")
    assert "Permission denied" in bad.message
    assert scanned(folder, first).set_aside() == []


def test_everything_is_opened_again_for_another_instrument_or_folder(
    folder: Path, opened: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = scanned(folder)
    opened.clear()
    other = REPT.model_copy(update={"accumulation_seconds": 1.0, "title": "another"})
    scan_archive(folder, other, config=ArchiveConfig(source=folder), previous=first)
    assert len(opened) == len(DAYS)
    opened.clear()
    copy = tmp_path_factory.mktemp("copy") / "archive"
    shutil.copytree(folder, copy)
    scanned(copy, first)
    assert len(opened) == len(DAYS)


def test_notes_on_records_left_out(tmp_path: Path, factory: ModuleType) -> None:
    content = factory.rept(day="2013-03-17", records=8)
    epoch = content["Epoch"]["data"]
    day_ms = 86_400_000.0
    midnight = factory.raw_times(np.array(["2013-03-17"], "datetime64[ms]"))[0]
    # Two of the day, one twice; one without time; strays on both sides, one twice; one from another season.
    after = midnight + day_ms
    epoch[:] = [midnight, after - 1, midnight, -1e31, midnight - 300_000, after, after, midnight + 90 * day_ms]
    factory.write_cdf(tmp_path / file_name("2013-03-17"), content)
    (entry,) = scanned(tmp_path).files
    assert (entry.status, entry.records, entry.rows) == ("used", 8, 2)
    ns = int(np.datetime64("2013-03-17", "ns").astype(np.int64))
    assert entry.stray_ns == (ns - 300 * 10**9, ns + 86_400 * 10**9)
    assert entry.edge_ns == (ns, ns + 86_400 * 10**9 - 10**6)
    assert entry.notes == {"invalid_time": 1, "doubled": 1, "outside_day": 1}


def test_a_file_of_another_day_is_set_aside(folder: Path, factory: ModuleType) -> None:
    factory.write_rept(folder / file_name("2013-04-01"), day="2013-04-05")
    entry = scanned(folder).files[-1]
    assert (entry.status, entry.reason) == ("set_aside", "wrong_day")
    assert "2013-04-01" in entry.message
    # The first records of the next day are no strays where all the others are of that day, too.
    factory.write_rept(folder / file_name("2013-04-01"), day="2013-04-02")
    entry = scanned(folder).files[-1]
    assert (entry.status, entry.reason, entry.stray_ns) == ("set_aside", "wrong_day", ())
    assert "2013-04-02T00:00:05 to 2013-04-02T00:07:10. Rename it" in entry.message


def test_a_file_of_strays_only_is_read_where_they_are_needed(folder: Path, factory: ModuleType) -> None:
    day = "2013-03-05"
    strays = factory.write_rept(folder / file_name(day), day="2013-03-06", records=5)
    first = scanned(folder)
    assert [(entry.path, entry.rows, len(entry.stray_ns)) for entry in first.used()][-1] == (strays.name, 0, 5)
    own = factory.write_rept(folder / file_name("2013-03-06"), day="2013-03-06")
    second = scanned(folder, first)
    (aside,) = second.set_aside()
    assert (aside.path, aside.reason) == (strays.name, "only_strays")
    assert "they are of 2013-03-06, and none of them is needed there" in aside.message
    assert scanned(folder, second) == second
    own.unlink()
    assert scanned(folder, second) == first
    # It is no version of its own day: an older one that has it is read.
    factory.write_rept(folder / file_name(day, "5.5.0"), day=day)
    assert [(entry.path, entry.rows) for entry in scanned(folder).used()][-2:] == [
        (file_name(day, "5.5.0"), 40),
        (strays.name, 0),
    ]


def with_energies(factory: ModuleType, path: Path, day: str, *, factor: float) -> None:
    content = factory.rept(day=day)
    content["FEDU_Energy"]["data"] *= factor
    factory.write_cdf(path, content)


def test_other_axes_are_set_aside_by_the_majority_of_rows(folder: Path, factory: ModuleType) -> None:
    with_energies(factory, folder / file_name("2013-03-08"), "2013-03-08", factor=1.1)
    with_energies(factory, folder / file_name("2013-03-09"), "2013-03-09", factor=1 + 1e-6)  # no other axis
    catalog = scanned(folder)
    (odd,) = catalog.set_aside()
    assert (odd.day, odd.reason) == ("2013-03-08", "other_axes")
    assert "energy" in odd.message
    assert "archive.start" in odd.message
    np.testing.assert_allclose(catalog.archive_axes()["energy"], factory.REPT_ENERGY, rtol=1e-5)
    assert len(catalog.used()) == 5

    # A model may have been fitted by now: what was taken stays, however many others come.
    for number in range(10, 16):
        with_energies(factory, folder / file_name(f"2013-03-{number}"), f"2013-03-{number}", factor=1.1)
    later = scanned(folder, catalog)
    assert {entry.day for entry in later.used()} == {*DAYS, "2013-03-09"}
    assert len(later.set_aside()) == 7
    # Without a scan before, the majority decides.
    fresh = scanned(folder)
    assert {entry.day for entry in fresh.set_aside()} == {*DAYS, "2013-03-09"}
    np.testing.assert_allclose(fresh.archive_axes()["energy"], 1.1 * factory.REPT_ENERGY)


def test_start_and_end_are_included(folder: Path) -> None:
    assert [e.day for e in scanned(folder, start=date(2013, 3, 2), end=date(2013, 3, 3)).files] == list(DAYS[1:3])
    assert [e.day for e in scanned(folder, start=date(2013, 3, 3)).files] == list(DAYS[2:])
    assert [e.day for e in scanned(folder, end=date(2013, 3, 1)).files] == [DAYS[0]]


def test_a_period_without_files_names_what_there_is(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        scanned(folder, start=date(2014, 1, 1), end=date(2014, 2, 1))
    for text in ("archive.start = 2014-01-01", "archive.end = 2014-02-01", "2013-03-01 to 2013-03-04", str(folder)):
        assert text in str(caught.value)


def test_spacecraft_are_chosen_and_missing_ones_named(folder: Path, factory: ModuleType) -> None:
    factory.write_rept(folder / file_name(DAYS[0], spacecraft="rbspb"), day=DAYS[0])
    assert {e.spacecraft for e in scanned(folder).files} == {"rbspa", "rbspb"}
    assert {e.spacecraft for e in scanned(folder, spacecraft="rbspb").files} == {"rbspb"}
    with pytest.raises(ConfigError, match=r"no file of rbspc.*archive\.spacecraft.*rbspa, rbspb"):
        scanned(folder, spacecraft=("rbspa", "rbspc"))


def test_a_folder_that_is_missing_or_empty(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a folder"):
        scanned(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"no \.cdf file"):
        scanned(tmp_path)


DAY_NS = 86_400 * 10**9
OFFSETS = st.sampled_from([-1, 0, 1, 2, 3, DAY_NS - 2, DAY_NS - 1, DAY_NS, DAY_NS + 1])


@given(st.lists(st.none() | OFFSETS, max_size=12))
def test_own_rows_are_the_first_of_each_time_in_order(offsets: list[int | None]) -> None:
    midnight = np.datetime64("2013-03-17", "ns")
    times = np.array(
        [np.datetime64("NaT", "ns") if ns is None else midnight + np.timedelta64(ns, "ns") for ns in offsets],
        "datetime64[ns]",
    )
    expected = {}
    for row, ns in enumerate(offsets):
        if ns is not None and 0 <= ns < DAY_NS:
            expected.setdefault(ns, row)
    assert own_rows(times, "2013-03-17").tolist() == [expected[ns] for ns in sorted(expected)]


def test_links_are_read_and_never_written(tmp_path: Path, factory: ModuleType) -> None:
    store, folder = tmp_path / "store", tmp_path / "archive"
    store.mkdir()
    folder.mkdir()
    factory.write_rept(store / "one.cdf", day=DAYS[0]).chmod(0o444)
    before = [(p.name, p.stat().st_mtime_ns, p.read_bytes()) for p in sorted(store.iterdir())]
    (folder / file_name(DAYS[0])).symlink_to(store / "one.cdf")
    (folder / file_name(DAYS[1])).symlink_to(store / "two.cdf")
    catalog = scanned(folder)
    assert [(entry.status, entry.reason) for entry in catalog.files] == [
        ("used", None),
        ("set_aside", "dangling_link"),
    ]
    assert before == [(p.name, p.stat().st_mtime_ns, p.read_bytes()) for p in sorted(store.iterdir())]
    factory.write_rept(store / "two.cdf", day=DAYS[1])
    assert [entry.status for entry in scanned(folder, catalog).files] == ["used", "used"]


def test_an_older_version_stands_in_for_a_broken_newer_one_until_it_is_mended(
    folder: Path, opened: list[str], factory: ModuleType
) -> None:
    day = DAYS[1]
    middle = factory.write_rept(folder / file_name(day, "5.7.0"), day=day, records=35)
    newest = factory.write_rept(folder / file_name(day, "5.10.0"), day=day, records=30)
    whole = newest.read_bytes()
    newest.write_bytes(whole[:3000])
    catalog = scanned(folder)
    fates = {e.path: (e.status, e.rows) for e in catalog.files if e.day == day}
    oldest = file_name(day)
    assert fates == {newest.name: ("set_aside", 0), middle.name: ("used", 35), oldest: ("superseded", 0)}
    used = next(e for e in catalog.files if e.path == middle.name)
    assert used.message == f"read in place of {newest.name}, which was set aside"
    opened.clear()
    assert scanned(folder, catalog) == catalog
    assert opened == []

    middle.write_bytes(b"")
    second = scanned(folder, catalog)
    assert {e.path: e.status for e in second.files if e.day == day} == {
        newest.name: "set_aside",
        middle.name: "set_aside",
        oldest: "used",
    }

    newest.write_bytes(whole)
    os.utime(newest, ns=(0, 1))
    mended = scanned(folder, second)
    assert {e.path: (e.status, e.rows) for e in mended.files if e.day == day} == {
        newest.name: ("used", 30),
        middle.name: ("superseded", 0),
        oldest: ("superseded", 0),
    }
    assert all(e.message is None for e in mended.used())


def test_a_newer_version_with_other_axes_does_not_cost_the_day(folder: Path, factory: ModuleType) -> None:
    with_energies(factory, folder / file_name(DAYS[0], "5.10.0"), DAYS[0], factor=1.1)
    catalog = scanned(folder)
    assert [entry.reason for entry in catalog.set_aside()] == ["other_axes"]
    assert [(entry.day, entry.version) for entry in catalog.used()] == [(day, "5.6.0") for day in DAYS]
