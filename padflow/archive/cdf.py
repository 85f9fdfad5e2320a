"""One CDF file to arrays, or to the reason why it is set aside; the only reader of CDF.

Nothing but `BadFile` leaves this module because of a file. cdflib gives leap seconds and sparse variables;
all else is read by `padflow.archive.cdf_layout` and `padflow.archive.cdf_values`.
"""

from __future__ import annotations

import functools
import math
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import cdflib
import numpy as np
from cdflib.epochs import CDFepoch

from padflow.archive.cdf_layout import plain_file, read_layout
from padflow.archive.cdf_values import Variable, read_values
from padflow.archive.clean import clean_flux, clean_place, is_fill
from padflow.archive.epochs import LeapSeconds, to_datetime64
from padflow.archive.regrid import onto_energies, onto_pitch_angles, reflected
from padflow.durable import NO_SPACE, explained
from padflow.errors import BadFile
from padflow.instruments import MEV_PER, Instrument
from padflow.records import Records

DAY_MARGIN = np.timedelta64(10, "m")

_TIME_TYPES = (31, 32, 33)
_NUMBER_TYPES = (1, 2, 4, 8, 11, 12, 14, 21, 22, 41, 44, 45)
_PROBED_RECORDS = 64


@dataclass(frozen=True)
class FileFacts:
    """What the scan learns from one good file.

    Parameters
    ----------
    pitch_angle : ndarray of float64, shape (pitch_angle,)
        Degrees, ascending: the axis that `read_records` will give.
    energy : ndarray of float64, shape (energy,)
        MeV, ascending.
    times : ndarray of datetime64[ns], shape (records,)
        Of every record, in the file's order; NaT where invalid.
    absent : tuple of str
        Ephemeris that the instrument lists and the file lacks.
    """

    pitch_angle: np.ndarray
    energy: np.ndarray
    times: np.ndarray
    absent: tuple[str, ...]


def inspect(path: Path, instrument: Instrument, spacecraft: str, day: date) -> FileFacts:
    """Check a file without reading all of it.

    Parameters
    ----------
    path : Path
        The file.
    instrument : Instrument
        What is expected in it.
    spacecraft : str
        Stands for ``{spacecraft}`` in names of variables.
    day : date
        The UTC day in its name.

    Raises
    ------
    BadFile
        With the reason ``dangling_link``, ``empty``, ``not_cdf``, ``truncated``, ``unreadable``,
        ``wrong_checksum``, ``absurd_size``, ``missing_variable``, ``wrong_type``, ``wrong_shape``, ``wrong_units``,
        ``bad_axis``, ``varying_axis``, ``no_records``, ``no_valid_time``, ``wrong_day`` or ``all_fill``.
    """
    with _opened(path, instrument, spacecraft) as file:
        file.check_units()
        pitch_angle = file.axis("pitch_angle", values_needed=False)
        energy = file.axis("energy", values_needed=False)
        times = file.times()
        _check_day(file, times, day)
        if not file.has_flux():
            raise BadFile("all_fill", f"{path} holds no valid value of {file.names['flux']}")
        return FileFacts(
            pitch_angle=pitch_angle.target,
            energy=energy.target,
            times=times,
            absent=tuple(name for name in instrument.ephemeris if not file.has_ephemeris(name)),
        )


