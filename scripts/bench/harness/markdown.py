# SPDX-License-Identifier: BSD-3-Clause
"""Tables as Markdown that also reads well in a terminal."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass
class Table:
    """A title, a note and rows of cells below a header."""

    title: str
    header: tuple[str, ...]
    note: str = ""
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def markdown(self) -> str:
        """Return the table with its columns aligned; the first to the left, the others to the right."""
        lines = [self.header, *self.rows]
        widths = [max(3, *(len(line[column]) for line in lines)) for column in range(len(self.header))]

        def row(cells: tuple[str, ...]) -> str:
            first = cells[0].ljust(widths[0])
            return "| " + " | ".join([first, *(c.rjust(w) for c, w in zip(cells[1:], widths[1:], strict=True))]) + " |"

        rule = "|" + "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])]) + "|"
        text = "\n".join([row(self.header), rule, *map(row, self.rows)])
        return f"### {self.title}\n\n{text}\n" + (f"\n{self.note}\n" if self.note else "")


def number(value: float, digits: int = 3) -> str:
    """Return a number with so many significant digits, with commas, or a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{places}f}"


def gib(value: float) -> str:
    """Return bytes as GiB."""
    return number(value / 2**30)


def times(value: float) -> str:
    """Return a ratio."""
    return "–" if not math.isfinite(value) else f"{number(value)} x"


def percent(value: float) -> str:
    """Return a share."""
    return "–" if not math.isfinite(value) else f"{100 * value:.0f} %"
