# SPDX-License-Identifier: BSD-3-Clause
"""What a run left in its directory, read once, and the tables of its report."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from padflow.errors import CannotRead, PadflowError, printable_line
from padflow.instruments.origin import SIMULATED, simulated_words
from padflow.report.words import reason_in_words
from padflow.store.durable import read_bytes
from padflow.store.run_files import CATALOG, CONFIG, MODEL, MODEL_FACTS, PROVENANCE, SUMMARY, SUPERPOSED

FORMULA_SIGNS = tuple("=+-@＝＋－＠")
"""What makes a cell a formula at its beginning; the last four are what East Asian keyboards write."""


# Keys without which the report would be silently poorer; everything else is optional.
REQUIRED_KEYS = {
    PROVENANCE: ("padflow", "created", "stages"),
    CATALOG: ("files",),
    f"{MODEL}/{MODEL_FACTS}": ("instrument", "classes"),
}


Table = tuple[list[str], Sequence[Sequence[Any]]]
"""Header and rows."""


@dataclass(frozen=True)
class ClassRow:
    """One class: its number in ``results.zarr``, its size and its shape.

    Parameters
    ----------
    pad_class : int
        Number of the class, as in ``results.zarr``.
    name : str
        Name of the class, such as ``"pancake_steep"``.
    shape : str
        Shape at the lowest energy that has one, such as ``"pancake"``.
    shapes : tuple of str
        The same at each energy.
    records : int
        Records of all spacecraft in the class.
    share : float
        ``records`` over all labelled records, 0 to 1.
    per_spacecraft : dict of str to int
        Records of each spacecraft.
    """

    pad_class: int
    name: str
    shape: str
    shapes: tuple[str, ...]
    records: int
    share: float
    per_spacecraft: dict[str, int]

    @property
    def label(self) -> str:
        """Class number and name, as figures and tables write it."""
        return f"{self.pad_class} {self.name.replace('_', ' ')}".strip()


@dataclass(frozen=True)
class Run:
    """The files of a run directory that the report is made from."""

    directory: Path
    config_text: str
    provenance: dict[str, Any]
    files: list[dict[str, Any]]
    model: dict[str, Any]
    summary: xr.Dataset
    classes: tuple[ClassRow, ...]
    unlabelled: dict[str, dict[str, int]]
    origins: dict[str, dict[str, str]]
    """What files say of their origin, by the name that `files` give."""
    superposed: xr.Dataset | None = None
    """What `padflow.superpose` found, where `padflow report` was given events."""

    def origin_of_files(self, spacecraft: str | None = None) -> list[dict[str, str]]:
        """Return what each used file, of one spacecraft or of all, says of its origin."""
        return [
            self.origins.get(entry.get("origin", ""), {})
            for entry in self.files
            if entry["status"] == "used" and spacecraft in (None, entry["spacecraft"])
        ]

    @property
    def simulated(self) -> str:
        """That the data are simulated, in words; empty where no file says so."""
        return simulated_words(self.origin_of_files())

    @property
    def spacecraft(self) -> list[str]:
        """Names of the spacecraft that have records."""
        return [str(name) for name in self.summary["spacecraft"].values]

    @property
    def n_labelled(self) -> int:
        """Records that have a class."""
        return sum(row.records for row in self.classes)

    @property
    def n_unlabelled(self) -> int:
        """Records that have a reason instead of a class."""
        return sum(sum(counts.values()) for counts in self.unlabelled.values())


def read_run(directory: Path) -> Run:
    """Read what the report needs from a run directory.

    Parameters
    ----------
    directory : Path
        The run directory; nothing outside it is read.

    Returns
    -------
    Run

    Raises
    ------
    PadflowError
        If a file is missing or unreadable; the text names the file and the command that makes it.
    """
    model = _read_json(directory, f"{MODEL}/{MODEL_FACTS}")
    summary = _read_dataset(directory, SUMMARY, needs="records")
    catalog = _read_json(directory, CATALOG)
    return Run(
        directory=directory,
        config_text=read_bytes(_existing(directory, CONFIG)).decode(),
        provenance=_read_json(directory, PROVENANCE),
        files=catalog["files"],
        model=model,
        summary=summary,
        classes=_class_rows(model, summary),
        unlabelled=_unlabelled(summary),
        origins=catalog.get("origins", {}),
        superposed=_read_dataset(directory, SUPERPOSED, needs="events") if (directory / SUPERPOSED).is_file() else None,
    )


def tables(run: Run) -> dict[str, str]:
    """Return the CSV text of every table of the report by file name."""
    made = {
        "classes.csv": _classes_table(run),
        "pads.csv": _pads_table(run.summary),
        "files.csv": _files_table(run.files),
        "stages.csv": _stages_table(run.provenance["stages"]),
        "history.csv": _history_table(history(run.model)),
    }
    return {name: csv_text(run, table) for name, table in made.items()}


def csv_text(run: Run, table: Table) -> str:
    """Return a table of a run as CSV; a column says where the data are simulated."""
    return _csv(_marked(table, words=run.simulated))


def _marked(table: Table, *, words: str) -> Table:
    """Add a column that says that the data are simulated, where they are."""
    header, rows = table
    return ([*header, SIMULATED], [[*row, words] for row in rows]) if words else table


def history(model: dict[str, Any]) -> dict[str, list[float]]:
    """Return the training history by name, empty where nothing was trained."""
    return dict((model.get("training") or {}).get("history") or {})


def _existing(directory: Path, name: str) -> Path:
    path = directory / name
    if not path.is_file():
        raise PadflowError(
            f"{path} is missing: the report is made from a finished run. Make it with `padflow run CONFIG` "
            "(which resumes where it stopped), then repeat `padflow report`."
        )
    return path


def _read_json(directory: Path, name: str) -> dict[str, Any]:
    path = _existing(directory, name)
    try:
        content = json.loads(read_bytes(path).decode())
    except ValueError as error:
        raise _unreadable(path, error) from error
    missing = [key for key in REQUIRED_KEYS[name] if not isinstance(content, dict) or key not in content]
    if missing:
        raise _unreadable(path, f"no key {', '.join(missing)}")
    return content


def _read_dataset(directory: Path, name: str, *, needs: str) -> xr.Dataset:
    path = _existing(directory, name)
    try:
        # From memory: HDF5 locks the files that it opens, which some file systems refuse.
        with xr.open_dataset(io.BytesIO(read_bytes(path)), engine="h5netcdf") as dataset:
            found = dataset.load()
    except CannotRead:
        raise
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    if needs not in found:
        raise _unreadable(path, f"no variable {needs}")
    return found


def _unreadable(path: Path, why: object) -> PadflowError:
    return PadflowError(
        f"{path} cannot be used ({why}): it was cut short or changed by hand. "
        "Remove it and make it again with `padflow run CONFIG`."
    )


def _class_rows(model: dict[str, Any], summary: xr.Dataset) -> tuple[ClassRow, ...]:
    described = {int(entry["pad_class"]): entry for entry in model["classes"]}
    records = summary["records"].transpose("spacecraft", "pad_class")
    n_labelled = int(records.sum())
    rows = []
    for pad_class in summary["pad_class"].values.tolist():
        counts = records.sel(pad_class=pad_class).values.astype(int)
        entry = described.get(int(pad_class), {})
        rows.append(
            ClassRow(
                pad_class=int(pad_class),
                name=str(entry.get("name") or ""),
                shape=str(entry.get("shape") or ""),
                shapes=tuple(str(shape) for shape in entry.get("shapes") or ()),
                records=int(counts.sum()),
                share=float(counts.sum() / n_labelled) if n_labelled else 0.0,
                per_spacecraft=dict(zip(map(str, summary["spacecraft"].values), counts.tolist(), strict=True)),
            )
        )
    return tuple(rows)


def _unlabelled(summary: xr.Dataset) -> dict[str, dict[str, int]]:
    """Return counts by reason and spacecraft, for the reasons that occurred, most frequent first."""
    if "unlabelled" not in summary:
        return {}
    counts = summary["unlabelled"].transpose("reason", "spacecraft")
    meanings = _meanings(counts)
    rows = {
        meaning: dict(zip(map(str, counts["spacecraft"].values), row.astype(int).tolist(), strict=True))
        for meaning, row in zip(meanings, counts.values, strict=True)
        if row.sum() > 0
    }
    return dict(sorted(rows.items(), key=lambda item: -sum(item[1].values())))


def _meanings(counts: xr.DataArray) -> list[str]:
    """Name each reason by the CF attributes ``flag_values`` and ``flag_meanings``, or by its number."""
    names = str(counts.attrs.get("flag_meanings", "")).split()
    reasons = counts["reason"].values
    values = counts.attrs.get("flag_values")
    values = reasons[: len(names)] if values is None else np.atleast_1d(values)
    named = dict(zip(values.tolist(), names, strict=False))
    return [reason_in_words(str(named.get(reason, reason))) for reason in reasons.tolist()]


def _classes_table(run: Run) -> Table:
    energies = run.summary["energy"].values.tolist() if "energy" in run.summary.coords else []
    header = ["pad_class", "name", "records", "share", *(f"records_{name}" for name in run.spacecraft)]
    header += [f"shape_at_{energy:.6g}_MeV" for energy in energies]
    rows = []
    for row in run.classes:
        shapes = [*row.shapes, *[""] * len(energies)][: len(energies)]
        rows.append([row.pad_class, row.name, row.records, row.share, *row.per_spacecraft.values(), *shapes])
    return header, rows


def _pads_table(summary: xr.Dataset) -> Table:
    header = ["pad_class", "energy_MeV", "pitch_angle_deg", "mean", "mean_error", "q25", "q50", "q75", "flux_mean"]
    if "pad_mean" not in summary:
        return header, []
    order = ("pad_class", "energy", "pitch_angle")
    mean = summary["pad_mean"].transpose(*order)
    missing = xr.full_like(mean, np.nan)
    columns = [mean, summary["pad_error"].transpose(*order) if "pad_error" in summary else missing]
    for quantile in (0.25, 0.5, 0.75):
        found = summary.get("pad_quantile")
        columns.append(missing if found is None else found.sel(quantile=quantile).transpose(*order))
    flux = summary.get("flux_mean")
    columns.append(missing if flux is None else flux.transpose(*order))
    stacked = [column.values.ravel() for column in columns]
    axes = np.meshgrid(*(summary[name].values for name in order), indexing="ij")
    return header, list(zip(*(axis.ravel() for axis in axes), *stacked, strict=True))


def _files_table(files: list[dict[str, Any]]) -> Table:
    header = ["path", "spacecraft", "day", "version", "size_bytes", "records", "rows", "status", "reason"]
    header += ["message", "notes"]
    rows = []
    for entry in files:
        notes = "; ".join(f"{name}: {count}" for name, count in (entry.get("notes") or {}).items())
        rows.append([*(entry.get(name) for name in header[:-1]), notes])
    return header, rows


def _stages_table(stages: dict[str, dict[str, Any]]) -> Table:
    header = ["stage", "seconds", "records", "records_per_second", "peak_memory_bytes"]
    rows = []
    for name, stage in stages.items():
        seconds, records = stage.get("seconds"), stage.get("records")
        rows.append([name, seconds, records, records_per_second(stage), stage.get("peak_memory_bytes")])
    return header, rows


def records_per_second(stage: dict[str, Any]) -> float | None:
    """Return the speed of a stage, None where it has no time or no records."""
    seconds, records = stage.get("seconds"), stage.get("records")
    return records / seconds if seconds and records else None


def _history_table(curves: dict[str, list[float]]) -> Table:
    n_epochs = max((len(values) for values in curves.values()), default=0)
    padded = [[*values, *[None] * (n_epochs - len(values))] for values in curves.values()]
    return ["epoch", *curves], [[i + 1, *(values[i] for values in padded)] for i in range(n_epochs)]


def notes_in_words(files: list[dict[str, Any]]) -> dict[str, int]:
    """Sum the notes of the files that were used: what was mended or left out inside good files."""
    total: Counter[str] = Counter()
    for entry in files:
        if entry["status"] == "used":
            total.update(entry.get("notes") or {})
    return {name.replace("_", " "): count for name, count in total.most_common()}


def _csv(table: Table) -> str:
    header, rows = table
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerows([_cell(value) for value in row] for row in (header, *rows))
    return stream.getvalue()


def _cell(value: Any) -> Any:
    """Return a number as the shortest text that reads back as the same, missing as empty, and text as mere text."""
    if value is None or (isinstance(value, (float, np.floating)) and not np.isfinite(value)):
        return ""
    if isinstance(value, (bool, int, float)):
        return value
    return str(value) if isinstance(value, (np.bool_, np.number)) else _text_cell(str(value))


def _text_cell(text: str) -> str:
    """Return text that no spreadsheet takes for a formula, which could run programs."""
    line = printable_line(text)
    return f"'{line}" if line.lstrip()[:1] in FORMULA_SIGNS else line
