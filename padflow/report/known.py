# SPDX-License-Identifier: BSD-3-Clause
"""Known results side by side with those of a run: agrees, differs, or cannot tell, with numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import astuple, dataclass, fields

import numpy as np
import xarray as xr

from padflow.maps.regions import NEAR_EQUATOR, NIGHT, NOON, REGIONS
from padflow.report.tables import Run, Table
from padflow.report.words import join, plural

AGREES, DIFFERS, CANNOT_TELL = "agrees", "differs", "cannot tell"


NI = "Ni et al. 2016 (10.1002/2016GL069350)"


KILLEY = "Killey et al. 2025 (10.1029/2024GL112900)"


ZHAO = "Zhao et al. 2018 (10.1029/2018JA025277)"


NI_NIGHT = (0.6, 0.9)
"""What "about 80 %" holds. Their criterion of a butterfly is not known here. By that of `padflow.shapes.names` the PADs
of Zhao et al. 2018, of the same instrument and years, are butterflies from 0 to 2 h in 63 % at L 5.6, 75 % at 5.8, and
82 % at 6.0 (2.1 MeV; medians, and three quarters of the deviations of their tables). The ends are
chosen: 63 % rounded down, and 10 % above the 80 %."""


KILLEY_SHARE, KILLEY_ABOUT = 0.93, 0.05
"""Share of outer-belt electrons that the six classes describe, and how near it has to come (chosen)."""


KILLEY_CLASSES = {"pancake": 2, "butterfly": 2, "flattop": 2}


LOWEST_MEV, HIGHEST_MEV = 2.0, 4.3
"""Names are compared at the lowest energy of at least the first. Steepness is compared also at the highest energy up to
the second (chosen: beyond it counts are few)."""


FEWEST_ORBITS = 5
"""Orbits below which nothing is said (chosen)."""


@dataclass(frozen=True)
class Known:
    """A published result and what the run has of it, in words."""

    result: str
    source: str
    expected: str
    found: str
    verdict: str


def known_results(run: Run) -> list[Known]:
    """Compare a run with what is known of the outer belt; nothing where the archive has no L and MLT.

    A verdict is *agrees* where the whole 95 % interval lies within what is expected, *differs* where none of it does,
    and else *cannot tell*.
    """
    if not set(REGIONS) <= set(run.summary.coords.get("region", xr.DataArray([])).values.tolist()):
        return []
    return [*_butterflies(run.summary), *_steepness(run.summary), _classes(run), _described(run)]


def known_table(run: Run) -> Table:
    """Return the same as a table."""
    return [field.name for field in fields(Known)], [astuple(known) for known in known_results(run)]


def verdict(low: float, high: float, expected: tuple[float, float]) -> str:
    """Compare an interval with the range that is expected; NaN cannot tell."""
    if expected[0] <= low and high <= expected[1]:
        return AGREES
    return DIFFERS if high < expected[0] or low > expected[1] else CANNOT_TELL


def _butterflies(summary: xr.Dataset) -> list[Known]:
    told = (
        (tuple(NIGHT), "20 to 4 h MLT beyond L 5.5", "about 80 %", NI_NIGHT),
        (tuple(NOON), "11 to 15 h MLT near L 4", "above 50 %", (0.5, 1.0)),
    )
    return [_butterfly(summary, *one) for one in told]


def _butterfly(
    summary: xr.Dataset, regions: tuple[str, ...], where: str, words: str, expected: tuple[float, float]
) -> Known:
    """Compare the highest share of the regions: that with the highest lower end, and then with most orbits."""
    told = (f"Butterflies within {NEAR_EQUATOR:g}° of the magnetic equator, {where}: most in two hours", NI, words)
    energies = _energies(summary)
    if energies is None:
        return Known(*told, "shapes are not measured at 2 MeV or above", CANNOT_TELL)
    chosen = summary.sel(region=list(regions), shape="butterfly").isel(shape_energy=energies[0])
    share, low, high = (chosen[f"region_name_share{end}"].values for end in ("", "_low", "_high"))
    most = int(np.lexsort((chosen["region_orbits"].values, np.nan_to_num(low, nan=-1)))[-1])
    hours = "{:g} to {:g} h".format(*REGIONS[regions[most]].hours)
    at = f"from {hours}, of the records with a name at {summary['shape_energy'].values[energies[0]]:.3g} MeV"
    found = f"{_percent(share[most], low[most], high[most])} {at}"
    return _told(summary, (regions[most],), told, found, (low[most], high[most]), expected)


def _steepness(summary: xr.Dataset) -> list[Known]:
    told = (
        (
            "By day PADs are steeper at higher energy, L 4 to 5.5",
            "n of sin^n rises with energy",
            (("day_4_to_5_5", 1), ("day_4_to_5_5", 0)),
        ),
        (
            "By day PADs are steeper further out, L 5.5 to 6 against 4 to 4.5",
            "n of sin^n rises with L",
            (("day_5_5_to_6", 0), ("day_4_to_4_5", 0)),
        ),
    )
    energies = _energies(summary)
    out = []
    for result, words, (one, other) in told:
        if energies is None or energies[0] == energies[1]:
            out.append(Known(result, ZHAO, words, "shapes are not measured at such energies", CANNOT_TELL))
            continue
        values = [
            [float(summary[name].sel(region=region)[energies[place]]) for name in ("region_sin_n", "region_sin_n_half")]
            for region, place in (one, other)
        ]
        difference, half = values[0][0] - values[1][0], float(np.hypot(values[0][1], values[1][1]))
        mev = [f"{summary['shape_energy'].values[energies[place]]:.3g} MeV" for _, place in (one, other)]
        found = f"n {values[0][0]:.2f} at {mev[0]} less {values[1][0]:.2f} at {mev[1]}: {difference:+.2f} ± {half:.2f}"
        bounds = (difference - half, difference + half)
        out.append(_told(summary, (one[0], other[0]), (result, ZHAO, words), found, bounds, (0.0, np.inf)))
    return out


def _classes(run: Run) -> Known:
    number = Counter(row.shape or "unclear" for row in run.classes)
    found = join([f"{n} {shape}" for shape, n in number.most_common()])
    expected = "two each of pancake, butterfly and flattop"
    if run.model.get("separated"):
        answer = AGREES if number == KILLEY_CLASSES else DIFFERS
    else:
        found, answer = f"{found}; the classes are not separated, so that their number is a convention", CANNOT_TELL
    return Known("Classes of relativistic electrons", KILLEY, expected, found, answer)


def _described(run: Run) -> Known:
    """Compare the share of outer-belt records that have a class of one of the three shapes."""
    outer = run.summary.sel(region="outer_belt")
    share, low, high = (outer[f"region_class_share{end}"].values for end in ("", "_low", "_high"))
    within = np.zeros(len(share), bool)
    within[: len(run.classes)] = [row.shape in KILLEY_CLASSES for row in run.classes]
    others = ~within & (share > 0)
    rest = float(share[others].sum())
    # Standard errors of sums are at most the sums of standard errors.
    below, above = float((high - share)[others].sum()), float((share - low)[others].sum())
    told = ("Records of L 3 to 7 that pancake, butterfly and flattop classes hold", KILLEY, "about 93 %")
    expected = (KILLEY_SHARE - KILLEY_ABOUT, KILLEY_SHARE + KILLEY_ABOUT)
    bounds = (max(1 - rest - below, 0.0), min(1 - rest + above, 1.0))
    found = f"{_percent(1 - rest, *bounds)} of all records"
    return _told(run.summary, ("outer_belt",), told, found, bounds, expected)


def _told(
    summary: xr.Dataset,
    regions: tuple[str, ...],
    told: tuple[str, str, str],
    found: str,
    bounds: tuple[float, float],
    expected: tuple[float, float],
) -> Known:
    """Return a row; without enough orbits it cannot tell."""
    orbits = min(int(summary["region_orbits"].sel(region=region)) for region in regions)
    if not orbits:
        return Known(*told, "no record was taken there", CANNOT_TELL)
    if not np.isfinite(bounds).all():
        return Known(*told, f"too few records have a name there ({plural(orbits, 'orbit')})", CANNOT_TELL)
    answer = verdict(*bounds, expected) if orbits >= FEWEST_ORBITS else CANNOT_TELL
    return Known(*told, f"{found}; {plural(orbits, 'orbit')}", answer)


def _energies(summary: xr.Dataset) -> tuple[int, int] | None:
    """Return the places of the low and the high energy at which shapes are compared."""
    if "region_name_share" not in summary:
        return None
    energy = summary["shape_energy"].values
    places = np.flatnonzero((energy >= LOWEST_MEV) & (energy <= HIGHEST_MEV))
    return (int(places[0]), int(places[-1])) if len(places) else None


def _percent(share: float, low: float, high: float) -> str:
    return f"{100 * share:.0f} % ({100 * low:.0f} to {100 * high:.0f} %)"
