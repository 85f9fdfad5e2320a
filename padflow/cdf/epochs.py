# SPDX-License-Identifier: BSD-3-Clause
"""Convert the three time types of CDF to ``datetime64[ns]``, and back to TT2000, by integer arithmetic over arrays.

Definitions: CDF User's Guide (NASA/GSFC). ``to_datetime`` of cdflib gives the same times, but uses calendar fields and
takes some hundred times longer.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# Times outside these limits are fills, pads or damaged values: -1e31 or year 0, and year 1707 for the fill of TT2000.
# From 1972 on, UTC differs from TAI by whole seconds, so TT2000 needs no drift terms.
EARLIEST = np.datetime64("1972-01-01", "ns")


LATEST = np.datetime64("2200-01-01", "ns")


_FIRST_SECOND, _LAST_SECOND = (int(limit.astype("datetime64[s]").astype(np.int64)) for limit in (EARLIEST, LATEST))


_YEAR_0_TO_1970_SECONDS = 62_167_219_200  # 719,528 days of the proleptic Gregorian calendar


_J2000_NS = 946_728_000 * 10**9  # 2000-01-01T12:00:00, counted without leap seconds


_TT_MINUS_TAI_NS = 32_184_000_000


class LeapSeconds(NamedTuple):
    """TAI minus UTC since 1972.

    Parameters
    ----------
    since : ndarray of datetime64[ns], shape (entries,)
        UTC midnights from which the offsets hold, ascending. The first is not after 1972-01-01.
    tai_minus_utc_seconds : ndarray of int64, shape (entries,)
        The offsets.
    """

    since: np.ndarray
    tai_minus_utc_seconds: np.ndarray


def to_datetime64(raw: np.ndarray, leap_seconds: LeapSeconds) -> np.ndarray:
    """Convert raw values of a CDF time variable. The type of the array tells which of the three types it is.

    Parameters
    ----------
    raw : ndarray, any shape
        float64: CDF_EPOCH, ms since year 0. complex128: CDF_EPOCH16, seconds since year 0 and picoseconds.
        int64: CDF_TIME_TT2000, ns since J2000 in Terrestrial Time.
    leap_seconds : LeapSeconds
        Used for TT2000. The other two types know no leap seconds.

    Returns
    -------
    ndarray of datetime64[ns]
        Same shape. NaT for fills, for values that are not finite, and for times before 1972 or from 2200 on. CDF_EPOCH
        is rounded to the nearest nanosecond (its own step is about 8 us). CDF_EPOCH16 is cut to the nanosecond.
        datetime64 has no second 60: a time inside a leap second becomes the same fraction of the first second of the
        next day, as in cdflib.

    Raises
    ------
    TypeError
        For an array of another type.
    """
    if raw.dtype.kind == "c":
        return _from_epoch16(raw.astype(np.complex128, copy=False))
    if raw.dtype.kind == "f":
        return _from_epoch(raw.astype(np.float64, copy=False))
    if raw.dtype.kind == "i" and raw.dtype.itemsize == 8:
        return _from_tt2000(raw.astype(np.int64, copy=False), leap_seconds)
    raise TypeError(f"CDF times are float64, complex128 or int64, not {raw.dtype}")


def to_tt2000(time: np.ndarray, leap_seconds: LeapSeconds) -> np.ndarray:
    """Convert times to CDF_TIME_TT2000: ns since J2000 in Terrestrial Time.

    Parameters
    ----------
    time : ndarray of datetime64[ns], any shape
        UTC, from 1972 on.

    Returns
    -------
    ndarray of int64
        Same shape. `to_datetime64` gives the times back.
    """
    entry = np.searchsorted(leap_seconds.since, time, side="right") - 1
    behind_ns = leap_seconds.tai_minus_utc_seconds[entry].astype(np.int64) * 10**9 + _TT_MINUS_TAI_NS
    return time.astype("datetime64[ns]").astype(np.int64) - _J2000_NS + behind_ns


def _from_epoch(raw: np.ndarray) -> np.ndarray:
    ms = _clear_outside(raw, scale=1000)
    whole = np.floor(ms)
    ns = whole.astype(np.int64) - _YEAR_0_TO_1970_SECONDS * 1000
    ns *= 10**6
    ns += np.rint((ms - whole) * 1e6).astype(np.int64)
    return _as_times(ns, raw.shape, ms != 0)


def _from_epoch16(raw: np.ndarray) -> np.ndarray:
    seconds = _clear_outside(raw.real, scale=1)
    with np.errstate(invalid="ignore"):
        valid = (seconds != 0) & (raw.imag >= 0) & (raw.imag < 1e12)
    picoseconds = np.where(valid, raw.imag, 0)
    whole = np.floor(seconds)
    ns = (whole.astype(np.int64) - _YEAR_0_TO_1970_SECONDS) * 10**9
    ns += np.rint((seconds - whole) * 1e9).astype(np.int64)
    ns += (picoseconds / 1000).astype(np.int64)
    return _as_times(ns, raw.shape, valid)


def _from_tt2000(raw: np.ndarray, leap_seconds: LeapSeconds) -> np.ndarray:
    since_ns = leap_seconds.since.astype("datetime64[ns]").astype(np.int64)
    behind_ns = leap_seconds.tai_minus_utc_seconds.astype(np.int64) * 10**9 + _TT_MINUS_TAI_NS
    starts = since_ns - _J2000_NS + behind_ns
    entry = np.searchsorted(starts, raw, side="right") - 1
    # The latest entry holds for the future. So its offset limits the largest time that is accepted.
    latest = _LAST_SECOND * 10**9 - _J2000_NS + int(behind_ns[-1])
    valid = (raw < latest) & (entry >= 0)
    ns = np.where(valid, raw, 0) + _J2000_NS - behind_ns[np.maximum(entry, 0)]
    valid &= ns >= _FIRST_SECOND * 10**9
    return _as_times(ns, raw.shape, valid)


def _clear_outside(values: np.ndarray, *, scale: int) -> np.ndarray:
    """Replace times outside the accepted years by 0, so that integer arithmetic cannot overflow."""
    first, last = ((second + _YEAR_0_TO_1970_SECONDS) * scale for second in (_FIRST_SECOND, _LAST_SECOND))
    with np.errstate(invalid="ignore"):
        return np.where((values >= first) & (values < last), values, 0)


def _as_times(ns: np.ndarray, shape: tuple[int, ...], valid: np.ndarray) -> np.ndarray:
    times = ns.view("datetime64[ns]").reshape(shape)
    times[~valid] = np.datetime64("NaT", "ns")
    return times
