# SPDX-License-Identifier: BSD-3-Clause
"""What files say of their origin, read from good, odd and hostile files."""

from __future__ import annotations

from pathlib import Path

import cdflib.cdfwrite
import pycdfpp
import pytest

from padflow.cdf.origin import MAX_CHARACTERS, MAX_CHARACTERS_OF_ALL, MAX_ENTRIES, origin_of
from padflow.instruments.origin import NAMES


def write(path: Path, attributes: dict[str, list]) -> Path:
    with cdflib.cdfwrite.CDF(path, delete=True) as cdf:
        cdf.write_globalattrs({name: dict(enumerate(entries)) for name, entries in attributes.items()})
    return path


def test_names_are_kept_in_one_order_and_others_are_not(tmp_path: Path) -> None:
    attributes = {"PI_name": ["A. Person", "B. Person"], "MODS": ["left out"], "TITLE": ["A title"], "doi": ["10.1/x"]}
    found = origin_of(write(tmp_path / "a.cdf", attributes))
    assert list(found.items()) == [("TITLE", "A title"), ("PI_name", "A. Person; B. Person"), ("DOI", "10.1/x")]


def test_numbers_and_empty_entries(tmp_path: Path) -> None:
    found = origin_of(
        write(tmp_path / "a.cdf", {"Data_version": [[3.5, "CDF_DOUBLE"]], "Rules_of_use": [" ", "Be fair."]})
    )
    assert found == {"Data_version": "3.5", "Rules_of_use": "Be fair."}


def test_what_does_not_print_is_removed(tmp_path: Path) -> None:
    hostile = "red \x1b[31m\r\nnew\tline \u202etxt\u200b <script>alert(1)</script> é"
    found = origin_of(write(tmp_path / "a.cdf", {"TITLE": [hostile]}))["TITLE"]
    assert found == "red [31m new line txt <script>alert(1)</script> é"


def test_size_is_bounded(tmp_path: Path) -> None:
    long = {name: ["x" * 100_000] for name in NAMES}
    long["PI_name"] = ["y"] * (MAX_ENTRIES + 30)
    found = origin_of(write(tmp_path / "a.cdf", long))
    assert sum(map(len, found.values())) <= MAX_CHARACTERS_OF_ALL
    assert len(found["TITLE"]) == MAX_CHARACTERS
    alone = origin_of(write(tmp_path / "b.cdf", {"PI_name": long["PI_name"]}))
    assert alone["PI_name"].count("y") == MAX_ENTRIES


def test_damage_costs_attributes_and_nothing_else(tmp_path: Path) -> None:
    path = write(tmp_path / "a.cdf", {name: [f"value of {name}"] for name in NAMES})
    whole, kept = path.read_bytes(), set()
    for place in range(8, len(whole), 5):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        found = origin_of(path)
        kept.add(len(found))
        assert set(found) <= set(NAMES)
        assert all(text.isprintable() for text in found.values())
    assert {0, len(NAMES)} <= kept
    for size in range(8, len(whole), 50):
        path.write_bytes(whole[:size])
        assert set(origin_of(path)) <= set(NAMES)


@pytest.mark.parametrize("pattern", ["elfin/*.cdf", "hope/*.cdf", "*.cdf"])
def test_real_files_say_who_made_them(real_data: Path, pattern: str) -> None:
    for path in real_data.glob(pattern):
        found, expected = origin_of(path), pycdfpp.load(str(path)).attributes
        assert found["PI_name"]
        assert found["Rules_of_use"]
        for name in found:
            assert found[name] == "; ".join(" ".join(str(entry).split()) for entry in expected[name])
