# SPDX-License-Identifier: BSD-3-Clause
"""Name the shape of a pitch-angle distribution (PAD), and classes by the shapes of their means."""

from __future__ import annotations

import numpy as np

from padflow.shapes.folding import Folded

SHAPES = ("unclear", "pancake", "cap", "flattop", "butterfly", "isotropic", "field-aligned")
"""The names, in the order of their codes."""


UNCLEAR, PANCAKE, CAP, FLATTOP, BUTTERFLY, ISOTROPIC, FIELD_ALIGNED = range(len(SHAPES))


BUTTERFLY_INDEX = 1.1
"""Largest flux over flux at 90 degrees from which a PAD has a minimum at 90 degrees. Yang et al. 2017 call 1.3
distinct; 1.1 finds shallow ones too (chosen)."""


FIELD_ALIGNED_SHARE = 0.4
"""Rise of flux from 45 degrees to the smallest pitch angle, over that from 90 degrees to the largest flux, from which
a minimum at 90 degrees belongs to a field-aligned PAD (chosen). 1 + cos^2 has 0.5, 1 + cos^4 has 0.75."""


ISOTROPIC_RATIO = 1.1
"""Largest over smallest flux below which a PAD is isotropic (chosen: as much as `BUTTERFLY_INDEX`)."""


FLATTOP_RATIO = 0.9
"""Flux at 60 over flux at 90 degrees from which a PAD is flat on top (chosen): sin^n reaches it for n up to 0.73."""


CAP_FACTOR, CAP_EXCESS = 1.5, 0.5
"""Where a bump stands on a pancake (a cap of Zhao et al. 2014, 10.1002/2014JA020386), the flux rises faster from 60 to
90 degrees than from 30 to 60. The powers n of sin^n through each pair of fluxes say how much faster: n of 60 to 90
degrees is at least `CAP_FACTOR` times that of 30 to 60, plus `CAP_EXCESS` (chosen). For sin^n both are n, so it is not
a cap."""


FEWEST_ANGLES = 4
"""Folded pitch angles that need a value (chosen: a shape with two bends has four degrees of freedom)."""


NEAR_90, LOW_ANGLE, WIDEST_GAP = 15.0, 45.0, 45.0
"""Degrees. A PAD needs a value at most `NEAR_90` from 90 degrees and one up to `LOW_ANGLE`; two neighbours that have a
value are at most `WIDEST_GAP` apart (chosen: bins of 30 degrees, or of 20 degrees of which one is missing)."""


CRITERIA = {
    "unclear": (
        f"fewer than {FEWEST_ANGLES} pitch angles from 0 to 90 degrees have a value, or none within {NEAR_90:g} "
        f"degrees of 90, or none up to {LOW_ANGLE:g} degrees, or two neighbours are more than {WIDEST_GAP:g} "
        "degrees apart, or there is no flux"
    ),
    "field-aligned": (
        f"largest flux at least {BUTTERFLY_INDEX:g} times that at 90 degrees, and flux at the smallest pitch angle "
        f"exceeds that at 45 degrees by at least {FIELD_ALIGNED_SHARE:g} times what the largest exceeds that at 90 "
        "degrees by"
    ),
    "butterfly": f"largest flux at least {BUTTERFLY_INDEX:g} times that at 90 degrees",
    "isotropic": f"largest flux below {ISOTROPIC_RATIO:g} times the smallest",
    "flattop": f"flux at 60 degrees at least {FLATTOP_RATIO:g} times that at 90 degrees",
    "cap": (
        f"a bump on a pancake: n of sin^n from 60 to 90 degrees at least {CAP_FACTOR:g} times n from 30 to 60 degrees, "
        f"plus {CAP_EXCESS:g}"
    ),
    "pancake": "all else",
}
"""What each name stands for; the first that holds is the name."""


def name_shapes(pitch_angle: np.ndarray, pads: np.ndarray) -> np.ndarray:
    """Name the shapes of many PADs; see `CRITERIA`.

    Each PAD is folded about 90 degrees first. The flux at an angle between bins comes from a line of log flux against
    log sin(pitch angle), which is exact for sin^n.

    Parameters
    ----------
    pitch_angle : ndarray, shape (pitch_angle,)
        Degrees.
    pads : ndarray, shape (..., pitch_angle)
        Flux, in any unit; what is not finite is missing.

    Returns
    -------
    ndarray of int8, shape (...)
        Codes, in the order of `SHAPES`.
    """
    folded = Folded.of(pitch_angle, pads)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return _codes(folded)


def _codes(folded: Folded) -> np.ndarray:
    known = np.arange(len(folded.angle)).reshape(-1, *[1] * folded.number.ndim) < folded.number
    largest = np.max(folded.flux, axis=0, where=known, initial=-np.inf)
    smallest = np.min(folded.flux, axis=0, where=known, initial=np.inf)
    at_90, at_60, at_45, at_30 = (folded.flux_at(degrees) for degrees in (90.0, 60.0, 45.0, 30.0))
    minimum_at_90 = largest >= BUTTERFLY_INDEX * at_90
    rising = folded.flux[0] - at_45 >= FIELD_ALIGNED_SHARE * (largest - at_90)
    # Later lines overrule earlier ones.
    code = np.full(folded.number.shape, PANCAKE, np.int8)
    code[_is_cap(at_90, at_60, at_30)] = CAP
    code[at_60 >= FLATTOP_RATIO * at_90] = FLATTOP
    code[largest < ISOTROPIC_RATIO * smallest] = ISOTROPIC
    code[minimum_at_90] = BUTTERFLY
    code[minimum_at_90 & rising] = FIELD_ALIGNED
    code[~(largest > 0) | ~is_covered(folded)] = UNCLEAR
    return code


def _is_cap(at_90: np.ndarray, at_60: np.ndarray, at_30: np.ndarray) -> np.ndarray:
    sine_60, sine_30 = np.sqrt(0.75), 0.5
    inner = np.log(at_90 / at_60) / -np.log(sine_60)
    outer = np.log(at_60 / at_30) / np.log(sine_60 / sine_30)
    return inner >= CAP_FACTOR * np.maximum(outer, 0) + CAP_EXCESS  # NaN is False


def is_covered(folded: Folded) -> np.ndarray:
    """Return which PADs have values at enough angles to be named."""
    last = np.take_along_axis(folded.angle, np.maximum(folded.number - 1, 0)[None], axis=0)[0]
    gaps = np.diff(folded.angle, axis=0)
    narrow = (~np.isfinite(gaps) | (gaps <= WIDEST_GAP)).all(axis=0)
    return (folded.number >= FEWEST_ANGLES) & (last >= 90 - NEAR_90) & (folded.angle[0] <= LOW_ANGLE) & narrow


def name_shape(pitch_angle: np.ndarray, pad: np.ndarray) -> str:
    """Name the shape of one PAD: see `name_shapes`.

    Parameters
    ----------
    pitch_angle : ndarray of float64, shape (pitch_angle,)
        Degrees.
    pad : ndarray of float64, shape (pitch_angle,)
        Flux, in any unit; NaN where missing.

    Returns
    -------
    str
        One of `SHAPES`.

    Examples
    --------
    >>> import numpy as np
    >>> import padflow
    >>> angle = np.arange(5.0, 180.0, 10.0)
    >>> padflow.name_shape(angle, np.sin(np.radians(angle)) ** 2)
    'pancake'
    """
    return SHAPES[int(name_shapes(pitch_angle, pad))]
