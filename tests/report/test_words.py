# SPDX-License-Identifier: BSD-3-Clause
"""Numbers in words."""

from __future__ import annotations

from padflow.report.words import duration, join, plural, share, size


def test_words():
    assert plural(1, "record") == "1 record"
    assert plural(2500, "class", "classes") == "2,500 classes"
    assert join(["a"]) == "a"
    assert join(["a", "b", "c"]) == "a, b and c"
    assert [share(x) for x in (0, 1e-6, 0.5, 0.99999, 1)] == [
        "0.0\u00a0%", "<0.1\u00a0%", "50.0\u00a0%", ">99.9\u00a0%", "100.0\u00a0%",
    ]  # fmt: skip
    assert [size(x) for x in (None, 12, 1536, 3 * 2**40)] == ["–", "12 B", "1.5 KiB", "3.0 TiB"]
    assert [duration(x) for x in (None, 0.25, 120, 7200)] == ["–", "0.25 s", "2.0 min", "2.0 h"]
