# SPDX-License-Identifier: BSD-3-Clause
"""The figures asked of padflow, in one table."""

from __future__ import annotations

from typing import Any

from harness.markdown import Table, gib, number, percent, times
from harness.passes import FLOORS, PASSES
from harness.projection import PASSES_OF_RUN
from harness.results import median, select
from harness.tables import base_of, middle, pairs, per_record, plans, ratio, seconds, share_of_floor

Measurements = list[dict[str, Any]]
ASKED = ("at least 5 x", "at most 50 %", "at least -0.02")
"""Of paper mode against the restatement, at 400,000 records and 200 epochs."""


def main_figures(measurements: Measurements) -> Table:
    """Return the table; a figure that was not measured has no row."""
    table = Table("Main figures", ("", "measured", "asked"))
    for rows in (_reference, _training, _floors, _workers, _records, _dispatch):
        table.rows += rows(measurements)
    return table


def _reference(measurements: Measurements) -> list[tuple[str, str, str]]:
    rows = []
    for labels in plans(measurements, "reference"):
        plain, ours, truth = (select(measurements, **labels, what=w) for w in ("reference", "padflow", "truth"))
        if pairs(plain, ours):
            case = f"{plain[0]['records']:,} records, {plain[0]['epochs']} epochs"
            asked = ASKED if plain[0]["records"] >= 400_000 and plain[0]["epochs"] == 200 else ("", "", "")
            share = ratio(ours, plain, lambda one: one["all_bytes"])
            gain = middle(truth, lambda one: one["padflow_ari"] - one["reference_ari"])
            faster = times(ratio(plain, ours, seconds))
            rows.append((f"End to end over the plain restatement, {case}", faster, asked[0]))
            rows.append((f"Peak memory of all processes over its, {case}", percent(share), asked[1]))
            rows.append((f"ARI against the truth less its, {case}", f"{gain:+.3f}", asked[2]))
            training = times(ratio(plain, ours, _training_seconds))
            rows.append((f"Stage `train` over its Keras `fit`, each epoch validated, {case}", training, ""))
    return rows


def _training_seconds(one: dict[str, Any]) -> float:
    """Return the seconds of Keras ``fit`` in the restatement, of the stage that trains in padflow."""
    return one["fit_seconds"] if one["of"]["what"] == "reference" else one["stages"]["train"]["seconds"]


def _training(measurements: Measurements) -> list[tuple[str, str, str]]:
    rows = []
    for one in select(measurements, table="training"):
        rows.append(("Training, of the matrix products' speed", percent(one["padflow_over_products"]), "at least 60 %"))
        rows.append(("Training over Keras `fit`", times(one["padflow_over_keras_fit"]), "at least 6 x"))
    return rows


def _floors(measurements: Measurements) -> list[tuple[str, str, str]]:
    rows = []
    for labels in plans(measurements, "stages"):
        found = {name: select(measurements, **labels, what=name) for name in (*FLOORS, *PASSES)}
        asked = {"ingest": "at least 60 %", "pca": "", "score": "at least 50 %", "label": "at least 50 %"}
        for name in (name for name in PASSES if found[name]):
            floor = "decoding and encoding" if name == "ingest" else "only reading the flux"
            text = f"{name.capitalize()} pass, of the speed of {floor}, {found[name][0]['records']:,} records"
            rows.append((text, percent(share_of_floor(found, name)), asked[name]))
    return rows


def _workers(measurements: Measurements) -> list[tuple[str, str, str]]:
    rows = []
    for labels in plans(measurements, "workers"):
        for name in ("ingest", "score"):
            one, two = (select(measurements, **labels, what=name, workers=n) for n in (1, 2))
            if pairs(one, two):
                rows.append((f"One to two workers, {name} pass", times(ratio(one, two, seconds)), "at least 1.7 x"))
    return rows


def _records(measurements: Measurements) -> list[tuple[str, str, str]]:
    found = [select(measurements, **labels) for labels in plans(measurements, "records")]
    if len(found) < 2:
        return []
    base = base_of(dict(enumerate(found)))
    last = max(found, key=lambda runs: runs[0]["records"])
    case = f"{last[0]['records']:,} records"
    against = f"over that at {base[0]['records']:,}"
    growing = [name for name in PASSES_OF_RUN if name in base[0]["stages"] and name in last[0]["stages"]]
    worst = {name: ratio(last, base, lambda run, name=name: per_record(run, name)) for name in growing}
    slowest = max(worst, key=worst.get)
    whole = ratio(last, base, lambda run: per_record(run, "end to end"))
    drivers = [middle(runs, lambda run: run["driver_bytes"]) for runs in found]
    return [
        (f"Time per record at {case} {against}, slowest pass ({slowest})", number(worst[slowest]), "at most 1.2"),
        (f"Time per record at {case} {against}, end to end", number(whole), "at most 1"),
        (f"Largest worker at {case}", f"{gib(middle(last, lambda run: run['worker_bytes']))} GiB", "at most 2 GiB"),
        (f"Driver at {case} over that at the other lengths", number(drivers[-1] / median(drivers[:-1])), "flat"),
    ]


def _dispatch(measurements: Measurements) -> list[tuple[str, str, str]]:
    found = select(measurements, table="dispatch", what="each")
    real = select(measurements, table="dispatch", what="score")
    if not pairs(found, real):
        return []
    share = ratio(found, real, lambda one: one["seconds"] / one["parts"])
    growth = middle(found, lambda one: one["driver_growth_bytes"] / 2**20)
    text = f"{found[0]['parts']:,} tiny parts on four workers"
    return [
        (f"Dispatch of a part over the time of a score part, {text}", percent(share), ""),
        (f"Growth of the driver, {text}", f"{number(growth)} MiB", "flat"),
    ]
