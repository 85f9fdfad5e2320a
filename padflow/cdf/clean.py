# SPDX-License-Identifier: BSD-3-Clause
"""Turn stored values into measurements: what is fill, negative or infinite becomes NaN."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

LARGEST_FILL = -9.9e29
"""All values up to this one are fill: ISTP's fill is -1e31, the pad -1e30, and both differ in float32 and float64."""


INFINITY_BITS = 0x7F800000
"""The bits of a float32 infinity. As integers, those of NaN and of all numbers below zero are larger."""


BLOCK_VALUES = 2**16
"""Values cleaned at a time. They fit into the cache of a core."""


def clean_flux(
    raw: np.ndarray, fills: Iterable[object], factor: float, *, never_written: np.ndarray | None = None
) -> tuple[np.ndarray, dict[str, int]]:
    """Return flux as float32 times ``factor``, with NaN where there is no measurement.

    Parameters
    ----------
    raw : ndarray
        Values as stored.
    fills : iterable of object
        The attribute FILLVAL and the variable's pads. Those that are numbers are used, also if they are written as
        text. 0 is not used, for zero flux is valid.
    factor : float
        Applied after fills are found: they are numbers as stored.
    never_written : ndarray of bool, shape (records,), optional
        Records that hold nothing but the pad, whatever number that is. None by default.

    Returns
    -------
    flux : ndarray of float32
        A new, C-contiguous array. VALIDMIN and VALIDMAX are not used, for they are wrong in real files.
    notes : dict
        How many values became NaN. ``fill``: NaN, at most -9.9e29 as stored, one of ``fills``, or never written.
        ``negative``: below zero. ``nonfinite``: infinite, or too large for float32.
    """
    flux = np.empty(raw.shape, np.float32)
    notes = {"fill": 0, "negative": 0, "nonfinite": 0}
    fills = usual_fills(fills)
    looks_valid = any(fill > 0 for fill in fills)
    none_written = np.zeros(len(raw), bool) if never_written is None else never_written
    rows = max(1, BLOCK_VALUES // max(1, math.prod(raw.shape[1:])))
    with np.errstate(over="ignore", invalid="ignore"):
        for row in range(0, len(raw), rows):
            block, cleaned, empty = (array[row : row + rows] for array in (raw, flux, none_written))
            scaled = block if factor == 1 else block * (block.dtype.type(factor) if block.dtype.kind == "f" else factor)
            cleaned[...] = scaled
            # Most blocks hold nothing but numbers from 0 on: one look at their bits tells, and nothing else is done.
            if looks_valid or empty.any() or cleaned.view(np.uint32).max(initial=0) >= INFINITY_BITS:
                missing = _marked(block, fills)
                missing[empty] = True
                for kind, number in _remove(cleaned, missing=missing).items():
                    notes[kind] += number
    return flux, notes


def _remove(flux: np.ndarray, *, missing: np.ndarray) -> dict[str, int]:
    """Set what is missing, negative or infinite to NaN, in place; return how many values were of each kind."""
    flux[missing] = np.nan
    is_negative, is_infinite = flux < 0, flux == np.inf
    flux[is_negative | is_infinite] = np.nan
    return {
        "fill": int(np.count_nonzero(missing)),
        "negative": int(np.count_nonzero(is_negative)),
        "nonfinite": int(np.count_nonzero(is_infinite)),
    }


def clean_ephemeris(raw: np.ndarray, fills: Iterable[object]) -> np.ndarray:
    """Return ephemeris as float32 of the same shape, with NaN for fills and for what float32 cannot hold."""
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.array(raw, dtype=np.float32, order="C")
        values[is_fill(raw, fills) | np.isinf(values)] = np.nan
    return values


def is_fill(raw: np.ndarray, fills: Iterable[object]) -> np.ndarray:
    """Mark fills in the values as stored, for only there they are exact."""
    return _marked(raw, usual_fills(fills))


def fill_numbers(fill_value: object) -> np.ndarray | None:
    """Return the numbers in an attribute FILLVAL, which may be text or several numbers; None where it is no number.

    Parameters
    ----------
    fill_value : object
        The attribute's value; None or blank text if there is none.

    Returns
    -------
    ndarray, optional
        Real or complex numbers, of the attribute's type; float64 for text. Empty where there is no FILLVAL.
    """
    if fill_value is None or (isinstance(fill_value, str) and not fill_value.strip()):
        return np.empty(0)
    if isinstance(fill_value, str):
        try:
            return np.array([float(fill_value.upper().replace("D", "E"))])  # Fortran writes -1.0D31
        except ValueError:
            return None
    numbers = np.asarray(fill_value).reshape(-1)
    return numbers if numbers.dtype.kind in "fiuc" else None


def all_numbers(fills: Iterable[object]) -> list[np.number]:
    """Return all numbers in attributes FILLVAL and in pads, real or complex."""
    found = (fill_numbers(fill) for fill in fills)
    return [number for numbers in found if numbers is not None for number in numbers]


def usual_fills(fills: Iterable[object]) -> list[np.number]:
    """Return the real numbers of FILLVAL and pads that could be taken for a value."""
    numbers = (number for number in all_numbers(fills) if number.dtype.kind != "c")
    return [number for number in numbers if np.isfinite(number) and number > LARGEST_FILL and number != 0]


def _marked(raw: np.ndarray, fills: list[np.number]) -> np.ndarray:
    missing = ~(raw > LARGEST_FILL)  # true for NaN, too
    return missing | is_one_of(raw, fills)


def is_one_of(raw: np.ndarray, fills: Iterable[np.number]) -> np.ndarray:
    """Mark values that equal one of the fills; each fill is first converted to the stored type."""
    found = np.zeros(raw.shape, bool)
    with np.errstate(over="ignore"):
        for fill in fills:
            found |= raw == (raw.dtype.type(fill) if raw.dtype.kind == fill.dtype.kind == "f" else fill)
    return found
