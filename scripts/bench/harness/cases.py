"""Simulated archives with known populations: settings were chosen on some, others are kept aside.

Every archive differs from the others in seed, populations, noise, coverage and season. Settings of the recommended
mode were chosen on the archives named ``dev``, ``drawn`` and ``seen``; those named ``test`` are kept aside and looked
at once, at the end. Those named ``seen`` were kept aside in earlier rounds.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace

import numpy as np

from padflow.simulation.day import Noise
from padflow.simulation.populations import POPULATIONS, Population


def chosen(*numbers: int, weights: tuple[float, ...] = ()) -> tuple[Population, ...]:
    """Return some of the simulator's populations, with other weights where they are given."""
    populations = [POPULATIONS[i] for i in numbers]
    return (
        tuple(replace(p, weight=w) for p, w in zip(populations, weights, strict=True))
        if weights
        else tuple(populations)
    )


@dataclass(frozen=True)
class Case:
    """One simulated archive."""

    seed: int
    start: datetime.date
    populations: tuple[Population, ...]
    noise: Noise
    days: int = 14
    spacecraft: str = "rbspa"


CASES = {
    "dev six": Case(11, datetime.date(2013, 3, 1), chosen(0, 1, 2, 3, 4, 5), Noise()),
    "dev three": Case(12, datetime.date(2014, 6, 1), chosen(0, 1, 2), Noise(flux_factor=0.5)),
    "dev eight": Case(13, datetime.date(2015, 1, 1), POPULATIONS, Noise(mixing=0.6, gaps_per_day=2)),
    "dev five": Case(
        14, datetime.date(2013, 9, 1), chosen(1, 2, 3, 4, 5), Noise(scatter=1.4, background_per_second=0.1)
    ),
    "seen four": Case(101, datetime.date(2016, 2, 1), chosen(0, 2, 3, 7), Noise(flux_factor=0.7, scatter=1.2)),
    "seen seven": Case(
        102, datetime.date(2015, 8, 1), chosen(0, 1, 2, 3, 4, 5, 6), Noise(mixing=1.0, gaps_per_day=1.5)
    ),
    "seen five": Case(
        103,
        datetime.date(2014, 10, 1),
        chosen(0, 1, 3, 5, 6, weights=(0.4, 0.15, 0.25, 0.2, 0.1)),
        Noise(contamination_per_second=4, fills_per_day=1.5),
        spacecraft="rbspb",
    ),
    "seen three": Case(201, datetime.date(2013, 11, 1), chosen(0, 3, 6), Noise(flux_factor=0.8, mixing=0.7)),
    "seen five later": Case(
        202, datetime.date(2016, 5, 1), chosen(0, 1, 2, 4, 7), Noise(scatter=1.3, fills_per_day=1), spacecraft="rbspb"
    ),
    "seen six": Case(
        203, datetime.date(2014, 2, 1), chosen(0, 1, 3, 4, 5, 7), Noise(contamination_per_second=3, gaps_per_day=2)
    ),
    "seen eight": Case(
        204,
        datetime.date(2015, 5, 1),
        chosen(0, 1, 2, 3, 4, 5, 6, 7, weights=(0.25, 0.25, 0.2, 0.2, 0.15, 0.25, 0.2, 0.15)),
        Noise(background_per_second=0.05),
    ),
    "seen three later": Case(
        301, datetime.date(2015, 11, 1), chosen(1, 4, 5, weights=(0.25, 0.2, 0.3)), Noise(flux_factor=0.7)
    ),
    "seen four later": Case(
        302,
        datetime.date(2014, 8, 1),
        chosen(0, 2, 4, 6, weights=(0.35, 0.2, 0.25, 0.15)),
        Noise(mixing=1.0, scatter=1.2, gaps_per_day=1.5),
        spacecraft="rbspb",
    ),
    "seen six later": Case(
        303, datetime.date(2013, 5, 1), chosen(0, 2, 3, 5, 6, 7), Noise(contamination_per_second=3, fills_per_day=1)
    ),
    "seen eight later": Case(
        304,
        datetime.date(2016, 3, 1),
        chosen(0, 1, 2, 3, 4, 5, 6, 7, weights=(0.3, 0.15, 0.25, 0.2, 0.2, 0.2, 0.15, 0.2)),
        Noise(background_per_second=0.06, mixing=0.9),
        spacecraft="rbspb",
    ),
    "seen three fifth": Case(
        401, datetime.date(2014, 4, 1), chosen(0, 1, 5, weights=(0.3, 0.2, 0.3)), Noise(scatter=1.2, fills_per_day=1)
    ),
    "seen five fifth": Case(
        402,
        datetime.date(2015, 3, 1),
        chosen(0, 2, 3, 5, 7, weights=(0.35, 0.25, 0.2, 0.3, 0.25)),
        Noise(flux_factor=0.8, mixing=0.9),
        spacecraft="rbspb",
    ),
    "seen six fifth": Case(
        403,
        datetime.date(2013, 7, 1),
        chosen(0, 1, 2, 3, 4, 6, weights=(0.25, 0.3, 0.2, 0.15, 0.25, 0.25)),
        Noise(mixing=0.6, gaps_per_day=2, contamination_per_second=3),
    ),
    "seen eight fifth": Case(
        404,
        datetime.date(2015, 12, 15),
        chosen(0, 1, 2, 3, 4, 5, 6, 7, weights=(0.2, 0.3, 0.2, 0.25, 0.2, 0.3, 0.25, 0.2)),
        Noise(background_per_second=0.04, scatter=1.1),
        spacecraft="rbspb",
    ),
    "seen three sixth": Case(
        501, datetime.date(2014, 12, 1), chosen(0, 2, 4, weights=(0.3, 0.25, 0.2)), Noise(mixing=0.9, gaps_per_day=1)
    ),
    "seen five sixth": Case(
        502,
        datetime.date(2016, 1, 15),
        chosen(0, 1, 4, 5, 6, weights=(0.3, 0.2, 0.25, 0.2, 0.3)),
        Noise(scatter=1.3, contamination_per_second=3),
        spacecraft="rbspb",
    ),
    "seen six sixth": Case(
        503,
        datetime.date(2013, 10, 1),
        chosen(0, 2, 3, 4, 5, 7, weights=(0.3, 0.2, 0.25, 0.2, 0.25, 0.2)),
        Noise(flux_factor=0.8, fills_per_day=1.5),
    ),
    "seen eight sixth": Case(
        504,
        datetime.date(2015, 6, 15),
        chosen(0, 1, 2, 3, 4, 5, 6, 7, weights=(0.25, 0.2, 0.25, 0.2, 0.25, 0.25, 0.2, 0.25)),
        Noise(background_per_second=0.05, gaps_per_day=1.5),
        spacecraft="rbspb",
    ),
    "seen four early": Case(
        602,
        datetime.date(2013, 12, 15),
        chosen(0, 3, 4, 5, weights=(0.2, 0.3, 0.25, 0.3)),
        Noise(flux_factor=0.8, mixing=0.8),
        spacecraft="rbspb",
    ),
    "seen seven early": Case(
        605,
        datetime.date(2013, 4, 15),
        chosen(0, 1, 2, 3, 4, 5, 7, weights=(0.25, 0.3, 0.2, 0.25, 0.2, 0.25, 0.3)),
        Noise(scatter=1.2, gaps_per_day=1.5),
    ),
    "seen eight early": Case(
        606,
        datetime.date(2015, 10, 1),
        chosen(0, 1, 2, 3, 4, 5, 6, 7, weights=(0.2, 0.25, 0.3, 0.2, 0.25, 0.2, 0.3, 0.25)),
        Noise(flux_factor=0.9, fills_per_day=1.5),
        spacecraft="rbspb",
    ),
    "seen three seventh": Case(
        601, datetime.date(2015, 2, 1), chosen(1, 3, 7, weights=(0.3, 0.25, 0.2)), Noise(scatter=1.2, gaps_per_day=1)
    ),
    "seen four seventh": Case(
        607,
        datetime.date(2014, 1, 15),
        chosen(0, 2, 5, 6, weights=(0.25, 0.3, 0.2, 0.3)),
        Noise(background_per_second=0.04, mixing=0.8),
        spacecraft="rbspb",
    ),
    "seen five seventh": Case(
        603,
        datetime.date(2016, 4, 1),
        chosen(1, 2, 3, 6, 7, weights=(0.25, 0.3, 0.2, 0.3, 0.2)),
        Noise(contamination_per_second=3, fills_per_day=1),
    ),
    "seen six seventh": Case(
        604,
        datetime.date(2014, 9, 15),
        chosen(0, 1, 2, 5, 6, 7, weights=(0.3, 0.2, 0.25, 0.25, 0.2, 0.3)),
        Noise(background_per_second=0.05, mixing=0.9),
        spacecraft="rbspb",
    ),
    "seen seven seventh": Case(
        608,
        datetime.date(2015, 7, 15),
        chosen(0, 1, 3, 4, 5, 6, 7, weights=(0.3, 0.2, 0.25, 0.2, 0.3, 0.25, 0.2)),
        Noise(flux_factor=0.9, gaps_per_day=1),
    ),
    "seen eight seventh": Case(
        609,
        datetime.date(2016, 2, 15),
        chosen(0, 1, 2, 3, 4, 5, 6, 7, weights=(0.3, 0.2, 0.25, 0.25, 0.2, 0.25, 0.3, 0.2)),
        Noise(scatter=1.2, fills_per_day=1),
        spacecraft="rbspb",
    ),
}  # fmt: skip


