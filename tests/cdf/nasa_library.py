# SPDX-License-Identifier: BSD-3-Clause
"""NASA's own CDF library, called in C: it comes with spacepy's wheels, whose Python is neither needed nor imported.

Writes what cdflib and pycdfpp cannot (records left out, RLE, Huffman, any encoding, multi-file), and reads every form.
"""

from __future__ import annotations

import ctypes
import importlib.util
import math
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

PAD_SPARSE, PREVIOUS_SPARSE = 1, 2
RLE, HUFFMAN, ADAPTIVE_HUFFMAN, GZIP = 1, 2, 3, 5
NUMPY = {
    **dict.fromkeys((1, 41), "i1"),
    **dict.fromkeys((8, 33), "i8"),
    **dict.fromkeys((21, 44), "f4"),
    **dict.fromkeys((22, 31, 45), "f8"),
    **{2: "i2", 4: "i4", 11: "u1", 12: "u2", 14: "u4", 32: "c16", 51: "S", 52: "S"},
}


def _library() -> tuple[ctypes.CDLL, dict[str, ctypes.c_long]]:
    """Return the library and its constants, from files beside spacepy's modules."""
    folder = Path(importlib.util.find_spec("spacepy").origin).parent
    spec = importlib.util.spec_from_file_location("cdf_constants", folder / "pycdf" / "const.py")
    constants = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(constants)
    return ctypes.CDLL(str(folder / "libcdf.so")), vars(constants)


class NasaFile:
    """An open file; use `written` and `opened`."""

    def __init__(self) -> None:
        self.shared, self.constants = _library()
        self.shared.CDFlib.restype = ctypes.c_int
        self.id = ctypes.c_void_p()

    def call(self, *operation: object) -> None:
        """Call ``CDFlib`` with names of constants, numbers and references; below -1000 a status is an error."""
        arguments = [self.constants[each] if isinstance(each, str) else each for each in operation]
        status = self.shared.CDFlib(
            *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments], self.c("NULL_")
        )
        assert status > -1000, f"CDFlib({operation}) ended with status {status}"

    def c(self, name: str) -> ctypes.c_long:
        return self.constants[name]

    def add(
        self,
        name: str,
        data_type: int,
        records: np.ndarray | Mapping[int, object],
        *,
        varies: bool = True,
        sparse: int = 0,
        pad: object = None,
        packing: int = 0,
        block: int = 0,
        attributes: Mapping[str, object] | None = None,
    ) -> None:
        """Add a variable; ``records`` are all of them in order, or some by number, written in the order given."""
        if not isinstance(records, Mapping):
            records = dict(enumerate(records if varies else [records]))
        kind = np.dtype(NUMPY[data_type])
        shape = np.shape(next(iter(records.values()), ()))
        number = ctypes.c_long()
        sizes, true = _longs(shape), _longs([-1] * len(shape))
        self.call(
            "CREATE_", "zVAR_", name.encode(), data_type, 1, len(shape), sizes, -int(varies), true, ctypes.byref(number)
        )
        self.call("SELECT_", "zVAR_", number)
        if pad is not None:
            self.call("PUT_", "zVAR_PADVALUE_", _pointer(np.array(pad, kind)))
        if sparse:
            self.call("PUT_", "zVAR_SPARSERECORDS_", sparse)
        if packing:
            self.call("PUT_", "zVAR_COMPRESSION_", packing, _longs([6 if packing == GZIP else 0]))
        if block:
            self.call("PUT_", "zVAR_BLOCKINGFACTOR_", block)
        for record, value in records.items():
            stored = np.ascontiguousarray(np.asarray(value, kind).T if self.columns_first else np.asarray(value, kind))
            self.call("SELECT_", "zVAR_RECNUMBER_", record, *self._whole_record(shape))
            self.call("PUT_", "zVAR_HYPERDATA_", _pointer(stored))
        for attribute, value in (attributes or {}).items():
            self._describe(number, attribute, value)

    def _describe(self, variable: ctypes.c_long, attribute: str, value: object) -> None:
        found = ctypes.c_long()
        try:
            self.call("GET_", "ATTR_NUMBER_", attribute.encode(), ctypes.byref(found))
        except AssertionError:
            self.call("CREATE_", "ATTR_", attribute.encode(), "VARIABLE_SCOPE", ctypes.byref(found))
        self.call("SELECT_", "ATTR_", found, "SELECT_", "zENTRY_", variable)
        if isinstance(value, str):
            self.call("PUT_", "zENTRY_DATA_", "CDF_CHAR", len(value), value.encode())
        else:
            self.call("PUT_", "zENTRY_DATA_", "CDF_DOUBLE", 1, _pointer(np.array(value, "f8")))

    def _whole_record(self, shape: tuple[int, ...]) -> list[object]:
        if not shape:
            return []
        zeros, ones = _longs([0] * len(shape)), _longs([1] * len(shape))
        arrays = {"zVAR_DIMINDICES_": zeros, "zVAR_DIMCOUNTS_": _longs(shape), "zVAR_DIMINTERVALS_": ones}
        return [each for key, array in arrays.items() for each in ("SELECT_", key, array)]

    @property
    def columns_first(self) -> bool:
        return self.number("CDF_MAJORITY_") == 2

    def number(self, what: str) -> int:
        found = ctypes.c_long()
        self.call("GET_", what, ctypes.byref(found))
        return found.value

    def read(self, name: str) -> np.ndarray:
        """Return all records of a variable, shape (records, *dims), with the pad or the previous for those left out."""
        self.call("SELECT_", "zVAR_NAME_", name.encode())
        records, rank = self.number("zVAR_MAXREC_") + 1, self.number("zVAR_NUMDIMS_")
        kind = np.dtype(NUMPY[self.number("zVAR_DATATYPE_")])
        if kind.kind == "S":
            kind = np.dtype(f"S{self.number('zVAR_NUMELEMS_')}")
        sizes, varying = _longs([0] * max(rank, 1)), _longs([0] * max(rank, 1))
        self.call("GET_", "zVAR_DIMSIZES_", sizes, "GET_", "zVAR_DIMVARYS_", varying)
        dims = tuple(size if vary else 1 for size, vary in zip(sizes[:rank], varying[:rank], strict=True))
        values = np.empty(records * math.prod(dims), kind)
        if records:
            whole = ["SELECT_", "zVAR_RECNUMBER_", 0, "SELECT_", "zVAR_RECCOUNT_", records, *self._whole_record(dims)]
            self.call(*whole, "SELECT_", "zVAR_RECINTERVAL_", 1, "GET_", "zVAR_HYPERDATA_", _pointer(values))
        if self.columns_first:
            values = values.reshape(records, *dims[::-1]).transpose(0, *range(len(dims), 0, -1))
        return values.reshape(records, *(size for size, vary in zip(dims, varying[:rank], strict=True) if vary))

    def names(self) -> list[str]:
        found, name = [], ctypes.create_string_buffer(257)
        for number in range(self.number("CDF_NUMzVARS_")):
            self.call("SELECT_", "zVAR_", number, "GET_", "zVAR_NAME_", name)
            found.append(name.value.decode())
        return found


