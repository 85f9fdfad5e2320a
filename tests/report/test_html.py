# SPDX-License-Identifier: BSD-3-Clause

from __future__ import annotations

import base64
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from padflow.errors import PadflowError
from padflow.report.figures.contents import FIGURES, draw
from padflow.report.html import write_report
from padflow.report.known import known_table
from padflow.report.tables import csv_text, read_run, tables
from padflow.shapes.names import CRITERIA

VOID = {"meta", "img", "br", "link", "hr", "input"}


class Page(HTMLParser):
    """Collects tags, table rows and text, and fails on tags that do not close."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.rows, self.text = [], [], [], ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if self.open and {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def named(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def page(full_run):
    return Page((full_run / "report/index.html").read_text(encoding="utf-8"))


def test_nothing_is_loaded_from_outside(page):
    for tag, attrs in page.tags:
        assert tag not in ("script", "link", "iframe", "object", "embed")
        for name, value in attrs.items():
            assert not name.startswith("on")
            if name in ("src", "href", "srcset", "action", "data"):
                of_report = ("tables/", "figures/") if tag == "a" else ()  # for a reader to follow, not loaded
                assert value.startswith(("data:image/png;base64,", "#", *of_report))
    assert "url(" not in page.text
    assert "@import" not in page.text


def test_every_figure_is_embedded_as_written(page, full_run):
    images = page.named("img")
    written = {path.read_bytes() for path in (full_run / "report/figures").iterdir()}
    assert {base64.b64decode(image["src"].split(",", 1)[1]) for image in images} == written
    assert len(images) == len(written) == len(FIGURES)
    assert all(len(image["alt"]) > 15 and image["width"] and image["height"] for image in images)


def test_every_table_is_written(full_run):
    run = read_run(full_run)
    written = {path.name: path.read_text(encoding="utf-8") for path in (full_run / "report/tables").iterdir()}
    assert written == tables(run) | {"known_results.csv": csv_text(run, known_table(run))}


def test_the_page_says_where_the_data_come_from(page):
    rows = [row for row in page.rows if row[0] in ("TITLE", "PI name", "Rules of use")]
    expected = [
        ["TITLE", "REPT level 3"],
        ["PI name", "A. Person"],
        ["Rules of use", "<script>alert(2)</script> & thanks"],
    ]
    assert rows == expected * 2
    assert "Not all files say the same: Data_version in 1 of 10 files." in page.text
    assert "SIMULATED" not in page.text


def test_simulated_data_are_called_so(small_run, edit_json):
    def simulate(catalog):
        catalog["origins"]["older"]["TITLE"] = "SIMULATED REPT level 3"

    edit_json(small_run / "catalog.json", simulate)
    report = write_report(small_run).parent
    page = Page((report / "index.html").read_text(encoding="utf-8"))
    titles = page.text.split("SIMULATED data")
    assert titles[1].startswith(": padflow report")
    assert titles[2].startswith(": Pitch-angle distribution classes")
    assert titles[3].startswith(", no measurement in 19 of 20 files: 21 records made to look like those of Van")
    assert all(image["alt"].startswith("SIMULATED data. ") for image in page.named("img"))
    for path in (report / "tables").iterdir():
        header, *rows = path.read_text().splitlines()
        assert header.endswith(",SIMULATED")
        assert all(row.endswith(",no measurement in 19 of 20 files") for row in rows), path


def test_the_page_has_the_text_to_paste_into_a_paper(full_run):
    text = Page((full_run / "report" / "index.html").read_text(encoding="utf-8")).text
    assert "with padflow 0.1.0 (method after Killey et al. 2023, doi:10.1093/rasti/rzad035). The data are REPT" in text
    assert "REPT level 3 (PI A. Person; doi:10.48322/4x5t-th95). <script>alert(2)</script> & thanks" in text


@pytest.mark.usefixtures("two_figures")
def test_known_results_of_simulated_data_are_called_so(small_run, edit_json):
    def simulate(catalog):
        catalog["origins"]["older"]["TITLE"] = "SIMULATED REPT level 3"

    words = "It says nothing about nature."
    page = Page(write_report(small_run).read_text(encoding="utf-8"))
    assert "Butterflies within 3° of the magnetic equator, 20 to 4 h MLT beyond L 5.5: most in two hours" in page.text
    assert "cannot tell" in page.text
    assert words not in page.text
    edit_json(small_run / "catalog.json", simulate)
    assert words in Page(write_report(small_run).read_text(encoding="utf-8")).text


def test_each_figure_of_simulated_data_has_a_mark(small_run, edit_json):
    without = {name: draw(name, read_run(small_run)).figure.get_suptitle() for name in FIGURES}
    edit_json(
        small_run / "catalog.json", lambda catalog: catalog["origins"]["older"].update(Descriptor="x (simulated)")
    )
    marked = {name: draw(name, read_run(small_run)).figure.get_suptitle() for name in FIGURES}
    assert set(without.values()) == {""}
    assert set(marked.values()) == {"SIMULATED: no measurement"}


def test_links_lead_somewhere(page, full_run):
    ids = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    links = {attrs["href"] for attrs in page.named("a")}
    assert {link[1:] for link in links if link.startswith("#")} <= ids
    files = [link for link in links if not link.startswith("#")]
    assert {"tables/classes.csv", "tables/files.csv"} < set(files)
    assert all((full_run / "report" / file).is_file() for file in files)


def test_numbers_in_the_tables_are_those_of_the_run(page, full_run):
    run = read_run(full_run)
    for row in run.classes:
        expected = [str(row.pad_class), row.name.replace("_", " "), f"{row.records:,}", f"{100 * row.share:.1f}\u00a0%"]
        assert [*expected, *(f"{n:,}" for n in row.per_spacecraft.values())] in page.rows
    for reason, counts in run.unlabelled.items():
        total = sum(counts.values())
        assert [reason, f"{total:,}", f"{100 * total / 20_000:.1f}\u00a0%"] in page.rows
    assert ["ingest", "61.5 s", "158,000", "2,569", "1.0 GiB"] in page.rows
    assert ["label", "0 s", "0", "–", "–"] in page.rows
    assert ["duplicate records", "15"] in page.rows
    assert ["silhouette", "not computed"] in page.rows
    assert ["memory", "8.0 GiB"] in page.rows
    assert ["TF_ENABLE_ONEDNN_OPTS", "0"] in page.rows


def test_the_summary_says_what_matters(page):
    assert "20,000 records of Van Allen Probe A and Van Allen Probe B (REPT), 2012-09-01 to 2012-09-20." in page.text
    assert "8 classes of pitch-angle distributions: 3 pancake, 2 flattop, 2 butterfly and 1 isotropic" in page.text
    assert "1 file was set aside" in page.text
    assert "1 superseded" in page.text


def test_the_page_says_what_the_shapes_that_occur_mean(page):
    assert f"isotropic: {CRITERIA['isotropic']}" in page.text
    assert CRITERIA["cap"] not in page.text


def test_a_malicious_file_name_is_text(page, full_run):
    raw = (full_run / "report/index.html").read_text(encoding="utf-8")
    assert "<script" not in raw
    assert "&lt;script&gt;alert(1)" in raw
    assert any(row[0] == "rept/<script>alert(1)</script>.cdf" for row in page.rows)
    assert "pattern: '<b>*.cdf</b>'" in page.text
    assert not page.named("b")


def test_repeating_gives_the_same_bytes_and_no_litter(small_run, monkeypatch):
    few = {name: FIGURES[name] for name in ("sizes", "scores")}
    monkeypatch.setattr("padflow.report.html.FIGURES", few)

    def content():
        write_report(small_run)
        return {p: p.read_bytes() for p in (small_run / "report").rglob("*") if p.is_file()}

    first = content()
    assert content() == first
    assert {path.suffix for path in first} == {".html", ".png", ".csv"}


def test_missing_parts_are_said_and_old_figures_removed(small_run, edit_summary, edit_json):
    stale = small_run / "report/figures/occurrence_l_time.png"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"of an earlier report")
    kept = ["records"]
    edit_summary(small_run, lambda summary: summary[kept].drop_vars(["energy", "pitch_angle"], errors="ignore"))

    def strip(model):
        for name in ("training", "pca", "mean_shift", "metrics"):
            model[name] = None

    (small_run / "superposed.nc").unlink()
    edit_json(small_run / "model/model.json", strip)
    edit_json(small_run / "catalog.json", lambda catalog: catalog.update(files=[]))
    edit_json(
        small_run / "run.json",
        lambda run: [run.pop(name) for name in ("host", "flags", "versions", "command", "config_hash")],
    )
    page = Page(write_report(small_run).read_text(encoding="utf-8"))
    assert len(page.named("img")) == 1
    assert not stale.exists()
    assert "summary.nc holds no such map" in page.text
    assert "model.json holds no training history" in page.text
    assert "Every record has a class." in page.text
    assert "No file was set aside." in page.text


def test_no_page_without_a_finished_run(small_run):
    (small_run / "summary.nc").unlink()
    with pytest.raises(PadflowError, match=r"summary\.nc is missing.*padflow run CONFIG"):
        write_report(small_run)
    assert not (small_run / "report").exists()


def test_importing_the_page_does_not_import_matplotlib():
    code = "import sys, padflow.report.html; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"
