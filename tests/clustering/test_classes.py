# SPDX-License-Identifier: BSD-3-Clause
"""The kinds of classes: which lies in an ``.npz``, and what all of them do alike."""

from __future__ import annotations

import numpy as np
import pytest

from padflow.clustering.classes import Classes, NearestCentre, classes_from_arrays
from padflow.clustering.mixture import fit_mixture
from padflow.clustering.ward import fit_ward

SCORES = np.random.default_rng(3).normal(size=(120, 2))


@pytest.fixture(params=["nearest centre", "nearest sample", "likeliest"])
def classes(request) -> Classes:
    return {
        "nearest centre": lambda: NearestCentre(SCORES[:3]),
        "nearest sample": lambda: fit_ward(SCORES, 3),
        "likeliest": lambda: fit_mixture(SCORES, SCORES[:3]),
    }[request.param]()


def test_the_kind_is_told_by_the_arrays_that_are_there(classes):
    found = classes_from_arrays(classes.to_arrays() | {"modes": np.zeros((2, 2))})
    assert type(found) is type(classes)
    np.testing.assert_array_equal(found.centres, classes.centres)
    for name, values in classes.assign(SCORES).items():
        np.testing.assert_array_equal(found.assign(SCORES)[name], values)
        np.testing.assert_array_equal(found.classify({"score": SCORES})[name], values)
    assert classes.needs == ("score",)


def test_a_score_that_is_partly_missing_has_no_class(classes):
    scores = SCORES[:6].astype("f4")
    scores[1, 0], scores[4, 1] = np.nan, np.inf
    known = np.isfinite(scores).all(axis=1)
    found = classes.assign(scores)
    assert {name: values.dtype for name, values in found.items()} == {
        "pad_class": np.int16,
        "probability": np.float32,
        "distance": np.float32,
        "margin": np.float32,
    }
    np.testing.assert_array_equal(found["pad_class"] >= 0, known)
    assert set(found["pad_class"][~known]) == {-1}
    for name in ("distance", "margin"):
        np.testing.assert_array_equal(np.isfinite(found[name]), known)
    assert set(classes.assign(np.full((3, 2), np.nan, "f4"))["pad_class"]) == {-1}


def test_numbers_follow_the_order():
    classes, order = NearestCentre(SCORES[:4]), np.array([2, 0, 3, 1])
    renumbered = classes.in_order(order).assign(SCORES)["pad_class"]
    np.testing.assert_array_equal(order[renumbered], classes.assign(SCORES)["pad_class"])
