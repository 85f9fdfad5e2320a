# SPDX-License-Identifier: BSD-3-Clause
"""The explorer in a real browser: what ten choices show, against the sums; and as text."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html import escape, unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from padflow.maps.grid import L_EDGES
from padflow.report.explorer.page import explorer_text
from padflow.report.explorer.sums import sum_records
from padflow.report.sentences import summary_sentences
from padflow.report.tables import read_run

STEPS = [
    {},
    {"class": 1},
    {"energy": 1},
    {"l": 2},
    {"mlt": 0},
    {"phase": 3},
    {"class": 2},
    {"l": -1},
    {"reset": True},
    {"class": 0, "energy": 0},
]
"""Ten choices, one after another; a step changes what it names. Class 2 is no class, -1 is all."""

PROBE = """<script>addEventListener("load", () => {
  const seen = [];
  for (const step of STEPS) {
    for (const [id, value] of Object.entries(step)) {
      const element = document.getElementById(id);
      if (!element) continue;
      if (id === "reset") { element.focus(); element.click(); }
      else { element.value = value; element.dispatchEvent(new Event("change", { bubbles: true })); }
    }
    const { data: pad } = document.getElementById("pad");
    seen.push({
      found: document.getElementById("found").textContent,
      mean: pad[2].y, all: pad[1].y,
      map: document.getElementById("map").data[0].z,
      frames: document.getElementById("map").layout.shapes.length,
      bars: document.getElementById("bars").data[0].x,
      days: [...document.querySelectorAll("#days li")].map((item) => item.textContent),
    });
  }
  const root = document.documentElement;
  root.dataset.probe = JSON.stringify({
    seen, scroll: root.scrollWidth, view: innerWidth,
    requests: performance.getEntriesByType("resource").map((entry) => entry.name),
    focusable: [...document.querySelectorAll("select, button")].filter((element) => element.tabIndex >= 0).length,
  });
});</script></body>"""


@pytest.fixture(scope="module")
def browse(browser: list[str]) -> Callable[[Path], dict]:
    """Return a function that opens a page and returns what the probe in it saw."""

    def run(page: Path) -> dict:
        action = ["--window-size=1400,1500", "--virtual-time-budget=10000", "--dump-dom"]
        command = [*browser, *action, page.as_uri()]
        dom = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
        return json.loads(unescape(re.search(r'data-probe="([^"]*)"', dom)[1]))

    return run


def probed(text: str, folder: Path) -> Path:
    """Write the page with a probe at its end."""
    probe = PROBE.replace("STEPS", json.dumps(STEPS))
    page = folder / "explorer.html"
    page.write_text(text.replace("</body>", probe), encoding="utf-8")
    return page


def test_ten_choices_show_what_the_sums_say(
    browse: Callable, stormy_records: tuple[xr.Dataset, xr.Dataset], tmp_path: Path
) -> None:
    results, archive = stormy_records
    seen = browse(probed(explorer_text(results, archive, run="runs/a"), tmp_path))
    sums = sum_records(results, archive, classes=2)
    chosen = {"class": 0, "energy": 0, "l": -1, "mlt": -1, "phase": -1}
    assert len(seen["seen"]) == len(STEPS)
    for step, shown in zip(STEPS, seen["seen"], strict=True):
        chosen |= {"l": -1, "mlt": -1, "phase": -1} if step.get("reset") else step
        number, phases = chosen["class"], slice(None) if chosen["phase"] < 0 else [chosen["phase"]]
        regions = [
            region
            for region in range(21)
            if (chosen["l"] < 0 or (region < 20 and region // 4 == chosen["l"]))
            and (chosen["mlt"] < 0 or (region < 20 and region % 4 == chosen["mlt"]))
        ]
        counts = sums.counts[:, phases][:, :, regions].sum(axis=(1, 2))
        assert shown["bars"] == counts.tolist()
        what = "have no class" if number == 2 else f"are of class {['0: butterfly', '1: pancake steep'][number]}"
        assert f"{counts[number]:,} of {counts.sum():,} records (" in shown["found"]
        assert shown["found"].endswith(f" %) {what}.")
        share = float(re.search(r"\(([\d.]+) %\)", shown["found"])[1])
        assert share == pytest.approx(100 * counts[number] / counts.sum(), abs=0.051)
        of_pads = [
            total[:, phases][:, :, regions, chosen["energy"]].sum(axis=(1, 2)) for total in (sums.ratio, sums.number)
        ]
        with np.errstate(invalid="ignore", divide="ignore"):
            own = np.where(of_pads[1][number] < 5, np.nan, of_pads[0][number] / of_pads[1][number])
            all_classes = of_pads[0][:2].sum(axis=0) / of_pads[1][:2].sum(axis=0)
        np.testing.assert_allclose(np.array(shown["mean"], "f8"), own, rtol=1e-5)
        np.testing.assert_allclose(np.array(shown["all"], "f8"), all_classes, rtol=1e-5)
        cells = sums.cells[:, phases].sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = np.where(cells.sum(axis=0) < 5, np.nan, 100 * cells[number] / cells.sum(axis=0))
        np.testing.assert_allclose(np.array(shown["map"], "f8"), shares, rtol=1e-5)
        assert np.array(shown["map"], "f8").shape == (len(L_EDGES) - 1, 24)
        framed = chosen["l"] >= 0 or chosen["mlt"] >= 0
        assert shown["frames"] == (2 if framed and chosen["mlt"] == 0 else int(framed))
        day = int(sums.by_day[:, number].argmax())
        expected = f"{sums.days[day]}: {sums.by_day[day, number]:,} records, padflow view runs/a {sums.days[day]}"
        assert shown["days"][0] == expected
    assert seen["requests"] == []
    assert seen["focusable"] == 6


@pytest.mark.parametrize("width", [1400, 420])
def test_the_page_fits_its_window(browse: Callable, records: tuple, tmp_path: Path, width: int) -> None:
    text = explorer_text(*records, run="runs/a")
    # A window cannot be as narrow as a phone, a frame can.
    probed(text, tmp_path).rename(tmp_path / "framed.html")
    frame = f"""<!doctype html><iframe src="framed.html" width="{width}" height="1500" frameborder="0"></iframe><script>
      addEventListener("message", (event) => {{ document.documentElement.dataset.probe = event.data; }});</script>"""
    (tmp_path / "frame.html").write_text(frame)
    framed = (tmp_path / "framed.html").read_text()
    framed = framed.replace("root.dataset.probe = JSON", "parent.postMessage(JSON").replace(
        "tabIndex >= 0).length,\n  });", 'tabIndex >= 0).length,\n  }), "*");'
    )
    (tmp_path / "framed.html").write_text(framed)
    found = browse(tmp_path / "frame.html")
    assert found["scroll"] <= found["view"] == width


def test_the_page_loads_nothing_and_is_small(records: tuple[xr.Dataset, xr.Dataset]) -> None:
    text = explorer_text(*records, run="runs/</script>")
    assert "default-src 'none'" in text
    assert len(text) < 10e6
    assert not re.search(r'<(?:script|link|img|iframe)[^>]*\s(?:src|href)="', text)
    assert text.count("</script>") == 3
    assert "Records &lt;of&gt; tests" in text


def test_without_storms_there_is_no_phase_to_choose(stormy_records: tuple[xr.Dataset, xr.Dataset]) -> None:
    results, archive = stormy_records
    assert 'id="phase"' in explorer_text(results, archive, run="a")
    assert 'id="phase"' not in explorer_text(results.drop_vars("storm_phase"), archive, run="a")


def test_simulated_data_are_called_so(records: tuple[xr.Dataset, xr.Dataset]) -> None:
    results, archive = records
    assert "SIMULATED data" not in explorer_text(results, archive, run="a")
    assert "<title>SIMULATED data" in explorer_text(results.assign_attrs(SIMULATED="no measurement"), archive, run="a")


def test_the_command_writes_the_page_of_a_run(finished_run: Any, padflow_process: Callable, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished_run.directory, run)
    done = padflow_process("explore", run)
    assert done.returncode == 0, done.stderr
    page = Path(done.stdout.strip())
    assert page == run / "report" / "explorer.html"
    text = page.read_text(encoding="utf-8")
    assert "SIMULATED data" in text
    for sentence in summary_sentences(read_run(run)):  # the first paragraph is that of the report
        assert escape(sentence) in text
