# SPDX-License-Identifier: BSD-3-Clause
"""From measurements of quality to tables: for each family its classes, agreement of fits, and names of records."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from harness.markdown import Table
from harness.results import median, select
from harness.truth import ENERGIES_MEV

Measurements = list[dict[str, Any]]


def tables(measurements: Measurements) -> list[Table]:
    """Return the tables of all families, in the order in which they were measured."""
    families = list(dict.fromkeys(one["of"]["family"] for one in measurements))
    made = [
        table(family, select(measurements, family=family))
        for family in families
        for table in (classes_table, agreement_table, names_table)
    ]
    return [table for table in made if table.rows]


def classes_table(family: str, measurements: Measurements) -> Table:
    """Classes against the truth."""
    table = Table(
        f"{family}: classes against the truth",
        (
            *("archive", "mode", "classes", "separated", "labelled", "ARI, populations", "ARI, names"),
            *("class name right", "butterflies by night", "by day"),
        ),
        "Medians over fits with other seeds, in brackets the least and the largest; classes and separated of each. All "
        "on the records that the recommended mode selects; from ARI, names on, labelled ones with more than 30 counts "
        "at 2.1 MeV in two minutes. Butterflies: share at 20-04 MLT beyond L 5.5, at 08-16 MLT inside it. Truth: the "
        "number of populations, the share of the commonest name, and of butterflies among what the first mode labels. "
        "With a single population its ARI is 1 for one class and 0 for several.",
    )
    for archive in archives(measurements):
        found = select(measurements, what="fit", archive=archive, days="all")
        for one in select(measurements, what="archive", archive=archive):
            butterflies = [_of(found[:1], lambda one, key=key: one[key][1]) for key in BUTTERFLIES]
            table.rows.append(
                (
                    *(archive, "truth", str(one["populations"] or "–"), "–", "–", "–", "–"),
                    *(figure(one["commonest_name"]), *butterflies),
                )
            )
        for mode in values(found, "mode"):
            fits = select(found, mode=mode)
            keys = ("labelled", "ari", "ari_of_names", "name_right")
            cells = [_of(fits, lambda one, key=key: one[key]) for key in keys]
            cells += [_of(fits, lambda one, key=key: one[key][0]) for key in BUTTERFLIES]
            said = "/".join(SAID[fit["separated"]] for fit in fits)
            number_of_classes = "/".join(f"{fit['classes']}{'!' if 'error' in fit else ''}" for fit in fits)
            table.rows.append((archive, mode, number_of_classes, said, *cells))
    if any("!" in row[2] for row in table.rows):
        table.note += " !: padflow found no classes and ended; counted as one class."
    return table


BUTTERFLIES = ("night_butterflies", "day_butterflies")
SAID = {True: "yes", False: "no", None: "–"}


def agreement_table(family: str, measurements: Measurements) -> Table:
    """Fits against one another, and how right they are where they are certain."""
    table = Table(
        f"{family}: agreement of fits, and probabilities",
        (
            *("archive", "mode", "other seeds", "halves of the days", "halves, sure", "sure"),
            *("certain", "population right", "name right"),
        ),
        "Adjusted Rand index (ARI) of pairs of fits over the records that both label. Halves: fitted to the even and "
        "to the odd days, applied to all. Sure: probability above 0.8 in both. Certain: share of the labelled records "
        "with a probability of at least 0.9, and how many of these are in a class whose commonest population is theirs "
        "or whose name at 2.1 MeV is the true one (more than 30 counts).",
    )
    for archive in archives(measurements):
        found = select(measurements, archive=archive)
        for mode in values(select(found, what="fit"), "mode"):
            seeds, halves = (select(found, what=what, mode=mode) for what in ("seeds", "halves"))
            fits = select(found, what="fit", mode=mode, days="all")
            cells = [_of(seeds, lambda pair: pair["all"])]
            cells += [_of(halves, lambda pair, key=key: pair[key]) for key in ("all", "sure", "sure_share")]
            keys = ("share", "population_right", "name_right")
            cells += [_of(fits, lambda one, key=key: one["certain"][key]) for key in keys]
            if any(cell != NOTHING for cell in cells):
                table.rows.append((archive, mode, *cells))
    return table


def names_table(family: str, measurements: Measurements) -> Table:
    """Names of records themselves against the truth."""
    table = Table(
        f"{family}: names of records",
        ("archive", "counts", "from", *(f"{energy:g} MeV" for energy in ENERGIES_MEV)),
        "Share that have a name : share of these whose name is that of their noiseless shape. Counts: at this energy, "
        "in two minutes.",
    )
    for archive in archives(measurements):
        found = select(measurements, archive=archive)
        sources: dict[str, Measurements] = {}
        for one in select(found, what="archive"):
            sources |= {source: [names] for source, names in one["names"].items()}
        for fit in select(found, what="fit", days="all"):
            if "names" in fit:
                sources.setdefault(fit["of"]["mode"], []).append(fit["names"])
        for source, several in sources.items():
            for counts in several[0]:
                cells = [
                    " : ".join(
                        _middle([names[counts][what][energy] for names in several]) for what in ("named", "right")
                    )
                    for energy in range(len(ENERGIES_MEV))
                ]
                table.rows.append((archive, counts, source, *cells))
    return table


def archives(measurements: Measurements) -> list[str]:
    """Return the names of the archives, in the order in which they were measured."""
    return values(measurements, "archive")


def values(measurements: Measurements, label: str) -> list[str]:
    """Return the different values of a label, in the order in which they were measured."""
    return list(dict.fromkeys(one["of"][label] for one in measurements))


NOTHING = "–"


def figure(value: float) -> str:
    """Return a share or an adjusted Rand index with three decimals, a dash where there is none."""
    return f"{value:.3f}" if math.isfinite(value) else NOTHING


def _middle(found: list[float | None]) -> str:
    return figure(median([value for value in found if value is not None]))


def _of(measurements: Measurements, value: Callable[[dict[str, Any]], float | None]) -> str:
    """Return the median of a figure, with its range where it has one."""
    found = [one for one in map(value, measurements) if one is not None]
    middle, low, high = _middle(found), figure(min(found, default=0.0)), figure(max(found, default=0.0))
    return middle if low == high or not found else f"{middle} ({low} to {high})"
