# SPDX-License-Identifier: BSD-3-Clause
"""CDF files that padflow writes, read by two libraries that did not write them."""

from __future__ import annotations

from pathlib import Path

import cdflib
import numpy as np
import pycdfpp
import pytest

from padflow.cdf.writing import CdfVariable, write_cdf
from padflow.errors import CannotWrite

TIMES = np.array(["2013-03-17T00:00:00.123456789", "2015-06-30T23:59:59.5", "2015-07-01", "2016-12-31"], "M8[ns]")
VALUES = {
    "int8": (np.array([-1, 0, 5, 7], "i1"), (-1, 7), -128),
    "int16": (np.array([-1, 0, 300, 2], "i2"), (-1, 300), -32768),
    "float32": (np.array([[1.5, np.nan]] * 4, "f4"), (0, 2), np.float32(-1e31)),
    "float64": (np.array([0.1, np.inf, 3, 4]), (0, 9), -1e31),
}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "some.cdf"
    variables = [CdfVariable("Epoch", TIMES, {"UNITS": "ns"}, valid=(TIMES[0], TIMES[-1]))]
    for name, (values, valid, _) in VALUES.items():
        variables.append(CdfVariable(name, values, {"DEPEND_0": "Epoch"}, valid=valid))
    variables.append(CdfVariable("names", np.array(["a", "longer"]), {"VAR_TYPE": "metadata"}, varies=False))
    variables.append(CdfVariable("axis", np.array([1.0, 2.0]), {}, valid=(0, 9), varies=False))
    write_cdf(path, variables, {"TITLE": "one", "TEXT": ["first", "second"]})
    assert list(tmp_path.iterdir()) == [path]
    return path


def test_values_and_attributes_come_back(written: Path) -> None:
    ours, theirs = cdflib.CDF(written), pycdfpp.load(str(written))
    for name, (values, valid, fill) in VALUES.items():
        expected = np.where(np.isfinite(values), values, fill)
        for found in (ours.varget(name), theirs[name].values):
            assert found.dtype == values.dtype
            np.testing.assert_array_equal(found, expected)
        said = ours.varattsget(name)
        assert (said["FIELDNAM"], said["FILLVAL"], said["VALIDMIN"], said["VALIDMAX"]) == (name, fill, *valid)
        assert said["DEPEND_0"] == "Epoch"
    assert [text.strip() for text in ours.varget("names").tolist()] == ["a", "longer"]
    assert not ours.varinq("axis").Rec_Vary
    assert ours.globalattsget() == {"TITLE": ["one"], "TEXT": ["first", "second"]}


def test_times_are_those_of_other_libraries(written: Path) -> None:
    np.testing.assert_array_equal(pycdfpp.to_datetime64(pycdfpp.load(str(written))["Epoch"]), TIMES)
    ours = cdflib.CDF(written)
    np.testing.assert_array_equal(cdflib.cdfepoch.to_datetime(ours.varget("Epoch")), TIMES)
    assert ours.varinq("Epoch").Data_Type_Description == "CDF_TIME_TT2000"
    assert ours.varattsget("Epoch")["VALIDMIN"] == ours.varget("Epoch")[0]


def test_what_was_there_is_replaced(written: Path) -> None:
    write_cdf(written, [CdfVariable("one", np.array([1.0]), {}, valid=(0, 9))], {})
    assert cdflib.CDF(written).cdf_info().zVariables == ["one"]


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cdflib.cdfwrite.CDF, "write_var", fail)
    with pytest.raises(CannotWrite, match=r"some\.cdf"):
        write_cdf(tmp_path / "some.cdf", [CdfVariable("one", np.array([1.0]), {}, valid=(0, 9))], {})
    assert list(tmp_path.iterdir()) == []
