# SPDX-License-Identifier: BSD-3-Clause
"""Measure padflow, and print tables: see README.md in this folder.

python scripts/bench/run.py all --json bench.json --data bench-data
python scripts/bench/run.py table bench.json
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Where it is set, every process compiles anew all that it imports, which takes seconds; scripts/setup.sh unsets it too.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

from harness.measuring import Measuring
from harness.results import Results
from harness.tables import TABLES, conditions, tables_of

DAYS = {
    "reference": [13, 52],  # 100,000 and 400,000 records
    "floors": [52],
    "stages": [52],
    "workers": [129],  # a million
    "records": [39, 129, 387, 1270],  # 0.3, 1, 3 and 10 million
    "dispatch": [52],
}
REPEATS = {
    "reference": 3,
    "training": 9,
    "floors": 5,
    "stages": 3,
    "workers": 3,
    "records": 1,
    "dispatch": 3,
    "startup": 9,
}


def main() -> None:
    options = _options()
    # Else what was started would go on without the harness.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    if options.what == "table":
        content = json.loads(options.file.read_text())
        _show(content)
        return
    results = Results(options.json)
    measuring = Measuring(
        results, data=options.data, work=options.work or options.data / "work", workers=options.workers,
        settings=tuple(options.set),
    )  # fmt: skip
    for name in TABLES if options.what == "all" else [options.what]:
        try:
            _measure(measuring, name, options)
        except Exception:
            # The other tables can still be had.
            traceback.print_exc()
            results.failed.append(name)
    _show(results.content)
    if results.failed:
        sys.exit(f"failed: {'; '.join(results.failed)}. The same command measures what is missing.")


def _measure(measuring: Measuring, name: str, options: argparse.Namespace) -> None:
    repeats = options.repeats or REPEATS[name]
    days = options.days or DAYS.get(name, [])
    measure: dict[str, Callable[[], None]] = {
        "reference": lambda: measuring.reference(days, repeats=repeats, epochs=options.epochs),
        "training": lambda: measuring.training(repeats=repeats, rows=options.rows),
        "floors": lambda: measuring.floors(days[-1], repeats=repeats),
        "stages": lambda: measuring.stages(days[-1], repeats=repeats),
        "workers": lambda: measuring.scale_workers(days[-1], repeats=repeats),
        "records": lambda: measuring.scale_records(days, repeats=repeats),
        "dispatch": lambda: measuring.dispatch(days[-1], repeats=repeats, parts=options.parts),
        "startup": lambda: measuring.startup(repeats=repeats),
    }
    measure[name]()


def _show(content: dict) -> None:
    print("\n".join([table.markdown() for table in tables_of(content)] + [conditions(content)]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="what", required=True)
    for name in [*TABLES, "all"]:
        command = commands.add_parser(name, help=f"measure {name}")
        command.add_argument("--json", type=Path, help="file of measurements, written to and gone on with")
        command.add_argument("--data", type=Path, default=Path("bench-data"), help="folder of simulated archives")
        command.add_argument("--work", type=Path, help="folder of run directories; DATA/work by default")
        command.add_argument(
            "--days", type=int, nargs="+", help=f"lengths of archives; by default {DAYS.get(name, DAYS)}"
        )
        command.add_argument("--repeats", type=int, help=f"by default {REPEATS.get(name, REPEATS)}")
        command.add_argument("--workers", type=int, default=2)
        command.add_argument("--epochs", type=int, default=200, help="of `reference`")
        command.add_argument("--rows", type=int, default=204_800, help="of an epoch of `training`")
        command.add_argument("--parts", type=int, default=20_000, help="of `dispatch`")
        command.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for every padflow run")
    command = commands.add_parser("table", help="print the tables of a file of measurements as Markdown")
    command.add_argument("file", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
