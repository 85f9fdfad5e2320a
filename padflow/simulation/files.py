# SPDX-License-Identifier: BSD-3-Clause
"""Simulated days as CDF files under SPDF's names."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cdflib.cdfwrite
import numpy as np

from padflow.simulation.day import DELTA_MINUS, DELTA_PLUS, ENERGIES, FILL, PITCH_ANGLES
from padflow.simulation.orbit import unix_ms

CDF_EPOCH, CDF_DOUBLE, CDF_CHAR = 31, 45, 51


EPOCH_OF_1970_MS = 62_167_219_200_000.0  # CDF_EPOCH counts from year 0


FLUX_UNITS = "cm!e-2!ns!e-1!nsr!e-1!nMeV!e-1!n"


EPHEMERIS = {  # units, valid range, what it is
    "L": ("", 0.0, 100.0, "McIlwain L of a centred dipole"),
    "L_star": ("", 0.0, 100.0, "Roederer L* of locally mirroring particles, from the dipole L (simulated)"),
    "I": ("Re", 0.0, 100.0, "Second invariant of locally mirroring particles"),
    "B_Calc": ("nT", 0.0, 100_000.0, "Field magnitude at the spacecraft, centred dipole"),
    "B_Eq": ("nT", 0.0, 100_000.0, "Field magnitude at the magnetic equator, centred dipole"),
    "MLT": ("h", 0.0, 24.0, "Magnetic local time"),
    "MLAT": ("degrees", -90.0, 90.0, "Magnetic latitude"),
    "Position": ("km", -100_000.0, 100_000.0, "Position of the spacecraft in geographic coordinates"),
}


@dataclass(frozen=True)
class Content:
    """What one file holds: CDF_EPOCH values (records,), flux (records, 17, 12) and ephemeris, all float64."""

    epoch: np.ndarray
    flux: np.ndarray
    ephemeris: dict[str, np.ndarray]

    def take(self, index: np.ndarray | slice) -> Content:
        """Return the records at ``index``, in that order."""
        return Content(self.epoch[index], self.flux[index], {k: v[index] for k, v in self.ephemeris.items()})

    @staticmethod
    def concatenate(pieces: list[Content]) -> Content:
        """Join pieces along time."""
        return Content(
            np.concatenate([p.epoch for p in pieces]),
            np.concatenate([p.flux for p in pieces]),
            {name: np.concatenate([p.ephemeris[name] for p in pieces]) for name in EPHEMERIS},
        )


def file_path(spacecraft: str, day: datetime.date, version: str) -> Path:
    """Return a file's path in the archive: SPDF's folders and names."""
    name = f"{spacecraft}_rel03_ect-rept-sci-l3_{day:%Y%m%d}_v{version}.cdf"
    return Path(spacecraft, "l3", "ect", "rept", "sectors", "rel03", f"{day:%Y}", name)


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Let ``write`` make a temporary file, then rename it to ``path``: a name appears only when whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays last because cdflib replaces any other; the dot keeps it from being taken for data.
    temporary = path.with_name(f".{path.stem}.writing{path.suffix}")
    temporary.unlink(missing_ok=True)
    write(temporary)
    temporary.replace(path)


def global_attributes(spacecraft: str, day: datetime.date, version: str) -> dict[str, dict[int, str]]:
    """Return the ISTP global attributes; title and text say that nothing was measured."""
    letter = spacecraft[-1].upper()
    values = {
        "TITLE": f"SIMULATED Van Allen Probe {letter} REPT level 3 pitch angle distributions",
        "TEXT": "SIMULATED by padflow for tests and demonstrations: no measurement of any instrument.",
        "Project": "LWS>Living With a Star",
        "Source_name": f"RBSP{letter}>Radiation Belt Storm Probe {letter} (SIMULATED)",
        "Discipline": "Space Physics>Magnetospheric Science",
        "Data_type": "L3>Level 3",
        "Descriptor": "REPT>Relativistic Electron Proton Telescope (SIMULATED)",
        "Instrument_type": "Particles (space)",
        "Mission_group": "Van Allen Probes",
        "PI_name": "none (SIMULATED)",
        "PI_affiliation": "none (SIMULATED)",
        "Generated_by": "padflow simulate",
        "Logical_source": f"{spacecraft}_rel03_ect-rept-sci-l3",
        "Logical_file_id": file_path(spacecraft, day, version).stem,
        "Logical_source_description": f"SIMULATED RBSP{letter} ECT REPT pitch angle resolved electron flux",
        "Data_version": version,
    }
    return {name: {0: text} for name, text in values.items()}


def data_attributes(units: str, low: float, high: float, text: str, **more: Any) -> dict[str, Any]:
    """Return the ISTP attributes of a CDF_DOUBLE variable."""
    number = {"FILLVAL": FILL, "VALIDMIN": low, "VALIDMAX": high}
    return {
        "CATDESC": text,
        "UNITS": units or " ",
        "FORMAT": "E12.4",
        "VAR_TYPE": "support_data",
        "SCALETYP": "linear",
        **{name: [value, "CDF_DOUBLE"] for name, value in number.items()},
        **more,
    }


def epoch_attributes() -> dict[str, Any]:
    """Return the ISTP attributes of ``Epoch``."""
    low, high = (EPOCH_OF_1970_MS + unix_ms(datetime.date(y, 1, 1)) for y in (2012, 2020))
    return {
        "CATDESC": "Time of the middle of the spin",
        "UNITS": "ms",
        "VAR_TYPE": "support_data",
        "SCALETYP": "linear",
        "MONOTON": "INCREASE",
        "TIME_BASE": "0 AD",
        "FILLVAL": [FILL, "CDF_EPOCH"],
        "VALIDMIN": [low, "CDF_EPOCH"],
        "VALIDMAX": [high, "CDF_EPOCH"],
    }


def axis_variables() -> list[tuple[str, bool, np.ndarray, dict[str, Any]]]:
    """Return name, record variance, values and attributes of the variables that do not change."""
    alpha = data_attributes("degrees", 0.0, 180.0, "Pitch angle, centres of bins", LABLAXIS="Pitch angle")
    energy = data_attributes("MeV", 0.0, 100.0, "Electron energy, centres of channels", LABLAXIS="Energy")
    energy |= {"DELTA_MINUS_VAR": "FEDU_Energy_DELTA_minus", "DELTA_PLUS_VAR": "FEDU_Energy_DELTA_plus"}
    return [
        ("FEDU_Alpha", False, PITCH_ANGLES, alpha),
        ("FEDU_Energy", False, ENERGIES, energy),
        (
            "FEDU_Energy_DELTA_minus",
            False,
            DELTA_MINUS,
            data_attributes("MeV", 0.0, 100.0, "Centre to lower edge"),
        ),
        (
            "FEDU_Energy_DELTA_plus",
            False,
            DELTA_PLUS,
            data_attributes("MeV", 0.0, 100.0, "Centre to upper edge"),
        ),
    ]


def label_variables() -> list[tuple[str, list[str], str]]:
    """Return name, labels and description of the label variables."""
    return [
        ("FEDU_Alpha_LABL", [f"{a:6.2f} deg" for a in PITCH_ANGLES], "Labels of pitch angles"),
        ("FEDU_Energy_LABL", [f"{e:4.1f} MeV" for e in ENERGIES], "Labels of energies"),
    ]


def write_cdf(path: Path, content: Content, *, spacecraft: str, day: datetime.date, version: str) -> None:
    """Write one day's file: row major, zVariables without compression; seen only when whole.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    flux = data_attributes(
        FLUX_UNITS,
        0.0,
        1e10,
        "Electron differential flux by pitch angle and energy (SIMULATED)",
        DEPEND_0="Epoch",
        DEPEND_1="FEDU_Alpha",
        DEPEND_2="FEDU_Energy",
        LABL_PTR_1="FEDU_Alpha_LABL",
        LABL_PTR_2="FEDU_Energy_LABL",
        DISPLAY_TYPE="spectrogram",
    )
    flux |= {"VAR_TYPE": "data", "SCALETYP": "log"}
    variables = [("FEDU", True, content.flux, flux), *axis_variables()]
    for name, (units, low, high, text) in EPHEMERIS.items():
        attributes = data_attributes(units, low, high, text, DEPEND_0="Epoch")
        variables.append((name, True, content.ephemeris[name], attributes))

    def write(temporary: Path) -> None:
        with cdflib.cdfwrite.CDF(temporary, cdf_spec={"Majority": "row_major"}) as cdf:
            cdf.write_globalattrs(global_attributes(spacecraft, day, version))
            write_variable(cdf, "Epoch", CDF_EPOCH, True, content.epoch, epoch_attributes())
            for name, varies, values, attributes in variables:
                write_variable(cdf, name, CDF_DOUBLE, varies, values, attributes)
            for name, labels, text in label_variables():
                attributes = {"CATDESC": text, "VAR_TYPE": "metadata", "FORMAT": f"A{len(labels[0])}"}
                write_variable(cdf, name, CDF_CHAR, False, np.array([labels]), attributes)

    write_whole(path, write)


def write_variable(
    cdf: cdflib.cdfwrite.CDF,
    name: str,
    kind: int,
    varies: bool,
    values: np.ndarray,
    attributes: dict[str, Any],
) -> None:
    """Write one zVariable and its attributes."""
    text = kind == CDF_CHAR
    specification = {
        "Variable": name,
        "Data_Type": kind,
        "Num_Elements": len(values.flat[0]) if text else 1,
        "Rec_Vary": varies,
        "Dim_Sizes": list(values.shape[1:] if varies else values.shape),
        "Compress": 0,
        "Pad": np.array([FILL]) if not text else " " * len(values.flat[0]),
    }
    data = values.ravel().tolist() if text else np.ascontiguousarray(values, float)
    # FIELDNAM repeats the variable's name, as ISTP asks.
    cdf.write_var(specification, var_attrs={"FIELDNAM": name, **attributes}, var_data=data)
