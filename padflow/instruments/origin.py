# SPDX-License-Identifier: BSD-3-Clause
"""What files say about their origin: who made them, from what, under which rules, and whether they are simulated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

NAMES = (
    "TITLE",
    "Logical_source",
    "Logical_source_description",
    "Source_name",
    "Descriptor",
    "Data_type",
    "Data_version",
    "Mission_group",
    "Project",
    "PI_name",
    "PI_affiliation",
    "Generated_by",
    "Acknowledgement",
    "Rules_of_use",
    "License",
    "DOI",
)
"""Global attributes of a CDF file that are kept, as ISTP spells them."""


PREFIX = "cdf_"
"""Prefix of these attributes in archives, results and exports, where there are also attributes of CF."""


SIMULATED = "SIMULATED"


NO_MEASUREMENT = "no measurement"
"""Value of the attribute `SIMULATED`, and of the column with that name in tables."""


_SAY_WHAT_IT_IS = ("TITLE", "Logical_source", "Logical_source_description", "Source_name", "Descriptor", "Data_type")


def is_simulated(attributes: Mapping[str, str]) -> bool:
    """Return whether the titles and names in a file say SIMULATED; rules and acknowledgements do not count."""
    return any(re.search(r"\bsimulated\b", attributes.get(name, ""), re.IGNORECASE) for name in _SAY_WHAT_IT_IS)


def simulated_words(files: Iterable[Mapping[str, str]]) -> str:
    """Return in words that data are simulated, and how many of the files say so; empty where none does."""
    said = [is_simulated(attributes) for attributes in files]
    if not any(said):
        return ""
    return NO_MEASUREMENT if all(said) else f"{NO_MEASUREMENT} in {sum(said):,} of {len(said):,} files"


def common_attributes(files: Sequence[Mapping[str, str]]) -> tuple[dict[str, str], dict[str, int]]:
    """Return the attributes of the first file, and how many of the others differ, by attribute."""
    first = dict(files[0]) if files else {}
    names = {name: None for attributes in files for name in attributes}
    differ = {name: sum(attributes.get(name) != first.get(name) for attributes in files) for name in names}
    return first, {name: number for name, number in differ.items() if number}


def differing_words(differ: Mapping[str, int], files: int) -> str:
    """Return in words which attributes differ, and in how many files."""
    return "; ".join(f"{name} in {number:,} of {files:,} files" for name, number in differ.items())


def group_attributes(files: Sequence[Mapping[str, str]], *, title: str) -> dict[str, str]:
    """Return the attributes by which a group of an archive or of results describes its CDF files.

    Returns
    -------
    dict of str to str
        ``title``; ``SIMULATED`` where files say so; the first file's attributes with `PREFIX`; and
        ``cdf_attributes_that_differ``.
    """
    first, differ = common_attributes(files)
    simulated = simulated_words(files)
    attributes = {"title": f"{SIMULATED}: {title}", SIMULATED: simulated} if simulated else {"title": title}
    attributes |= {f"{PREFIX}{name}": value for name, value in first.items()}
    if differ:
        attributes[f"{PREFIX}attributes_that_differ"] = differing_words(differ, len(files))
    return attributes
