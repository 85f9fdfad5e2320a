# SPDX-License-Identifier: BSD-3-Clause
"""How well classes and names are the truth of simulated archives, family by family, beside three baselines.

    python scripts/bench/quality.py run separated continuum --days 24 --json quality.json
    python scripts/bench/quality.py table quality.json

Families are those of ``harness/cases.py``. Every fit is written to the file as soon as it is made, and its labels to a
folder beside the file. The same command, given again, goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from functools import cached_property, partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

import padflow
from harness.cases import NAMES, Case
from harness.modes import WITHOUT_SEED, fit_or_one_class, mean_pads, modes, names_of_means
from harness.quality_tables import tables
from harness.results import Results
from harness.scoring import Labels, agreement, labels_of, score, score_names
from harness.tables import conditions
from harness.truth import AT, ENERGIES_MEV, MANY, KnownArchive, channels, prepare
from padflow.errors import PadflowError

CONFIGS = Path(__file__).parents[2] / "configs"
RECOMMENDED, PAPER = CONFIGS / "recommended.yaml", CONFIGS / "killey2023.yaml"
MODES = tuple(modes(padflow.load_config(RECOMMENDED), padflow.load_config(PAPER), populations=0))


class Judged:
    """What is measured of one archive, in a file of measurements."""

    def __init__(self, case: Case, results: Results, options: argparse.Namespace):
        self.case, self.results, self.options = case, results, options
        self.recommended = padflow.load_config(RECOMMENDED, options.set)
        self.paper = padflow.load_config(PAPER, options.set_paper)

    @cached_property
    def archive(self) -> KnownArchive:
        """The archive and its truth: read only where a measurement is missing."""
        return prepare(self.case, self.options.data, self.recommended, RECOMMENDED)

    def measure(self) -> None:
        """Measure what is missing."""
        self.results.measure(self._of("archive"), self._describe)
        for mode in self.options.only or MODES:
            fits = [(seed, "all") for seed in self.options.seeds]
            halves = self.options.seeds[: self.options.halves]
            if mode in WITHOUT_SEED:
                fits, halves = fits[:1], []
            fits += [(seed, days) for seed in halves for days in ("even", "odd")]
            for seed, days in fits:
                fitting = partial(self._fit, mode, seed, days)
                self.results.measure(self._of("fit", mode=mode, seed=seed, days=days), fitting)
            for what, label, pair in pairs([seed for seed, days in fits if days == "all"], halves):
                comparing = partial(self._compare, mode, pair)
                self.results.measure(self._of(what, mode=mode, seed=label), comparing)

    def _of(self, what: str, **more: Any) -> dict[str, Any]:
        settings = self.options.set_paper if more.get("mode") == "paper" else self.options.set
        common = {"table": "quality", "family": self.case.family, "archive": self.case.name, "what": what}
        return common | {"settings": " ".join(settings)} | more

    def _describe(self) -> dict[str, Any]:
        archive = self.archive
        judged = archive.selected & (archive.counts[:, AT] > MANY)
        made = mean_pads(archive.records, self.recommended)
        by_means = np.stack([names_of_means(made, energy) for energy in ENERGIES_MEV], axis=1)
        measured = padflow.measure_shapes(archive.records)
        shapes = measured["shape"].values[:, channels(measured)]
        return {
            "records": len(archive.reason),
            "selected": int(archive.selected.sum()),
            "populations": archive.populations,
            "commonest_name": float(np.bincount(archive.names[judged, AT]).max() / judged.sum()),
            "names": {
                "two-minute means": score_names(by_means, archive),
                "measure_shapes": score_names(shapes, archive),
            },
        }

    def _fit(self, mode: str, seed: int, days: str) -> dict[str, Any]:
        archive, began = self.archive, time.perf_counter()
        fitting = modes(self.recommended, self.paper, populations=archive.populations)[mode]
        config = self.paper if mode == "paper" else self.recommended
        fitted = fit_or_one_class(fitting, archive.of_days(days), seed=seed, config=config)
        seconds = time.perf_counter() - began
        labels = labels_of(fitted, archive)
        labels.save(self._labels_file(mode, seed, days))
        facts = {"seconds": seconds, "separated": fitted.info.get("separated")} | score(labels, archive)
        facts |= {"names": score_names(labels.shape, archive)} if labels.shape is not None else {}
        facts |= {"error": fitted.info["error"]} if "error" in fitted.info else {}
        print(json.dumps(facts), file=sys.stderr, flush=True)
        return facts

    def _compare(self, mode: str, pair: list[tuple[int, str]]) -> dict[str, Any]:
        return agreement(*(Labels.load(self._labels_file(mode, *one)) for one in pair))

    def _labels_file(self, mode: str, seed: int, days: str) -> Path:
        words = (self.case.name, mode, str(seed), days, *self._of("fit", mode=mode)["settings"].split())
        name = "_".join("".join(c if c.isalnum() or c in ".=-" else "-" for c in word) for word in words)
        return self.options.json.absolute().with_suffix(".labels") / f"{name}.npz"


def pairs(seeds: list[int], halves: list[int]) -> Iterator[tuple[str, str, list[tuple[int, str]]]]:
    """Yield the pairs of fits to compare: what they are, a label, and the seed and days of both."""
    for one, other in combinations(seeds, 2):
        yield "seeds", f"{one} and {other}", [(one, "all"), (other, "all")]
    for seed in halves:
        yield "halves", str(seed), [(seed, "even"), (seed, "odd")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="what", required=True)
    command = commands.add_parser("run", help="fit all modes to archives of some families")
    families = f"of {', '.join(NAMES)}; all but drawn by default"
    command.add_argument("families", nargs="*", metavar="FAMILY", default=list(NAMES[:-1]), type=known, help=families)
    command.add_argument("--json", type=Path, required=True, help="file of measurements, written to and gone on with")
    command.add_argument("--data", type=Path, default=Path("bench-data/quality"), help="folder of simulated archives")
    command.add_argument("--days", type=int, default=24, help="length of each archive (%(default)s)")
    command.add_argument("--archives", type=int, nargs="+", default=[1], metavar="SEED", help="seeds of archives (1)")
    command.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="seeds of fits (1 2 3)")
    command.add_argument(
        "--halves", type=int, help="with so many of the seeds, fit to halves of the days; all if absent"
    )
    command.add_argument("--only", action="append", choices=MODES, help="this mode alone; may be repeated")
    command.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for the recommended mode")
    command.add_argument("--set-paper", action="append", default=[], metavar="KEY=VALUE", help="for paper mode")
    command = commands.add_parser("table", help="print the tables of a file of measurements as Markdown")
    command.add_argument("file", type=Path)
    options = parser.parse_args()
    if options.what == "table":
        content = json.loads(options.file.read_text())
    else:
        results = Results(options.json)
        measure(results, options)
        content = results.content
    print("\n".join([table.markdown() for table in tables(content["measurements"])] + [conditions(content)]))


def measure(results: Results, options: argparse.Namespace) -> None:
    """Measure all archives that are asked for; those whose truth is not there are refused first."""
    cases = [Case(family, seed, options.days) for family in options.families for seed in options.archives]
    for case in cases:
        try:
            case.seasons()
        except PadflowError as error:
            sys.exit(str(error))
    for case in cases:
        Judged(case, results, options).measure()
    if results.failed:
        sys.exit(f"failed: {'; '.join(results.failed)}")


def known(family: str) -> str:
    """Return a family that there is."""
    if family not in NAMES:
        raise argparse.ArgumentTypeError(f"there is no family {family!r}; there are {', '.join(NAMES)}")
    return family


if __name__ == "__main__":
    main()
