# SPDX-License-Identifier: BSD-3-Clause
"""Make the texts that commands print."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from padflow.archive.changes import DayRange, in_words
from padflow.errors import printable_line
from padflow.indices.table import minutes, storm_rows
from padflow.instruments.origin import SIMULATED, simulated_words
from padflow.pipeline.receipts import Labelled, parts_set_aside, receipts
from padflow.progress.lines import describe
from padflow.report.words import plural

if TYPE_CHECKING:
    import xarray as xr

    from padflow.pipeline.directory import RunDirectory
    from padflow.pipeline.driver import Outcome
    from padflow.pipeline.plan import Plan


def plan_facts(plan: Plan) -> dict[str, Any]:
    """Return the needs of a run, and its changes in the archive, as plain values."""
    return asdict(plan.budget) | {
        "groups": plan.rows,
        "memory_limit": plan.config.cluster.memory_limit,
        "changes": asdict(plan.changes()),
    }


def plan_text(facts: dict[str, Any]) -> str:
    """Return as text what a run will need and change."""

    def size(name: str) -> str:
        return f"{facts[name] / 2**30:.2f} GiB"

    groups = ", ".join(f"{rows:,} of {name}" for name, rows in facts["groups"].items())
    return "\n".join(
        [
            f"files     {facts['files']:,}",
            f"records   {facts['records']:,} ({groups})",
            f"parts     {facts['parts']:,}, in all {facts['tasks']:,} tasks",
            f"disk      at most {size('archive_bytes')} archive and {size('results_bytes')} results, "
            "before compression",
            f"memory    {size('worker_bytes')} of {size('memory_limit')} in each worker, "
            f"{size('driver_bytes')} in the driver",
            *_change_lines(facts["changes"]),
        ]
    )


def _change_lines(changes: dict[str, Any]) -> Iterator[str]:
    parts = changes["parts"]
    for name in ("added", "removed"):
        days = in_words([DayRange(**one) for one in changes[name]["days"]])
        yield f"{name:<9} {changes[name]['records']:,} records{f': {days}' if days else ''}"
    rewritten = f"{parts['rewritten']:,} rewritten ({changes['rewritten_records']:,} records)"
    rest = f"{parts['removed']:,} removed, {parts['unchanged']:,} unchanged"
    yield f"changes   parts: {parts['new']:,} new, {rewritten}, {rest}"


def status_text(facts: dict[str, Any]) -> str:
    """Return as text how far a run is (`padflow.pipeline.status.status`)."""
    lines = []
    if who := facts["at_work"]:
        progress = facts["progress"]
        doing = f": {progress['stage']}, {describe(progress)}" if progress else ""
        lines.append(f"at work   process {who['pid']} on {who['host']}{doing}")
    files = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sorted(facts["files"].items()))
    if words := facts["simulated"]:
        lines.append(f"data      {SIMULATED}: {words}")
    lines += [f"records   {facts['records']:,}", f"files     {files}"]
    lines += [f"{stage:<9} {p['parts_done']} of {p['parts']} parts" for stage, p in facts["stages"].items()]
    lines += [f"{name:<9} {'fitted' if there else 'not yet'}" for name, there in facts["fits"].items()]
    if facts["separated"] is not None:
        words = "separated" if facts["separated"] else "not separated"
        lines.append(f"classes   {words}: {facts['separated_because']}")
    lines.append(f"report    {facts['report'] or 'not yet'}")
    lines += [f"set aside {line}" for line in facts["parts_set_aside"]]
    return "\n".join(lines)


def outcome_text(outcome: Outcome) -> str:
    """Return as text the classes of a run, the records without a class, and the path of the report."""
    directory = outcome.plan.directory
    sizes = _class_sizes(directory)
    classes = directory.model_facts()["classes"]
    width = max(len(pad_class["name"]) for pad_class in classes)
    lines = [*simulated_lines(outcome.plan), f"class  {'name':<{width}} {'records':>10}   share"]
    for pad_class in classes:
        records = sizes[pad_class["pad_class"]]
        share = records / max(1, outcome.labelled)
        here = f"  looks {pad_class['looks']} here" if pad_class["looks"] != pad_class["shape"] else ""
        name = pad_class["name"].replace("_", " ")
        lines.append(f"{pad_class['pad_class']:>5}  {name:<{width}} {records:>10,}  {share:>6.1%}{here}")
    left_out = outcome.records - outcome.labelled
    reasons = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in outcome.reasons.items())
    total = sum(stage["seconds"] for stage in directory.provenance()["stages"].values())
    lines += [
        f"{outcome.labelled:,} of {outcome.records:,} records labelled; {left_out:,} left out ({reasons or 'none'})",
        f"report: {directory.page} (stages took {total:.0f} s)",
    ]
    return "\n".join(lines)


def next_steps(directory: RunDirectory, own: Path | None) -> list[str]:
    """Return lines which say what to do after the demonstration; ``own`` is the folder of one's own files, if given."""
    here = "padflow" if shutil.which("padflow") else shlex.quote(str(Path(sys.executable).with_name("padflow")))
    source = shlex.quote(str(own)) if own else "FOLDER"
    return [
        "Open the report in a browser. Then:",
        f"  {here} status {shlex.quote(str(directory))}    says whether the classes are separated",
        f"  {here} init my.yaml --source {source}    writes a configuration for the files in {source}",
    ]


def simulated_lines(plan: Plan) -> list[str]:
    """Return a line which says that the data are simulated, or no line."""
    words = simulated_words(plan.catalog.origin_of_files())
    return [f"{SIMULATED}: {words}"] if words else []


def _class_sizes(directory: RunDirectory) -> list[int]:
    parts = [receipt.sizes for _, _, receipt in receipts(directory, Labelled)]
    return [sum(column) for column in zip(*parts, strict=True)]


def set_aside_lines(plan: Plan) -> Iterator[str]:
    """Yield a line for each file, and each part, that a run has set aside."""
    for entry in plan.catalog.set_aside():
        yield printable_line(f"set aside ({entry.reason}): {entry.message}")
    for note in parts_set_aside(plan.directory):
        yield printable_line(f"set aside in {note.stage}: {note.part}: {note.message}; the next run tries it again")


def storms_text(storms: xr.Dataset) -> str:
    """Return a list of storms (`padflow.find_storms`) in columns, below a line that says where they were found."""
    begins, ends = (minutes(storms[name].values) for name in ("covered_start", "covered_end"))
    gaps = f", with {plural(len(begins) - 1, 'gap')} of more than 3 h" if len(begins) > 1 else ""
    source = f"{storms.attrs['index']} of {storms.attrs['source']}"
    lines = [printable_line(f"{plural(storms.sizes['storm'], 'storm')} in {source}, {begins[0]} to {ends[-1]}{gaps}")]
    if storms.sizes["storm"]:
        columns = list(zip(*storm_rows(storms), strict=True))
        padded = [[cell.ljust(max(map(len, column))) for cell in column] for column in columns]
        lines += ["  ".join(row).rstrip() for row in zip(*padded, strict=True)]
    return "\n".join(lines)
