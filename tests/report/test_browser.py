# SPDX-License-Identifier: BSD-3-Clause
"""The page in a real browser, where there is one."""

from __future__ import annotations

import json
import re
import subprocess
from html import unescape

import pytest
from PIL import Image

from padflow.report.figures.contents import FIGURES

# A window cannot be as narrow as a phone, a frame can; files may not look into each other, but send messages.
FRAME = """<!doctype html><iframe src="probed.html" width="{width}" height="1500" frameborder="0"></iframe>
<script>
addEventListener("message", event => {{ document.documentElement.dataset.probe = event.data; }});
</script>"""
PROBE = """<script>addEventListener("load", () => {
  const images = [...document.images].map(image => [image.naturalWidth, image.clientWidth]);
  const page = document.documentElement;
  parent.postMessage(JSON.stringify({images, scroll: page.scrollWidth, view: innerWidth}), "*");
});</script></body>"""


@pytest.fixture(scope="module")
def browse(browser):
    """Return a function that runs the browser and returns what it prints."""

    def run(page, *action):
        command = [*browser, "--window-size=1300,2000", *action, page.as_uri()]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout

    return run


@pytest.mark.parametrize("width", [1100, 390])
def test_images_load_and_the_page_fits_its_window(browse, full_run, tmp_path, width):
    text = (full_run / "report/index.html").read_text(encoding="utf-8")
    # The page forbids scripts; only this copy lets the probe run.
    probed, n_policies = re.subn(r"<meta http-equiv=.Content-Security-Policy.[^>]*>", "", text)
    assert n_policies == 1
    (tmp_path / "probed.html").write_text(probed.replace("</body>", PROBE), encoding="utf-8")
    frame = tmp_path / "frame.html"
    frame.write_text(FRAME.format(width=width), encoding="utf-8")
    dom = browse(frame, "--virtual-time-budget=10000", "--dump-dom")
    found = json.loads(unescape(re.search(r'data-probe="([^"]*)"', dom)[1]))
    assert len(found["images"]) == len(FIGURES)
    assert all(natural == 2100 and shown >= 340 for natural, shown in found["images"])
    assert found["scroll"] <= found["view"] == width


def test_the_page_as_it_is_shows_its_figures(browse, full_run, tmp_path):
    picture = tmp_path / "page.png"
    browse(full_run / "report/index.html", f"--screenshot={picture}")
    with Image.open(picture) as image:
        colours = {colour for _, colour in image.convert("RGB").getcolors(maxcolors=2**24)}
    assert (
        0x00,
        0x72,
        0xB2,
    ) in colours  # bars of the first class: images are let in by the page's own policy
    assert (255, 255, 255) in colours
