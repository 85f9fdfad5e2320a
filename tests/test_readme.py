"""What the README tells its readers to type is what padflow takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from padflow.config.reading import load_config
from padflow.config.sections import Config

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture
def configurations(tmp_path: Path) -> list[Config]:
    """The YAML blocks of the README, loaded as configurations."""
    blocks = re.findall(r"^```yaml\n(.*?)^```$", (REPOSITORY / "README.md").read_text(), flags=re.DOTALL | re.MULTILINE)
    assert blocks
    loaded = []
    for number, block in enumerate(blocks):
        path = tmp_path / f"{number}.yaml"
        path.write_text(block)
        loaded.append(load_config(path))
    return loaded


def test_the_configuration_to_copy_is_the_recommended_mode(configurations: list[Config]) -> None:
    expected = load_config(REPOSITORY / "configs" / "recommended.yaml")
    found = configurations[0]
    assert found.archive.instrument == expected.archive.instrument
    assert found.archive.source is not None
    assert found.model_copy(update={"archive": expected.archive}) == expected


def test_the_cluster_section_differs_in_nothing_else(configurations: list[Config]) -> None:
    for config in configurations[1:]:
        assert config.model_copy(update={"cluster": Config().cluster}) == Config()