def read_records(
    path: Path,
    instrument: Instrument,
    spacecraft: str,
    *,
    wanted: Callable[[np.ndarray], slice] = lambda _: slice(None),
) -> tuple[Records, dict[str, int]]:
    """Read records of a file, in its order.

    Flux is cleaned (`clean_flux`), made per MeV, put in ascending order of both axes, and interpolated where
    the instrument gives a grid that is not the file's own (`padflow.archive.regrid`). Channels for which a
    fixed axis holds no value are left out.

    Parameters
    ----------
    wanted : callable
        Given the times of all records, datetime64[ns], returns which to read; by default all.

    Returns
    -------
    records : Records
        Every record that is wanted, also those without a valid time or flux.
    notes : dict of str to int
        Flux values made NaN: ``fill``, ``negative``, ``nonfinite``, ``outside_grid``, ``missing_neighbour``;
        records without time: ``no_time``; and ``absent:<name>``, the number of records, for each ephemeris
        that the file lacks.

    Raises
    ------
    BadFile
        As `inspect`, except for what needs the day.
    """
    with _opened(path, instrument, spacecraft) as file:
        file.check_units()
        times = file.times()
        pitch_angle, energy = file.axis("pitch_angle"), file.axis("energy")
        first, end, _ = wanted(times).indices(len(times))
        times = times[first:end]
        flux, notes = file.flux(first, end)
        flux = _select(_select(flux, pitch_angle.order, axis=1), energy.order, axis=2)
        notes |= {"outside_grid": 0, "missing_neighbour": 0, "no_time": int(np.isnat(times).sum())}
        for axis, onto in ((pitch_angle, onto_pitch_angles), (energy, onto_energies)):
            if axis.order is None:
                values = axis.values if len(axis.values) == 1 else axis.values[first:end]
                per_record = np.broadcast_to(values, (len(times), values.shape[-1]))
                flux, lost = onto(flux, per_record, axis.target)
                for name, number in lost.items():
                    notes[name] += number
        ephemeris = {}
        for name in instrument.ephemeris:
            ephemeris[name] = file.ephemeris(name, first, end)
            if not file.has_ephemeris(name):
                notes[f"absent:{name}"] = len(times)
        return Records(times, flux, ephemeris), notes


@functools.cache
def leap_seconds() -> LeapSeconds:
    """Return cdflib's table of leap seconds from 1972 on."""
    rows = [row for row in CDFepoch.LTS if row[0] >= 1972]
    since = [f"{int(year):04d}-{int(month):02d}-{int(day):02d}" for year, month, day, *_ in rows]
    return LeapSeconds(np.array(since, "datetime64[ns]"), np.array([row[3] for row in rows]).astype(np.int64))


@contextmanager
def _opened(path: Path, instrument: Instrument, spacecraft: str) -> Iterator[_File]:
    try:
        with plain_file(Path(path)) as plain:
            yield _File(plain, Path(path), instrument, spacecraft)
    except (BadFile, MemoryError):
        raise
    except Exception as error:  # cdflib and what is below it raise at least ten kinds
        if isinstance(error, OSError) and error.errno in NO_SPACE:  # for the plain copy: no fault of the file
            raise explained(error, Path(tempfile.gettempdir()) / path.name) from error
        message = f"{path} cannot be read ({type(error).__name__}: {error}); download it again"
        raise BadFile("unreadable", message) from error


@dataclass(frozen=True)
class _Axis:
    """An axis of the file (1 or records, channels) and what it becomes: ``target``, by ``order`` or interpolation."""

    values: np.ndarray
    target: np.ndarray
    order: np.ndarray | None


