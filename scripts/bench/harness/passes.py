# SPDX-License-Identifier: BSD-3-Clause
"""Passes over the parts of a finished run, and the floors below them, through the same part driver."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cdflib
import zarr

from padflow.archive.catalog import Catalog
from padflow.archive.ingest import IngestPart
from padflow.archive.plan import PartSpan, plan_groups
from padflow.cdf.layout import read_layout
from padflow.cdf.values import read_values
from padflow.components.fit import pairs_share
from padflow.compute.cluster import connect
from padflow.compute.workers import SerialWorkers, Workers
from padflow.config.reading import load_config
from padflow.config.sections import Config
from padflow.instruments.instrument import Instrument, load_instrument
from padflow.pipeline.directory import RunDirectory
from padflow.pipeline.parts import PartTask, run_parts
from padflow.pipeline.passes import LabelPart, MomentsPart, ScorePart
from padflow.pipeline.receipts import Coded, Ingested, Labelled, Receipt, Scored
from padflow.pipeline.stages.archive import Ingest, IngestTask
from padflow.store.reading import ArchiveReader
from padflow.store.run_files import ARCHIVE
from padflow.store.specs import archive_specs
from padflow.store.writing import encode_part

KINDS: dict[str, type[Receipt]] = {"ingest": Ingested, "pca": Coded, "score": Scored, "label": Labelled}
"""What each pass leaves."""


SCRATCH = "bench-scratch"
"""Folder of a run directory for what passes leave behind; removed after each."""


@dataclass(frozen=True)
class ReadFlux:
    """Reads a part's flux from Zarr and does nothing with it."""

    store: str

    def __call__(self, task: PartTask) -> tuple[int, float]:
        began = time.perf_counter()
        flux = zarr.open_group(self.store, path=task.group, mode="r", use_consolidated=False)["flux"]
        return flux[task.start : task.stop].nbytes, time.perf_counter() - began


@dataclass(frozen=True)
class DecodeFiles:
    """Decodes what ingest needs of the files whose days begin in a part, each once, and does nothing with it.

    Parameters
    ----------
    source : str
        Folder of the CDF files.
    instrument : Instrument
    with_cdflib : bool
        By cdflib's ``varget``; otherwise by padflow's own reader of plain values.
    """

    source: str
    instrument: Instrument
    with_cdflib: bool = False

    def __call__(self, span: PartSpan) -> tuple[int, float]:
        began = time.perf_counter()
        read = self._by_cdflib if self.with_cdflib else self._by_padflow
        files = [Path(self.source) / day.sources[0].path for day, first, _ in span.pieces if first == 0]
        return sum(read(path, span.group) for path in files), time.perf_counter() - began

    def _names(self, spacecraft: str) -> list[str]:
        own = self.instrument
        return [n.replace("{spacecraft}", spacecraft) for n in (own.time, own.flux, *own.ephemeris.values())]

    def _by_cdflib(self, path: Path, spacecraft: str) -> int:
        cdf = cdflib.CDF(path)
        return sum(cdf.varget(name).nbytes for name in self._names(spacecraft))

    def _by_padflow(self, path: Path, spacecraft: str) -> int:
        names = self._names(spacecraft)
        layout = read_layout(path, names, shown=path)
        return sum(read_values(path, layout, layout.variables[name.lower()]).nbytes for name in names)


@dataclass(frozen=True)
class EncodePart:
    """Encodes the arrays of a part of an archive, and does nothing with the bytes; only the encoding is timed."""

    store: str
    ephemeris: tuple[str, ...]
    rows_per_part: int

    def __call__(self, task: PartTask) -> tuple[int, float]:
        group = zarr.open_group(self.store, path=task.group, mode="r", use_consolidated=False)
        specs = archive_specs(*group["flux"].shape[1:], ephemeris=self.ephemeris)
        values = {spec.name: group[spec.name][task.start : task.stop] for spec in specs}
        began = time.perf_counter()
        for spec in specs:
            encode_part(spec, values[spec.name], rows_per_part=self.rows_per_part)
        return sum(array.nbytes for array in values.values()), time.perf_counter() - began


