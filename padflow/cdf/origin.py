# SPDX-License-Identifier: BSD-3-Clause
"""Read the global attributes of a CDF file that say where it comes from, as text of bounded size."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from padflow.cdf.internal_records import ADR, AGREDR, MAGIC
from padflow.cdf.layout import _Walker
from padflow.cdf.values import TEXT_TYPES, TYPE_BYTES, ByteOrder, attribute_value
from padflow.errors import BadFile
from padflow.instruments.origin import NAMES

_GLOBAL_SCOPE = 1


MAX_CHARACTERS = 1000
"""Most characters of an attribute (chosen)."""


MAX_CHARACTERS_OF_ALL = 4000


MAX_ENTRIES = 20
"""Most entries of an attribute, such as lines of a text or names of people (chosen)."""


_KNOWN = {name.lower(): name for name in NAMES} | {"acknowledgment": "Acknowledgement"}


def origin_of(path: Path) -> dict[str, str]:
    """Read those attributes of a file that `padflow.instruments.origin.NAMES` lists.

    Parameters
    ----------
    path : Path
        File without whole-file compression.

    Returns
    -------
    dict of str to str
        Each is one line of printable characters, cut to `MAX_CHARACTERS`. A damaged attribute is left out, with all
        that follow it, for no record depends on them.
    """
    found: dict[str, str] = {}
    try:
        with path.open("rb") as file:
            walker = _Walker(path, file, path.stat().st_size, MAGIC[file.read(4)])
            for name, entries in _global_attributes(walker):
                if name not in found:
                    found[name] = "; ".join(filter(None, map(_one_line, entries)))
    except (BadFile, KeyError, ValueError, struct.error):
        pass
    return _cut({name: found[name] for name in NAMES if found.get(name)})


def _global_attributes(walker: _Walker) -> Iterator[tuple[str, Iterator[str]]]:
    """Yield name and entries of each attribute that is kept, in the order of the file."""
    header = walker.global_header()
    offset = header.first_attribute
    for _ in range(header.attributes):
        offset, first, scope, _, count, *_, stored, _ = walker.record(offset, f"ooiiiiioiii{walker.name_bytes}s", ADR)[
            2:
        ]
        name = _KNOWN.get(walker.name(stored).strip().lower())
        if name and scope == _GLOBAL_SCOPE:
            yield name, _entries(walker, first, min(count, MAX_ENTRIES), header.byte_order)


def _entries(walker: _Walker, offset: int, count: int, byte_order: ByteOrder) -> Iterator[str]:
    for _ in range(count):
        _, _, offset, _, data_type, _, elements, *_ = walker.record(offset, "oiiiiiiiii", AGREDR)
        if data_type in TYPE_BYTES and elements > 0:
            yield _text(walker.file, data_type, elements, byte_order)


def _text(file: BinaryIO, data_type: int, elements: int, byte_order: ByteOrder) -> str:
    """Return a value as text. `file` is at its beginning. No more is read than is kept."""
    if data_type in TEXT_TYPES:
        stored = file.read(min(elements, 4 * MAX_CHARACTERS))  # up to four bytes a character in UTF-8
        return stored.decode("utf-8", errors="replace").partition("\0")[0].replace("\\N ", " ")
    stored = file.read(TYPE_BYTES[data_type])
    return str(attribute_value(data_type, 1, stored, byte_order=byte_order))


def _one_line(text: str) -> str:
    return "".join(character for character in " ".join(text.split()) if character.isprintable())


def _cut(attributes: dict[str, str]) -> dict[str, str]:
    """Shorten attributes that are too long, and leave out those after too many characters."""
    kept, left = {}, MAX_CHARACTERS_OF_ALL
    for name, text in attributes.items():
        room = min(MAX_CHARACTERS, left)
        if room > 1:
            kept[name] = text if len(text) <= room else text[: room - 1] + "…"
            left -= len(kept[name])
    return kept
