"""What of the stored values is a measurement."""

from __future__ import annotations

import numpy as np

LARGEST_FILL = -9e30  # the fill is -1e31 as float32 or double, which differ


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
    with np.errstate(over="ignore", invalid="ignore"):
        missing = is_fill(raw, fill_value)
        scaled = raw if factor == 1 else raw * raw.dtype.type(factor) if raw.dtype.kind == "f" else raw * factor
        flux = np.array(scaled, dtype=np.float32, order="C")
        np.copyto(flux, np.nan, where=missing)
        number_fill = np.count_nonzero(missing)
        is_negative = flux < 0
        number_negative = np.count_nonzero(is_negative)
        if number_negative:
            flux[is_negative] = np.nan
        is_infinite = flux == np.inf
        number_infinite = np.count_nonzero(is_infinite)
        if number_infinite:
            flux[is_infinite] = np.nan
    return flux, {
        "fill": int(number_fill),
        "negative": int(number_negative),
        "nonfinite": int(number_infinite),
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
    if isinstance(fill_value, np.number) and np.isfinite(fill_value) and fill_value > LARGEST_FILL and fill_value != 0:
        missing |= raw == (raw.dtype.type(fill_value) if raw.dtype.kind == "f" else fill_value)
    return missing
