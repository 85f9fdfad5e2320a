# SPDX-License-Identifier: BSD-3-Clause

from __future__ import annotations

import os
import random
from datetime import date
from pathlib import Path

import pytest

from padflow.archive.files import FoundFile, find_files, newest_versions
from padflow.errors import ConfigError
from padflow.instruments.instrument import Instrument, load_instrument

REPT = load_instrument("rept")


def name(day="20130317", version="5.0.0", spacecraft="rbspa") -> str:
    return f"{spacecraft}_rel03_ect-rept-sci-l3_{day}_v{version}.cdf"


def put(folder: Path, *names: str, content: bytes = b"x") -> None:
    for one in names:
        path = folder / one
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def found(path="a.cdf", version=(5, 0, 0), day=date(2013, 3, 17), size=1, spacecraft="rbspa") -> FoundFile:
    return FoundFile(Path(path), spacecraft, day, version, size, 0)


def test_spdf_layout_flat_and_mixed_case(tmp_path):
    deep = "rbspa/l3/ect/rept/sectors/rel03/2013/" + name()
    put(tmp_path, deep, name("20130318").replace("l3", "L3").upper(), name("20130101", spacecraft="rbspb"))
    put(tmp_path, "notes.txt", "rbspa_rel04_ect-mageis-l3_20130317_v8.1.0.cdf", name() + ".part", "x" + name())
    files = find_files(tmp_path, REPT)
    assert [(file.spacecraft, file.day) for file in files] == [
        ("rbspa", date(2013, 3, 17)),
        ("rbspa", date(2013, 3, 18)),
        ("rbspb", date(2013, 1, 1)),
    ]
    status = (tmp_path / deep).stat()
    assert files[0] == FoundFile(
        tmp_path / deep,
        "rbspa",
        date(2013, 3, 17),
        (5, 0, 0),
        status.st_size,
        status.st_mtime_ns,
        "rbspa_rel03_ect-rept-sci-l3_20130317_v.cdf",
    )
    assert files[1].piece == "rbspa_rel03_ect-rept-sci-l3_20130318_v.cdf"


def test_empty_files_are_found(tmp_path):
    put(tmp_path, name(), content=b"")
    assert [file.size_bytes for file in find_files(tmp_path, REPT)] == [0]


def test_impossible_dates_are_no_match(tmp_path):
    put(tmp_path, name(), name("20130231"), name("00000101"))
    assert len(find_files(tmp_path, REPT)) == 1


def test_links_to_files_and_folders_are_followed(tmp_path):
    store, archive = tmp_path / "store", tmp_path / "archive"
    put(store, "2014/" + name("20140101"), "4f/" + "0" * 40, content=b"four")
    put(archive, name(), "deep/" + name("20130318"))
    (archive / "2014").symlink_to(store / "2014")
    (archive / name("20130319")).symlink_to("../store/4f/" + "0" * 40)  # as content-addressed stores do
    files = find_files(archive, REPT)
    days = [date(2013, 3, 17), date(2013, 3, 18), date(2013, 3, 19), date(2014, 1, 1)]
    assert [file.day for file in files] == days
    assert files[3].path == archive / "2014" / name("20140101")
    status = (store / "4f" / ("0" * 40)).stat()
    assert (files[2].size_bytes, files[2].mtime_ns) == (4, status.st_mtime_ns)  # a changed target is noticed
    through_link = tmp_path / "link"
    through_link.symlink_to(archive)
    assert [file.day for file in find_files(through_link, REPT)] == days


def test_circles_of_links_end_and_no_folder_is_searched_twice(tmp_path):
    put(tmp_path, "deep/deeper/" + name(), "z/" + name("20130318"))
    (tmp_path / "deep" / "deeper" / "up").symlink_to(tmp_path)
    (tmp_path / "deep" / "sideways").symlink_to("deeper")
    (tmp_path / "a").symlink_to("z")  # sorted before the folder itself, which is nevertheless the one that counts
    (tmp_path / "self.cdf").symlink_to("self.cdf")
    assert [file.path.relative_to(tmp_path).as_posix() for file in find_files(tmp_path, REPT)] == [
        "deep/deeper/" + name(),
        "z/" + name("20130318"),
    ]


def test_links_that_lead_nowhere_are_not_passed_over(tmp_path):
    put(tmp_path, name())
    (tmp_path / name("20130318")).symlink_to(tmp_path / "gone")
    (tmp_path / "notes.txt").symlink_to(tmp_path / "gone")
    (tmp_path / name("20130319")).symlink_to(name("20130319"))
    assert [(file.day.day, file.size_bytes) for file in find_files(tmp_path, REPT)] == [(17, 1), (18, 0), (19, 0)]
    (tmp_path / "2014").symlink_to("/mnt/of/yesterday")
    with pytest.raises(ConfigError, match="2014 is a symbolic link that leads nowhere, to /mnt/of/yesterday"):
        find_files(tmp_path, REPT)


