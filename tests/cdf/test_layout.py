# SPDX-License-Identifier: BSD-3-Clause
"""Damaged files are refused with a reason, quickly and within bounds, and nothing but BadFile gets out."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
import warnings
from datetime import date

import numpy as np
import pytest

from padflow.cdf.reader import inspect, read_records
from padflow.errors import BadFile
from padflow.instruments.instrument import load_instrument

REPT = load_instrument("rept")
DAY = date(2013, 3, 17)
GDR = 320
MEMORY_LIMIT = 50_000_000  # the files have 30 kB


def outcome(path, instrument=REPT, spacecraft="rbspa", day=DAY) -> tuple[str, str]:
    """Reasons of inspect and read_records, or 'good'; a warning is an error, and would get through."""
    found = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for call in (
            lambda: inspect(path, instrument, spacecraft, day),
            lambda: read_records(path, instrument, spacecraft),
        ):
            try:
                call()
                found.append("good")
            except BadFile as error:
                found.append(error.reason)
    assert not caught
    return tuple(found)


@pytest.fixture
def content(tmp_path, factory) -> bytes:
    return factory.write_rept(tmp_path / "good.cdf", records=8).read_bytes()


@pytest.fixture
def check(tmp_path):
    def check_bytes(damaged: bytes, *args) -> tuple[str, str]:
        path = tmp_path / "damaged.cdf"
        path.write_bytes(damaged)
        return outcome(path, *args)

    return check_bytes


def test_undamaged(check, content):
    assert check(content) == ("good", "good")


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><head><title>503 Service Unavailable</title></head></html>", "not_cdf"),
        (b"\xcd\xf3\x00\x01\x12\x34\x56\x78" + bytes(1000), "not_cdf"),
        (b"\x00" * 5000, "not_cdf"),
        (b"\xcd\xf3", "truncated"),
        (b"\xcd\xf3\x00\x01\x00", "truncated"),
        (gzip.compress(b"\xcd\xf3\x00\x01", mtime=0), "not_cdf"),
    ],
)
def test_no_cdf_at_all(check, damaged, reason):
    assert check(damaged) == (reason, reason)


@pytest.mark.parametrize("settings", [{}, {"Compressed": 6}, {"Checksum": True}])
def test_cut_anywhere_is_truncated(tmp_path, factory, check, settings):
    whole = factory.write_cdf(tmp_path / "whole.cdf", factory.rept(records=8), **settings).read_bytes()
    assert check(whole) == ("good", "good")
    end = len(whole) - (16 if "Checksum" in settings else 0)  # the checksum at the end is not needed
    lengths = {*range(8, 700, 13), *range(700, end, 1013), end - 9, end - 1}
    assert {check(whole[:length]) for length in lengths} == {("truncated", "truncated")}


def test_cut_real_file_is_truncated(real_data, check):
    whole = (real_data / "hope" / "rbspa_rel04_ect-hope-PA-L3_20121201_v0.0.0.cdf").read_bytes()
    args = (load_instrument("hope"), "rbspa", date(2012, 12, 1))
    assert check(whole, *args) == ("good", "good")
    lengths = [100, 340, 5_000, 400_000, len(whole) - 1]
    assert {check(whole[:length], *args) for length in lengths} == {("truncated", "truncated")}


def mutations(content: bytes, number: int, seed: int):
    """Flipped bits, and numbers replaced by ones that break readers, mostly where the structure is."""
    random = np.random.default_rng(seed)
    numbers = [0, 1, 2, 7, 8, 320, len(content), 2**31 - 1, 2**31, 2**32 - 1]
    for _ in range(number):
        damaged = bytearray(content)
        for _ in range(random.integers(1, 4)):
            place = int(random.integers(8, len(content) - 8))
            if random.random() < 0.5:
                damaged[place] ^= 1 << int(random.integers(8))
            else:
                place &= ~3
                damaged[place : place + 4] = int(random.choice(numbers)).to_bytes(4, "big")
        yield bytes(damaged)


@pytest.mark.parametrize(
    "settings",
    [{}, {"compress": 6}, {"Compressed": 6}, {"kind": 33, "Majority": "column_major", "Encoding": 1}],
    ids=["plain", "compressed-variables", "compressed-file", "column-major"],
)
def test_mutations_are_read_or_refused(tmp_path, factory, check, settings):
    spec = {key: settings[key] for key in settings if key[0].isupper()}
    variables = factory.rept(records=8, **{key: settings[key] for key in settings if key not in spec})
    whole = factory.write_cdf(tmp_path / "whole.cdf", variables, **spec).read_bytes()
    tracemalloc.start()
    try:
        outcomes = {check(damaged) for damaged in mutations(whole, 80, seed=4)}
        assert tracemalloc.get_traced_memory()[1] < MEMORY_LIMIT
    finally:
        tracemalloc.stop()
    assert len(outcomes) > 1


def test_mutations_of_a_real_file_of_version_2(real_data, check):
    whole = (real_data / "hope" / "rbspa_rel04_ect-hope-PA-L3_20121201_v0.0.0.cdf").read_bytes()
    outcomes = {
        check(damaged + whole[40_000:], load_instrument("hope"), "rbspa", date(2012, 12, 1))
        for damaged in mutations(whole[:40_000], 60, seed=5)
    }
    assert len(outcomes) > 1


def put(content: bytes, place: int, layout: str, *values: int) -> bytes:
    return content[:place] + struct.pack(layout, *values) + content[place + struct.calcsize(layout) :]


def description(content: bytes, name: str) -> int:
    """Offset of a variable's descriptor: its name stands 84 bytes after its beginning."""
    place = content.index(name.encode() + bytes(200)) - 84
    assert struct.unpack_from(">i", content, place + 8) == (8,)
    return place


