# SPDX-License-Identifier: BSD-3-Clause
"""The documentation builds, its links lead somewhere, its commands and configurations are taken, its tutorial runs."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import padflow
from padflow.cli.commands import commands
from padflow.clustering import cells, separation
from padflow.components import inputs
from padflow.config.reading import load_config
from padflow.config.sections import Config
from padflow.model.steps import LEAST_TOLD
from padflow.store.specs import results_specs

REPOSITORY = Path(__file__).resolve().parent.parent
DOCS = REPOSITORY / "docs"
PAGES = sorted([*REPOSITORY.glob("*.md"), *DOCS.rglob("*.md"), *REPOSITORY.glob("scripts/**/*.md")])


MADE_UP = {"padflow/a/b.py", "tests/a/test_b.py"}
"""Files that pages name as examples."""


def ids(paths: list[Path]) -> list[str]:
    return [path.relative_to(REPOSITORY).as_posix() for path in paths]


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Return the anchors of headings, as GitHub and MyST make them, and MyST's own."""
    text = without_code(page.read_text())
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return made | set(re.findall(r"^\((.+)\)=$", text, flags=re.MULTILINE))


def links_of(page: Path) -> list[str]:
    """Return where the links and pictures of a page lead; an address may have brackets in pairs."""
    return re.findall(r"\]\(((?:[^()\s]|\([^()\s]*\))+)\)", without_code(page.read_text()))


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_links_have_words_and_lead_to_files_and_headings_that_are_there(page: Path) -> None:
    assert "[](" not in page.read_text(), "Sphinx fills in the words, GitHub shows nothing"
    for link in links_of(page):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target), link


def test_addresses_are_safe_and_those_of_papers_have_the_form_of_a_doi() -> None:
    addresses = {link for page in PAGES for link in links_of(page) if "//" in link}
    assert len(addresses) > 10
    doi = re.compile(r"https://doi\.org/10\.\d{4,9}/[-._;()/:A-Za-z0-9]*[A-Za-z0-9]")  # as Crossref describes them
    for address in addresses:
        assert address.startswith("https://"), address
        assert "doi.org" not in address or doi.fullmatch(address), address


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_files_that_a_page_names_are_there(page: Path) -> None:
    named = re.findall(r"`((?:configs|docs|padflow|scripts|tests)/[^`\s:*{<]+)`", without_code(page.read_text()))
    assert [path for path in named if path not in MADE_UP and not (REPOSITORY / path).exists()] == []


def test_nobody_is_told_to_take_padflow_from_an_index() -> None:
    """There is none that has it: whoever took the name there would be installed."""
    told = [*PAGES, *DOCS.rglob("*.ipynb"), *(REPOSITORY / "padflow").rglob("*.py")]
    assert [path for path in told if re.search(r"pip install \W*padflow\b", path.read_text())] == []


def blocks(page: Path, language: str) -> list[str]:
    """Return the code blocks of a page that are in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def commands_of(page: Path) -> Iterator[list[str]]:
    """Yield the arguments of each command of padflow that a page has its readers type."""
    for block in blocks(page, "sh"):
        for line in block.splitlines():
            words = shlex.split(line.replace(" &", ""), comments=True)
            if words[:1] == ["padflow"]:
                yield words[1:]


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_commands_are_taken(page: Path) -> None:
    for name, *arguments in commands_of(page):
        assert name in commands.commands
        commands.commands[name].make_context(name, arguments, parent=click.Context(commands))


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_configurations_are_taken_and_those_of_clusters_change_nothing_else(page: Path, tmp_path: Path) -> None:
    found = {}
    for number, block in enumerate(blocks(page, "yaml")):
        named = re.match(r"# (\w+\.yaml)$", block, flags=re.MULTILINE)
        found[named[1] if named else f"block{number}.yaml"] = block
    for name, block in found.items():
        (tmp_path / name).write_text(block)
    for name, block in found.items():
        if f"include: {name}" in "".join(found.values()):
            continue  # read with the file that includes it
        config = load_config(tmp_path / name)
        if block.startswith("cluster:"):
            assert config.model_copy(update={"cluster": Config().cluster}) == Config()


def test_the_reference_has_each_public_name() -> None:
    names = re.findall(r"^\.\. auto\w+:: (\w+)$", (DOCS / "python.md").read_text(), flags=re.MULTILINE)
    assert sorted(names) == sorted(padflow.__all__)


def first_cells(page: Path) -> set[str]:
    """Return the code in the first cells of the rows of a page's tables."""
    rows = re.findall(r"^\| ([^|]+) \|", page.read_text(), flags=re.MULTILINE)
    return {word for row in rows for word in re.findall(r"`(\w+)`", row)}


