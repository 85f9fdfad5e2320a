# SPDX-License-Identifier: BSD-3-Clause
"""What a message repeats: short, in one line."""

from __future__ import annotations

from datetime import date

from padflow.errors import brief, one_line


def test_a_text_is_cut_in_its_middle() -> None:
    assert one_line("a\n b\tc") == "a b c"
    assert one_line("x" * 200) == "x" * 200
    for text in ("x" * 201, "\n" * 9_999 + "x" * 2000 + "\n" * 9_999, "a" + " " * 10**6 + "b"):
        assert len(one_line(text)) <= 200
    assert one_line("begin " + "x" * 10**6 + " end", 40).startswith("begin ")
    assert one_line("begin " + "x" * 10**6 + " end", 40).endswith(" end")


def test_short_values_are_as_they_are() -> None:
    for value in (1, -2.5, "a 'b'", None, [1, "x"], {"a": (1, 2)}, date(2013, 3, 1), b"\x00"):
        assert brief(value) == repr(value)
    assert brief(2**40_000) == f"an integer of {40_001} bits"
    assert len(brief([[[["x" * 500] * 500] * 500] * 500])) <= 200
