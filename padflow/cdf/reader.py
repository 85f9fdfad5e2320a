# SPDX-License-Identifier: BSD-3-Clause
"""Read one CDF file into arrays, or say why it is set aside.

A bad file raises `BadFile` and no other error. `padflow.cdf.layout` and `padflow.cdf.values` read the file; cdflib only
gives the leap seconds.
"""

from __future__ import annotations

import functools
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from cdflib.epochs import CDFepoch

from padflow.cdf.axes import ORDERS, Axis, fitting_orders, is_axis, matched, order_by_depend, usable, without_ones
from padflow.cdf.clean import all_numbers, clean_ephemeris, clean_flux, fill_numbers, is_fill, is_one_of
from padflow.cdf.epochs import LeapSeconds, to_datetime64
from padflow.cdf.layout import DEPENDS, plain_file, read_layout
from padflow.cdf.origin import origin_of
from padflow.cdf.regrid import onto_energies, onto_pitch_angles
from padflow.cdf.values import TEXT_TYPES, Variable, default_pad, never_written, read_values
from padflow.errors import BadFile
from padflow.instruments.instrument import MEV_PER, AxisRole, EphemerisName, FluxAxes, Instrument
from padflow.records import Records
from padflow.store.durable import NO_SPACE, explain_os_error

DAY_MARGIN = np.timedelta64(10, "m")


TIME_TYPES = (31, 32, 33)


NUMBER_TYPES = (1, 2, 4, 8, 11, 12, 14, 21, 22, 41, 44, 45)


_PROBED_RECORDS = 64


@dataclass(frozen=True)
class FileFacts:
    """What the scan learns from one good file.

    Parameters
    ----------
    pitch_angle : ndarray of float64, shape (pitch_angle,)
        Degrees, ascending: the axis of what `read_records` returns.
    energy : ndarray of float64, shape (energy,)
        MeV, ascending.
    times : ndarray of datetime64[ns], shape (records,)
        Times of all records, in the order of the file; NaT where invalid.
    absent : tuple of str
        Ephemeris that the instrument lists and the file does not hold.
    notes : dict of str to int
        What is unusual in a good file. ``energy_of_fill`` and ``pitch_angle_of_fill``: how many values of an axis are
        fill. Their channels are left out, in all records where the axis changes from record to record.
        ``unread_fill:<variable>``: 1 for each FILLVAL that is no number.
    origin : dict of str to str
        What the file says about its origin (`padflow.cdf.origin`).
    """

    pitch_angle: np.ndarray
    energy: np.ndarray
    times: np.ndarray
    absent: tuple[str, ...]
    notes: dict[str, int] = field(default_factory=dict)
    origin: dict[str, str] = field(default_factory=dict)


def inspect(path: Path, instrument: Instrument, spacecraft: str, day: date) -> FileFacts:
    """Check a file without reading all of it.

    Parameters
    ----------
    path : Path
        The file.
    instrument : Instrument
        Says what is expected in the file.
    spacecraft : str
        Takes the place of ``{spacecraft}`` in names of variables.
    day : date
        The UTC day in the name of the file.

    Raises
    ------
    BadFile
        With the reason ``dangling_link``, ``empty``, ``not_cdf``, ``truncated``, ``unreadable``,
        ``wrong_checksum``, ``absurd_size``, ``unsupported``, ``missing_variable``, ``wrong_type``, ``wrong_shape``,
        ``wrong_units``, ``bad_axis``, ``varying_axis``, ``unclear_axes``, ``no_records``, ``no_valid_time``,
        ``wrong_day`` or ``all_fill``.
    """
    with _opened(path, instrument, spacecraft) as file:
        file.check_units()
        (pitch_angle, no_angle), (energy, no_energy) = file.axis("pitch_angle"), file.axis("energy")
        times = file.times()
        _check_day(file, times, day)
        if not file.has_flux():
            raise BadFile("all_fill", f"{path} holds no valid value of {file.names['flux']}")
        return FileFacts(
            pitch_angle=pitch_angle.target,
            energy=energy.target,
            times=times,
            absent=tuple(name for name in instrument.ephemeris if not file.has_ephemeris(name)),
            origin=origin_of(file.plain),
            notes={"pitch_angle_of_fill": no_angle, "energy_of_fill": no_energy} | file.unread_fills(),
        )


