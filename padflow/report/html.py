# SPDX-License-Identifier: BSD-3-Clause
"""The report of a run: a self-contained page, figures for a paper, tables; all from the files of the run."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from padflow.config.local_paths import local_path
from padflow.errors import printable
from padflow.instruments.origin import common_attributes, differing_words
from padflow.report.citation import citation
from padflow.report.figures.contents import FIGURES, draw
from padflow.report.known import known_results, known_table
from padflow.report.sentences import instrument_name, summary_sentences
from padflow.report.tables import Run, csv_text, notes_in_words, read_run, records_per_second, tables
from padflow.report.words import count, duration, share, size
from padflow.shapes.names import CRITERIA
from padflow.store.durable import write_bytes
from padflow.store.paths import refuse_links
from padflow.store.run_files import FIGURES_FOLDER, PAGE, REPORT, TABLES_FOLDER

FILES_ON_PAGE_MAX = 200  # files set aside that the page names; all are in tables/files.csv


METRIC_NAMES = {"calinski_harabasz": "Calinski-Harabasz", "davies_bouldin": "Davies-Bouldin"}


def write_report(run_dir: Path, *, apply: Callable[[Callable, Iterable], Iterable] = map) -> Path:
    """Write ``report/`` of a run directory: ``index.html``, ``figures/*.png`` and ``tables/*.csv``.

    Only files of the run directory are read. The same run gives the same bytes; each file appears only when
    whole, and the page last, after all it was made from.

    Parameters
    ----------
    run_dir : Path
        A finished run directory.
    apply : callable
        ``map`` or its like, to draw figures on workers.

    Returns
    -------
    Path
        The page, ``run_dir/report/index.html``.

    Raises
    ------
    PadflowError
        If a file of the run is missing or unreadable; the text names it and the command that makes it. If
        something in the run directory is a symbolic link.
    """
    run = read_run(local_path(run_dir, "run_dir"))
    refuse_links(run.directory)
    report = run.directory / REPORT
    figures, left_out = _write_figures(run.directory, apply)
    known = {"known_results.csv": csv_text(run, known_table(run))}
    for name, text in (tables(run) | known).items():
        write_bytes(report / TABLES_FOLDER / name, text.encode())
    page = report / PAGE
    write_bytes(page, _render(_context(run, figures, left_out)).encode())
    return page


def _write_figures(run_dir: Path, apply: Callable[[Callable, Iterable], Iterable]) -> tuple[list[dict], list[str]]:
    """Draw the figures; return what the page says of each, and why others are left out."""
    changed = max(path.stat().st_mtime_ns for path in run_dir.iterdir() if path.is_file())
    drawn = list(apply(partial(_write_figure, run_dir, changed), FIGURES))
    return [facts for facts in drawn if isinstance(facts, dict)], [why for why in drawn if isinstance(why, str)]


def _write_figure(run_dir: Path, changed: int, name: str) -> dict[str, Any] | str:
    """Draw one figure; return what the page says of it, or why it is left out."""
    from padflow.report.figures.style import NothingToDraw, default_settings, png

    path = run_dir / REPORT / FIGURES_FOLDER / f"{name}.png"
    try:
        with default_settings():
            drawing = draw(name, _run_to_draw(run_dir, changed))
            content = png(drawing.figure)
    except NothingToDraw as why:
        path.unlink(missing_ok=True)  # of an earlier report of the same run
        return str(why)
    write_bytes(path, content)
    return {
        "name": name,
        "title": drawing.title,
        "caption": drawing.caption,
        "alt": drawing.alt,
        "source": "data:image/png;base64," + base64.b64encode(content).decode("ascii"),
        "width": round(drawing.figure.get_figwidth() * 96),
        "height": round(drawing.figure.get_figheight() * 96),
    }


@lru_cache(maxsize=1)
def _run_to_draw(run_dir: Path, changed: int) -> Run:
    """Return the run, read once for all figures that one process draws, until it changes."""
    return read_run(run_dir)


def _render(context: dict[str, Any]) -> str:
    environment = Environment(
        autoescape=True, finalize=_legible, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(count=count, share=share, size=size, duration=duration)
    template = resources.files(__package__).joinpath("template.html.j2").read_text(encoding="utf-8")
    return environment.from_string(template).render(context)


def _legible(value: Any) -> Any:
    """Escape control characters and bytes that are not UTF-8, which names of files may hold."""
    return printable(value) if type(value) is str else value


def _context(run: Run, figures: list[dict[str, Any]], left_out: list[str]) -> dict[str, Any]:
    provenance = run.provenance
    set_aside = [entry for entry in run.files if entry["status"] == "set_aside"]
    status = Counter(entry["status"] for entry in run.files)
    origins = [_origin(run, name) for name in run.spacecraft]
    return {
        "instrument": instrument_name(run.model),
        "summary": summary_sentences(run),
        "simulated": run.simulated,
        "origins": origins,
        "citation": citation([(origin["first"], origin["file"]) for origin in origins], version=provenance["padflow"]),
        "run": run,
        "classes": run.classes,
        "criteria": {
            name: criterion
            for name, criterion in CRITERIA.items()
            if any(name in (row.shape, *row.shapes) for row in run.classes)
        },
        "n_all": run.n_labelled + run.n_unlabelled,
        "unlabelled": {reason: sum(counts.values()) for reason, counts in run.unlabelled.items()},
        "metrics": {METRIC_NAMES.get(name, name): value for name, value in (run.model.get("metrics") or {}).items()},
        "method": str(run.model.get("method") or ""),
        "assign": run.model.get("assign"),
        "known": known_results(run),
        "figures": figures,
        "left_out": left_out,
        "status": status,
        "set_aside": set_aside[:FILES_ON_PAGE_MAX],
        "n_set_aside": len(set_aside),
        "notes": notes_in_words(run.files),
        "stages": [
            {"name": name, "per_second": records_per_second(stage), **stage}
            for name, stage in provenance["stages"].items()
        ],
        "provenance": provenance,
        "config_text": run.config_text,
    }


def _origin(run: Run, spacecraft: str) -> dict[str, Any]:
    """Return what the files of a spacecraft say of their origin: of the first file, and which differ from it."""
    files = run.origin_of_files(spacecraft)
    first, differ = common_attributes(files)
    used = (file["path"] for file in run.files if file["status"] == "used" and file["spacecraft"] == spacecraft)
    words = differing_words(differ, len(files))
    return {"spacecraft": spacecraft, "first": first, "differ": words, "file": next(used, "")}
