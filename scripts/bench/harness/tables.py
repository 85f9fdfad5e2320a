# SPDX-License-Identifier: BSD-3-Clause
"""From measurements to tables: ratios are taken within a repeat, medians over repeats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.markdown import Table, gib, number, percent, times
from harness.passes import FLOORS, PASSES
from harness.projection import Costs
from harness.results import median, select, values_of
from harness.startup import LIBRARIES, STARTS

Measurements = list[dict[str, Any]]
MILLION = 1_000_000
PROJECTED_RECORDS = 40 * MILLION
PROJECTED_WORKERS = (2, 8, 32, 128)


def pairs(first: Measurements, second: Measurements) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return measurements of the same repeat, where there are both."""
    by_repeat = {one["of"]["repeat"]: one for one in second}
    return [(one, by_repeat[one["of"]["repeat"]]) for one in first if one["of"]["repeat"] in by_repeat]


def ratio(first: Measurements, second: Measurements, of: Callable[[dict[str, Any]], float]) -> float:
    """Return the median over repeats of a figure of the first over that of the second."""
    return median([of(a) / of(b) for a, b in pairs(first, second)])


def seconds(one: dict[str, Any]) -> float:
    """Return a measurement's wall clock."""
    return one["seconds"]


def middle(measurements: Measurements, of: Callable[[dict[str, Any]], float]) -> float:
    """Return the median of a figure."""
    return median([of(one) for one in measurements])


def plans(measurements: Measurements, table: str) -> list[dict[str, Any]]:
    """Return the different labels, but for the repeat and what was measured, of a table's measurements."""
    found: list[dict[str, Any]] = []
    for one in select(measurements, table=table):
        labels = {key: value for key, value in one["of"].items() if key not in ("what", "repeat", "workers")}
        if labels not in found:
            found.append(labels)
    return sorted(found, key=lambda labels: labels.get("days", 0))


def reference(measurements: Measurements) -> list[Table]:
    """The plain restatement and paper mode."""
    table = Table(
        "The published method: plain restatement and padflow's paper mode",
        (
            "records, epochs",
            "restatement",
            "padflow",
            "faster",
            "GiB",
            "GiB padflow",
            "share",
            "ARI",
            "ARI padflow",
            "k",
        ),
        "Wall clock of the whole process, every start-up and import included; peak memory of all processes together; "
        "adjusted Rand index (ARI) against the simulated populations on the same rows, the restatement's test rows; "
        "k: classes of the restatement, of padflow, and populations.",
    )
    for labels in plans(measurements, "reference"):
        plain, ours, truth = (select(measurements, **labels, what=w) for w in ("reference", "padflow", "truth"))
        if not pairs(plain, ours):
            continue
        classes = (middle(plain, lambda one: one["classes"]), middle(ours, lambda one: one["model"]["classes"]))
        table.rows.append(
            (
                f"{plain[0]['records']:,}, {plain[0]['epochs']}",
                f"{number(middle(plain, seconds))} s",
                f"{number(middle(ours, seconds))} s",
                times(ratio(plain, ours, seconds)),
                gib(middle(plain, lambda one: one["all_bytes"])),
                gib(middle(ours, lambda one: one["all_bytes"])),
                percent(ratio(ours, plain, lambda one: one["all_bytes"])),
                number(middle(truth, lambda one: one["reference_ari"])),
                number(middle(truth, lambda one: one["padflow_ari"])),
                "/".join(number(k) for k in (*classes, middle(truth, lambda one: one["populations"]))),
            )
        )
    return [table]


def training(measurements: Measurements) -> list[Table]:
    """Training, Keras ``fit`` and the matrix products."""
    table = Table(
        "Training",
        ("", "rows/s", "of the products", "of Keras `fit`"),
        "Batch 256; products: nothing but the five float32 matrix products of a step, in the same threads.",
    )
    for one in select(measurements, table="training"):
        rates = one["rows_per_second"]
        for name, rate in rates.items():
            shown = name.replace("_", " ")
            share, factor = rate / rates["products"], rate / rates["keras_fit"]
            table.rows.append((shown, number(rate), percent(share), times(factor)))
        table.note += f" Products: {one['products_gflop_per_second']:.0f} GFLOP/s."
    return [table]