def test_only_regular_files_are_found(tmp_path):
    put(tmp_path, name())
    os.mkfifo(tmp_path / name("20130318"))
    (tmp_path / name("20130319")).symlink_to("/dev/zero")
    (tmp_path / name("20130320")).mkdir()
    assert len(find_files(tmp_path, REPT)) == 1


def test_missing_folder(tmp_path):
    with pytest.raises(ConfigError, match="gone is not a folder"):
        find_files(tmp_path / "gone", REPT)


def test_nothing_matches_says_what_is_there(tmp_path):
    mageis = [f"rbspa_rel04_ect-mageis-l3_2013031{day}_v8.1.0.cdf" for day in range(5)]
    put(tmp_path, *mageis)
    with pytest.raises(ConfigError) as caught:
        find_files(tmp_path, REPT)
    text = str(caught.value)
    assert "5 other .cdf file(s)" in text
    assert mageis[0] in text
    assert mageis[4] not in text
    assert "set the instrument to mageis" in text
    assert "hope" not in text


def test_no_cdf_at_all(tmp_path):
    put(tmp_path, "readme.txt")
    with pytest.raises(ConfigError, match=r"no \.cdf file at any depth\.$"):
        find_files(tmp_path, REPT)


def test_folder_without_permission(tmp_path, permissions_hold):
    put(tmp_path, name(), "shut/" + name("20130318"))
    (tmp_path / "shut").chmod(0)
    try:
        with permissions_hold(), pytest.raises(ConfigError, match="shut cannot be read"):
            find_files(tmp_path, REPT)
    finally:
        (tmp_path / "shut").chmod(0o755)


def test_versions_are_numbers():
    versions = [(5, 9, 0), (5, 10, 0), (5, 3, 0), (4, 99, 99), (5, 10)]
    files = [found(f"{version}.cdf", version) for version in versions]
    for seed in range(5):
        random.Random(seed).shuffle(files)
        chosen, superseded = newest_versions(files)
        assert [file.version for file in chosen] == [(5, 10, 0)]
        assert {old.file.version for old in superseded} == set(versions) - {(5, 10, 0)}
        assert all(old.by == chosen[0] for old in superseded)
    reasons = {old.file.version: old.reason for old in superseded}
    assert reasons[5, 9, 0] == "version 5.9.0 is older than 5.10.0 in (5, 10, 0).cdf"


def test_same_version_twice():
    files = [found("b.cdf", size=9), found("a.cdf", size=9), found("0.cdf", size=3)]
    for order in (files, files[::-1]):
        chosen, superseded = newest_versions(order)
        assert chosen == [files[1]]
        assert [old.file.path.name for old in superseded] == ["b.cdf", "0.cdf"]
        assert superseded[0].reason == "version 5.0.0 is also in a.cdf, which is read instead"


def test_pieces_of_a_day_have_versions_of_their_own(tmp_path):
    fields = REPT.model_dump() | {
        "name": "mine",
        "file_pattern": r"(?P<spacecraft>sat\d)_(?P<date>\d{8})_\d\dh_v(?P<version>[\d.]+)\.cdf",
    }
    put(tmp_path, *(f"sat7_20130317_{hour}_v{version}.cdf" for hour in ("00h", "06h") for version in ("1.9", "1.10")))
    put(tmp_path, "SAT7_20130317_12H_v1.9.cdf", "copy/sat7_20130317_12h_v1.9.cdf")
    chosen, superseded = newest_versions(find_files(tmp_path, Instrument(**fields)))
    assert [file.path.relative_to(tmp_path).as_posix() for file in chosen] == [
        "sat7_20130317_00h_v1.10.cdf",
        "sat7_20130317_06h_v1.10.cdf",
        "SAT7_20130317_12H_v1.9.cdf",
    ]
    assert len(superseded) == 3


def test_days_and_spacecraft_are_separate_and_ordered():
    files = [found(spacecraft="rbspb"), found(day=date(2013, 3, 18)), found()]
    chosen, superseded = newest_versions(files)
    assert chosen == files[::-1]
    assert superseded == []


def test_names_without_version(tmp_path):
    fields = REPT.model_dump() | {
        "name": "mine",
        "file_pattern": r"(?P<spacecraft>sat\d)-(?P<date>\d{8})\.cdf",
    }
    put(tmp_path, "SAT7-20130317.cdf")
    (file,) = find_files(tmp_path, Instrument(**fields))
    assert (file.spacecraft, file.version) == ("sat7", ())


def test_real_names(real_data):
    assert [f.version for f in find_files(real_data, load_instrument("hope"))] == [(0, 0, 0)]
    assert [(f.spacecraft, f.version) for f in find_files(real_data, load_instrument("elfin-epd-fs"))] == [
        ("elb", (1,))
    ]
