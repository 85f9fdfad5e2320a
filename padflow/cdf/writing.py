# SPDX-License-Identifier: BSD-3-Clause
"""Write a CDF file with the attributes that ISTP asks of each variable, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cdflib.cdfwrite
import numpy as np

from padflow.cdf.epochs import to_tt2000
from padflow.cdf.reader import leap_seconds
from padflow.store.durable import PARTIAL, naming

COMPRESSION = 6
"""Level of GZIP, in which each variable is packed (chosen)."""


@dataclass(frozen=True)
class _Kind:
    """A type of CDF: its number and name, and what stands for a missing value (ISTP's guidelines)."""

    number: int
    name: str
    fill: float
    form: str


_KINDS = {
    "int8": _Kind(1, "CDF_INT1", -128, "I4"),
    "int16": _Kind(2, "CDF_INT2", -32_768, "I6"),
    "float32": _Kind(44, "CDF_FLOAT", -1e31, "E12.4"),
    "float64": _Kind(45, "CDF_DOUBLE", -1e31, "E12.4"),
    "datetime64[ns]": _Kind(33, "CDF_TIME_TT2000", np.iinfo("i8").min, "I21"),
}
"""By the type of the array."""


_CHAR = 51


@dataclass(frozen=True)
class CdfVariable:
    """A variable of a CDF file.

    Parameters
    ----------
    name : str
    values : ndarray
        int8, int16, float32, float64, datetime64[ns] (UTC) or text. The first axis is that of the records, where the
        variable varies with them. NaN is missing.
    attributes : mapping of str to object
        Those of ISTP, but ``FIELDNAM``, ``FILLVAL``, ``VALIDMIN``, ``VALIDMAX`` and ``FORMAT``, which are made here.
    valid : tuple, optional
        Smallest and largest value that is valid. Text has none.
    varies : bool
        Whether the variable has a value for each record.
    """

    name: str
    values: np.ndarray = field(repr=False)
    attributes: Mapping[str, Any]
    valid: tuple[Any, Any] | None = None
    varies: bool = True


def write_cdf(path: Path, variables: Iterable[CdfVariable], attributes: Mapping[str, str | list[str]]) -> None:
    """Write a CDF file, row major, each variable packed with GZIP.

    Parameters
    ----------
    path : Path
        Ends in ``.cdf``. A file of this name is replaced.
    attributes : mapping of str to str or list of str
        Global attributes. Each text of a list is an entry.

    Raises
    ------
    CannotWrite
        Where the system cannot write it: names the file.
    """
    entries = {name: {0: text} if isinstance(text, str) else dict(enumerate(text)) for name, text in attributes.items()}
    temporary = path.with_name(f"{path.stem}.{os.getpid()}{PARTIAL}.cdf")  # cdflib replaces any other ending
    with naming(path):
        try:
            temporary.unlink(missing_ok=True)
            with cdflib.cdfwrite.CDF(temporary, cdf_spec={"Majority": "row_major"}) as cdf:
                cdf.write_globalattrs(entries)
                for variable in variables:
                    _write(cdf, variable)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _write(cdf: cdflib.cdfwrite.CDF, variable: CdfVariable) -> None:
    values, attributes = variable.values, {"FIELDNAM": variable.name, **variable.attributes}
    text = values.dtype.kind == "U"
    if text:
        kind, width = _CHAR, max(len(one) for one in values.flat)
        attributes |= {"FILLVAL": " ", "FORMAT": f"A{width}"}
        data: Any = [one.ljust(width) for one in values.flat]
    else:
        known = _KINDS[str(values.dtype)]
        kind, width = known.number, 1
        data = np.ascontiguousarray(_numbers(values, known))
        attributes |= {"FILLVAL": [known.fill, known.name], "FORMAT": known.form}
        if variable.valid is not None:
            limits = _numbers(np.array(variable.valid, values.dtype), known).tolist()
            attributes |= {"VALIDMIN": [limits[0], known.name], "VALIDMAX": [limits[1], known.name]}
    specification = {
        "Variable": variable.name,
        "Data_Type": kind,
        "Num_Elements": width,
        "Rec_Vary": variable.varies,
        "Dim_Sizes": list(values.shape[1:] if variable.varies else values.shape),
        "Compress": 0 if text else COMPRESSION,
    }
    cdf.write_var(specification, var_attrs=attributes, var_data=data)


def _numbers(values: np.ndarray, kind: _Kind) -> np.ndarray:
    """Return values as they are stored. Integers have none that is missing."""
    if values.dtype.kind == "M":
        return to_tt2000(values, leap_seconds())
    return np.where(np.isfinite(values), values, np.array(kind.fill, values.dtype))