def read_records(
    path: Path,
    instrument: Instrument,
    spacecraft: str,
    *,
    wanted: Callable[[np.ndarray], slice] = lambda _: slice(None),
) -> tuple[Records, dict[str, int]]:
    """Read records of a file, in its order.

    Flux is cleaned (`clean_flux`), converted to per MeV, and sorted by both axes. It is interpolated where the
    instrument has a grid that differs from that of the file (`padflow.cdf.regrid`). A channel is left out where a fixed
    axis has no value for it.

    Parameters
    ----------
    wanted : callable
        Takes the times of all records, datetime64[ns], and returns which to read. By default all.

    Returns
    -------
    records : Records
        All records that are wanted, also those without a valid time or flux.
    notes : dict of str to int
        Flux values that became NaN: ``fill``, ``negative``, ``nonfinite``, ``outside_grid``, ``missing_neighbour``.
        Records without time: ``no_time``. All records, as ``absent:<name>``, for each ephemeris that the file does not
        hold.

    Raises
    ------
    BadFile
        As for `inspect`, without the reasons that need the day.
    """
    with _opened(path, instrument, spacecraft) as file:
        file.check_units()
        times = file.times()
        (pitch_angle, _), (energy, _) = file.axis("pitch_angle"), file.axis("energy")
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
        ephemeris: dict[str, np.ndarray] = {}
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
def opened(path: Path) -> Iterator[Path]:
    """Yield the path of a file without whole-file compression; whatever fails meanwhile is a `BadFile`."""
    try:
        with plain_file(path) as plain:
            yield plain
    except (BadFile, MemoryError):
        raise
    except Exception as error:  # cdflib and what is below it raise at least ten kinds
        if isinstance(error, OSError) and error.errno in NO_SPACE:  # no room for the plain copy; the file may be good
            raise explain_os_error(error, Path(tempfile.gettempdir()) / path.name) from error
        if isinstance(error, OSError) and error.errno:
            raise BadFile("unreadable", f"{path} cannot be read: {error.strerror}") from error
        message = f"{path} cannot be read ({type(error).__name__}: {error}); download it again"
        raise BadFile("unreadable", message) from error


@contextmanager
def _opened(path: Path, instrument: Instrument, spacecraft: str) -> Iterator[_File]:
    with opened(Path(path)) as plain:
        yield _File(plain, Path(path), instrument, spacecraft)


