"""What says who made padflow, which version it is and how to cite it agrees in all files that say so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import padflow

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture
def citation() -> dict:
    return yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())


@pytest.fixture
def project() -> dict:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


def test_the_citation_is_of_this_version_and_of_what_is_packaged(citation: dict, project: dict) -> None:
    assert citation["version"] == padflow.__version__
    assert citation["license"] == project["license"]
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in project["authors"]]
    assert citation["abstract"] == f"{project['description']}."
    (paper,) = citation["references"]
    assert project["urls"] == {"Paper of the method": f"https://doi.org/{paper['doi']}"}


def test_the_licence_is_that_of_its_text(project: dict) -> None:
    first, holder = re.match(r"(.*)\n\nCopyright \(c\) \d+, (.*)\n", (REPOSITORY / "LICENSE").read_text()).groups()
    assert (first, project["license"]) == ("BSD 3-Clause License", "BSD-3-Clause")
    assert [author["name"].lower() for author in project["authors"]] == [holder]


def test_the_list_of_changes_begins_with_what_is_not_released_and_has_this_version() -> None:
    headings = re.findall("^## (.*)$", (REPOSITORY / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert headings[1] == padflow.__version__
