# SPDX-License-Identifier: BSD-3-Clause
"""Several files of one day: all are read where they follow one another, and one of them where their times overlap."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from padflow.archive.catalog import FileEntry

STRAY_NS = 300 * 10**9
"""Records at most this far beyond midnight, or within the next piece of a day, are strays (chosen).

Records that are further away are an error.
"""


def without_overlaps(entries: list[FileEntry]) -> list[FileEntry]:
    """Keep one of the files of a day where their times overlap.

    The newer version is used, and the older is superseded. Where the versions are the same, the larger file is used,
    for the smaller may be an interrupted download. Where the sizes are the same too, it is the first by path. The other
    file is set aside, and the user has to decide: padflow cannot know which of them is right.

    Returns
    -------
    list of FileEntry
        In the same order.
    """
    by_day: dict[tuple[str, str], list[FileEntry]] = defaultdict(list)
    for entry in entries:
        if entry.status == "used" and entry.rows:
            by_day[entry.spacecraft, entry.day].append(entry)
    fates: dict[str, FileEntry] = {}
    for same_day in by_day.values():
        taken: list[FileEntry] = []
        by_size = sorted(same_day, key=lambda entry: (-entry.size_bytes, entry.path))
        for entry in sorted(by_size, key=lambda entry: _numbers(entry.version), reverse=True):
            rival = next((other for other in taken if _overlap(entry, other)), None)
            if rival is None:
                taken.append(entry)
            else:
                fates[entry.path] = _given_way(entry, rival)
    return [fates.get(entry.path, entry) for entry in entries]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split(".") if number)


def _overlap(one: FileEntry, other: FileEntry) -> bool:
    """Return whether the times of two files overlap by more than strays at the end of the first."""
    first, second = sorted((entry.edge_ns[0], entry.edge_ns[-1]) for entry in (one, other))
    shared = first[1] - second[0]
    shorter = min(first[1] - first[0], second[1] - second[0])
    return shared > min(STRAY_NS, shorter // 2)


def _given_way(entry: FileEntry, rival: FileEntry) -> FileEntry:
    if _numbers(entry.version) < _numbers(rival.version):
        newer = f"{rival.version} in {rival.path}, whose times overlap its own"
        return entry.superseded(f"version {entry.version or '(none)'} is older than {newer}")
    return entry.set_aside(
        "overlap",
        f"{entry.path}: its times ({_span(entry)}) overlap those of {rival.path} ({_span(rival)}), which is of the "
        "same day and version and is read instead. Keep the one that is right",
    )


def _span(entry: FileEntry) -> str:
    first, last = (np.datetime_as_string(np.datetime64(entry.edge_ns[place], "ns"), "s") for place in (0, -1))
    return f"{first} to {last}"
