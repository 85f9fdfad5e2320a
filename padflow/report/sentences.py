# SPDX-License-Identifier: BSD-3-Clause
"""The first paragraph of the report and of the explorer: what a run found, how sure it is, and what was left out."""

from __future__ import annotations

from collections import Counter
from typing import Any

from padflow.instruments.origin import SIMULATED
from padflow.report.tables import Run
from padflow.report.words import join, plural, share

SPACECRAFT_NAMES = {
    "rbspa": "Van Allen Probe A",
    "rbspb": "Van Allen Probe B",
    "ela": "ELFIN A",
    "elb": "ELFIN B",
}


def instrument_name(model: dict[str, Any]) -> str:
    """Return the instrument's title, or else its name, whether the model gives the name alone or a description."""
    instrument = model["instrument"]
    return str(model.get("title") or (instrument.get("name", "") if isinstance(instrument, dict) else instrument))


def separation_sentences(run: Run) -> list[str]:
    """Say whether the classes are separated populations; nothing of a model that does not know."""
    separated, because = run.model.get("separated"), run.model.get("separated_because")
    if separated is None:
        return []
    if separated:
        return [f"They are {len(run.classes)} separated classes: {because}."]
    if run.model.get("assign") == "nearest_shape":
        sentences = [f"These are not separated classes: {because}."]
        if (agreement := run.model.get("agreement_of_halves")) is not None and len(run.classes) > 1:
            sentences.append(
                f"Classes made of either half of the archive agree at {agreement:.2f} (adjusted Rand index: 1 is the "
                "same, 0 is chance)."
            )
        return sentences
    return [f"Not all of them are separated classes: {because}. Borders between such classes are conventions."]


def summary_sentences(run: Run) -> list[str]:
    """Say in words what the run found, for readers who read one paragraph only."""
    n_all = run.n_labelled + run.n_unlabelled
    names = [SPACECRAFT_NAMES.get(name, name) for name in run.spacecraft]
    days = sorted(str(entry["day"]) for entry in run.files if entry["status"] == "used" and entry.get("day"))
    when = f", {days[0]} to {days[-1]}" if days else ""
    shapes = Counter(row.shape or "without a named shape" for row in run.classes)
    kinds = join([f"{number} {shape}" for shape, number in shapes.most_common()])
    what = f"{join(names)} ({instrument_name(run.model)}){when}"
    first = f"{plural(n_all, 'record')} of {what}."
    if run.simulated:
        first = f"{SIMULATED} data, {run.simulated}: {plural(n_all, 'record')} made to look like those of {what}."
    elif words := run.model.get("simulated"):
        first += f" Their classes are those of a model that was fitted to {SIMULATED} data, {words}."
    sentences = [
        first,
        f"{plural(run.n_labelled, 'record')} ({share(run.n_labelled / n_all if n_all else 0)}) were sorted "
        f"into {plural(len(run.classes), 'class', 'classes')} of pitch-angle distributions: "
        f"{kinds or 'none'}.",
        *separation_sentences(run),
    ]
    if run.n_unlabelled:
        reason, counts = next(iter(run.unlabelled.items()))
        sentences.append(
            f"{plural(run.n_unlabelled, 'record')} ({share(run.n_unlabelled / n_all)}) have no class, most "
            f"often because: {reason} ({sum(counts.values()):,})."
        )
    else:
        sentences.append("Every record has a class.")
    status = Counter(entry["status"] for entry in run.files)
    sentences.append(f"{plural(status['used'], 'file')} were used." if status["used"] != 1 else "1 file was used.")
    aside = status["set_aside"]
    if aside:
        sentences.append(
            f"{plural(aside, 'file')} {'was' if aside == 1 else 'were'} set aside as unusable, listed below."
        )
    else:
        sentences.append("No file was set aside.")
    return sentences
