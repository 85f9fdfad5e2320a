# SPDX-License-Identifier: BSD-3-Clause
"""All values that padflow reads equal those of pycdfpp and of NASA's library, in every form a file may have."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pycdfpp
import pytest

from padflow.cdf.layout import plain_file, read_layout
from padflow.cdf.reader import read_records
from padflow.cdf.values import read_values
from padflow.instruments.instrument import load_instrument

VARIANTS = 100
PLAIN, RLE, GZIP = 0, 1, 5
NOT_SPARSE, PAD_SPARSE, PREVIOUS_SPARSE = 0, 1, 2
EPOCH, EPOCH16, TT2000 = 31, 32, 33
INT4 = 4
LEFT_OUT = ("FEDU", "L", "Position")
REPT = load_instrument("rept")
WHOLE_NUMBER_FILL = -2147483648


@dataclass(frozen=True)
class Form:
    """How a file is written; numbers are those of CDF."""

    encoding: int
    columns_first: bool
    backward: bool
    file_packing: int
    packing: int
    block: int
    sparse: int
    pad: float | None
    records: int
    time_type: int
    flux_type: int
    place_type: int


CHOICES = {
    "encoding": (1, 2, 4, 5, 6, 7, 9, 11, 12, 13, 16, 17, 19),
    "columns_first": (False, True),
    "backward": (False, False, True),
    "file_packing": (PLAIN, PLAIN, RLE, GZIP),
    "packing": (PLAIN, RLE, GZIP),
    "block": (0, 1, 3, 50),
    "sparse": (NOT_SPARSE, PAD_SPARSE, PREVIOUS_SPARSE),
    "pad": (None, 0.0, 77.0),
    "records": (1, 2, 7, 33, 80),
    "time_type": (EPOCH, EPOCH16, TT2000),
    "flux_type": (21, 22, 44, 45, INT4),
    "place_type": (21, 22, 45, 2, 4),
}


def form(number: int) -> Form:
    """Choose a form by a number; CDF 2 knows one type of time and no factor of blocks."""
    choose = random.Random(number).choice
    chosen = Form(**{name: choose(values) for name, values in CHOICES.items()})
    return dataclasses.replace(chosen, time_type=EPOCH, block=0) if chosen.backward else chosen


FORMS = [form(number) for number in range(VARIANTS)]


def described(form: Form) -> str:
    return "-".join(str(value) for value in dataclasses.astuple(form))


@contextmanager
def version_2(nasa: ModuleType, wanted: bool) -> Iterator[None]:
    library, _ = nasa._library()
    library.CDFsetFileBackward(int(wanted))
    yield
    library.CDFsetFileBackward(0)


def write(path: Path, form: Form, factory: ModuleType, nasa: ModuleType) -> tuple[dict, list[int]]:
    """Write a REPT-like day in a form; return its content and the records of `LEFT_OUT` that were never written."""
    content = factory.rept(records=form.records, kind=form.time_type, seed=form.records)
    content["FEDU"]["spec"]["Data_Type"] = form.flux_type
    for name in ("L", "MLT", "Position"):
        content[name]["spec"]["Data_Type"] = form.place_type
        content[name]["data"] = np.round(content[name]["data"] % 30_000)
    if form.flux_type == INT4:
        flux = content["FEDU"]["data"]
        flux[flux < 0] = WHOLE_NUMBER_FILL
        content["FEDU"]["attributes"]["FILLVAL"] = [WHOLE_NUMBER_FILL, "CDF_DOUBLE"]
    gone = sorted(random.Random(form.records).sample(range(form.records - 1), k=(form.records - 1) // 3))
    forms = {name: {"packing": form.packing, "block": form.block} for name in content}
    for name in LEFT_OUT:
        forms[name] |= {"sparse": form.sparse, "pad": form.pad}
    spec = {"encoding": form.encoding, "columns_first": form.columns_first, "packing": form.file_packing}
    with version_2(nasa, form.backward):
        nasa.write_content(path, content, forms=forms, left_out=dict.fromkeys(LEFT_OUT, gone), **spec)
    return content, gone


def by_padflow(path: Path, names: Collection[str]) -> dict[str, np.ndarray]:
    """Read variables whole and, where there are records enough, from the second one to the last but one."""
    found = {}
    with plain_file(path) as plain:
        layout = read_layout(plain, names, shown=path)
        for name in names:
            variable = layout.variables[name.lower()]
            found[name] = read_values(plain, layout, variable)
            if variable.records > 2:
                some = read_values(plain, layout, variable, first_record=1, end_record=variable.records - 1)
                np.testing.assert_array_equal(some, found[name][1:-1], err_msg=name)
    return found


def by_pycdfpp(path: Path, names: Collection[str]) -> dict[str, np.ndarray]:
    file = pycdfpp.load(str(path))
    values = {name: np.array(file[name].values) for name in names}
    kinds = {
        name: "c16" if len(each.dtype) == 2 else each.dtype[0] for name, each in values.items() if each.dtype.names
    }
    return {name: each.view(kinds.get(name, each.dtype)) for name, each in values.items()}


def numbers_of(nasa: ModuleType, path: Path) -> dict[str, np.ndarray]:
    """Return the values of all variables of numbers, by NASA's library."""
    with nasa.opened(path) as file:
        values = {name: file.read(name) for name in file.names()}
    return {name: each for name, each in values.items() if each.dtype.kind != "S"}


