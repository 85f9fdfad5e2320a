"""Name the shape of a pitch-angle distribution, pancake, flattop or butterfly, and classes by those of their means."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

BUTTERFLY_INDEX = 1.1
"""Largest over 90-degree flux from which a minimum at 90 degrees is called a butterfly. Yang et al. 2017 call the
ones above 1.3 distinct; the mean of a class is blurred by its members, so the limit here is lower (chosen)."""


FLATTOP_RATIO = 0.9
"""Flux at 60 over flux at 90 degrees from which a distribution is called flat on top (chosen): sin^n alpha
reaches it for n below 0.73."""


def legendre_fit(pitch_angle: np.ndarray, pad: np.ndarray) -> np.ndarray:
    """Fit c0 + c2 P2(cos alpha) + c4 P4(cos alpha), as Chakraborty et al. 2022 (10.3389/fspas.2022.986061).

    Parameters
    ----------
    pitch_angle : ndarray, shape (pitch_angle,)
        Degrees.
    pad : ndarray, shape (pitch_angle,)
        Flux in any unit; NaN are left out.

    Returns
    -------
    ndarray of float64, shape (3,)
        c0, c2, c4; NaN where fewer than four pitch angles have a value.
    """
    known = np.isfinite(pad)
    if known.sum() < 4:
        return np.full(3, np.nan)
    terms = np.polynomial.legendre.legvander(np.cos(np.radians(pitch_angle[known])), 4)[:, [0, 2, 4]]
    return np.linalg.lstsq(terms, pad[known].astype("f8"), rcond=None)[0]


def name_shape(pitch_angle: np.ndarray, pad: np.ndarray) -> str:
    """Return ``"pancake"``, ``"flattop"``, ``"butterfly"`` or ``"unclear"`` (too few values).

    From the Legendre fit: a butterfly has its minimum at 90 degrees, which is where c2 > 2.5 c4, and a
    largest value at least `BUTTERFLY_INDEX` times that at 90 degrees, in the fit and in the values themselves
    (the fit to a plateau with sharp shoulders overshoots them); of the others a flattop has at 60 degrees at least
    `FLATTOP_RATIO` of its value at 90 degrees.

    Parameters
    ----------
    pitch_angle : ndarray of float64, shape (pitch_angle,)
        Degrees.
    pad : ndarray of float64, shape (pitch_angle,)
        Flux, in any unit; NaN where missing.

    Examples
    --------
    >>> import numpy as np
    >>> import padflow
    >>> angle = np.arange(5.0, 180.0, 10.0)
    >>> padflow.name_shape(angle, np.sin(np.radians(angle)) ** 2)
    'pancake'
    """
    c0, c2, c4 = legendre_fit(pitch_angle, pad)
    if not np.isfinite(c0) or c0 <= 0:
        return "unclear"
    angles = np.array([*np.arange(0.0, 90.0), 90.0])
    fitted = np.polynomial.legendre.legval(np.cos(np.radians(angles)), [c0, 0, c2, 0, c4])
    at_90 = fitted[-1]
    inside = fitted[(angles >= pitch_angle.min()) & (angles <= 90)]
    middle = pad[np.nanargmin(np.where(np.isfinite(pad), np.abs(pitch_angle - 90), np.nan))]
    seen = np.nanmax(pad) >= BUTTERFLY_INDEX * middle
    if c2 > 2.5 * c4 and inside.max() >= BUTTERFLY_INDEX * at_90 and seen:
        return "butterfly"
    return "flattop" if fitted[60] >= FLATTOP_RATIO * at_90 else "pancake"


def shapes_of_classes(pitch_angle: np.ndarray, pads: np.ndarray) -> list[list[str]]:
    """Name the mean distributions of classes.

    Parameters
    ----------
    pitch_angle : ndarray, shape (pitch_angle,)
        Degrees.
    pads : ndarray, shape (pad_class, pitch_angle, energy)
        `padflow.shapes.means.mean_ratio`.

    Returns
    -------
    list of list of str
        By class and energy.
    """
    return [[name_shape(pitch_angle, pad) for pad in of_class.T] for of_class in pads]


def main_shape(shapes: Iterable[str]) -> str:
    """Return the shape at the lowest energy that has one: counts fall with energy, so it is the one known best."""
    return next((shape for shape in shapes if shape != "unclear"), "unclear")


def class_names(shapes: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """Return a name for each class, of its main shape and its number: ``"butterfly_3"``."""
    return tuple(f"{main_shape(of_class)}_{number}" for number, of_class in enumerate(shapes))


def shape_of_name(name: str) -> str:
    """Return the shape that a class was named after; a name that somebody gave it as it is."""
    shape, _, number = name.rpartition("_")
    return shape if shape and number.isdigit() else name
