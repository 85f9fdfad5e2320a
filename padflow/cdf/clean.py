"""What of the stored values is a measurement."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

LARGEST_FILL = -9.9e29  # the fill is -1e31 and the pad -1e30, as float32 or double, which differ


INFINITY_BITS = 0x7F800000


BLOCK_VALUES = 2**16
"""Values cleaned at a time, which fit a core's cache."""


def clean_flux(
    raw: np.ndarray, fills: Iterable[object], factor: float, *, never_written: np.ndarray | None = None
) -> tuple[np.ndarray, dict[str, int]]:
    """Return flux as float32 times ``factor``, with NaN for what is no measurement.

    Parameters
    ----------
    raw : ndarray
        Values as stored.
    fills : iterable of object
        The attribute FILLVAL and the variable's pads, each used if it is a number (also as text) other than 0: zero
        flux is valid data.
    factor : float
        Applied after fills are found.
    never_written : ndarray of bool, shape (records,), optional
        Which records hold nothing but the pad, whatever number that is; by default none.

    Returns
    -------
    flux : ndarray of float32
        A new, C-contiguous array. VALIDMIN and VALIDMAX are not used: real files have wrong ones.
    notes : dict
        ``fill``: NaN, at most -9.9e29 as stored, one of ``fills``, or never written. ``negative``.
        ``nonfinite``: infinite, or beyond float32.
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
            # Everything but plain numbers from 0 on has a sign, or the bits of infinity or more.
            if looks_valid or empty.any() or cleaned.view(np.uint32).max(initial=0) >= INFINITY_BITS:
                missing = _marked(block, fills)
                missing[empty] = True
                for kind, number in _remove(cleaned, missing=missing).items():
                    notes[kind] += number
    return flux, notes


def _remove(flux: np.ndarray, *, missing: np.ndarray) -> dict[str, int]:
    """Make what is missing, negative or infinite NaN in place; return how many were of each kind."""
    flux[missing] = np.nan
    is_negative, is_infinite = flux < 0, flux == np.inf
    flux[is_negative | is_infinite] = np.nan
    return {
        "fill": int(np.count_nonzero(missing)),
        "negative": int(np.count_nonzero(is_negative)),
        "nonfinite": int(np.count_nonzero(is_infinite)),
    }


def clean_place(raw: np.ndarray, fills: Iterable[object]) -> np.ndarray:
    """Return ephemeris as float32 of the same shape, with NaN for fills and what float32 cannot hold."""
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.array(raw, dtype=np.float32, order="C")
        values[is_fill(raw, fills) | np.isinf(values)] = np.nan
    return values


def is_fill(raw: np.ndarray, fills: Iterable[object]) -> np.ndarray:
    """Mark fills in the stored type, where they are still exact."""
    return _marked(raw, usual_fills(fills))


def fill_numbers(fill_value: object) -> np.ndarray | None:
    """Return the numbers that an attribute FILLVAL gives, also where it is text or holds several; None if unknown.

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
    """Return the numbers that attributes FILLVAL and pads give, real or complex."""
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
    """Mark values that equal one of the fills, each taken in the stored type."""
    found = np.zeros(raw.shape, bool)
    with np.errstate(over="ignore"):
        for fill in fills:
            found |= raw == (raw.dtype.type(fill) if raw.dtype.kind == fill.dtype.kind == "f" else fill)
    return found