class _File:
    """An open file whose needed variables are there and agree in shape."""

    def __init__(self, plain: Path, path: Path, instrument: Instrument, spacecraft: str):
        self.path, self.instrument = path, instrument
        roles = {
            "time": instrument.time,
            "flux": instrument.flux,
            "pitch_angle": instrument.pitch_angle.variable,
            "energy": instrument.energy.variable,
        }
        self.names = {role: name.replace("{spacecraft}", spacecraft) for role, name in roles.items()}
        self.places = {k: name.replace("{spacecraft}", spacecraft) for k, name in instrument.ephemeris.items()}
        self.layout = read_layout(plain, [*self.names.values(), *self.places.values()], shown=path)
        self.plain = plain
        self.check_shapes()

    def check_shapes(self) -> None:
        time, flux = self.variable("time", _TIME_TYPES), self.variable("flux", _NUMBER_TYPES)
        self.records = time.records if time.record_varying else 0
        if self.records == 0:
            raise BadFile("no_records", f"{self.path} holds no record of {time.name}")
        if time.dims:
            self.misshapen(time, f"({self.records})")
        if not flux.record_varying or flux.records != self.records or len(flux.dims) != 2:
            self.misshapen(flux, f"({self.records}, pitch angles, energies)")
        self.sizes = dict(zip(("pitch_angle", "energy"), flux.dims, strict=True))
        for role, size in self.sizes.items():
            variable = self.variable(role, _NUMBER_TYPES)
            if variable.dims == () and variable.records == size:  # an axis written as one value per record
                continue
            longest = max(variable.dims, default=1)
            if math.prod(variable.dims) != size or longest != size or variable.records not in (1, self.records):
                self.misshapen(variable, f"({size}) or ({self.records}, {size})")

    def variable(self, role: str, types: tuple[int, ...]) -> Variable:
        name = self.names[role]
        if name.lower() not in self.layout.variables:
            known = sorted(variable.name for variable in self.layout.variables.values())
            shown = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
            raise BadFile(
                "missing_variable",
                f"{self.path} has no variable {name!r} ({role} of instrument {self.instrument.name}); it has {shown}",
            )
        variable = self.layout.variables[name.lower()]
        if variable.data_type not in types:
            raise BadFile("wrong_type", f"{name} in {self.path} has CDF type {variable.data_type}, not one of {types}")
        return variable

    def misshapen(self, variable: Variable, expected: str) -> None:
        shape = (variable.records, *variable.dims) if variable.record_varying else variable.dims
        text = f"{variable.name} in {self.path} has shape {shape}; expected {expected}"
        raise BadFile("wrong_shape", text)

    def check_units(self) -> None:
        """Compare the UNITS attributes, where they name one unit of energy, with the instrument's."""
        expected = {"flux": self.instrument.flux_per, "energy": self.instrument.energy.units}
        for role, unit in expected.items():
            stated = self.attribute("UNITS", self.names[role])
            plain = re.sub(r"![A-Za-z]", " ", stated if isinstance(stated, str) else "")  # IDL's font commands
            found = {match.lower() for match in re.findall(r"(?i)(?<![a-z])([GMk]?eV)(?![a-z])", plain)}
            if len(found) == 1 and found != {unit.lower()}:
                raise BadFile(
                    "wrong_units",
                    f"{self.names[role]} in {self.path} is in {stated!r}, but the instrument says {unit}; "
                    f"describe the instrument in a YAML file with the file's units",
                )

    def values(self, name: str, first: int = 0, end: int | None = None) -> np.ndarray:
        """Read records [first, end) of a variable, with a leading axis of length 1 if it does not vary with them."""
        variable = self.layout.variables[name.lower()]
        if not variable.sparse:
            return read_values(self.plain, self.layout, variable, first_record=first, end_record=end)
        values = cdflib.CDF(self.plain).varget(name, startrec=first, endrec=None if end is None else end - 1)
        return values if variable.record_varying else values[np.newaxis]

    def attribute(self, name: str, variable: str) -> Any:
        return self.layout.attributes.get((name, variable.lower()))

    def times(self) -> np.ndarray:
        return to_datetime64(self.values(self.names["time"]), leap_seconds())

    def axis(self, role: str, *, values_needed: bool = True) -> _Axis:
        """Read an axis and decide how the file's channels become the target's.

        Without ``values_needed``, the file is not read where the instrument's grid settles the target.
        """
        settings = getattr(self.instrument, role)
        grid = None if settings.grid is None else np.array(settings.grid, np.float64)
        if grid is not None and not values_needed:
            return _Axis(grid, grid, None)
        name = self.names[role]
        raw = self.values(name)
        values = np.array(raw, np.float64).reshape(-1, self.sizes[role])
        with np.errstate(invalid="ignore"):
            values[is_fill(raw, self.attribute("FILLVAL", name)).reshape(values.shape)] = np.nan
            if role == "energy":
                values *= MEV_PER[self.instrument.energy.units]
                values[~((values > 0) & (values < np.inf))] = np.nan
            else:
                values = reflected(values) if grid is not None else values
        fixed = _common_row(values)
        if fixed is not None:
            order = np.argsort(fixed, kind="stable")[: np.isfinite(fixed).sum()]
            target = fixed[order]
            if grid is None:
                self.check_axis(role, target)
                return _Axis(fixed[np.newaxis], target, order)
            if target.shape == grid.shape and np.allclose(target, grid, rtol=1e-5, atol=0):
                return _Axis(fixed[np.newaxis], grid, order)
            return _Axis(fixed[np.newaxis], grid, None)
        if grid is None:
            raise BadFile(
                "varying_axis",
                f"{name} in {self.path} changes from record to record; "
                f"describe the instrument in a YAML file with {role}.grid",
            )
        return _Axis(values, grid, None)

    def check_axis(self, role: str, values: np.ndarray) -> None:
        limits = (0, 180) if role == "pitch_angle" else (0, np.inf)
        inside = (values >= limits[0]) & (values <= limits[1])
        if len(values) == 0 or not inside.all() or (np.diff(values) <= 0).any():
            text = f"{self.names[role]} in {self.path} is no axis of different values within {limits}: {values}"
            raise BadFile("bad_axis", text)

    def flux(self, first: int = 0, end: int | None = None) -> tuple[np.ndarray, dict[str, int]]:
        name = self.names["flux"]
        raw = self.values(name, first, end)
        return clean_flux(raw, self.attribute("FILLVAL", name), round(1 / MEV_PER[self.instrument.flux_per]))

    def has_flux(self) -> bool:
        """Whether any flux is valid: the last records are tried before all are read."""
        starts = {max(0, self.records - _PROBED_RECORDS): None, 0: None}
        return any(np.isfinite(self.flux(first)[0]).any() for first in starts)

    def has_ephemeris(self, name: str) -> bool:
        variable = self.layout.variables.get(self.places[name].lower())
        return (
            variable is not None
            and variable.record_varying
            and variable.records == self.records
            and variable.dims == _place_shape(name)
            and variable.data_type in _NUMBER_TYPES
        )

    def ephemeris(self, name: str, first: int, end: int) -> np.ndarray:
        if not self.has_ephemeris(name):
            return np.full((end - first, *_place_shape(name)), np.nan, np.float32)
        raw = self.values(self.places[name], first, end)
        return clean_place(raw, self.attribute("FILLVAL", self.places[name]))