class _File:
    """An open file. It holds all variables that are needed, and their shapes agree."""

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
        time, flux = self.variable("time", TIME_TYPES), self.variable("flux", NUMBER_TYPES)
        self.records = time.records if time.record_varying else 0
        if self.records == 0:
            raise BadFile("no_records", f"{self.path} holds no record of {time.name}")
        if without_ones(time.dims, 0):
            self.misshapen(time, f"({self.records})")
        if not flux.record_varying or flux.records != self.records or len(without_ones(flux.dims, 2)) != 2:
            self.misshapen(flux, f"({self.records}, pitch angles, energies)")
        fitting = fitting_orders(flux, {role: self.variable(role, NUMBER_TYPES) for role in ORDERS[0]})
        self.flux_axes = self.order_of_axes(flux, list(fitting))
        self.sizes = dict(zip(self.flux_axes, fitting[self.flux_axes], strict=True))

    def order_of_axes(self, flux: Variable, fitting: list[FluxAxes]) -> FluxAxes:
        """Return the order of the axes of the flux. Their sizes decide, then the instrument, then DEPEND attributes."""
        stated = self.instrument.flux_axes
        fitting = [order for order in fitting if stated in (None, order)]
        if not fitting:
            orders = " or ".join(f"({self.records}, {one}, {two})" for one, two in ([stated] if stated else ORDERS))
            axes = (self.variable(role, NUMBER_TYPES) for role in ORDERS[0])
            shapes = " and ".join(f"{variable.name} of shape {_shape(variable)}" for variable in axes)
            self.misshapen(flux, f"{orders}, with {shapes}")
        if len(fitting) == 1:
            return fitting[0]
        depends = [self.attribute(name, flux.name) for name in DEPENDS]
        by_depend = order_by_depend(depends, {role: self.names[role] for role in ORDERS[0]})
        if by_depend is None:
            raise BadFile(
                "unclear_axes",
                f"{flux.name} in {self.path} has shape {_shape(flux)}, and its DEPEND_1 and DEPEND_2 do not say which "
                "axis is pitch angle and which is energy; describe the instrument in a YAML file with flux_axes: "
                "[pitch_angle, energy] or flux_axes: [energy, pitch_angle]",
            )
        return by_depend

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
        if variable.data_type in TEXT_TYPES:
            raise BadFile(
                "wrong_type",
                f"{name} in {self.path} holds text, and {role} of instrument {self.instrument.name} needs numbers; "
                "name another variable in the instrument's YAML file",
            )
        if variable.data_type not in types:
            raise BadFile("wrong_type", f"{name} in {self.path} has CDF type {variable.data_type}, not one of {types}")
        return variable

    def misshapen(self, variable: Variable, expected: str) -> None:
        text = f"{variable.name} in {self.path} has shape {_shape(variable)}; expected {expected}"
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
        return read_values(self.plain, self.layout, variable, first_record=first, end_record=end)

    def fills(self, name: str) -> tuple[Any, ...]:
        """Return what stands for a missing value of a variable of numbers: its FILLVAL, its pad, CDF's own pad."""
        variable = self.layout.variables[name.lower()]
        return self.attribute("FILLVAL", name), variable.pad, default_pad(variable.data_type)

    def never_written(self, name: str, first: int = 0, end: int | None = None) -> np.ndarray:
        return never_written(self.layout.variables[name.lower()], first, end)

    def attribute(self, name: str, variable: str) -> Any:
        return self.layout.attributes.get((name, variable.lower()))

    def times(self) -> np.ndarray:
        name = self.names["time"]
        raw = self.values(name).reshape(-1)
        times = to_datetime64(raw, leap_seconds())
        times[is_one_of(raw, all_numbers(self.fills(name))) | self.never_written(name)] = np.datetime64("NaT", "ns")
        return times

    def axis(self, role: AxisRole) -> tuple[Axis, int]:
        """Return an axis and the number of its values that are none, in each record if it changes with them."""
        settings, name = getattr(self.instrument, role), self.names[role]
        grid = None if settings.grid is None else np.array(settings.grid, np.float64)
        raw = self.values(name)
        values = np.array(raw, np.float64).reshape(-1, self.sizes[role])
        with np.errstate(invalid="ignore"):
            missing = is_fill(raw, self.fills(name))
            missing[self.never_written(name)] = True
            values[missing.reshape(values.shape)] = np.nan
            values = usable(role, values * MEV_PER[self.instrument.energy.units] if role == "energy" else values)
        if not np.isfinite(values).any():
            raise BadFile("bad_axis", f"{name} in {self.path} holds no valid value: nothing tells its channels apart")
        axis = matched(role, values, grid)
        if axis is None:
            raise BadFile(
                "varying_axis",
                f"{name} in {self.path} changes from record to record; "
                f"describe the instrument in a YAML file with {role}.grid",
            )
        if grid is None and not is_axis(role, axis.target):
            raise BadFile("bad_axis", f"{name} in {self.path} is no axis of different values: {axis.target}")
        return axis, int(np.isnan(axis.values).sum())

    def flux(self, first: int = 0, end: int | None = None) -> tuple[np.ndarray, dict[str, int]]:
        name = self.names["flux"]
        raw = self.values(name, first, end)
        raw = raw.reshape(len(raw), *(self.sizes[role] for role in self.flux_axes))
        if self.flux_axes != ORDERS[0]:
            raw = raw.transpose(0, 2, 1)
        never = self.never_written(name, first, end)
        return clean_flux(raw, self.fills(name), round(1 / MEV_PER[self.instrument.flux_per]), never_written=never)

    def unread_fills(self) -> dict[str, int]:
        """Return a note for each variable whose FILLVAL is no number."""
        names = [*self.names.values(), *self.places.values()]
        return {f"unread_fill:{name}": 1 for name in names if fill_numbers(self.attribute("FILLVAL", name)) is None}

    def has_flux(self) -> bool:
        """Whether any flux is valid: the last records are tried before all are read."""
        starts = {max(0, self.records - _PROBED_RECORDS): None, 0: None}
        return any(np.isfinite(self.flux(first)[0]).any() for first in starts)

    def has_ephemeris(self, name: EphemerisName) -> bool:
        variable = self.layout.variables.get(self.places[name].lower())
        return (
            variable is not None
            and variable.record_varying
            and variable.records == self.records
            and without_ones(variable.dims, len(_place_shape(name))) == _place_shape(name)
            and variable.data_type in NUMBER_TYPES
        )

    def ephemeris(self, name: EphemerisName, first: int, end: int) -> np.ndarray:
        if not self.has_ephemeris(name):
            return np.full((end - first, *_place_shape(name)), np.nan, np.float32)
        place = self.places[name]
        values = clean_ephemeris(self.values(place, first, end), self.fills(place))
        values[self.never_written(place, first, end)] = np.nan
        return values.reshape(end - first, *_place_shape(name))


def _place_shape(name: str) -> tuple[int, ...]:
    return (3,) if name == "Position" else ()


def _shape(variable: Variable) -> tuple[int, ...]:
    return (variable.records, *variable.dims) if variable.record_varying else variable.dims


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