def test_the_page_on_the_report_has_each_variable_and_reason() -> None:
    variables = {spec.name for spec in results_specs(1, 1)} - {"time"}
    errors = {name for name in variables if name.endswith("_error")} - {"reconstruction_error"}
    reasons = {reason.name.lower() for reason in padflow.Reason if reason is not padflow.Reason.SELECTED}
    found = first_cells(DOCS / "report.md")
    assert variables - errors | reasons <= found
    assert found <= variables | reasons


def test_the_method_says_the_limits_that_the_code_has() -> None:
    page = " ".join((DOCS / "method.md").read_text().split())
    for words in (
        f"Above {separation.NO_VALLEY:g} there is no valley",
        f"Up to {separation.SHALLOWEST:g} the modes are separated",
        f"none holds more than {separation.MOST_IN_ONE:.0%} of the records".replace("%", " %"),
        f"at least {LEAST_TOLD:.0%} of the records must have the name".replace("%", " %"),
        f"cut into {cells.CELLS} cells",
        f"A class below {cells.LEAST_SHARE:.0%} of the records".replace("%", " %"),
        f"If {cells.ONE_SHAPE:.0%} of the records have the same names".replace("%", " %"),
        f"({inputs.PRIOR_COUNTS:g} counts, chosen)",
    ):
        assert words in page


def test_the_example_of_estimators_runs() -> None:
    (example,) = blocks(DOCS / "python.md", "python")
    done = subprocess.run([sys.executable, "-W", "error", "-c", example], capture_output=True, text=True, check=True)
    assert done.stdout == "[33334 33333 33333]\n"


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the pages as HTML, built without a warning."""
    folder = tmp_path_factory.mktemp("html")
    build = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "-d", folder / "doctrees"]
    done = subprocess.run([*build, DOCS, folder / "html"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "html"


def text_of(page: Path) -> str:
    return re.sub(r"<[^>]+>", "", page.read_text())


@pytest.mark.slow
def test_the_reference_has_each_key_and_command(html: Path) -> None:
    keys = text_of(html / "configuration.html")
    for section in Config.model_fields.values():
        for key in getattr(section.annotation, "model_fields", {}):
            assert re.search(rf"\b{key}\b", keys), key
    sections = (html / "commands.html").read_text()
    assert [name for name in commands.commands if f'id="padflow-{name}"' not in sections] == []


@pytest.mark.slow
def test_notebooks_are_pages_with_a_link_to_themselves(html: Path) -> None:
    for name in ("first_steps", "new_days"):
        page = html / "notebooks" / f"{name}.html"
        assert "import padflow" in text_of(page)
        (link,) = re.findall(rf'href="([^"]+/{name}\.ipynb)"', page.read_text())
        assert (page.parent / link).read_bytes() == (DOCS / "notebooks" / f"{name}.ipynb").read_bytes()


@pytest.mark.slow
def test_pages_need_no_network(html: Path) -> None:
    pages = list(html.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        loaded = re.findall(r'<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)="([^"]+)"', page.read_text())
        assert [url for url in loaded if "//" in url] == [], page.name
    for style in html.rglob("*.css"):
        assert not re.search(r"(?:@import|url\()[^;)]*//", style.read_text()), style.name


@pytest.mark.slow
def test_the_tutorial_runs(tmp_path: Path) -> None:
    """Run the tutorial from top to bottom, in shell and Python, but for the installation and with fewer days."""
    script, typed = ["set -euo pipefail"], ""
    page = (DOCS / "tutorial.md").read_text().replace("--days 31", "--days 3").replace("--days 3\n", "--days 2\n")
    for language, block in re.findall(r"^```(sh|python)\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE):
        if language == "python":
            typed += block  # in one session
            script.append(f"python - <<'EOF'\n{typed}EOF")
        elif "padflow" in block and "pip install" not in block:
            script.append(block)
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "night.nc").is_file()
