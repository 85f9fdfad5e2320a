# SPDX-License-Identifier: BSD-3-Clause
"""Simulated archives by family: which shapes there are, which seed, how many days."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from dataclasses import replace as changed
from typing import Any

import numpy as np

from harness.zhao import zhao_family
from padflow.simulation.day import Noise
from padflow.simulation.families import FAMILIES
from padflow.simulation.populations import POPULATIONS

NAMES = (*FAMILIES, "zhao", "drawn")
"""Those of ``padflow simulate --family``; shapes as they were measured; and separated populations of which number,
weights, noise and start are drawn."""


DRAWN_NOISE = {
    "flux_factor": (0.6, 1),
    "mixing": (0.5, 1),
    "scatter": (1, 1.4),
    "gaps_per_day": (0.5, 2),
    "fills_per_day": (0.5, 1.5),
    "contamination_per_second": (1, 4),
    "background_per_second": (0.02, 0.08),
}
"""What may differ from the simulator's defaults in a drawn archive, and between which bounds (chosen)."""


START = datetime.date(2013, 3, 1)
SEASON_DAYS = 275
"""An archive is of two seasons so far apart: in the first the apogee is near midnight, in the second near noon. One
season has either no night far out or no day."""


@dataclass(frozen=True)
class Case:
    """One archive: its family is one of `NAMES`."""

    family: str
    seed: int
    days: int

    @property
    def name(self) -> str:
        """What tells it from others: ``"wide 24d seed 1"``."""
        return f"{self.family} {self.days}d seed {self.seed}"

    def seasons(self) -> list[dict[str, Any]]:
        """Return what `padflow.simulate` needs for each season; the first has half of the days, or one more.

        Raises
        ------
        ConfigError
            Where the tables of the family zhao are not there.
        """
        own: dict[str, Any]
        if self.family == "zhao":
            own = {"family": zhao_family(self.seed)}
        elif self.family == "drawn":
            own = drawn(self.seed)
        else:
            own = {"family": self.family}
        own = {"seed": self.seed, "start": START} | own
        later = own["start"] + datetime.timedelta(SEASON_DAYS)
        halves = ((own, self.days - self.days // 2), (own | {"start": later}, self.days // 2))
        return [season | {"days": days} for season, days in halves if days]


def drawn(seed: int) -> dict[str, Any]:
    """Draw three to eight of the simulator's populations, their weights, the noise, the start and the spacecraft."""
    random = np.random.default_rng(9000 + seed)
    count = 3 + seed % 6
    numbers = sorted(random.choice(len(POPULATIONS), count, replace=False).tolist())
    weights = random.choice([0.15, 0.2, 0.25, 0.3, 0.35], count).tolist()
    noise = {
        name: round(float(random.uniform(*bounds)), 2) for name, bounds in DRAWN_NOISE.items() if random.random() < 0.3
    }
    start = START + datetime.timedelta(int(random.integers(0, 900)))
    return {
        "populations": tuple(changed(POPULATIONS[i], weight=w) for i, w in zip(numbers, weights, strict=True)),
        "noise": Noise(**noise),
        "start": start,
        "spacecraft": (("rbspa", "rbspb")[random.integers(2)],),
    }
