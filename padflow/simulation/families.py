# SPDX-License-Identifier: BSD-3-Clause
"""Families of simulated archives: what pitch-angle distributions (PADs) there are, and where."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from padflow.errors import ConfigError
from padflow.simulation.conditions import Conditions
from padflow.simulation.continuum import Continuum
from padflow.simulation.populations import POPULATIONS, SHARP, Population, Populations


class Family(Protocol):
    """The PADs of an archive. An object of your own may be given to `simulate_archive`.

    Other processes get a copy, if ``map_days`` uses them: it must be possible to pickle it. Its PADs may depend on
    nothing but the arguments, or the same arguments will not give the same bytes.
    """

    @property
    def name(self) -> str:
        """One word, for ``simulation.json``."""

    @property
    def population_names(self) -> tuple[str, ...]:
        """The names of the populations, in the order of their numbers; empty if there are none."""

    def parameters(self) -> dict[str, Any]:
        """Return what makes this family another than one of the same name: values that JSON can hold."""

    def pads(
        self, conditions: Conditions, pitch_angles: np.ndarray, energies: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the PADs before counting, and the population of each record.

        Parameters
        ----------
        conditions : Conditions
            Of the records.
        pitch_angles : ndarray, shape (pitch_angle,)
            Local pitch angles, degrees, symmetric about 90.
        energies : ndarray, shape (energy,)
            MeV.

        Returns
        -------
        pads : ndarray of float32, shape (records, pitch_angle, energy)
            Flux over its mean over all directions: the mean weighted by the sine of the pitch angle is 1.
        population : ndarray of int8, shape (records,)
            Number of the record's population, -1 where it has none.
        """


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Populations("separated", POPULATIONS[:6]),
        Continuum(),
        Populations("wide", POPULATIONS[:6], scatter=2.5, wander=1.5, sharpness=SHARP),
        Populations("single", POPULATIONS[:1]),
    )
}


def choose_family(family: str | Family, populations: int | tuple[Population, ...] | None) -> Family:
    """Return the family of that name, or one's own; ``populations`` makes another of ``separated``.

    Raises
    ------
    ConfigError
        If there is no such family, or populations are chosen that it cannot have.
    """
    if not isinstance(family, str):
        chosen = family
    elif family in FAMILIES:
        chosen = FAMILIES[family]
    else:
        raise ConfigError(f"family={family!r}: choose one of {', '.join(FAMILIES)}.")
    if populations is None:
        return chosen
    if family != "separated":
        raise ConfigError(f"populations: they can be chosen for the family separated, not for {chosen.name}.")
    number = populations if isinstance(populations, int) else len(populations)
    if not 3 <= number <= len(POPULATIONS):
        raise ConfigError(f"populations: {number} are asked for; between 3 and {len(POPULATIONS)} are possible.")
    return Populations("separated", POPULATIONS[:number] if isinstance(populations, int) else tuple(populations))
