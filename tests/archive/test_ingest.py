# SPDX-License-Identifier: BSD-3-Clause
"""From CDF files to the archive: each record once, its values as the file has them, old parts left alone."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pycdfpp
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from padflow.archive import ingest as ingest_module
from padflow.archive import scan as scan_module
from padflow.archive.catalog import FORMAT
from padflow.archive.files import FoundFile
from padflow.archive.ingest import IngestPart, WrittenPart
from padflow.archive.overlaps import STRAY_NS
from padflow.archive.plan import plan_groups
from padflow.archive.scan import scan_archive
from padflow.cdf.reader import FileFacts
from padflow.compute.workers import SerialWorkers
from padflow.config.sections import ArchiveConfig, Config
from padflow.errors import PadflowError
from padflow.instruments.instrument import load_instrument
from padflow.pipeline.plan import make_plan, request_of
from padflow.pipeline.receipts import Ingested, receipt_path, receipts
from padflow.pipeline.run import Run
from padflow.pipeline.stages.archive import ingest
from padflow.pipeline.tasks import part_tasks
from padflow.pipeline.timing import StageTimes
from padflow.progress.events import Progress
from padflow.records import Records
from padflow.simulation.archive import simulate_archive
from padflow.simulation.troubles import Troubles
from padflow.store.durable import read_json

REPT = load_instrument("rept")
EPHEMERIS = ("L", "L_star", "MLT", "MLAT", "B_Calc", "B_Eq", "Position")


def opened(source: Path, directory: Path, *, allow_removal: int = 0) -> Run:
    config = Config(archive=ArchiveConfig(source=source, rows_per_part=1024))
    request = request_of(config, directory, allow_removal=allow_removal)
    times, workers = StageTimes(request.directory, Progress()), SerialWorkers()
    plan = make_plan(request, workers=workers, times=times)
    plan.validate()
    return Run(plan, workers, None, times)


def ingested(source: Path, directory: Path, *, allow_removal: int = 0) -> Run:
    run = opened(source, directory, allow_removal=allow_removal)
    ingest(run)
    return run


def archive(run: Run, group: str = "rbspa") -> xr.Dataset:
    return xr.open_zarr(run.directory.archive, group=group, consolidated=False, chunks=None).load()


def truth_times(source: Path, group: str = "rbspa") -> np.ndarray:
    with xr.open_dataset(source / f"truth_{group}.nc", engine="h5netcdf") as truth:
        return truth["time"].values.astype("datetime64[ns]")


def part_files(run: Run) -> dict[str, tuple[int, bytes]]:
    """Return time of change and content of every part."""
    store = run.directory.archive
    axes = {"pitch_angle", "energy", "counts_per_flux"}
    files = (path for path in store.glob("*/*/c/**/*") if path.is_file() and not axes & set(path.parts))
    return {str(p.relative_to(store)): (p.stat().st_mtime_ns, p.read_bytes()) for p in files}


def contents(run: Run) -> dict[str, bytes]:
    store = run.directory.archive
    return {str(p.relative_to(store)): p.read_bytes() for p in store.rglob("*") if p.is_file()}


def read_independently(source: Path, times: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Read the records at some times with pycdfpp: from the newest file of the day, the first of equal times."""
    newest: dict[str, tuple[tuple[int, ...], Path]] = {}
    for path in source.rglob("*.cdf"):
        day, version = path.stem.split("_")[-2:]
        number = tuple(int(part) for part in version[1:].split("."))
        newest[day] = max(newest.get(day, ((), path)), (number, path))
    fluxes, places = [], {name: [] for name in EPHEMERIS}
    for day in np.unique(times.astype("datetime64[D]")):
        cdf = pycdfpp.load(str(newest[str(day).replace("-", "")][1]))
        found = pycdfpp.to_datetime64(cdf["Epoch"])
        rows = [np.flatnonzero(found == time)[0] for time in times[times.astype("datetime64[D]") == day]]
        fluxes.append(cdf["FEDU"].values[rows])
        for name in EPHEMERIS:
            places[name].append(cdf[name].values[rows])
    flux = np.concatenate(fluxes)
    with np.errstate(invalid="ignore"):
        flux = np.where(np.isfinite(flux) & (flux >= 0), flux, np.nan).astype("f4")
    joined = {name: np.concatenate(values) for name, values in places.items()}
    return flux, {name: np.where(v > -1e30, v, np.nan).astype("f4") for name, v in joined.items()}


