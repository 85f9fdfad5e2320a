"""How far a run is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from padflow.archive.catalog import Catalog
from padflow.instruments.origin import simulated_words
from padflow.pipeline.directory import CATALOG, FIT, _catalog, _groups, run_config
from padflow.pipeline.events import FILE
from padflow.pipeline.lock import holder_of
from padflow.pipeline.receipts import parts_set_aside, receipts
from padflow.pipeline.verify import FITS, PART_STAGES
from padflow.store.durable import read_json


def status_of(directory: Path) -> dict[str, Any]:
    """Return how far a run is.

    Returns
    -------
    dict
        ``at_work`` (host and process, None where nobody is) and its ``progress``, ``records``, ``simulated`` (in
        words; empty where no file says so), ``files`` by status,
        ``stages`` with parts done of all, ``fits`` that are there, ``report``, ``parts_set_aside``.
    """
    at_work = holder_of(directory)
    # While the first scan goes on there is neither configuration nor catalogue: a run that is refused leaves nothing.
    begun = not at_work or (directory / "config.yaml").is_file()
    config = run_config(directory) if begun else None
    catalog = Catalog.load(directory / CATALOG) or (Catalog("", "", (), {}) if at_work else _catalog(directory))
    groups = _groups(config, catalog) if config else []
    parts = sum(-(-group.rows // group.rows_per_part) for group in groups)
    files: dict[str, int] = {}
    for entry in catalog.files:
        files[entry.status] = files.get(entry.status, 0) + 1
    report = directory / "report" / "index.html"
    return {
        "directory": str(directory),
        "at_work": at_work and {name: at_work.get(name) for name in ("host", "pid")},
        "progress": read_json(directory / FILE) if at_work else None,
        "records": sum(group.rows for group in groups),
        "simulated": simulated_words(catalog.origin_of_files()),
        "files": files,
        "stages": {
            stage: {"parts_done": sum(1 for _ in receipts(directory, stage)), "parts": parts} for stage in PART_STAGES
        },
        "fits": {name: read_json(directory / FIT / f"{name}.json") is not None for name in FITS},
        "report": str(report) if report.is_file() else None,
        "parts_set_aside": [f"in {stage}: {part}: {why}" for stage, part, why in parts_set_aside(directory)],
        "timings": (read_json(directory / "run.json") or {}).get("stages", {}),
    }
