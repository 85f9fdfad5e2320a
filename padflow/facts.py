# SPDX-License-Identifier: BSD-3-Clause
"""Show an object in a few lines: a title and facts, as text and as a table for notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from textwrap import wrap

from padflow.errors import printable_line

COLUMNS = 110
"""Longest line (chosen)."""


MOST_NAMES = 12
"""Most names that a fact lists (chosen)."""


def as_text(title: str, facts: Mapping[str, str]) -> str:
    """Return a title, and below it the facts, each beside its name."""
    width = max((len(name) for name in facts), default=0) + 4
    lines = [f"<{title}>"]
    for name, words in facts.items():
        lines += wrap(
            printable_line(words), COLUMNS, initial_indent=f"  {name:<{width - 2}}", subsequent_indent=" " * width
        )
    return "\n".join(lines)


def as_html(title: str, facts: Mapping[str, str]) -> str:
    """Return a title and a table of facts, as notebooks show them."""
    left = 'style="text-align: left"'
    rows = (
        f"<tr><th {left}>{escape(name)}</th><td {left}>{escape(printable_line(words))}</td></tr>"
        for name, words in facts.items()
    )
    return f"<b>{escape(title)}</b><table>{''.join(rows)}</table>"


def some_of(names: Sequence[str]) -> str:
    """Join the first of some names, and say how many more there are."""
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