def test_more_records_than_the_file_can_hold(check, content):
    place = description(content, "FEDU") + 24
    assert struct.unpack_from(">i", content, place) == (7,)
    assert check(put(content, place, ">i", 2**31 - 1)) == ("absurd_size", "absurd_size")
    assert check(put(content, place, ">i", 8)) == (
        "unreadable",
        "unreadable",
    )  # one more than its blocks hold


def test_dimensions_that_would_exhaust_memory(check, content):
    place = description(content, "FEDU") + 340
    assert struct.unpack_from(">3i", content, place) == (2, 17, 12)
    assert check(put(content, place, ">i", 2**31 - 1)) == ("unreadable", "unreadable")
    assert check(put(content, place + 4, ">2i", 2**30, 2**30)) == ("absurd_size", "absurd_size")
    assert check(put(content, place + 4, ">i", -17)) == ("unreadable", "unreadable")


@pytest.mark.parametrize("offset", [44, 48, 60])  # numbers of rVariables, attributes and zVariables
def test_counts_that_would_loop_for_hours(check, content, offset):
    assert struct.unpack_from(">qi", content, 320)[1] == 2  # the global descriptor
    assert check(put(content, 320 + offset, ">i", 2**31 - 1)) == ("unreadable", "unreadable")


def test_chains_that_end_in_themselves(check, content):
    variable = description(content, "FEDU")
    assert check(put(content, variable + 12, ">q", variable)) == ("unreadable", "unreadable")
    (index,) = struct.unpack_from(">q", content, variable + 28)
    assert struct.unpack_from(">qi", content, index)[1] == 6
    assert check(put(content, index + 12, ">q", index)) == ("unreadable", "unreadable")
    assert check(put(content, index + 20, ">2i", 2**31 - 1, 2**31 - 1)) == ("unreadable", "unreadable")


def test_gzip_that_unpacks_to_more_than_it_says(tmp_path, factory, check):
    whole = factory.write_rept(tmp_path / "packed.cdf", records=8, compress=6).read_bytes()
    (index,) = struct.unpack_from(">q", whole, description(whole, "FEDU") + 28)
    room = struct.unpack_from(">i", whole, index + 20)[0]
    (block,) = struct.unpack_from(">q", whole, index + 28 + 8 * room)
    _, kind, _, packed = struct.unpack_from(">qiiq", whole, block)
    assert kind == 13
    bomb = gzip.compress(bytes(packed * 300), mtime=0)
    assert len(bomb) < packed
    bomb = bomb[:-4] + struct.pack("<I", 8 * 17 * 12 * 8)
    damaged = put(whole, block + 16, ">q", len(bomb))
    damaged = damaged[: block + 24] + bomb + damaged[block + 24 + len(bomb) :]
    assert check(damaged) == ("unreadable", "unreadable")