def floors(measurements: Measurements) -> list[Table]:
    """What reading, decoding and encoding alone take."""
    table = Table(
        "Floors",
        ("", "records/s, one process", "MB/s", "workers", "records/s a worker", "all workers"),
        "Bytes are those of the arrays in memory. Encoding is timed within the task, for its values are read first.",
    )
    for labels in plans(measurements, "floors"):
        for name in ("read", "decode", "decode by cdflib", "encode"):
            found = select(measurements, **labels, what=name)
            alone = [one for one in found if one["of"]["workers"] == 0]
            shared = [one for one in found if one["of"]["workers"]]
            if alone and shared:
                workers = shared[0]["of"]["workers"]
                table.rows.append(
                    (
                        f"{name}, {alone[0]['records']:,}",
                        number(middle(alone, lambda one: one["records"] / one["task_seconds"])),
                        number(middle(alone, lambda one: one["bytes"] / one["task_seconds"] / 1e6)),
                        str(workers),
                        number(middle(shared, lambda one: one["records"] / one["task_seconds"])),
                        "–"
                        if name == "encode"
                        else number(middle(shared, lambda one: one["records"] / one["seconds"])),
                    )
                )
    return [table]


def stages(measurements: Measurements) -> list[Table]:
    """Stages of whole runs, and passes against their floors."""
    tables = []
    for labels in plans(measurements, "stages"):
        runs = select(measurements, **labels, what="run")
        if runs:
            tables.append(_stage_table(runs))
        tables.append(_floor_table(measurements, labels))
    return tables


def _stage_table(runs: Measurements) -> Table:
    first = runs[0]
    table = Table(
        f"Stages: {first['records']:,} records, {first['workers']} workers, configuration {first['of']['config']}",
        ("stage", "s", "records/s", "MB/s", "GiB, largest process", "GiB, all"),
        "MB are those that a stage takes in: CDF files, or flux, features and scores in single precision. A record of "
        "training is a row seen in an epoch. End to end is wall clock, start-up and imports included.",
    )
    for name in first["stages"]:
        known = [run for run in runs if name in run["stages"]]
        took = median([run["stages"][name]["seconds"] for run in known])
        count = median([run["stages"][name]["records"] for run in known])
        taken = bytes_in(name, first)
        table.rows.append(
            (
                name,
                number(took),
                number(count / took) if took and name not in ("scan", "report") else "–",
                number(taken / took / 1e6) if taken and took else "–",
                gib(median([run["stages"][name]["largest_bytes"] for run in known])),
                gib(median([run["stages"][name]["all_bytes"] for run in known])),
            )
        )
    outside = [run["outside_stages"] for run in runs]
    table.rows.append(
        (
            "outside of them",
            number(median([facts["seconds"] for facts in outside])),
            *("–", "–"),
            *(gib(median([facts[key] for facts in outside])) for key in ("largest_bytes", "all_bytes")),
        )
    )
    whole = middle(runs, seconds)
    largest, together = (middle(runs, lambda run, key=key: run[key]) for key in ("largest_bytes", "all_bytes"))
    end = ("end to end", number(whole), number(first["records"] / whole), "–", gib(largest), gib(together))
    table.rows.append(end)
    return table


def bytes_in(stage: str, run: dict[str, Any]) -> int | None:
    """Return the bytes that a stage of a run takes in, or None where that says little."""
    if stage == "ingest":
        return run["cdf_bytes"]
    model = run["model"]
    values = {"train": model["features"]}
    values |= dict.fromkeys(("pca", "score", "summary"), model["flux_values"])
    values |= dict.fromkeys(("mean shift", "kmeans", "label"), model["components"])
    return run["stages"][stage]["records"] * values[stage] * 4 if stage in values else None


