# SPDX-License-Identifier: BSD-3-Clause
"""What an object looks like in a console and in a notebook."""

from __future__ import annotations

from padflow.facts import COLUMNS, MOST_NAMES, as_html, as_text, some_of


def test_text_has_a_line_for_each_fact_and_wraps_long_ones():
    text = as_text("padflow.Thing", {"a": "one", "longer": "two"})
    assert text == "<padflow.Thing>\n  a       one\n  longer  two"
    lines = as_text("T", {"name": "word " * 50}).splitlines()
    assert len(lines) == 4
    assert max(map(len, lines)) <= COLUMNS
    assert " ".join(lines[1:]).split() == ["name", *["word"] * 50]


def test_values_command_no_terminal_and_no_page():
    facts = {"source": "/data/\x1b]0;renamed\x07/<script>alert(1)</script>\nsecond"}
    assert "\x1b" not in as_text("T", facts)
    assert len(as_text("T", facts).splitlines()) == 2
    page = as_html("T <b>", facts)
    assert "<script>" not in page
    assert "\x1b" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert page.startswith("<b>T &lt;b&gt;</b><table><tr><th")


def test_many_names_are_counted():
    names = [f"class_{number}" for number in range(MOST_NAMES + 3)]
    assert some_of(names[:2]) == "class_0, class_1"
    assert some_of(names).endswith("class_11 and 3 more")