def message(tmp_path, damaged: bytes) -> str:
    path = tmp_path / "damaged.cdf"
    path.write_bytes(damaged)
    with pytest.raises(BadFile) as caught:
        inspect(path, REPT, "rbspa", DAY)
    return caught.value.message


def overlapping(content: bytes, record: bytes, number: int) -> tuple[bytes, int]:
    """Append copies of a record, each of which reaches to the end and names the next; return the first one's place."""
    first, end = len(content), len(content) + (number + 1) * len(record)
    copies = b""
    for place in range(first, end, len(record)):
        copies += put(put(record, 0, ">q", end - place), 12, ">q", place + len(record))
    return put(content, GDR + 36, ">q", end) + copies, first


@pytest.mark.parametrize("number", [300, 3000])
def test_attributes_that_overlap_are_refused_before_they_take_memory(tmp_path, content, number):
    descriptor = content.index(b"FILLVAL" + bytes(200)) - 68
    assert struct.unpack_from(">qi", content, descriptor)[1] == 4
    (entry,) = struct.unpack_from(">q", content, descriptor + 48)
    size, kind = struct.unpack_from(">qi", content, entry)
    assert kind == 9
    damaged, first = overlapping(content, content[entry : entry + size] + bytes(1000), number)
    damaged = put(put(damaged, descriptor + 48, ">q", first), descriptor + 56, ">i", number)
    tracemalloc.start()
    try:
        assert "records overlap" in message(tmp_path, damaged)
        assert tracemalloc.get_traced_memory()[1] < 4 * len(damaged)
    finally:
        tracemalloc.stop()


def test_attributes_that_claim_too_much_are_refused(tmp_path, content):
    descriptor = content.index(b"FILLVAL" + bytes(200)) - 68
    (entry,) = struct.unpack_from(">q", content, descriptor + 48)
    size, kind, following, number, _, variable = struct.unpack_from(">qiqiii", content, entry)
    place, size = len(content), 56 + 8 * 1000
    large = struct.pack(">qiqiiii", size, kind, following, number, 45, variable, 1000).ljust(size, b"\0")
    damaged = put(put(content + large, descriptor + 48, ">q", place), GDR + 36, ">q", place + size)
    assert "an attribute claims 8000 bytes" in message(tmp_path, damaged)


def test_variables_that_overlap_are_refused(tmp_path, content):
    place = description(content, "FPDU")
    (size,) = struct.unpack_from(">q", content, place)
    damaged, first = overlapping(content, content[place : place + size] + bytes(100), 2000)
    damaged = put(put(damaged, GDR + 20, ">q", first), GDR + 60, ">i", 2000)
    assert "records overlap" in message(tmp_path, damaged)


def test_a_block_within_another_variables_values_is_refused(tmp_path, content):
    places = {}
    for name in ("FEDU", "MLT"):
        (index,) = struct.unpack_from(">q", content, description(content, name) + 28)
        (room,) = struct.unpack_from(">i", content, index + 20)
        places[name] = index + 28 + 8 * room
    (block,) = struct.unpack_from(">q", content, places["FEDU"])
    forged = put(content, block + 100, ">qi", 12 + 8 * 8, 7)  # a block that would do for MLT
    damaged = put(forged, places["MLT"], ">q", block + 100)
    assert "begins within another one" in message(tmp_path, damaged)


def test_an_index_of_many_levels_is_walked_once(tmp_path, content):
    """Each level names the next in its first entry; no recursion, and no level is gone through for each entry below."""
    variable = description(content, "MLT")
    (index,) = struct.unpack_from(">q", content, variable + 28)
    levels, size = 3000, 28 + 16
    damaged = content
    for number in range(levels):
        below = index if number == levels - 1 else len(content) + (number + 1) * size
        damaged += struct.pack(">qiqiiiiq", size, 6, 0, 1, 1, 0, 7, below)
    damaged = put(put(damaged, variable + 28, ">q", len(content)), GDR + 36, ">q", len(damaged))
    path = tmp_path / "deep.cdf"
    path.write_bytes(damaged)
    assert outcome(path) == ("good", "good")
