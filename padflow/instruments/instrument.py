# SPDX-License-Identifier: BSD-3-Clause
"""Describe a data product: names of its files and variables, units, axes, sensitivity.

Each product is a YAML file with the keys of `Instrument`. The files of built-in products are in the folder of this
module. They are examples for a file of your own.
"""

from __future__ import annotations

import itertools
import re
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, ValidationError, field_validator
from pydantic_core import ErrorDetails

from padflow.config.local_paths import local_path
from padflow.config.plain_yaml import read_yaml
from padflow.config.text import listed
from padflow.errors import ConfigError, brief, one_line

BUILT_IN = ("rept", "mageis", "hope", "elfin-epd-hs", "elfin-epd-fs")
"""Names of the instruments that come with padflow."""

EnergyUnit = Literal["MeV", "keV", "eV"]


MEV_PER: dict[str, float] = {"MeV": 1.0, "keV": 1e-3, "eV": 1e-6}


AxisRole = Literal["pitch_angle", "energy"]


EphemerisName = Literal["L", "L_star", "MLT", "MLAT", "B_Calc", "B_Eq", "Position"]


FluxAxes = tuple[AxisRole, AxisRole]


def _check_variable(name: str) -> str:
    if not name.strip():
        raise ValueError("is empty; give the variable's name in the file")
    if set(name.replace("{spacecraft}", "")) & set("{}"):
        raise ValueError(f"{name!r} may hold no braces but those of {{spacecraft}}")
    return name


def _check_ascending(grid: tuple[float, ...] | None) -> tuple[float, ...] | None:
    if grid is not None and (len(grid) < 2 or any(b <= a for a, b in itertools.pairwise(grid))):
        raise ValueError("must hold at least two values, each larger than the one before")
    return grid


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("variable", "time", "flux", check_fields=False)
    @classmethod
    def _variable_is_named(cls, name: str) -> str:
        return _check_variable(name)

    @field_validator("grid", check_fields=False)
    @classmethod
    def _grid_ascends(cls, grid: tuple[float, ...] | None) -> tuple[float, ...] | None:
        return _check_ascending(grid)


class PitchAngleAxis(_Frozen):
    """The variable with the pitch angles of the flux, in degrees."""

    variable: str = Field(description="Variable with the pitch angles: fixed (angles) or per record (records, angles).")
    grid: tuple[Annotated[float, Field(ge=0, le=180)], ...] | None = Field(
        None,
        description="Pitch angles in degrees onto which flux is interpolated; needed where a file's angles "
        "vary from record to record. Without it, the file's own angles are used.",
    )


class EnergyAxis(_Frozen):
    """The variable with the energies of the flux."""

    variable: str = Field(description="Variable with the energies: fixed (energies) or per record (records, energies).")
    units: EnergyUnit = Field(description="Unit of that variable: MeV, keV or eV.")
    grid: tuple[PositiveFloat, ...] | None = Field(
        None,
        description="Energies in MeV onto which flux is interpolated; needed where a file's energies vary "
        "from record to record. Without it, the file's own energies are used.",
    )


