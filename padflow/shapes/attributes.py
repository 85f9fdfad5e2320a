# SPDX-License-Identifier: BSD-3-Clause
"""What the arrays of measured shapes mean, as attributes for readers (CF), and which of them a run stores."""

from __future__ import annotations

import numpy as np

from padflow.shapes.equatorial import LEAST_REACH
from padflow.shapes.measures import LEAST_PROBABILITY, NAMED
from padflow.shapes.names import CRITERIA, SHAPES

STORED = (
    *("shape_probability", "c2", "c4", "c6", "c2_error", "c4_error", "c6_error", "sin_n", "sin_n_error"),
    *("max_over_j90", "max_over_j90_error", "j60_over_j90", "j60_over_j90_error", "peak_pitch_angle"),
)
"""The numbers that a run stores beside the names, as float16: their counting errors are larger than its rounding."""


def shape_attributes(name: str) -> dict[str, object]:
    """Return the CF attributes of an array of `padflow.shapes.measures.Measures`."""
    if name in NAMED:
        sure = "" if name == "shape" else ", however low its probability"
        return {
            "long_name": f"likeliest shape of the pitch-angle distribution{sure}",
            "flag_values": np.arange(len(SHAPES), dtype=np.int8),
            "flag_meanings": " ".join(SHAPES),
            "comment": "The first that holds of the distribution folded about 90 degrees: "
            + "; ".join(f"{shape}: {criterion}" for shape, criterion in CRITERIA.items())
            + (f". Also unclear: no name has a probability of at least {LEAST_PROBABILITY:g}." if not sure else "."),
        }
    base, error = name.removesuffix("_error"), name.endswith("_error")
    long_name = f"{'standard error of ' if error else ''}{LONG_NAMES[base]}"
    return {"long_name": long_name, "units": "degree" if base == "peak_pitch_angle" else "1"}


LONG_NAMES = {
    "shape_probability": "probability of the likeliest shape",
    "sin_n": "n of the sin^n that fits best",
    "max_over_j90": "largest flux over flux at 90 degrees",
    "j60_over_j90": "flux at 60 over flux at 90 degrees",
    "peak_pitch_angle": "pitch angle with the largest flux, folded about 90 degrees",
    **{f"c{n}": f"Legendre coefficient c{n} over c0 in the local pitch angle" for n in (2, 4, 6)},
    **{
        f"c{n}_equatorial": f"Legendre coefficient c{n} over c0 in the equatorial pitch angle; missing where local "
        f"angles reach less than {LEAST_REACH:g} degrees of it"
        for n in (2, 4, 6)
    },
}