def check_that_readers_agree(path: Path, nasas: dict[str, np.ndarray]) -> list[str]:
    """Compare all values; return the names of variables for which NASA's library and pycdfpp differ."""
    ours, others = by_padflow(path, nasas), by_pycdfpp(path, nasas)
    differ = []
    for name, expected in nasas.items():
        assert ours[name].shape == expected.shape, name
        np.testing.assert_array_equal(ours[name], expected, err_msg=name)
        if not np.array_equal(expected.ravel(), others[name].ravel(), equal_nan=expected.dtype.kind in "fc"):
            differ.append(name)
    return differ


def as_float32(raw: np.ndarray, fills: list[float]) -> np.ndarray:
    """Return values as an archive holds them."""
    raw = raw.astype("f8")
    return np.where((raw > -9.9e29) & ~np.isin(raw, fills), raw, np.nan).astype("f4")


def missing_records(form: Form, gone: list[int]) -> list[int]:
    """Return those of the records never written of which that can be known and for which no other stands."""
    pad = 0 if form.pad is None and form.backward else form.pad  # CDF 2 has no other of its own
    if form.sparse == NOT_SPARSE and pad == 0:  # the library wrote zeros, as flux may be
        return []
    if form.sparse != PREVIOUS_SPARSE:
        return gone
    return [record for record in gone if set(range(record + 1)) <= set(gone)]


def test_the_variants_hold_every_choice():
    assert len(set(FORMS)) == VARIANTS
    for name, values in CHOICES.items():
        assert {getattr(form, name) for form in FORMS} == set(values)
    assert {(form.sparse, form.columns_first, form.packing) for form in FORMS} >= {
        (sparse, first, packing) for sparse in (0, 1, 2) for first in (False, True) for packing in CHOICES["packing"]
    }


@pytest.mark.parametrize("form", FORMS, ids=described)
def test_values_of_a_variant(tmp_path, monkeypatch, factory, nasa, form):
    monkeypatch.chdir(tmp_path)  # NASA's library leaves its temporary files in the current folder
    path = tmp_path / "variant.cdf"
    content, gone = write(path, form, factory, nasa)
    raw = numbers_of(nasa, path)
    assert set(raw) == set(content)
    assert check_that_readers_agree(path, raw) == []

    fills = [WHOLE_NUMBER_FILL, form.pad or np.nan]  # a pad that could be a value is none; 0 is one, if written
    expected = {name: as_float32(raw[name], fills if name in LEFT_OUT else []) for name in ("FEDU", *REPT.ephemeris)}
    for name in LEFT_OUT:
        expected[name][missing_records(form, gone)] = np.nan
    records, _ = read_records(path, REPT, "rbspa")
    np.testing.assert_array_equal(records.flux, expected.pop("FEDU"))
    for name, values in expected.items():
        np.testing.assert_array_equal(records.ephemeris[name], values, err_msg=name)
    steps = np.timedelta64(5450, "ms") + np.arange(form.records) * np.timedelta64(10_900, "ms")
    np.testing.assert_array_equal(records.time, np.datetime64("2013-03-17", "ns") + steps)


def test_values_of_real_files(real_data, tmp_path, monkeypatch, nasa):
    monkeypatch.chdir(tmp_path)
    paths = sorted(real_data.rglob("*.cdf"))
    assert len(paths) >= 3
    for path in paths:
        raw = numbers_of(nasa, path)
        assert len(raw) >= 10, path
        assert check_that_readers_agree(path, raw) == [], path