@dataclass(frozen=True)
class FinishedRun:
    """The parts of a finished run, to go over again."""

    directory: Path

    @cached_property
    def config(self) -> Config:
        """Its configuration."""
        return load_config(self.directory / "config.yaml")

    @cached_property
    def instrument(self) -> Instrument:
        """Its instrument."""
        return load_instrument(self.config.archive.instrument)

    @cached_property
    def spans(self) -> list[PartSpan]:
        """The parts as ingest is given them."""
        archive = self.config.archive
        groups = plan_groups(
            Catalog.load(self.directory / "catalog.json"),
            rows_per_part=archive.rows_per_part,
            start=archive.start,
            end=archive.end,
        )
        return [span for group in groups for span in group.parts()]

    @cached_property
    def tasks(self) -> list[PartTask]:
        """The parts as the other passes are given them."""
        return [PartTask(span.group, span.index, span.start, span.stop, "bench") for span in self.spans]

    @property
    def rows(self) -> int:
        """Number of records."""
        return sum(span.stop - span.start for span in self.spans)

    def timed(self, name: str, workers: Workers, *, parts: int | None = None) -> dict[str, float]:
        """Do a pass or a floor over the first `parts` parts (or all); return what it took.

        Returns
        -------
        dict
            ``seconds`` of wall clock, without the start of the workers; ``records``, ``parts``; for floors
            ``task_seconds``, the sum over parts of what was timed within them, and ``bytes`` before encoding
            or after decoding.
        """
        tasks, spans = self.tasks[:parts], self.spans[:parts]
        scratch = self.directory / SCRATCH
        records = sum(task.stop - task.start for task in tasks)
        floors = self._floors()
        try:
            if name in floors:
                items = spans if name.startswith("decode") else tasks
                began = time.perf_counter()
                results = [result for _, result in workers.each(floors[name], items)]
                facts = {"bytes": sum(r[0] for r in results), "task_seconds": sum(r[1] for r in results)}
            else:
                if name == "ingest":
                    tasks = [
                        IngestTask(t.group, t.index, t.start, t.stop, t.key, span=span)
                        for t, span in zip(tasks, spans, strict=True)
                    ]
                began = time.perf_counter()
                for _ in run_parts(
                    RunDirectory(scratch), KINDS[name], tasks=tasks, function=self._pass(name, scratch), workers=workers
                ):
                    pass
                facts = {}
            return {"seconds": time.perf_counter() - began, "records": records, "parts": len(tasks)} | facts
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            shutil.rmtree(RunDirectory(self.directory).fit_folder / "moments", ignore_errors=True)

    def _floors(self) -> dict[str, Callable[[Any], tuple[int, float]]]:
        archive = self.config.archive
        store, ephemeris = str(self.directory / ARCHIVE), tuple(self.instrument.ephemeris)
        return {
            "read": ReadFlux(store),
            "decode": DecodeFiles(str(archive.source), self.instrument),
            "decode by cdflib": DecodeFiles(str(archive.source), self.instrument, with_cdflib=True),
            "encode": EncodePart(store, ephemeris, archive.rows_per_part),
        }

    def _pass(self, name: str, scratch: Path) -> Callable[[Any], Any]:
        config = self.config
        if name == "ingest":
            axes = ArchiveReader(self.directory / ARCHIVE, self.tasks[0].group).axes
            write = IngestPart(
                source=str(config.archive.source),
                instrument=self.instrument,
                store=str(scratch / ARCHIVE),
                shape=(len(axes.pitch_angle), len(axes.energy)),
                rows_per_part=config.archive.rows_per_part,
            )
            return Ingest(write)
        # Results are written over by the same bytes.
        kind = {"pca": MomentsPart, "score": ScorePart, "label": LabelPart}[name]
        rows = sum(span.stop - span.start for span in self.spans)
        more = {"pairs_share": pairs_share(config, rows)} if name == "pca" else {}
        return kind.of(RunDirectory(self.directory), config, **more)


PASSES = ("ingest", "pca", "score", "label")
FLOORS = ("read", "decode", "encode")


@contextmanager
def warm_workers(run: FinishedRun, numbers: list[int], names: tuple[str, ...]) -> Iterator[dict[int, Workers]]:
    """Start a class for each number of workers (0 is this process alone), and let all do a few parts."""
    with ExitStack() as stack:
        classes: dict[int, Workers] = {}
        for number in numbers:
            section = run.config.cluster.model_copy(update={"workers": number})
            classes[number] = stack.enter_context(connect(section)) if number else SerialWorkers()
            for name in names:
                run.timed(name, classes[number], parts=2 * max(1, number))
        yield classes
