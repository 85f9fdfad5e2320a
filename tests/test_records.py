"""Records in memory, and the hash of their numbers."""

from __future__ import annotations

import numpy as np

from padflow.records import uniform_hash


def test_hash_is_splitmix64():
    """Against integers of any size, as the paper writes it."""
    offset = int(np.random.SeedSequence([7, *b"rbspa"]).generate_state(1, np.uint64)[0])
    for row in (0, 1, 12345, 40_000_000):
        x = (row * 0x9E3779B97F4A7C15 + offset) % 2**64
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
        x ^= x >> 31
        assert uniform_hash(7, "rbspa", np.array([row], np.uint64))[0] == (x >> 11) / 2**53


def test_hash_is_uniform():
    values = uniform_hash(1, "rbspa", np.arange(100_000, dtype=np.uint64))
    assert values.min() >= 0
    assert values.max() < 1
    counts = np.histogram(values, 100, (0, 1))[0]
    assert ((counts - 1000) ** 2 / 1000).sum() < 149  # chi squared of 99 degrees of freedom: p = 0.001