class Instrument(_Frozen):
    """One product: the names of its files, and the meaning of their variables.

    Names of variables may hold ``{spacecraft}``. The name of the spacecraft, in lower case, takes its place.

    Examples
    --------
    >>> import padflow
    >>> padflow.load_instrument("rept").flux
    'FEDU'
    """

    name: str = Field(description="Short name, used in configurations and archives.")
    title: str = Field(description="Full name of the product, for figures and reports.")
    file_pattern: str = Field(
        description="Regular expression for whole file names, matched without case, with the groups "
        "spacecraft, date (YYYYMMDD) and, if names carry one, version (numbers with dots).",
    )
    time: str = Field(description="Time variable: CDF_EPOCH, CDF_EPOCH16 or CDF_TIME_TT2000; the file tells which.")
    flux: str = Field(
        description="Flux variable, (records, pitch angles, energies) or (records, energies, pitch angles)."
    )
    flux_axes: FluxAxes | None = Field(
        None,
        description="Order of the flux's axes after the records': [pitch_angle, energy] or [energy, pitch_angle]. "
        "It is needed only where both have the same size and the file's DEPEND_1 and DEPEND_2 do not name the "
        "variables of the axes, or name them wrongly: what is stated here counts more than they do.",
    )
    flux_per: EnergyUnit = Field(description="Flux is per cm2, s, sr and this unit of energy: MeV, keV or eV.")
    pitch_angle: PitchAngleAxis = Field(description="The pitch angles.")
    energy: EnergyAxis = Field(description="The energies.")
    ephemeris: dict[EphemerisName, str] = Field(
        default_factory=dict,
        description="Variables with each record's place: McIlwain L, L*, MLT (h), MLAT (degrees), local and "
        "equatorial field (nT), Position (km, 3 values a record).",
    )
    geometric_factor_cm2_sr: PositiveFloat | None = Field(
        None, description="Geometric factor in cm2 sr, for the counts expected in one bin."
    )
    accumulation_seconds: PositiveFloat | None = Field(
        None, description="Time in seconds for which one pitch-angle bin is observed in one record."
    )

    @field_validator("file_pattern")
    @classmethod
    def _pattern_has_groups(cls, pattern: str) -> str:
        try:
            groups = re.compile(pattern).groupindex
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from None
        missing = [name for name in ("spacecraft", "date") if name not in groups]
        if missing:
            raise ValueError(f"needs the named group(s) {', '.join(f'(?P<{name}>...)' for name in missing)}")
        return pattern

    @field_validator("flux_axes")
    @classmethod
    def _both_axes_are_named(cls, axes: FluxAxes | None) -> FluxAxes | None:
        if axes is not None and axes[0] == axes[1]:
            raise ValueError("must be [pitch_angle, energy] or [energy, pitch_angle]")
        return axes

    @field_validator("ephemeris")
    @classmethod
    def _ephemeris_is_named(cls, variables: dict[str, str]) -> dict[str, str]:
        for variable in variables.values():
            _check_variable(variable)
        return variables

    def counts_per_flux(self, energy_mev: np.ndarray) -> np.ndarray:
        """Return the counts expected in one pitch-angle bin of one record for unit flux.

        Geometric factor x accumulation time x channel width. The edge between two channels lies halfway between their
        centres in log energy. The first and the last channel reach as far outwards as inwards.

        Parameters
        ----------
        energy_mev : ndarray, shape (energy,)
            Channel centres in MeV.

        Returns
        -------
        ndarray of float64, shape (energy,)
            Counts per (cm^-2 s^-1 sr^-1 MeV^-1). NaN where they are not known: without geometric factor or accumulation
            time, with fewer than two energies, or where a width is not positive.
        """
        energy = np.asarray(energy_mev, np.float64)
        unknown = np.full(energy.shape, np.nan)
        if self.geometric_factor_cm2_sr is None or self.accumulation_seconds is None or len(energy) < 2:
            return unknown
        with np.errstate(invalid="ignore", divide="ignore"):
            centre = np.log(energy)
            middle = (centre[1:] + centre[:-1]) / 2
            first, last = 2 * centre[0] - middle[0], 2 * centre[-1] - middle[-1]
            width = np.diff(np.exp(np.concatenate([[first], middle, [last]])))
            counts = self.geometric_factor_cm2_sr * self.accumulation_seconds * width
            return np.where(np.isfinite(counts) & (width > 0), counts, unknown)


def load_instrument(name_or_path: str | Path) -> Instrument:
    """Return a built-in instrument by its name, or the instrument of a YAML file.

    Parameters
    ----------
    name_or_path : str or Path
        One of `BUILT_IN`, or the path of a YAML file with the keys of `Instrument`.

    Raises
    ------
    ConfigError
        Where there is no such instrument and no such file, or where the file is not valid: names the keys.

    Examples
    --------
    >>> load_instrument("rept").energy.units
    'MeV'
    """
    if str(name_or_path) in BUILT_IN:
        return _built_in(str(name_or_path))
    path = local_path(name_or_path, "archive.instrument")
    if not path.is_file():
        raise ConfigError(
            f"no instrument {brief(str(name_or_path))}: give one of {', '.join(BUILT_IN)}, "
            "or the path of a YAML file that describes one"
        )
    return _read(path)


@cache
def _built_in(name: str) -> Instrument:
    return _read(Path(__file__).with_name(f"{name}.yaml"))


def _read(path: Path) -> Instrument:
    content = read_yaml(path, what="instrument file")
    if not isinstance(content, dict):
        raise ConfigError(f"instrument file {path} must hold keys and values, such as 'name: my-instrument'")
    try:
        return Instrument.model_validate(content)
    except ValidationError as error:
        problems = listed([_one_problem(detail) for detail in error.errors()])
        raise ConfigError(f"instrument file {path}: {problems}. Keys: {', '.join(Instrument.model_fields)}") from None


def _one_problem(detail: ErrorDetails) -> str:
    key = one_line(".".join(str(part) for part in detail["loc"]))
    if detail["type"] == "extra_forbidden":
        return f"unknown key {key!r}"
    return f"{key!r}: {one_line(detail['msg'].removeprefix('Value error, '))}"