def _floor_table(measurements: Measurements, labels: dict[str, Any]) -> Table:
    found = {name: select(measurements, **labels, what=name) for name in (*FLOORS, *PASSES)}
    table = Table(
        "Passes and their floors, in turns on the same workers",
        ("pass", "s", "records/s", "floor", "s of the floor", "of the floor's speed"),
        "Ingest: decoding each file once plus encoding, summed over the workers, over the workers' time for ingest.",
    )
    for name in PASSES:
        floor = "decode + encode" if name == "ingest" else "read"
        if name == "ingest":
            bottom = [
                (d["task_seconds"] + e["task_seconds"]) / d["of"]["workers"]
                for d, e in pairs(found["decode"], found["encode"])
            ]
        else:
            bottom = [one["seconds"] for one in found["read"]]
        speed = middle(found[name], lambda one: one["records"] / one["seconds"])
        share = share_of_floor(found, name)
        table.rows.append(
            (name, number(middle(found[name], seconds)), number(speed), floor, number(median(bottom)), percent(share))
        )
    return table


def share_of_floor(found: dict[str, Measurements], name: str) -> float:
    """Return the speed of a pass over that of its floor, the median over repeats."""
    if name != "ingest":
        return ratio(found["read"], found[name], seconds)
    shares = []
    for decode, encode in pairs(found["decode"], found["encode"]):
        for ingest in (one for one in found["ingest"] if one["of"]["repeat"] == decode["of"]["repeat"]):
            floor = decode["task_seconds"] + encode["task_seconds"]
            shares.append(floor / (ingest["seconds"] * ingest["of"]["workers"]))
    return median(shares)


def workers(measurements: Measurements) -> list[Table]:
    """One worker and two."""
    table = Table(
        "One worker and two",
        ("pass, records", "s, one", "s, two", "faster"),
        "Encode reads parts and encodes them, and writes nothing: what a second worker is worth on this machine.",
    )
    for labels in plans(measurements, "workers"):
        for name in (*PASSES, "encode"):
            one, two = (select(measurements, **labels, what=name, workers=n) for n in (1, 2))
            if pairs(one, two):
                cells = (number(middle(one, seconds)), number(middle(two, seconds)), times(ratio(one, two, seconds)))
                table.rows.append((f"{name}, {one[0]['records']:,}", *cells))
    return [table]


def records(measurements: Measurements) -> list[Table]:
    """Archives of growing length."""
    runs = {labels["days"]: select(measurements, **labels) for labels in plans(measurements, "records")}
    runs = {days: found for days, found in runs.items() if found}
    if not runs:
        return [Table("Records", ("",))]
    base = base_of(runs)
    sizes = [f"{found[0]['records']:,}" for found in runs.values()]
    table = Table(
        "Time per record and memory against the length of the archive",
        ("microseconds a record", *sizes),
        f"In brackets: over that at {base[0]['records']:,} records, in the same repeat. Workers: the largest of them.",
    )
    names = [name for name in base[0]["stages"] if name in runs[max(runs)][0]["stages"]]
    for name in [*names, "end to end"]:
        cells = []
        for found in runs.values():
            value = middle(found, lambda run, name=name: per_record(run, name))
            relative = ratio(found, base, lambda run, name=name: per_record(run, name))
            cells.append(f"{number(1e6 * value)} ({number(relative)})")
        table.rows.append((name, *cells))
    memory = {
        "GiB, driver": "driver_bytes",
        "GiB, training": "trainer_bytes",
        "GiB, a worker": "worker_bytes",
        "GiB, all": "all_bytes",
    }
    for name, key in memory.items():
        cells = [gib(middle(found, lambda run, key=key: run[key])) for found in runs.values()]
        table.rows.append((name, *cells))
    return [table, _projected(measurements, runs[max(runs)])]


def base_of(runs: dict[int, Measurements]) -> Measurements:
    """Return the runs whose number of records is nearest to a million."""
    return min(runs.values(), key=lambda found: abs(found[0]["records"] - MILLION))


def per_record(run: dict[str, Any], stage: str) -> float:
    """Return a run's seconds a record, of one stage or end to end."""
    return (run["seconds"] if stage == "end to end" else run["stages"][stage]["seconds"]) / run["records"]


