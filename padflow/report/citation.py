"""What a paper that uses classes has to cite and to thank for, as text to paste."""

from __future__ import annotations

from collections.abc import Mapping

from padflow.instruments.origin import SIMULATED, is_simulated

METHOD = "Killey et al. 2023, doi:10.1093/rasti/rzad035"


def citation(said: Mapping[str, str], *, version: str) -> str:
    """Return what to cite and to thank for.

    Parameters
    ----------
    said : mapping of str to str
        What the source files say of their origin, by the names of `padflow.instruments.origin.NAMES`.
    version : str
        Version of padflow.
    """
    sentences = [f"Pitch-angle distributions were classified with padflow {version} (method after {METHOD})."]
    title = said.get("Logical_source_description") or said.get("TITLE")
    if is_simulated(said):
        sentences.append(f"The data are {SIMULATED}: they are no measurement.")
    elif title:
        sentences.append(f"The data are {title}{_details(said)}.")
    sentences += [said[name] for name in ("Acknowledgement", "Rules_of_use", "License") if said.get(name)]
    return " ".join(sentences)


def _details(said: Mapping[str, str]) -> str:
    """Return version, people and DOI of the data in brackets; empty where the files say none of them."""
    people = ", ".join(filter(None, (said.get("PI_name"), said.get("PI_affiliation"))))
    version, doi = said.get("Data_version"), said.get("DOI", "").rpartition("doi.org/")[2].removeprefix("doi:")
    parts = [f"version {version}" if version else "", f"PI {people}" if people else "", f"doi:{doi}" if doi else ""]
    words = "; ".join(filter(None, parts))
    return f" ({words})" if words else ""