@pytest.fixture(scope="module")
def troubled(troubled_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return ingested(troubled_archive, tmp_path_factory.mktemp("troubled"))


def test_every_good_record_is_there_once_in_time_order(troubled: Run, troubled_archive: Path) -> None:
    found = archive(troubled)
    np.testing.assert_array_equal(found["time"].values, truth_times(troubled_archive))
    assert len(troubled.catalog.set_aside()) == 4
    assert sum(entry.status == "superseded" for entry in troubled.catalog.files) == 1


def test_values_are_those_another_reader_finds(troubled: Run, troubled_archive: Path) -> None:
    found = archive(troubled)
    flux, places = read_independently(troubled_archive, truth_times(troubled_archive))
    np.testing.assert_array_equal(found["flux"].values, flux)
    assert np.isnan(flux).any()
    assert (flux > 0).any()
    for name in EPHEMERIS:
        np.testing.assert_array_equal(found[name].values, places[name], err_msg=name)


def test_what_cleaning_did_is_counted_once_a_day(troubled: Run, troubled_archive: Path) -> None:
    total: dict[str, int] = {}
    for _, _, receipt in receipts(troubled.directory, Ingested):
        for name, count in receipt.cleaned.items():
            total[name] = total.get(name, 0) + count
    expected = {"fill": 0, "negative": 0, "nonfinite": 0, "no_time": 0}
    for entry in troubled.catalog.used():
        flux = pycdfpp.load(str(troubled_archive / entry.path))["FEDU"].values
        fill = np.isnan(flux) | (flux < -1e30)
        expected["fill"] += int(fill.sum())
        expected["nonfinite"] += int((flux == np.inf).sum())
        expected["negative"] += int(((flux < 0) & ~fill).sum())
        expected["no_time"] += entry.notes.get("invalid_time", 0)
    assert all(expected.values())
    assert {name: total[name] for name in expected} == expected
    # Some days lie in two parts.
    assert sum(len(part.pieces) for part in troubled.groups[0].parts()) > len(troubled.groups[0].days)


@pytest.mark.parametrize("count", [2, 3])
def test_many_troubles_at_once(count: int, tmp_path: Path) -> None:
    simulate_archive(tmp_path / "cdf", days=20, records_per_day=100, troubles=Troubles.all(count), seed=count)
    run = ingested(tmp_path / "cdf", tmp_path / "run")
    times = truth_times(tmp_path / "cdf")
    found = archive(run)
    np.testing.assert_array_equal(found["time"].values, times)
    np.testing.assert_array_equal(found["flux"].values, read_independently(tmp_path / "cdf", times)[0])


def damage(path: Path) -> None:
    """Break a file in a way that its size and time of change do not tell."""
    status = path.stat()
    content = bytearray(path.read_bytes())
    content[8:4096] = bytes(4088)
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_a_file_that_goes_bad_after_the_scan_is_set_aside(tmp_path: Path) -> None:
    source = tmp_path / "cdf"
    simulate_archive(source, days=5, records_per_day=500)
    run = opened(source, tmp_path / "run")
    victim = run.catalog.used()[2]
    damage(source / victim.path)
    ingest(run)
    (bad,) = run.catalog.set_aside()
    assert (bad.path, bad.rows) == (victim.path, 0)
    assert victim.path in bad.message
    assert run.directory.known_catalog() == run.catalog
    times = truth_times(source)
    expected = times[times.astype("datetime64[D]") != np.datetime64(victim.day)]
    np.testing.assert_array_equal(archive(run)["time"].values, expected)
    before = part_files(run)
    again = ingested(source, tmp_path / "run")  # neither looks at it nor plans it again
    assert again.catalog == run.catalog
    assert part_files(run) == before


def test_a_file_that_the_system_refuses_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "cdf"
    simulate_archive(source, days=4, records_per_day=500)
    run = opened(source, tmp_path / "run")
    victim, whole = source / run.catalog.used()[1].path, Path.open

    def refuse(path: Path, *arguments, **keywords) -> object:
        if path == victim:
            raise OSError(5, "Input/output error", str(path))
        return whole(path, *arguments, **keywords)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", refuse)
        ingest(run)
    assert [entry.reason for entry in run.catalog.set_aside()] == ["io_error"]
    again = ingested(source, tmp_path / "run")
    assert again.catalog.set_aside() == []
    np.testing.assert_array_equal(archive(again)["time"].values, truth_times(source))


def test_a_mended_file_is_taken_in(tmp_path: Path) -> None:
    source = tmp_path / "cdf"
    simulate_archive(source, days=5, records_per_day=500)
    path = sorted(source.rglob("*.cdf"))[3]
    whole = path.read_bytes()
    path.write_bytes(whole[:-5000])
    run = ingested(source, tmp_path / "run")
    assert len(run.catalog.set_aside()) == 1
    before = part_files(run)
    path.write_bytes(whole)
    mended = ingested(source, tmp_path / "run")
    assert mended.catalog.set_aside() == []
    np.testing.assert_array_equal(archive(mended)["time"].values, truth_times(source))
    after = part_files(mended)
    kept = [name for name in before if name.split("/c/")[1].split("/")[0] == "0"]
    assert kept
    assert all(before[name] == after[name] for name in kept)


def test_a_file_that_changed_in_between_is_not_taken_for_what_it_was(tmp_path: Path) -> None:
    source = tmp_path / "cdf"
    simulate_archive(source, days=2, records_per_day=300)
    run = opened(source, tmp_path / "run")
    first, second = sorted(source.rglob("*.cdf"))
    shutil.copyfile(second, first)
    with pytest.raises(PadflowError, match=r"it changed in between\. Run the command again"):
        ingest(run)


def test_added_days_leave_full_parts_alone_and_equal_one_go(tmp_path: Path) -> None:
    source, later = tmp_path / "cdf", tmp_path / "later"
    simulate_archive(source, days=8, records_per_day=500)
    late = sorted(source.rglob("*.cdf"))[5:]
    for path in late:
        later.mkdir(exist_ok=True)
        shutil.move(path, later / path.name)
    first = ingested(source, tmp_path / "run")
    before = part_files(first)
    for path in late:
        shutil.copy2(later / path.name, path)
    second = ingested(source, tmp_path / "run")
    after = part_files(second)
    full = first.groups[0].rows // 1024
    assert 0 < full < second.groups[0].rows // 1024
    old = [name for name in before if int(name.split("/c/")[1].split("/")[0]) < full]
    assert len(old) == full * (2 + len(EPHEMERIS))
    assert all(after[name] == before[name] for name in old)
    in_one_go = ingested(source, tmp_path / "one")
    assert contents(second) == contents(in_one_go)


def test_days_taken_away_leave_what_one_go_would(tmp_path: Path) -> None:
    source = tmp_path / "cdf"
    simulate_archive(source, days=6, records_per_day=500)
    ingested(source, tmp_path / "run")
    for path in sorted(source.rglob("*.cdf"))[3:]:
        path.unlink()
    shorter = ingested(source, tmp_path / "run", allow_removal=1500)
    assert contents(shorter) == contents(ingested(source, tmp_path / "one"))


def test_a_newer_version_rewrites_only_what_it_touches(tmp_path: Path) -> None:
    source = tmp_path / "cdf"
    simulate_archive(source, days=6, records_per_day=500)
    first = ingested(source, tmp_path / "run")
    before = part_files(first)
    day = first.catalog.used()[1]
    old = source / day.path
    new = old.with_name(old.name.replace("v5.6.0", "v5.10.0"))
    content = pycdfpp.load(str(old))
    flux = content["FEDU"].values * 2
    content["FEDU"].set_values(flux, force=True)
    pycdfpp.save(content, str(new))
    second = ingested(source, tmp_path / "run")
    after = part_files(second)
    touched = {part.index for part in second.groups[0].parts() if any(d.day == day.day for d, _, _ in part.pieces)}
    assert touched == {0} or touched == {0, 1}
    changed = {int(name.split("/c/")[1].split("/")[0]) for name in before if before[name][0] != after[name][0]}
    assert changed == touched
    a, b = archive(first), archive(second)
    assert a.sizes == b.sizes
    assert contents(second) == contents(ingested(source, tmp_path / "one"))
    inside = b["time"].values.astype("datetime64[D]") == np.datetime64(day.day)
    rows = np.nan_to_num(b["flux"].values[inside])
    np.testing.assert_array_equal(rows, np.nan_to_num(np.where(flux >= 0, flux, np.nan).astype("f4")))


def test_an_interrupted_ingest_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "cdf"
    simulate_archive(source, days=6, records_per_day=500)
    done: list[int] = []
    call = IngestPart.__call__

    def limited(limit: int) -> Callable:
        def counted(self: IngestPart, span) -> Any:
            if len(done) == limit:
                raise KeyboardInterrupt
            done.append(span.index)
            return call(self, span)

        return counted

    monkeypatch.setattr(IngestPart, "__call__", limited(2))
    with pytest.raises(KeyboardInterrupt):
        ingested(source, tmp_path / "run")
    monkeypatch.setattr(IngestPart, "__call__", limited(-1))
    run = ingested(source, tmp_path / "run")
    assert done == [0, 1, 2]
    assert contents(run) == contents(ingested(source, tmp_path / "one"))


def test_a_newer_version_that_turns_out_bad_after_the_scan_gives_way_to_the_older(tmp_path: Path) -> None:
    source = tmp_path / "cdf"
    simulate_archive(source, days=4, records_per_day=500)
    old = sorted(source.rglob("*.cdf"))[1]
    new = old.with_name(old.name.replace("v5.6.0", "v5.10.0"))
    shutil.copyfile(old, new)
    run = opened(source, tmp_path / "run")
    whole = new.read_bytes()
    damage(new)
    ingest(run)
    (bad,) = run.catalog.set_aside()
    assert bad.path == str(new.relative_to(source))
    np.testing.assert_array_equal(archive(run)["time"].values, truth_times(source))  # nothing is lost
    again = ingested(source, tmp_path / "run")
    assert again.catalog == run.catalog
    new.write_bytes(whole)
    mended = ingested(source, tmp_path / "run")
    assert mended.catalog.set_aside() == []
    assert contents(mended) == contents(ingested(source, tmp_path / "one"))


def test_what_is_made_from_a_file_stands_where_it_was_only_touched(tmp_path: Path) -> None:
    source = tmp_path / "cdf"
    simulate_archive(source, days=4, records_per_day=500)
    first = ingested(source, tmp_path / "run")
    before = [task.key for task in part_tasks(first.directory, first.groups, "score", halo=True)]
    sorted(source.rglob("*.cdf"))[0].touch()
    second = ingested(source, tmp_path / "run")
    assert first.plan.ingest_keys != second.plan.ingest_keys
    after = [task.key for task in part_tasks(second.directory, second.groups, "score", halo=True)]
    assert before == after
    # And not where its values changed: with its neighbours, for averages reach across the borders of parts.
    note = receipt_path(second.directory, "ingest", "rbspa", 0)
    receipt = read_json(note)
    name = next(iter(receipt["files"]))
    receipt["files"][name][1] = "0" * 64
    note.write_text(json.dumps(receipt))
    changed = [task.key for task in part_tasks(second.directory, second.groups, "score", halo=True)]
    assert [a != b for a, b in zip(before, changed, strict=True)] == [True, True]


def test_what_files_say_of_their_origin_is_in_the_archive(troubled: Run) -> None:
    attributes = archive(troubled).attrs
    assert attributes["title"] == "SIMULATED: Van Allen Probes ECT-REPT electrons, level 3, rbspa"
    assert attributes["SIMULATED"] == "no measurement"
    assert attributes["cdf_PI_name"] == "none (SIMULATED)"
    assert attributes["cdf_attributes_that_differ"].startswith("Data_version in ")
    assert len(troubled.catalog.origins) == len({entry.version for entry in troubled.catalog.used()})


def test_other_attributes_change_no_array(tmp_path: Path) -> None:
    simulate_archive(tmp_path / "cdf", days=2, records_per_day=300)
    arrays = {name: content for name, (_, content) in part_files(ingested(tmp_path / "cdf", tmp_path / "run")).items()}
    first, second = sorted((tmp_path / "cdf").rglob("*.cdf"))
    text = first.read_bytes()
    first.write_bytes(text.replace(b"none (SIMULATED)", b"Ann O. Measuring").replace(b"SIMULATED", b"MEASURED!"))
    after = ingested(tmp_path / "cdf", tmp_path / "run")
    assert {name: content for name, (_, content) in part_files(after).items()} == arrays
    found = archive(after).attrs
    assert found["cdf_PI_name"] == "Ann O. Measuring"
    assert found["SIMULATED"] == "no measurement in 1 of 2 files"
    second.write_bytes(second.read_bytes().replace(b"SIMULATED", b"MEASURED!"))
    found = archive(ingested(tmp_path / "cdf", tmp_path / "run")).attrs
    assert "SIMULATED" not in found
    assert found["title"] == "Van Allen Probes ECT-REPT electrons, level 3, rbspa"


def test_an_archive_of_an_older_padflow_gets_its_attributes_and_no_part_is_written(tmp_path: Path) -> None:
    simulate_archive(tmp_path / "cdf", days=1, records_per_day=300)
    run = ingested(tmp_path / "cdf", tmp_path / "run")
    parts, attributes = part_files(run), archive(run).attrs
    catalog = tmp_path / "run" / "catalog.json"
    catalog.write_text(catalog.read_text().replace(f'"format": {FORMAT}', '"format": 1'))
    metadata = tmp_path / "run" / "archive.zarr" / "rbspa" / "zarr.json"
    metadata.write_text(metadata.read_text().replace("cdf_PI_name", "other"))
    again = ingested(tmp_path / "cdf", tmp_path / "run")
    assert part_files(again) == parts  # times of change too
    assert archive(again).attrs == attributes


def test_two_spacecraft_have_a_group_each(tmp_path: Path) -> None:
    source = tmp_path / "cdf"
    simulate_archive(source, spacecraft=("rbspa", "rbspb"), days=3, records_per_day=400)
    run = ingested(source, tmp_path / "run")
    for group in ("rbspa", "rbspb"):
        found = archive(run, group)
        np.testing.assert_array_equal(found["time"].values, truth_times(source, group))
        assert found.attrs["spacecraft"] == group
        assert "3 CDF files" in found.attrs["source"]
        assert found["flux"].attrs["units"] == "cm-2 s-1 sr-1 MeV-1"
        assert (found["counts_per_flux"].values > 0).all()


FIRST = date(2013, 3, 1)
DAY_NS = 86_400 * 10**9
# Around both midnights of a day, the limits of straying included, and in its middle: few, so that they collide.
EDGES = [-STRAY_NS - 1, -STRAY_NS, -2, -1, 0, 1, 2, STRAY_NS - 1, STRAY_NS]
OFFSETS = st.sampled_from([*EDGES, *(DAY_NS + ns for ns in EDGES), DAY_NS // 2])
FILES = st.lists(st.none() | st.lists(st.none() | OFFSETS, min_size=1, max_size=8), min_size=1, max_size=4)


def facts_of(times: np.ndarray) -> FileFacts:
    return FileFacts(np.array([45.0, 135.0]), np.array([2.0]), times, ())


def stored_by(files: list[FoundFile], times: dict[str, np.ndarray], marks: dict[str, np.ndarray], rows_per_part: int):
    """Return the catalogue of made-up files, and the times and marks that the archive holds of them."""

    def read(path: Path, instrument, spacecraft: str, *, wanted) -> tuple[Records, dict[str, int]]:
        flux = np.broadcast_to(marks[path.name][:, None, None], (len(marks[path.name]), 2, 1)).astype("f4")
        return Records(times[path.name], flux, {}).take(wanted(times[path.name])), {}

    written: list[dict] = []

    def keep(store, group, index, *, specs, values, rows_per_part) -> dict:
        written.append(values)
        assert index == len(written) - 1
        return {}

    instrument = REPT.model_copy(update={"ephemeris": {}})
    with (
        patch.object(scan_module, "find_files", lambda *_: files),
        patch.object(scan_module, "inspect", lambda path, *_, **__: facts_of(times[path.name])),
        patch.object(ingest_module, "read_records", read),
        patch.object(ingest_module, "write_part", keep),
    ):
        catalog = scan_archive(Path("/data"), instrument, config=ArchiveConfig(), previous=None)
        for plan in plan_groups(catalog, rows_per_part=rows_per_part):
            for span in plan.parts():
                part = IngestPart("/data", instrument, "/store", (2, 1), rows_per_part)(span)
                assert isinstance(part, WrittenPart)
    assert all(len(values["time"]) == rows_per_part for values in written[:-1])
    joined = {name: [values[name] for values in written] or [np.empty((0, 1, 1))] for name in ("time", "flux")}
    return catalog, np.concatenate(joined["time"]).ravel(), np.concatenate(joined["flux"])[:, 0, 0]


@settings(max_examples=300, deadline=None)
@given(files=FILES, rows_per_part=st.integers(1, 9))
def test_each_record_once_whatever_the_files_hold(files: list[list[int | None] | None], rows_per_part: int) -> None:
    """Files of neighbouring days with disorder, copies within and between them, strays and invalid times."""
    times: dict[str, np.ndarray] = {}
    candidates: dict[str, list[tuple[int, float]]] = {}
    marks: dict[str, np.ndarray] = {}
    for number, offsets in enumerate(files):
        if offsets is None:
            continue
        day = FIRST + timedelta(days=number)
        midnight = int(np.datetime64(day, "ns").astype(np.int64))
        path = f"{day.isoformat()}.cdf"
        ns = [np.iinfo("i8").min if offset is None else midnight + offset for offset in offsets]
        times[path] = np.array(ns, np.int64).view("datetime64[ns]")
        marks[path] = 100.0 * number + np.arange(len(ns))
        given = [offset for offset in offsets if offset is not None]
        near = [-STRAY_NS <= offset < DAY_NS + STRAY_NS for offset in given]
        if all(near) or any(0 <= offset < DAY_NS for offset in given):  # else it is a file of another day
            found = zip(ns, marks[path].tolist(), offsets, strict=True)
            candidates[path] = [(n, m) for n, m, o in found if o is not None and -STRAY_NS <= o < DAY_NS + STRAY_NS]
    found = [
        FoundFile(Path("/data") / path, "rbspa", date.fromisoformat(path[:10]), (1,), 10, 10) for path in sorted(times)
    ]
    if not found:
        return
    catalog, stored, given_marks = stored_by(found, times, marks, rows_per_part)
    assert stored.tolist() == sorted({time for pairs in candidates.values() for time, _ in pairs})
    used = {entry.path for entry in catalog.used()}
    assert used <= candidates.keys()
    for time, mark in zip(stored.tolist(), given_marks.tolist(), strict=True):
        number = (np.datetime64(time, "ns").astype("datetime64[D]") - np.datetime64(FIRST)).astype(int)
        there = [m for path in sorted(used) for t, m in candidates[path] if t == time]
        own = [m for m in there if m // 100 == number]
        assert mark == (own or there)[0]
    left_out = sum(entry.notes.get("outside_day", 0) + entry.notes.get("invalid_time", 0) for entry in catalog.files)
    assert left_out <= sum(map(len, times.values())) - len(stored)
    for path in candidates.keys() - used:  # and no file is read for nothing
        assert {time for time, _ in candidates[path]} <= {t for other in used for t, _ in candidates[other]}


MINUTE_NS = 60 * 10**9


@settings(max_examples=200, deadline=None)
@given(
    minutes=st.sets(st.integers(0, 1439), min_size=12, max_size=40),
    cuts=st.sets(st.integers(3, 36), max_size=4),
    doubled=st.integers(0, 1),
    strays=st.booleans(),
    rows_per_part=st.integers(1, 50),
    order=st.randoms(use_true_random=False),
)
def test_pieces_of_a_day_are_joined_in_time_order_each_record_once(
    minutes: set[int], cuts: set[int], doubled: int, strays: bool, rows_per_part: int, order
) -> None:
    """Of any lengths, with a record at a border in both, in any order of names, and strays of the day before."""
    midnight = int(np.datetime64(FIRST, "ns").astype(np.int64))
    whole = midnight + MINUTE_NS * np.array(sorted(minutes))
    ends = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    pieces = [whole[max(0, first - doubled) : end] for first, end in pairwise(ends)]
    names = [f"2013-03-01-{number}.cdf" for number in range(len(pieces))]
    order.shuffle(names)
    times = {name: piece.view("datetime64[ns]") for name, piece in zip(names, pieces, strict=True)}
    found = [FoundFile(Path("/data") / name, "rbspa", FIRST, (1,), 10, 10, name) for name in sorted(names)]
    expected = set(whole.tolist())
    if strays:
        own = [midnight - MINUTE_NS, midnight, midnight + 90 * 10**9]  # of which the second may be doubled
        times["2013-02-28.cdf"] = np.array(own, np.int64).view("datetime64[ns]")
        expected |= set(own)
        found.insert(0, FoundFile(Path("/data/2013-02-28.cdf"), "rbspa", FIRST - timedelta(days=1), (1,), 10, 10, "x"))
    marks = {name: np.arange(len(piece), dtype="f8") for name, piece in times.items()}
    catalog, stored, _ = stored_by(found, times, marks, rows_per_part)
    assert {entry.status for entry in catalog.files} == {"used"}
    assert stored.tolist() == sorted(expected)
