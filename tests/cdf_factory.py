# SPDX-License-Identifier: BSD-3-Clause
"""Writes small CDF files for tests, with cdflib."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pycdfpp
from cdflib.cdfwrite import CDF
from cdflib.epochs import CDFepoch

REAL4, REAL8, EPOCH, EPOCH16, TT2000, INT4, CHAR = 21, 22, 31, 32, 33, 4, 51
REPT_ENERGY = np.array([1.8, 2.1, 2.6, 3.4, 4.2, 5.2, 6.3, 7.7, 9.9, 12.3, 15.2, 20.0])
EPHEMERIS = ("L", "L_star", "MLT", "MLAT", "B_Calc", "B_Eq")


def variable(data, cdf_type=REAL8, *, varies=True, units=" ", fill=-1e31, compress=0, block=None, **spec) -> dict:
    """One variable: its values, with the records' axis first if it varies with them."""
    data = np.array(data)  # a copy, for tests change it
    dims = list(data.shape[1:] if varies else data.shape)
    spec = {
        "Data_Type": cdf_type,
        "Num_Elements": 1,
        "Rec_Vary": varies,
        "Dim_Sizes": dims,
        "Compress": compress,
        **spec,
    }
    if block:
        spec["Block_Factor"] = block
    attributes = {"UNITS": units}
    if fill is not None:
        attributes["FILLVAL"] = [fill, "CDF_DOUBLE"]
    return {"spec": spec, "attributes": attributes, "data": data}


def write_cdf(path: Path, variables: dict[str, dict], **spec) -> Path:
    """Write a file; keywords are cdflib's cdf_spec (Majority, Encoding, Compressed, Checksum)."""
    cdf = CDF(path, cdf_spec=spec, delete=True)
    cdf.write_globalattrs({"Logical_source": {0: "test_source"}, "Data_version": {0: "5.0.0"}})
    epoch16 = {}
    for name, content in variables.items():
        data = content["data"]
        if content["spec"]["Data_Type"] == EPOCH16:
            epoch16[name] = data
            continue
        if spec.get("Majority") == "column_major" and isinstance(data, np.ndarray):
            # cdflib writes the bytes as they come
            axes = range(data.ndim - 1, 0, -1)
            data = data.transpose(0, *axes) if content["spec"]["Rec_Vary"] else data.T
            data = np.ascontiguousarray(data)
        cdf.write_var({"Variable": name, **content["spec"]}, var_attrs=content["attributes"], var_data=data)
    cdf.close()
    if epoch16:  # which cdflib writes with twice the records
        whole = pycdfpp.load(str(path))
        for name, data in epoch16.items():
            values = pycdfpp.to_epoch16(CDFepoch.to_datetime(data))
            whole.add_variable(name, values=values, data_type=pycdfpp.DataType.CDF_EPOCH16)
        pycdfpp.save(whole, str(path))
    return path


def raw_times(times: np.ndarray, kind: int = EPOCH) -> np.ndarray:
    """Raw values of a CDF time variable, whole milliseconds, by cdflib."""
    parts = []
    for time in np.asarray(times, "datetime64[ms]").tolist():
        calendar = [
            time.year,
            time.month,
            time.day,
            time.hour,
            time.minute,
            time.second,
            time.microsecond // 1000,
        ]
        parts.append(calendar if kind == EPOCH else [*calendar, 0, 0] if kind == TT2000 else [*calendar, 0, 0, 0])
    compute = {
        EPOCH: CDFepoch.compute_epoch,
        EPOCH16: CDFepoch.compute_epoch16,
        TT2000: CDFepoch.compute_tt2000,
    }[kind]
    return np.atleast_1d(compute(parts))


def rept(day: str = "2013-03-17", records: int = 40, *, kind: int = EPOCH, seed: int = 0, compress: int = 0) -> dict:
    """Variables of a REPT-like file: 17 pitch angles, 12 energies, ten fills, zeros and steps of 10.9 s."""
    random = np.random.default_rng(seed)
    times = np.datetime64(day, "ms") + np.timedelta64(5450, "ms") + np.arange(records) * np.timedelta64(10_900, "ms")
    flux = np.round(random.gamma(1, 300, (records, 17, 12)))
    flux.reshape(-1)[random.choice(flux.size, 10, replace=False)] = -1e31
    units = "cm!e-2!ns!e-1!nsr!e-1!nMeV!e-1!n"
    content = {
        "Epoch": variable(raw_times(times, kind), kind, units="ms", fill=None, compress=compress),
        "FEDU": variable(flux, units=units, compress=compress),
        "FEDU_Alpha": variable((np.arange(17) + 0.5) * 180 / 17, varies=False),
        "FEDU_Energy": variable(REPT_ENERGY, varies=False, units="MeV"),
        "Position": variable(random.normal(0, 2e4, (records, 3)), units="km"),
        "Epoch_prot": variable(raw_times(times[:5], kind), kind, fill=None),
        "FPDU": variable(random.gamma(1, 10, (5, 17, 8))),
    }
    for name in EPHEMERIS:
        content[name] = variable(random.uniform(1, 6, records), compress=compress)
    return content


def write_rept(path: Path, **settings) -> Path:
    """Write a REPT-like file as it is."""
    return write_cdf(path, rept(**settings))
