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
        The attribute FILLVAL, used if it is a number other than 0: zero flux is valid data.
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
    rows = max(1, BLOCK_VALUES // max(1, math.prod(raw.shape[1:])))
    with np.errstate(over="ignore", invalid="ignore"):
        for row in range(0, len(raw), rows):
            block, cleaned = raw[row : row + rows], flux[row : row + rows]
            scaled = block if factor == 1 else block * (block.dtype.type(factor) if block.dtype.kind == "f" else factor)
            cleaned[...] = scaled
            # Everything but plain numbers from 0 on has a sign, or the bits of infinity or more.
            if _is_usual(fill_value) or cleaned.view(np.uint32).max(initial=0) >= INFINITY_BITS:
                for kind, number in _remove(cleaned, missing=is_fill(block, fill_value)).items():
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
    missing = ~(raw > LARGEST_FILL)  # true for NaN, too
    if _is_usual(fill_value):
        missing |= raw == (raw.dtype.type(fill_value) if raw.dtype.kind == "f" else fill_value)
    return missing


def _is_usual(fill_value: object) -> bool:
    """Whether a fill is a number that could be taken for a value."""
    return (
        isinstance(fill_value, np.number)
        and bool(np.isfinite(fill_value))
        and fill_value > LARGEST_FILL
        and fill_value != 0
    )