def _place_shape(name: str) -> tuple[int, ...]:
    return (3,) if name == "Position" else ()


def _common_row(values: np.ndarray) -> np.ndarray | None:
    """Return the one row that all rows of ``values`` repeat, whatever is missing in some of them, or None."""
    valid = np.isfinite(values)
    row = values[valid.argmax(axis=0), np.arange(values.shape[1])]
    with np.errstate(invalid="ignore"):
        return row if (~valid | (np.abs(values - row) <= 1e-5 * np.abs(row))).all() else None


def _select(flux: np.ndarray, order: np.ndarray | None, *, axis: int) -> np.ndarray:
    if order is None or np.array_equal(order, np.arange(flux.shape[axis])):
        return flux
    return np.take(flux, order, axis=axis)


def _check_day(file: _File, times: np.ndarray, day: date) -> None:
    midnight = np.datetime64(day, "ns")
    inside = (times >= midnight - DAY_MARGIN) & (times < midnight + np.timedelta64(1, "D") + DAY_MARGIN)
    valid = ~np.isnat(times)
    if not valid.any():
        raise BadFile("no_valid_time", f"{file.path} holds no valid time in {file.names['time']}")
    if not inside.any():
        first, last = times[valid].min(), times[valid].max()
        raise BadFile("wrong_day", f"{file.path} is named for {day} but its records are from {first} to {last}")
