# SPDX-License-Identifier: BSD-3-Clause
"""Shapes as coordinates in which the borders between their names are straight and everything else is small."""

from __future__ import annotations

import numpy as np

from padflow.shapes.names import BUTTERFLY_INDEX, FLATTOP_RATIO

WIDTH = 0.13
"""Natural logarithm of a ratio of fluxes beyond which a coordinate hardly grows (chosen on archives of measured shapes:
ratios differ most where nobody asks how much they differ, such as on the flanks of steep pancakes)."""


def border_coordinates(j60_over_j90: np.ndarray, max_over_j90: np.ndarray) -> np.ndarray:
    """Return how far shapes lie from the borders between flattops, butterflies and the rest.

    Parameters
    ----------
    j60_over_j90, max_over_j90 : ndarray, shape (records, energy)
        Flux at 60 degrees and largest flux, over flux at 90 degrees.

    Returns
    -------
    ndarray of float32, shape (records, 2 * energy)
        ``arctan(ln(ratio / limit) / WIDTH)``: 0 on a border, and between -pi/2 and pi/2. The limits are `FLATTOP_RATIO`
        and `BUTTERFLY_INDEX`. NaN where a ratio is missing.

    Examples
    --------
    >>> import numpy as np
    >>> border_coordinates(np.array([[0.9]]), np.array([[1.1]]))
    array([[0., 0.]], dtype=float32)
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        flat, dip = np.log(j60_over_j90 / FLATTOP_RATIO), np.log(max_over_j90 / BUTTERFLY_INDEX)
    return np.arctan(np.concatenate([flat, dip], axis=1) / WIDTH).astype(np.float32)
