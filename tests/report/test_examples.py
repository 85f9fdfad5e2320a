# SPDX-License-Identifier: BSD-3-Clause
"""The most typical and the least certain records of a class."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from padflow.report.examples import find_examples


def results_of(**variables: list[float]) -> xr.Dataset:
    """One record every half hour, all of class 1 where nothing else is said."""
    n = len(variables["distance"])
    time = np.datetime64("2013-03-01", "ns") + np.arange(n) * np.timedelta64(30, "m")
    given = {"pad_class": [1] * n, "probability": [np.nan] * n, "margin": [0.5] * n} | variables
    return xr.Dataset({name: ("time", np.array(values)) for name, values in given.items()}, {"time": time})


def test_typical_is_near_and_uncertain_is_improbable_and_an_hour_has_one() -> None:
    results = results_of(distance=[0.3, 0.1, 0.2, 0.9, 0.5, 0.4], probability=[1, 0.2, 0.9, 0.3, np.nan, 0.8])
    typical, uncertain = find_examples(results, 1, number=2)
    assert typical.tolist() == [1, 2]
    assert uncertain.tolist() == [1, 3]


def test_margins_where_there_are_no_probabilities() -> None:
    results = results_of(distance=[1, 2, 3, 4], margin=[0.9, 0.8, 0.1, 0.2])
    assert find_examples(results, 1, number=9)[1].tolist() == [2, 1]


def test_other_classes_do_not_count() -> None:
    results = results_of(distance=[1, 2, 3, 4], pad_class=[0, 1, -1, 0])
    assert find_examples(results, 1, number=9)[0].tolist() == [1]
    assert [rows.tolist() for rows in find_examples(results, 7, number=9)] == [[], []]


def test_they_are_the_same_however_many_are_read_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    results = results_of(distance=random.uniform(size=200), probability=random.uniform(size=200))
    expected = find_examples(results, 1, number=5)
    monkeypatch.setattr("padflow.report.examples.ROWS", 7)
    for found, whole in zip(find_examples(results, 1, number=5), expected, strict=True):
        np.testing.assert_array_equal(found, whole)
