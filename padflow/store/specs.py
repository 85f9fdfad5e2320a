# SPDX-License-Identifier: BSD-3-Clause
"""Declare the arrays of the archive and of the results: name, type, shape, and attributes for readers (CF)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from padflow.records import BLOCK_ROWS, Reason
from padflow.shapes.attributes import STORED, shape_attributes
from padflow.shapes.measures import NAMED
from padflow.shapes.names import UNCLEAR

NAT = np.iinfo("i8").min


@dataclass(frozen=True)
class ArraySpec:
    """One array along time, as Zarr and CF need it.

    Of results, level 3 of Zstandard makes files 1 % smaller than level 1, in twice the time; of flux 15 %.
    """

    name: str
    dtype: str
    fill_value: float
    dims: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    zstd_level: int = 1

    def chunks(self, rows_per_part: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of chunks. Wide arrays are read at random places; they have shards too."""
        part = (rows_per_part, *self.sizes)
        return {"chunks": (BLOCK_ROWS, *self.sizes), "shards": part} if len(self.sizes) > 1 else {"chunks": part}


TIME = ArraySpec(
    "time",
    "i8",
    NAT,
    attributes={
        "units": "nanoseconds since 1970-01-01",
        "calendar": "proleptic_gregorian",
        "standard_name": "time",
        "long_name": "UTC, midpoint of the record",
    },
)


EPHEMERIS = {
    "L": {"units": "1", "long_name": "McIlwain L"},
    "L_star": {"units": "1", "long_name": "L* for particles that mirror at the equator"},
    "MLT": {"units": "h", "long_name": "magnetic local time"},
    "MLAT": {"units": "degree", "long_name": "magnetic latitude"},
    "B_Calc": {"units": "nT", "long_name": "model magnetic field at the spacecraft"},
    "B_Eq": {"units": "nT", "long_name": "model magnetic field at the magnetic equator"},
    "Position": {"units": "km", "long_name": "position of the spacecraft, geographic Cartesian"},
}


def archive_specs(pitch_angles: int, energies: int, *, ephemeris: Iterable[str]) -> list[ArraySpec]:
    """Return the arrays of an archive group."""
    names = list(ephemeris)
    flux = ArraySpec(
        "flux",
        "f4",
        np.nan,
        ("pitch_angle", "energy"),
        (pitch_angles, energies),
        {
            "units": "cm-2 s-1 sr-1 MeV-1",
            "long_name": "directional differential flux; NaN where missing",
            "coordinates": " ".join(names),
        },
        zstd_level=3,
    )
    specs = [TIME, flux]
    for name in names:
        dims, sizes = (("axis",), (3,)) if name == "Position" else ((), ())
        specs.append(ArraySpec(name, "f4", np.nan, dims, sizes, EPHEMERIS.get(name, {})))
    return specs


def results_specs(components: int, energies: int = 0) -> list[ArraySpec]:
    """Return the arrays of a results group; those of shapes where there are energies of a denoiser."""
    return [TIME, REASON, *scored_specs(components, energies), *LABELLED]


REASON = ArraySpec(
    "reason",
    "i1",
    int(Reason.NOT_PROCESSED),
    attributes={
        "long_name": "why the record has no class",
        "flag_values": [int(reason) for reason in Reason],
        "flag_meanings": " ".join(reason.name.lower() for reason in Reason),
    },
)


def scored_specs(components: int, energies: int) -> list[ArraySpec]:
    """Return the arrays that scoring gives beside the reason."""
    long_name = "principal components of the record"
    error = "mean squared difference of the record and its reconstruction"
    return [
        ArraySpec("score", "f4", np.nan, ("component",), (components,), {"units": "1", "long_name": long_name}),
        ArraySpec("reconstruction_error", "f4", np.nan, attributes={"units": "1", "long_name": error}),
        *(_shape_specs(energies) if energies else []),
    ]


def _shape_specs(energies: int) -> list[ArraySpec]:
    def spec(name: str, dtype: str, fill_value: float) -> ArraySpec:
        attributes = {key: np.asarray(value).tolist() for key, value in shape_attributes(name).items()}  # for JSON
        return ArraySpec(name, dtype, fill_value, ("energy",), (energies,), attributes)

    return [*(spec(name, "i1", UNCLEAR) for name in NAMED), *(spec(name, "f2", np.nan) for name in STORED)]


def _label_spec(name: str, long_name: str) -> ArraySpec:
    return ArraySpec(name, "f4", np.nan, attributes={"units": "1", "long_name": long_name})


LABELLED = (
    ArraySpec("pad_class", "i2", -1, attributes={"long_name": "class of the record; -1 where it has none"}),
    _label_spec(
        "probability",
        "probability that the record belongs to its class; missing where the kind of classes gives none",
    ),
    _label_spec(
        "distance",
        "distance of the score to the centre of its class, over the spread of a class with one; in a continuum, of the "
        "shape to the centre of its region",
    ),
    _label_spec("margin", "0 on the border to the next class, near 1 well within the class"),
)
"""What labelling gives."""
