# SPDX-License-Identifier: BSD-3-Clause
"""Simulated archives: made once, kept in a folder, and used from their first day as far as needed."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

SEED = 5
PADFLOW = [sys.executable, "-c", "from padflow.cli.main import main; main()"]


@dataclass(frozen=True)
class Archive:
    """The first days of a simulated archive of one spacecraft without troubles.

    Parameters
    ----------
    folder : Path
    first : date
    days : int
    """

    folder: Path
    first: date
    days: int

    @property
    def settings(self) -> list[str]:
        """The settings that make these days the archive of a run."""
        last = self.first + timedelta(self.days - 1)
        return [f"archive.source={self.folder}", f"archive.start={self.first}", f"archive.end={last}"]

    @property
    def files(self) -> list[Path]:
        """The CDF files of these days, in order."""
        return sorted(self.folder.rglob("*.cdf"), key=lambda path: path.name)[: self.days]


def archive_of(data: Path, days: int) -> Archive:
    """Return an archive of some days: the smallest in the folder that is long enough, or one simulated now.

    A simulated day derives from the seed and its date alone, so the first days of a long archive are those of a
    short one.
    """
    data = data.absolute()
    found = [(facts["days"], path.parent, facts) for path, facts in _simulations(data) if facts["days"] >= days]
    if not found:
        folder = data / f"d{days}"
        print(f"simulating {days} days, about a second each on one core, in {folder}", file=sys.stderr, flush=True)
        subprocess.run([*PADFLOW, "simulate", str(folder), "--days", str(days), "--seed", str(SEED)], check=True)
        return archive_of(data, days)
    _, folder, facts = min(found, key=lambda one: (one[0], one[1]))
    return Archive(folder, date.fromisoformat(facts["start"]), days)


def _simulations(data: Path) -> list[tuple[Path, dict[str, Any]]]:
    found = []
    for path in sorted(data.glob("*/simulation.json")):
        content = json.loads(path.read_text())
        facts = content["parameters"]
        usual = facts["spacecraft"] == ["rbspa"] and facts.get("family", {}).get("name") == "separated"
        usable = usual and facts["seed"] == SEED and not any(facts["troubles"].values())
        if content["complete"] and usable:
            found.append((path, facts))
    return found
