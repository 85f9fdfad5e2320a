# SPDX-License-Identifier: BSD-3-Clause
"""Each record has a class or a reason for none, and a shape at each energy."""

from __future__ import annotations

import numpy as np

from padflow.maps.outcomes import NO_CLASS, Outcomes
from padflow.records import Reason
from padflow.shapes.names import BUTTERFLY, SHAPES


def test_outcomes_are_classes_reasons_and_shapes() -> None:
    outcomes = Outcomes(3, 2)
    pad_class, reason = np.array([2, -1, -1, -1]), np.array([0, Reason.LOW_COUNTS, Reason.NOT_PROCESSED, 0], "i1")
    shape = np.array([[BUTTERFLY, 0]] * 4, "i1")
    found = outcomes.of(pad_class, reason, shape)
    first = outcomes.complete
    assert found[:, 0].tolist() == [
        2,
        *(3 + NO_CLASS.index(r) for r in (Reason.LOW_COUNTS, *[Reason.NOT_PROCESSED] * 2)),
    ]
    assert found[0, 1:].tolist() == [first + BUTTERFLY, first + len(SHAPES)]
    assert outcomes.size == first + 2 * len(SHAPES)
    assert Reason.SELECTED not in NO_CLASS


def test_without_shapes_there_is_one_outcome() -> None:
    assert Outcomes(1, 0).of(np.array([0]), np.array([0], "i1")).tolist() == [[0]]
