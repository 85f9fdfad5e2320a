# SPDX-License-Identifier: BSD-3-Clause
"""Shapes of estimates, against the measures of the same counts one by one."""

from __future__ import annotations

import numpy as np
import pytest

from padflow.features.estimates import EstimatedShapes
from padflow.records import BLOCK_ROWS
from padflow.shapes.attributes import STORED
from padflow.shapes.folding import mirror_bins
from padflow.shapes.measures import NAMED, measure_counts
from padflow.shapes.names import UNCLEAR

FOLDED = (np.arange(9) + 0.5) * 180 / 17
WHOLE = (np.arange(17) + 0.5) * 180 / 17


def estimates(angles: int, energies: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw shares and effective counts of a block."""
    random = np.random.default_rng(seed)
    shares = random.dirichlet(np.full(angles, 20.0), (BLOCK_ROWS, energies)).swapaxes(1, 2)
    effective = 10 ** random.uniform(0, 4, (BLOCK_ROWS, energies))
    return shares.reshape(BLOCK_ROWS, -1).astype(np.float32), effective.astype(np.float32)


@pytest.mark.parametrize("angles", [FOLDED, WHOLE], ids=["folded", "whole"])
def test_measures_are_those_of_effective_counts(angles: np.ndarray) -> None:
    joined = np.where(angles == angles[8], 1.0, 2.0) if len(angles) == 9 else np.ones(17)
    shares, effective = estimates(len(angles))
    chosen = np.random.default_rng(1).random(700) < 0.5

    found = EstimatedShapes(angles, joined, 3)(shares, effective, chosen)

    angle, members = mirror_bins(angles)
    counts = shares.reshape(BLOCK_ROWS, -1, 3).transpose(1, 0, 2) * effective
    expected = vars(measure_counts(angle, members @ joined, np.einsum("am,mre->are", members, counts)))
    rows = np.flatnonzero(chosen)
    assert {name: values.shape for name, values in found.items()} == dict.fromkeys(found, (len(rows), 3))
    for name in NAMED:
        assert found[name].dtype == np.int8
        assert (found[name] == expected[name][rows]).mean() > 0.999  # rounding moves what lies on a border
    for name in STORED:
        assert found[name].dtype == np.float16
        np.testing.assert_allclose(found[name], expected[name][rows], rtol=2e-3, atol=2e-3)


def test_without_counts_nothing_is_measured() -> None:
    shares, effective = estimates(9)
    effective[5, 1] = 0.5
    chosen = np.zeros(20, bool)
    chosen[[4, 5]] = True
    found = EstimatedShapes(FOLDED, np.array([2.0] * 8 + [1.0]), 3)(shares, effective, chosen)
    assert found["shape"][1, 1] == UNCLEAR
    assert np.isnan([found[name][1, 1] for name in STORED]).all()
    assert np.isfinite([found[name][0] for name in STORED]).all()


def test_bits_do_not_depend_on_the_other_records() -> None:
    shares, effective = estimates(9)
    measure = EstimatedShapes(FOLDED, np.array([2.0] * 8 + [1.0]), 3)
    whole = measure(shares, effective, np.ones(BLOCK_ROWS, bool))
    chosen = np.random.default_rng(2).random(BLOCK_ROWS) < 0.1
    some = measure(shares, effective, chosen)
    for name, values in some.items():
        np.testing.assert_array_equal(values, whole[name][chosen])