def drawn(number: int) -> Case:
    """Draw a case: which populations, how many, their weights, noise and season."""
    random = np.random.default_rng(9000 + number)
    count = (3, 4, 5, 6, 7, 8)[number % 6]
    populations = sorted(random.choice(len(POPULATIONS), count, replace=False).tolist())
    weights = tuple(random.choice([0.15, 0.2, 0.25, 0.3, 0.35], count).tolist())
    noise = {name: round(float(random.uniform(*bounds)), 2) for name, bounds in NOISES.items() if random.random() < 0.3}
    start = datetime.date(2013, 3, 1) + datetime.timedelta(days=int(random.integers(0, 1200)))
    spacecraft = ("rbspa", "rbspb")[random.integers(2)]
    return Case(9000 + number, start, chosen(*populations, weights=weights), Noise(**noise), spacecraft=spacecraft)


NOISES = {
    "flux_factor": (0.6, 1),
    "mixing": (0.5, 1),
    "scatter": (1, 1.4),
    "gaps_per_day": (0.5, 2),
    "fills_per_day": (0.5, 1.5),
    "contamination_per_second": (1, 4),
    "background_per_second": (0.02, 0.08),
}
"""What may differ from the simulator's defaults in a drawn case, and between which bounds."""
CASES |= {f"drawn {number:02d}": drawn(number) for number in range(16)}
CASES |= {f"test {number}": drawn(number) for number in range(16, 22)}
