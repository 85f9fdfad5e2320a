# SPDX-License-Identifier: BSD-3-Clause
"""Every form in which NASA's library may write the same values: records left out, packings, encodings.

Values are compared with pycdfpp's and those of NASA's library itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import ModuleType

import numpy as np
import pycdfpp
import pytest

from padflow.cdf import layout as layout_module
from padflow.cdf.layout import plain_file, read_layout
from padflow.cdf.reader import inspect, read_records
from padflow.cdf.values import never_written, read_values
from padflow.errors import BadFile
from padflow.instruments.instrument import Instrument, load_instrument

REPT = load_instrument("rept")
DAY = date(2013, 3, 17)
REAL8, REAL4, INT4, UINT2, EPOCH, TT2000 = 22, 21, 4, 12, 31, 33
RECORDS = 12
SOME = (2, 3, 7, 9)


@contextmanager
def ours(path: Path, *names: str) -> Iterator[Callable[..., np.ndarray]]:
    """Give a reader of some records of the variables, as padflow reads them."""
    with plain_file(path) as plain:
        layout = read_layout(plain, names, shown=path)

        def read(name: str, first: int = 0, end: int | None = None) -> np.ndarray:
            return read_values(plain, layout, layout.variables[name.lower()], first_record=first, end_record=end)

        yield read


def check_all_variables(nasa: ModuleType, path: Path) -> None:
    """All values equal pycdfpp's and those of NASA's library, whole and in pieces."""
    other = pycdfpp.load(str(path))
    with nasa.opened(path) as file, ours(path, *file.names()) as read:
        for name in file.names():
            found, expected = read(name), file.read(name)
            assert found.shape == expected.shape, name
            np.testing.assert_array_equal(found, expected, err_msg=name)
            theirs = np.array(other[name].values)
            np.testing.assert_array_equal(found, theirs.view(theirs.dtype[0]) if theirs.dtype.names else theirs, name)
            for first, end in ((0, 0), (0, 3), (4, 7), (5, 8), (3, 12)) if len(found) >= 12 else ():
                np.testing.assert_array_equal(read(name, first, end), expected[first:end], err_msg=name)


def pads(data_type: int) -> tuple[object, ...]:
    return (None, 0, 77) if data_type != UINT2 else (None, 0)


@pytest.mark.parametrize("columns_first", [False, True])
@pytest.mark.parametrize("packing", [0, 5])
@pytest.mark.parametrize("sparse", [0, 1, 2])
def test_records_that_were_never_written(
    tmp_path: Path, nasa: ModuleType, sparse: int, packing: int, columns_first: bool
) -> None:
    path = tmp_path / "left_out.cdf"
    with nasa.written(path, columns_first=columns_first) as file:
        for data_type in (REAL8, REAL4, INT4, UINT2, EPOCH, TT2000):
            for pad in pads(data_type):
                for block in (0, 4):
                    values = np.arange(1, 1 + 6 * RECORDS).reshape(RECORDS, 2, 3)
                    form = {"sparse": sparse, "packing": packing, "pad": pad, "block": block}
                    some = {number: values[number] for number in SOME}
                    file.add(f"v{data_type}_{pad}_{block}", data_type, some, **form)
                    file.add(f"one{data_type}_{pad}_{block}", data_type, {n: 1 + n for n in (*SOME[::-1], 11)}, **form)
        for fill_value in (5.0, "5"):  # of the same type, it stands for the pad
            for pad in (None, 7):
                form = {"sparse": sparse, "pad": pad, "attributes": {"FILLVAL": fill_value}}
                file.add(f"filled{fill_value}{pad}", REAL8, {10: 3, 11: 4}, **form)
                file.add(f"single{fill_value}{pad}", REAL4, {10: 3, 11: 4}, **form)
    check_all_variables(nasa, path)
    layout = read_layout(path, ["v22_0_0"], shown=path)
    empty = never_written(layout.variables["v22_0_0"])
    expected = {0: (), 1: (0, 1, 4, 5, 6, 8), 2: (0, 1)}[sparse]
    assert tuple(np.flatnonzero(empty)) == expected


@pytest.mark.parametrize("pad", [None, -1e31, 0.0, 5.0])
def test_records_that_were_never_written_are_no_measurements(
    tmp_path: Path, factory: ModuleType, nasa: ModuleType, pad: float | None
) -> None:
    content = factory.rept(records=40)
    content["FEDU"]["data"][np.abs(content["FEDU"]["data"]) == 5] = 6
    content["FEDU"]["data"][1, 0, 0] = 0
    gone = {"FEDU": (0, 7, 8, 30), "L": (5,), "MLT": (0, 9), "Position": (3, 4)}
    forms = {name: {"sparse": 1 + (name == "MLT"), "pad": pad} for name in gone}
    path = nasa.write_content(tmp_path / "gone.cdf", content, forms=forms, left_out=gone)
    records, notes = read_records(path, REPT, "rbspa")
    fills = content["FEDU"]["data"] < 0
    fills[list(gone["FEDU"])] = True
    np.testing.assert_array_equal(np.isnan(records.flux), fills)
    assert notes["fill"] == fills.sum()
    assert records.flux[1, 0, 0] == 0
    expected = content["L"]["data"].astype(np.float32)
    expected[5] = np.nan
    np.testing.assert_array_equal(records.ephemeris["L"], expected)
    assert np.flatnonzero(np.isnan(records.ephemeris["Position"]).all(axis=1)).tolist() == [3, 4]
    expected = content["MLT"]["data"].astype(np.float32)
    expected[[0, 9]] = np.nan, expected[8]
    np.testing.assert_array_equal(records.ephemeris["MLT"], expected)


@pytest.mark.parametrize("kind", [31, 32, 33])
@pytest.mark.parametrize("sparse", [0, 1])
def test_times_that_were_never_written_are_no_times(
    tmp_path: Path, factory: ModuleType, nasa: ModuleType, kind: int, sparse: int
) -> None:
    content = factory.rept(records=40, kind=kind)
    midnight = factory.raw_times(np.array([f"{DAY}T00"], "M8[ms]"), kind)[0]
    gone = {"Epoch": (0, 4, 38)}
    path = tmp_path / "gone.cdf"
    nasa.write_content(path, content, forms={"Epoch": {"sparse": sparse, "pad": midnight}}, left_out=gone)
    times = inspect(path, REPT, "rbspa", DAY).times
    assert np.flatnonzero(np.isnat(times)).tolist() == sorted(gone["Epoch"])


def test_pads_among_energies_are_no_energies(tmp_path: Path, factory: ModuleType, nasa: ModuleType) -> None:
    content = factory.rept(records=40)
    energy = np.tile(factory.REPT_ENERGY, (40, 1))
    content["FEDU_Energy"] = factory.variable(energy, units="MeV")
    path = tmp_path / "gone.cdf"
    nasa.write_content(
        path, content, forms={"FEDU_Energy": {"sparse": 1, "pad": 3.0}}, left_out={"FEDU_Energy": (0, 6)}
    )
    np.testing.assert_array_equal(inspect(path, REPT, "rbspa", DAY).energy, factory.REPT_ENERGY)


def test_pads_stored_in_a_variable_that_is_not_sparse_are_missing(
    tmp_path: Path, factory: ModuleType, nasa: ModuleType
) -> None:
    content = factory.rept(records=40)
    content["FEDU"]["data"] = np.abs(content["FEDU"]["data"])
    forms, gone = {"FEDU": {"pad": 12345.0}}, dict.fromkeys(("FEDU", "L", "MLT"), (2, 9))
    path = nasa.write_content(tmp_path / "gone.cdf", content, forms=forms, left_out=gone)
    records, notes = read_records(path, REPT, "rbspa")
    for values in (records.flux[:, 3, 3], records.ephemeris["L"], records.ephemeris["MLT"]):
        assert np.flatnonzero(np.isnan(values)).tolist() == [2, 9]
    assert notes["negative"] == 0


def refused(path: Path, instrument: Instrument = REPT) -> BadFile:
    with pytest.raises(BadFile) as caught:
        inspect(path, instrument, "rbspa", DAY)
    assert str(path) in caught.value.message
    assert "download" not in caught.value.message
    assert "damaged" not in caught.value.message
    return caught.value


@pytest.mark.parametrize("columns_first", [False, True])
@pytest.mark.parametrize("encoding", [1, 2, 4, 5, 6, 7, 9, 11, 12, 13, 16, 17, 19])
def test_every_ieee_encoding(
    tmp_path: Path, factory: ModuleType, nasa: ModuleType, encoding: int, columns_first: bool
) -> None:
    path = tmp_path / "encoded.cdf"
    content = factory.rept(records=12)
    forms = {"FEDU": {"packing": nasa.GZIP}, "MLT": {"sparse": 1, "pad": 7.0}}
    nasa.write_content(
        path, content, forms=forms, left_out={"MLT": (4,)}, encoding=encoding, columns_first=columns_first
    )
    check_all_variables(nasa, path)
    assert inspect(path, REPT, "rbspa", DAY)


@pytest.mark.parametrize("packed", ["variables", "variables in blocks", "file"])
@pytest.mark.parametrize("packing", [1, 5])
def test_readable_packings(tmp_path: Path, factory: ModuleType, nasa: ModuleType, packing: int, packed: str) -> None:
    path = tmp_path / "packed.cdf"
    content = factory.rept(records=40)
    form = {"packing": packing, "block": 7 if "blocks" in packed else 0}
    forms = {} if packed == "file" else dict.fromkeys(content, form)
    nasa.write_content(path, content, forms=forms, packing=packing if packed == "file" else 0)
    check_all_variables(nasa, path)
    assert inspect(path, REPT, "rbspa", DAY)


@pytest.mark.parametrize(("packing", "name"), [(2, "Huffman"), (3, "adaptive Huffman")])
def test_other_packings_are_named(
    tmp_path: Path, factory: ModuleType, nasa: ModuleType, packing: int, name: str
) -> None:
    content = factory.rept(records=40)
    path = tmp_path / "packed.cdf"
    error = refused(nasa.write_content(path, content, packing=packing))
    assert error.reason == "unsupported"
    assert f"packed with {name} coding" in error.message
    assert f"`cdfconvert -compression cdf:none {path} " in error.message
    error = refused(nasa.write_content(path, content, forms={"MLT": {"packing": packing}}))
    assert f"holds MLT packed with {name} coding" in error.message
    assert f"`cdfconvert -compression vars:none {path} " in error.message
    nasa.write_content(path, content, forms={"FPDU": {"packing": packing}})  # which is not read
    assert inspect(path, REPT, "rbspa", DAY)


@pytest.mark.parametrize(
    ("encoding", "name"), [*((vax, "VAX floating point") for vax in (3, 14, 15, 20, 21)), (18, "encoding 18")]
)
def test_other_encodings_are_named(
    tmp_path: Path, factory: ModuleType, nasa: ModuleType, encoding: int, name: str
) -> None:
    error = refused(nasa.write_content(tmp_path / "vax.cdf", factory.rept(records=4), encoding=encoding))
    assert error.reason == "unsupported"
    assert f"holds numbers in {name}, which" in error.message
    assert "`cdfconvert -network " in error.message


def test_a_multi_file_cdf_is_named(tmp_path: Path, factory: ModuleType, nasa: ModuleType) -> None:
    error = refused(nasa.write_content(tmp_path / "multi.cdf", factory.rept(records=4), multi=True))
    assert error.reason == "unsupported"
    assert "multi-file" in error.message
    assert "`cdfconvert -single " in error.message


def test_files_before_version_2_6_are_named(tmp_path: Path) -> None:
    path = tmp_path / "old.cdf"
    path.write_bytes(b"\x00\x00\xff\xff" * 2 + bytes(1000))
    assert refused(path).reason == "unsupported"


@pytest.mark.parametrize("role", ["time", "flux", "energy"])
def test_a_text_variable_is_named(tmp_path: Path, factory: ModuleType, role: str) -> None:
    content = factory.rept(records=4)
    text = {"spec": {"Data_Type": 51, "Num_Elements": 5, "Rec_Vary": True, "Dim_Sizes": [12]}, "attributes": {}}
    content["Words"] = text | {"data": np.full((4, 12), "words")}
    path = factory.write_cdf(tmp_path / "text.cdf", content)
    axis = REPT.energy.model_copy(update={"variable": "Words"})
    error = refused(path, REPT.model_copy(update={role: axis if role == "energy" else "Words"}))
    assert error.reason == "wrong_type"
    assert "Words" in error.message
    assert "holds text" in error.message


def test_what_the_system_refuses_is_no_damage(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "gone.cdf").message


def test_a_variable_larger_than_padflow_reads_is_no_damage(
    tmp_path: Path, factory: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout_module, "MAX_VARIABLE_BYTES", 1000)
    assert refused(factory.write_rept(tmp_path / "large.cdf", records=4)).reason == "absurd_size"


def test_public_files_of_other_packings_and_encodings(cases: Path) -> None:
    for day in range(1, 6):
        (path,) = (cases / "rle_huffman_and_arm" / "arc").glob(f"*_2013030{day}_*.cdf")
        facts = inspect(path, REPT, "rbspa", date(2013, 3, day))
        assert np.isfinite(read_records(path, REPT, "rbspa")[0].flux).any()
        assert len(facts.times) == 200


def test_public_file_with_a_sparse_variable(cases: Path, nasa: ModuleType) -> None:
    path = cases / "sparse_pad_public" / "test.cdf"
    with ours(path, "Temp") as read, nasa.opened(path) as file:
        np.testing.assert_array_equal(read("Temp"), file.read("Temp"))
        assert (read("Temp") == np.float32(-1e30)).all(axis=1).sum() == 8


def test_public_file_with_the_default_pad_in_its_ephemeris(cases: Path) -> None:
    (path,) = (cases / "default_pad_in_ephemeris").glob("*.cdf")
    records, _ = read_records(path, REPT, "rbspa")
    for name in ("L", "MLT"):
        raw = np.array(pycdfpp.load(str(path))[name].values)
        assert (raw == -1e31).any()  # for the pad, FILLVAL is taken: padflow once took -1e30
        np.testing.assert_array_equal(np.isnan(records.ephemeris[name]), raw < 0)