def _projected(measurements: Measurements, runs: Measurements) -> Table:
    table = Table(
        f"Projected for {PROJECTED_RECORDS:,} records, from the run of {runs[0]['records']:,}",
        ("workers", "minutes", "faster than 2"),
        "Fixed time + sum over passes of tasks x max(cost of a task / workers, cost of dispatch): see "
        "scripts/bench/README.md. Disks and networks are not in it.",
    )
    found = select(measurements, table="dispatch", what="receipts") or select(
        measurements, table="dispatch", what="each"
    )
    if not found:
        table.note += " Cost of dispatch not measured yet (`dispatch`)."
        return table
    cost = middle(found, lambda one: one["seconds"] / one["parts"])
    took = {
        number_of_workers: median([Costs.of_run(r, cost).seconds(PROJECTED_RECORDS, number_of_workers) for r in runs])
        for number_of_workers in PROJECTED_WORKERS
    }
    for number_of_workers, total in took.items():
        faster = times(took[PROJECTED_WORKERS[0]] / total)
        table.rows.append((str(number_of_workers), number(total / 60), faster))
    table.note += f" Cost of dispatch: {1e3 * cost:.2f} ms a part."
    return table


def dispatch(measurements: Measurements) -> list[Table]:
    """Tiny parts."""
    table = Table(
        "Dispatch: tiny parts on four workers",
        ("", "parts", "ms a part", "of a score part", "of a label part", "driver grows by MiB"),
        "Of a part: the time that a real part takes in one process. Receipts: with one for each part on disk, as every "
        "pass leaves them.",
    )
    real = {name: select(measurements, table="dispatch", what=name) for name in ("score", "label")}
    for what in ("each", "receipts"):
        found = select(measurements, table="dispatch", what=what)
        if found:
            shares = [ratio(found, real[name], lambda one: one["seconds"] / one["parts"]) for name in real]
            cells = (number(1e3 * middle(found, lambda one: one["seconds"] / one["parts"])), *map(percent, shares))
            growth = number(middle(found, lambda one: one["driver_growth_bytes"] / 2**20))
            table.rows.append((what, f"{found[0]['parts']:,}", *cells, growth))
    return [table]


def startup(measurements: Measurements) -> list[Table]:
    """Starts of commands."""
    found = {name: select(measurements, table="startup", what=name) for name in STARTS}
    table = Table(
        "Start-up",
        ("", "s", "of the libraries"),
        "From the start of the process to its end. Libraries: the first row. `padflow label demo` finds no file.",
    )
    for name in (name for name in STARTS if found[name]):
        share = percent(ratio(found[name], found[LIBRARIES], seconds))
        table.rows.append((f"`{name}`", number(middle(found[name], seconds)), share))
    return [table]


TABLES: dict[str, Callable[[Measurements], list[Table]]] = {
    "reference": reference,
    "training": training,
    "floors": floors,
    "stages": stages,
    "workers": workers,
    "records": records,
    "dispatch": dispatch,
    "startup": startup,
}


def tables_of(content: dict[str, Any]) -> list[Table]:
    """Return all tables for which a file has measurements, the main figures first."""
    from harness.main_table import main_figures

    measurements = content["measurements"]
    known = values_of(measurements, "table")
    tables = [table for name, make in TABLES.items() if name in known for table in make(measurements)]
    return [table for table in [main_figures(measurements), *tables] if table.rows]


def conditions(content: dict[str, Any]) -> str:
    """Return a sentence on the machine, the versions and the day."""
    about, dates = content["environment"], sorted(one["date"] for one in content["measurements"])
    versions = ", ".join(f"{name} {value}" for name, value in (about["versions"] | about["settings"]).items())
    repeats = max((one["of"]["repeat"] + 1 for one in content["measurements"] if "repeat" in one["of"]), default=0)
    when = dates[0][:10] if dates else "no measurements"
    return (
        f"{about['cpu']}, {about['cores']} cores, {about['memory_bytes'] / 2**30:.0f} GiB; {when}; "
        f"{f'medians of up to {repeats} repeats; ' if repeats else ''}{versions}; sources {about['padflow_sources']}."
    )
