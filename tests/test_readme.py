# SPDX-License-Identifier: BSD-3-Clause
"""What the README tells its readers to type does what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from padflow.config.reading import load_config
from padflow.simulation.archive import simulate_archive

REPOSITORY = Path(__file__).resolve().parent.parent
README = (REPOSITORY / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 100


def test_its_figure_is_small() -> None:
    (figure,) = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)
    assert (REPOSITORY / figure).stat().st_size < 200_000


def test_the_blocks_are_those_that_are_tried_here() -> None:
    assert [language for language, _ in BLOCKS] == ["sh", "sh", "python"]


def test_the_scripts_can_be_run() -> None:
    """What they do is tested by `test_demo` and by whoever runs this test."""
    scripts = [line.split("#")[0].strip() for line in BLOCKS[0][1].splitlines()]
    assert scripts == ["scripts/demo.sh", "scripts/test.sh"]
    for script in scripts:
        assert os.access(REPOSITORY / script, os.X_OK)
        subprocess.run(["bash", "-n", REPOSITORY / script], check=True)


@pytest.mark.slow
def test_the_commands_of_daily_use_run(tmp_path: Path) -> None:
    for name, start in (("rbsp", date(2013, 3, 1)), ("newer", date(2013, 3, 3))):
        simulate_archive(tmp_path / "data" / name, start=start, days=2)
    script = f"set -eu\n{BLOCKS[1][1]}\npython - <<'EOF'\n{BLOCKS[2][1]}EOF"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=os.environ | {"HOME": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for made in ("my-run/report/index.html", "newer-run/report/index.html", "labels.nc"):
        assert (tmp_path / made).is_file()
    recommended = load_config(REPOSITORY / "configs" / "recommended.yaml")
    written = load_config(tmp_path / "my.yaml")
    assert written.model_copy(update={"archive": recommended.archive}) == recommended
