# SPDX-License-Identifier: BSD-3-Clause
"""How far a run is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from padflow.archive.catalog import Catalog
from padflow.errors import PadflowError
from padflow.instruments.origin import simulated_words
from padflow.pipeline.directory import RunDirectory, groups_of
from padflow.pipeline.lock import holder_of
from padflow.pipeline.receipts import PART_KINDS, parts_set_aside, receipts
from padflow.pipeline.stage_order import STAGES


def status(run_dir: str | Path) -> dict[str, Any]:
    """Return how far a run is.

    Returns
    -------
    dict
        ``at_work`` (host and process, None where nobody is) and its ``progress``, ``records``, ``simulated`` (in
        words; empty where no file says so), ``files`` by status,
        ``stages`` with parts done of all, ``fits`` that are there, whether the classes are ``separated`` populations
        and ``separated_because`` (None before they are fitted), ``report``, ``parts_set_aside``.

    Examples
    --------
    >>> import padflow
    >>> archive = padflow.simulate("cdf", days=2, records_per_day=1000)
    >>> config = padflow.load_config("recommended.yaml", ["archive.source=cdf", "cluster.workers=1"])
    >>> outcome = padflow.run(config, "march", until="ingest")
    >>> padflow.status("march")["stages"]["ingest"]
    {'parts_done': 1, 'parts': 1}
    >>> padflow.status("march")["fits"]["train"]
    False
    """
    directory = RunDirectory.at(run_dir)
    at_work = holder_of(directory)
    config = None if _at_first_scan(directory, at_work) else directory.config()
    catalog = directory.known_catalog() or (Catalog("", "", (), {}) if at_work else directory.catalog())
    groups = groups_of(config, catalog) if config else []
    parts = sum(-(-group.rows // group.rows_per_part) for group in groups)
    files: dict[str, int] = {}
    for entry in catalog.files:
        files[entry.status] = files.get(entry.status, 0) + 1
    return {
        "directory": str(directory),
        "at_work": at_work and {name: at_work.get(name) for name in ("host", "pid")},
        "progress": directory.progress() if at_work else None,
        "records": sum(group.rows for group in groups),
        "simulated": simulated_words(catalog.origin_of_files()),
        "files": files,
        "stages": {
            kind.stage: {"parts_done": sum(1 for _ in receipts(directory, kind)), "parts": parts} for kind in PART_KINDS
        },
        "fits": {stage.name: directory.fitted(stage.name) is not None for stage in STAGES if stage.kind == "fit"},
        **_separation(directory),
        "report": str(directory.page) if directory.page.is_file() else None,
        "parts_set_aside": [f"in {note.stage}: {note.part}: {note.message}" for note in parts_set_aside(directory)],
        "timings": directory.provenance().get("stages", {}),
    }


def refuse_first_scan(directory: RunDirectory) -> None:
    """Refuse to look for what a run that looks at its files for the first time cannot have made yet.

    Raises
    ------
    PadflowError
        Names the process at work.
    """
    at_work = holder_of(directory)
    if at_work and _at_first_scan(directory, at_work):
        raise PadflowError(
            f"{directory}: the run has just begun (process {at_work.get('pid')} on {at_work.get('host')} looks at the "
            f"CDF files) and has written nothing yet. `padflow status {directory}` says how far it is."
        )


def _at_first_scan(directory: RunDirectory, at_work: dict[str, Any] | None) -> bool:
    """Whether a run has written no configuration yet: until the first scan ends, one that is refused leaves nothing."""
    return bool(at_work) and not directory.config_file.is_file()


def _separation(directory: RunDirectory) -> dict[str, Any]:
    fit = directory.fitted("classes")
    return {name: fit.info.get(name) if fit else None for name in ("separated", "separated_because")}
