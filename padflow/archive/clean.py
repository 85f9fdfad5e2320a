"""What of the stored values is a measurement."""

from __future__ import annotations

import math

import numpy as np

LARGEST_FILL = -9e30  # the fill is -1e31 as float32 or double, which differ
INFINITY_BITS = 0x7F800000
BLOCK_VALUES = 2**16
"""Values cleaned at a time, which fit a core's cache."""


def clean_flux(raw: np.ndarray, fill_value: object, factor: float) -> tuple[np.ndarray, dict[str, int]]:
    """Return flux as float32 times ``factor``, with NaN for what is no measurement.

    Parameters
    ----------
    raw : ndarray
        Values as stored.
    fill_value : object
        The attribute FILLVAL, used if it is a number (also as text) other than 0: zero flux is valid data.
    factor : float
        Applied after fills are found.

    Returns
    -------
    flux : ndarray of float32
        A new, C-contiguous array. VALIDMIN and VALIDMAX are not used: real files have wrong ones.
    notes : dict
        ``fill``: NaN, at most -9e30 as stored, or equal to ``fill_value``. ``negative``. ``nonfinite``:
        infinite, or beyond float32.
    """
    flux = np.empty(raw.shape, np.float32)
    notes = {"fill": 0, "negative": 0, "nonfinite": 0}
    fills = usual_fills(fill_value)
    rows = max(1, BLOCK_VALUES // max(1, math.prod(raw.shape[1:])))
    with np.errstate(over="ignore", invalid="ignore"):
        for row in range(0, len(raw), rows):
            block, cleaned = raw[row : row + rows], flux[row : row + rows]
            scaled = block if factor == 1 else block * (block.dtype.type(factor) if block.dtype.kind == "f" else factor)
            cleaned[...] = scaled
            # Everything but plain numbers from 0 on has a sign, or the bits of infinity or more.
            if fills or cleaned.view(np.uint32).max(initial=0) >= INFINITY_BITS:
                for kind, number in _remove(cleaned, missing=_marked(block, fills)).items():
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


def clean_place(raw: np.ndarray, fill_value: object) -> np.ndarray:
    """Return ephemeris as float32 of the same shape, with NaN for fills and what float32 cannot hold."""
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.array(raw, dtype=np.float32, order="C")
        values[is_fill(raw, fill_value) | np.isinf(values)] = np.nan
    return values


def is_fill(raw: np.ndarray, fill_value: object) -> np.ndarray:
    """Mark fills in the stored type, where they are still exact."""
    return _marked(raw, usual_fills(fill_value))


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


def usual_fills(fill_value: object) -> list[np.number]:
    """Return the numbers of a FILLVAL that could be taken for a value."""
    numbers = fill_numbers(fill_value)
    if numbers is None or numbers.dtype.kind == "c":
        return []
    return [number for number in numbers if np.isfinite(number) and number > LARGEST_FILL and number != 0]


def _marked(raw: np.ndarray, fills: list[np.number]) -> np.ndarray:
    missing = ~(raw > LARGEST_FILL)  # true for NaN, too
    for fill in fills:
        missing |= raw == (raw.dtype.type(fill) if raw.dtype.kind == "f" else fill)
    return missing
