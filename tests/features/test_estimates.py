# SPDX-License-Identifier: BSD-3-Clause
"""Shapes of estimates, against the measures of the same counts one by one."""

from __future__ import annotations

import numpy as np
import pytest

from padflow.features.estimates import EstimatedShapes
from padflow.shapes.attributes import STORED
from padflow.shapes.folding import mirror_bins
from padflow.shapes.measures import NAMED, measure_counts
from padflow.shapes.names import UNCLEAR

FOLDED = (np.arange(9) + 0.5) * 180 / 17
RECORDS = 700
WHOLE = (np.arange(17) + 0.5) * 180 / 17


def estimates(angles: int, energies: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw shares and effective counts of a block."""
    random = np.random.default_rng(seed)
    shares = random.dirichlet(np.full(angles, 20.0), (energies, RECORDS)).transpose(2, 0, 1)
    return np.ascontiguousarray(shares, np.float32), (10 ** random.uniform(0, 4, (energies, RECORDS))).astype("f4")


def measured(shapes: EstimatedShapes, shares: np.ndarray, effective: np.ndarray, chosen: np.ndarray) -> dict:
    found = {name: np.empty((len(chosen), 3), np.int8) for name in NAMED}
    found |= {name: np.empty((len(chosen), 3), np.float16) for name in STORED}
    shapes.put(shares, effective, chosen, found)
    return found


@pytest.mark.parametrize("angles", [FOLDED, WHOLE], ids=["folded", "whole"])
def test_measures_are_those_of_effective_counts(angles: np.ndarray) -> None:
    joined = np.where(angles == angles[8], 1.0, 2.0) if len(angles) == 9 else np.ones(17)
    shares, effective = estimates(len(angles))

    found = measured(EstimatedShapes(angles, joined, 3), shares, effective, np.ones(RECORDS, bool))

    angle, members = mirror_bins(angles)
    expected = vars(measure_counts(angle, members @ joined, np.einsum("am,mer->are", members, shares * effective)))
    for name in NAMED:
        assert (found[name] == expected[name]).mean() > 0.999  # rounding moves what lies on a border
    for name in STORED:
        np.testing.assert_allclose(found[name], expected[name], rtol=2e-3, atol=2e-3)


def test_without_counts_nothing_is_measured_and_what_is_not_chosen_is_not_put() -> None:
    shares, effective = estimates(9)
    effective[1, 5] = 0.5
    chosen = np.arange(20) != 7  # of the first 20
    found = measured(EstimatedShapes(FOLDED, np.array([2.0] * 8 + [1.0]), 3), shares, effective, chosen)
    assert found["shape"][5, 1] == UNCLEAR
    assert (found["shape"][7] == UNCLEAR).all()
    numbers = np.array([found[name] for name in STORED])
    assert np.isnan(numbers[:, 5, 1]).all()
    assert np.isnan(numbers[:, 7]).all()
    assert np.isfinite(numbers[:, chosen]).sum() == numbers[:, chosen].size - len(STORED)
