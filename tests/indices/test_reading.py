# SPDX-License-Identifier: BSD-3-Clause
"""Files of any format into one Dataset: known by content, merged by order of the files, refused by name."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from padflow.errors import BadFile, ConfigError
from padflow.indices.reading import read_indices
from padflow.indices.series import INDICES
from padflow.instruments.origin import SIMULATED

HOURS = [-i for i in range(24)]


def write(path: Path, *lines: str) -> Path:
    path.write_text("\r\n".join([*lines, ""]))
    return path


@pytest.fixture
def files(index_factory: ModuleType, factory: ModuleType, tmp_path: Path) -> list[Path]:
    make = index_factory
    kp = [make.kp_line(f"2013-03-17T{3 * i:02d}", i / 3, i) for i in range(8)]
    minutes = np.datetime64("2013-03-17", "ms") + np.arange(3) * np.timedelta64(1, "m")
    omni = {
        "Epoch": factory.variable(factory.raw_times(minutes), factory.EPOCH, fill=None),
        "BZ_GSM": factory.variable(np.array([1.5, 9999.99, -3]), factory.REAL4, fill=9999.99),
    }
    return [
        write(tmp_path / "dst.txt", make.dst_line("2013-03-17", HOURS)),
        write(tmp_path / "sym.txt", make.minutes_line("2013-03-17T01", list(range(60)))),
        write(tmp_path / "kp.txt", make.GFZ_HEAD.strip(), *kp),
        factory.write_cdf(tmp_path / "omni.cdf", omni),
    ]


def test_each_format_is_known_by_its_content(files: list[Path]) -> None:
    dataset = read_indices(*files)
    assert list(dataset) == ["sym_h", "bz_gsm", "dst", "kp", "ap"]
    for name in dataset:
        index = INDICES[name]
        assert dataset[name].dtype == np.float32
        assert (dataset[name].attrs["units"], dataset[name].attrs["long_name"]) == (index.units, index.long_name)
        assert dataset[dataset[name].dims[0]].attrs["cadence_seconds"] == index.cadence
        assert SIMULATED not in dataset[name].attrs
    assert dataset["kp"].attrs["source"] == "kp.txt"
    np.testing.assert_array_equal(dataset["dst"], HOURS)
    np.testing.assert_array_equal(dataset["bz_gsm"][:3], np.float32([1.5, np.nan, -3]))
    assert dataset["bz_gsm"].isnull().sum() == 61, "minutes that only the other file has are missing"
    assert dataset["sym_h"].sizes == {"time_1min": 63}


def test_the_file_named_first_counts_where_it_has_a_value(index_factory: ModuleType, tmp_path: Path) -> None:
    final = write(tmp_path / "final.txt", index_factory.dst_line("2013-03-17", [*HOURS[:23], 9999]))
    days = [index_factory.dst_line(day, [7] * 24) for day in ("2013-03-17", "2013-03-18")]
    provisional = write(tmp_path / "provisional.txt", *days)
    dst = read_indices(final, provisional)["dst"]
    np.testing.assert_array_equal(dst, [*HOURS[:23], 7, *[7] * 24])
    assert dst.attrs["source"] == "final.txt, provisional.txt"
    np.testing.assert_array_equal(read_indices(provisional, final)["dst"], 7)


def test_what_is_no_file_of_indices_is_refused_by_name(tmp_path: Path) -> None:
    page = write(tmp_path / "page.txt", "<!DOCTYPE html>")
    with pytest.raises(
        BadFile, match=r"page\.txt: expected Kyoto's Dst.*but it begins with '<!DOCTYPE html>'"
    ) as refused:
        read_indices(page)
    assert refused.value.reason == "unknown_format"
    with pytest.raises(BadFile, match=r"empty\.txt: expected"):
        read_indices(write(tmp_path / "empty.txt"))
    with pytest.raises(BadFile, match=r"none\.txt cannot be read: No such file"):
        read_indices(tmp_path / "none.txt")
    with pytest.raises(ConfigError, match="at least one file"):
        read_indices()
    with pytest.raises(ConfigError, match="URL"):
        read_indices("https://host/dst.txt")