def _longs(values: object) -> ctypes.Array:
    return (ctypes.c_long * len(values))(*values)


def _pointer(values: np.ndarray) -> ctypes.c_void_p:
    return values.ctypes.data_as(ctypes.c_void_p)


@contextmanager
def written(
    path: Path, *, encoding: int = 6, columns_first: bool = False, multi: bool = False, packing: int = 0
) -> Iterator[NasaFile]:
    """Create a file to add variables to; it is whole when the context ends."""
    file = NasaFile()
    file.call("CREATE_", "CDF_", str(path.with_suffix("")).encode(), 0, _longs([0]), ctypes.byref(file.id))
    file.call("PUT_", "CDF_ENCODING_", encoding, "PUT_", "CDF_MAJORITY_", 2 if columns_first else 1)
    file.call("PUT_", "CDF_FORMAT_", 2 if multi else 1)
    if packing:
        file.call("PUT_", "CDF_COMPRESSION_", packing, _longs([6 if packing == GZIP else 0]))
    yield file
    file.call("SELECT_", "CDF_", file.id, "CLOSE_", "CDF_")


@contextmanager
def opened(path: Path) -> Iterator[NasaFile]:
    """Open a file to read it; its rVariables are zVariables here."""
    file = NasaFile()
    file.call("OPEN_", "CDF_", str(path).encode(), ctypes.byref(file.id))
    file.call("SELECT_", "CDF_zMODE_", 2)
    yield file
    file.call("SELECT_", "CDF_", file.id, "CLOSE_", "CDF_")


def write_content(
    path: Path,
    variables: Mapping[str, Mapping],
    *,
    forms: Mapping[str, Mapping] | None = None,
    left_out: Mapping[str, Collection[int]] | None = None,
    **spec: object,
) -> Path:
    """Write variables as cdf_factory describes them.

    ``forms`` are keywords of `NasaFile.add` by variable, ``left_out`` the records that are never written, and keywords
    those of `written`.
    """
    path.unlink(missing_ok=True)
    with written(path, **spec) as file:
        for name, content in variables.items():
            varies = content["spec"]["Rec_Vary"]
            records = content["data"]
            if varies:
                gone = (left_out or {}).get(name, ())
                records = {number: value for number, value in enumerate(records) if number not in gone}
            form = (forms or {}).get(name, {})
            attributes = {key: value[0] if key == "FILLVAL" else value for key, value in content["attributes"].items()}
            file.add(name, content["spec"]["Data_Type"], records, varies=varies, attributes=attributes, **form)
    return path
