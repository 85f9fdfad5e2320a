# SPDX-License-Identifier: BSD-3-Clause
"""What says who made padflow, which version it is and how to cite it agrees in all files that say so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.version import Version

REPOSITORY = Path(__file__).resolve().parent.parent
CODE = {".c", ".css", ".js", ".pbs", ".py", ".sbatch", ".sge", ".sh"}


@pytest.fixture
def citation() -> dict:
    return yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())


@pytest.fixture
def pyproject() -> dict:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text())


@pytest.fixture
def project(pyproject: dict) -> dict:
    return pyproject["project"]


@pytest.fixture
def latest_release() -> str:
    """The first version in the list of changes."""
    return re.search(r"^## (\d.*)$", (REPOSITORY / "CHANGELOG.md").read_text(), flags=re.MULTILINE)[1]


def test_the_citation_is_of_the_latest_release_and_of_what_is_packaged(
    citation: dict, project: dict, latest_release: str
) -> None:
    assert citation["version"] == latest_release
    assert citation["license"] == project["license"]
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in project["authors"]]
    assert citation["abstract"] == f"{project['description']}."
    (paper,) = citation["references"]
    assert project["urls"] == {"Paper of the method": f"https://doi.org/{paper['doi']}"}


def test_the_licence_is_that_of_its_text(project: dict) -> None:
    first, holder = re.match(r"(.*)\n\nCopyright \(c\) \d+, (.*)\n", (REPOSITORY / "LICENSE").read_text()).groups()
    assert (first, project["license"]) == ("BSD 3-Clause License", "BSD-3-Clause")
    assert [author["name"].lower() for author in project["authors"]] == [holder]


def test_each_file_of_code_begins_with_the_licence(project: dict) -> None:
    files = [path for name in ("docs", "padflow", "scripts", "tests") for path in (REPOSITORY / name).rglob("*")]
    files = [path for path in files if path.suffix in CODE]
    assert len(files) > 400
    licence = re.compile(rf"(#!.*\n)?(# |// |/\* )SPDX-License-Identifier: {re.escape(project['license'])}( \*/)?\n")
    assert [str(path) for path in files if not licence.match(path.read_text())] == []


def test_the_list_of_changes_begins_with_what_is_not_released() -> None:
    headings = re.findall("^## (.*)$", (REPOSITORY / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert headings[0] == "Unreleased"
    versions = [Version(heading) for heading in headings[1:]]
    assert versions == sorted(versions, reverse=True)


def test_sources_without_a_tag_say_which_release_they_come_after(pyproject: dict, latest_release: str) -> None:
    assert pyproject["tool"]["hatch"]["version"]["fallback-version"] == f"{latest_release}+untagged"
