# SPDX-License-Identifier: BSD-3-Clause
"""Values of a configuration that may be words."""

from __future__ import annotations

import pytest

from padflow.config.reading import load_config


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GiB", 2 << 30), ("'1.5 GB'", 1_500_000_000), ("512MB", 512_000_000), ("4096000000", 4_096_000_000)],
)
def test_sizes_may_be_words(text, size):
    assert load_config(None, [f"cluster.memory_limit={text}"]).cluster.memory_limit == size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *[("2min", 120), ("'2 min'", 120), ("3 mins", 180), ("2 minutes", 120), ("90s", 90), ("90 s", 90)],
        *[("1.5h", 5400), ("500ms", 0.5), ("120", 120), ("'120'", 120), ("0", 0)],
    ],
)
def test_times_may_be_words(text, seconds):
    assert load_config(None, [f"preprocess.average_seconds={text}"]).preprocess.average_seconds == seconds
