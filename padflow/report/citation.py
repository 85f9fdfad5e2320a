# SPDX-License-Identifier: BSD-3-Clause
"""What a paper that uses classes has to cite and to thank for, as text to paste."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from padflow.instruments.origin import SIMULATED, is_simulated

METHOD = "Killey et al. 2023, doi:10.1093/rasti/rzad035"


DATA_DOIS = {
    "rbspa_rel03_ect-rept-sci-l3": "10.48322/4x5t-th95",
    "rbspb_rel03_ect-rept-sci-l3": "10.48322/5t1q-9z75",
    "rbspa_rel04_ect-mageis-l3": "10.48322/09qz-tf17",
    "rbspb_rel04_ect-mageis-l3": "10.48322/6qrc-aq80",
    "rbspa_rel04_ect-hope-pa-l3": "10.48322/17p9-rf75",
    "rbspb_rel04_ect-hope-pa-l3": "10.48322/4671-8e02",
}
"""DOIs of data sets by the begin of their files' names, from the SPASE records of NASA's Space Physics Data Facility
(release of 2026-08-19), for files that do not say their own."""


def citation(origins: Iterable[tuple[Mapping[str, str], str]], *, version: str) -> str:
    """Return what to cite and to thank for.

    Parameters
    ----------
    origins : iterable of (mapping of str to str, str)
        For each spacecraft what its source files say of their origin, by the names of
        `padflow.instruments.origin.NAMES`, and a text that holds the name of one of these files.
    version : str
        Version of padflow.
    """
    sentences = [f"Pitch-angle distributions were classified with padflow {version} (method after {METHOD})."]
    for said, file in origins:
        title = said.get("Logical_source_description") or said.get("TITLE")
        if is_simulated(said):
            sentences.append(f"The data are {SIMULATED}: they are no measurement.")
        elif title:
            sentences.append(f"The data are {title.rstrip('. ')}{_details(said, file)}.")
        words = [said.get(name, "") for name in ("Acknowledgement", "Rules_of_use", "License")]
        sentences += [text if text.endswith((".", "!", "?")) else f"{text}." for text in words if text]
    return " ".join(dict.fromkeys(sentences))


def _details(said: Mapping[str, str], file: str) -> str:
    """Return version, people and DOI of the data in brackets; empty where none of them is known."""
    people = ", ".join(filter(None, (said.get("PI_name"), said.get("PI_affiliation"))))
    doi = said.get("DOI") or next((doi for name, doi in DATA_DOIS.items() if f"{name}_" in file.lower()), "")
    doi = doi.rpartition("doi.org/")[2].removeprefix("doi:")
    version = said.get("Data_version")
    parts = [f"version {version}" if version else "", f"PI {people}" if people else "", f"doi:{doi}" if doi else ""]
    words = "; ".join(filter(None, parts))
    return f" ({words})" if words else ""
