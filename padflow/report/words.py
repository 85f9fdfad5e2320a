# SPDX-License-Identifier: BSD-3-Clause
"""Numbers, sizes and lists in words."""

from __future__ import annotations


def plural(number: int, one: str, many: str | None = None) -> str:
    """Write a number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def join(words: list[str]) -> str:
    """Write a list as English does."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def count(value: float | None) -> str:
    """Write a whole number with thousands apart; a dash for none."""
    return "–" if value is None else f"{value:,.0f}"


def share(value: float) -> str:
    """Write a share of one as a percentage that neither rounds a little to nothing nor almost all to all."""
    if 0 < value < 0.001:
        return "<0.1\u00a0%"
    return ">99.9\u00a0%" if 0.9995 <= value < 1 else f"{100 * value:.1f}\u00a0%"


def size(value: float | None) -> str:
    """Write bytes in binary units."""
    if value is None:
        return "–"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def duration(seconds: float | None) -> str:
    """Write seconds as people say them."""
    if seconds is None:
        return "–"
    if seconds < 90:
        return f"{seconds:.3g} s"
    minutes = seconds / 60
    return f"{minutes:.1f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


REASONS = {
    "outside_time": "outside the period",
    "l_missing": "L is missing",
    "outside_l": "outside the range of L",
    "few_channels": "too few bins have a value",
    "low_flux": "too little flux",
    "low_counts": "too few counts",
    "empty": "no count at all",
    "set_aside": "set aside: workers died of its part",
    "unclear_shape": "the shape has no name",
    "not_processed": "not processed yet",
}
"""Why a record has no class, in words, by the names of `padflow.records.Reason`."""


def reason_in_words(name: str) -> str:
    """Write a reason as people say it."""
    return REASONS.get(name, name.replace("_", " "))
