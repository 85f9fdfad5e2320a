# SPDX-License-Identifier: BSD-3-Clause
"""Names of classes: from the names of their records, and each its own."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from padflow.shapes.class_names import (
    FEWEST_NAMED,
    class_names,
    count_shapes,
    main_shape,
    places_of,
    shape_of_name,
    shapes_of_means,
    shapes_of_records,
)
from padflow.shapes.names import BUTTERFLY, FLATTOP, PANCAKE, SHAPES, UNCLEAR

ANGLES = (np.arange(17) + 0.5) * 180 / 17
SINE = np.sin(np.radians(ANGLES))


def test_the_names_of_means() -> None:
    pads = np.stack([np.stack([SINE**4, SINE * np.nan], axis=1), np.stack([SINE * np.nan, SINE**-1.0], axis=1)])
    shapes = shapes_of_means(ANGLES, np.concatenate([pads, np.full((1, 17, 2), np.nan)]))
    assert shapes == [["pancake", "unclear"], ["unclear", "field-aligned"], ["unclear", "unclear"]]
    assert [main_shape(of_class) for of_class in shapes] == ["pancake", "field-aligned", "unclear"]


@given(data=st.data(), k=st.integers(1, 4), rows=st.integers(0, 30), energies=st.integers(0, 3))
def test_counts_of_names_are_those_of_a_loop(data, k, rows, energies) -> None:
    shape = data.draw(arrays(np.int8, (rows, energies), elements=st.integers(0, len(SHAPES) - 1)))
    pad_class = data.draw(arrays(np.int16, rows, elements=st.integers(-1, k - 1)))
    expected = np.zeros((k, energies, len(SHAPES)), int)
    for row, c in zip(shape, pad_class, strict=True):
        for energy, code in enumerate(row):
            if c >= 0:
                expected[c, energy, code] += 1
    np.testing.assert_array_equal(count_shapes(shape, pad_class, k), expected)


def test_a_class_has_the_name_of_most_of_its_records_that_have_one() -> None:
    counts = np.zeros((3, 2, len(SHAPES)), int)
    counts[0, 0, [UNCLEAR, PANCAKE, BUTTERFLY]] = 40, 30, 31  # more have a name than not
    counts[0, 1, [UNCLEAR, FLATTOP]] = 60, 59  # fewer have one
    counts[1, 0, FLATTOP] = FEWEST_NAMED
    counts[1, 1, FLATTOP] = FEWEST_NAMED - 1
    of_means = [["cap", "cap", "cap"] for _ in range(3)]
    energy = np.array([1.8, 2.1, 2.6])
    found = shapes_of_records(counts, np.array([1.8, 2.6]), energy=energy, of_means=of_means)
    assert found == [["butterfly", "cap", "unclear"], ["flattop", "cap", "unclear"], ["unclear", "cap", "unclear"]]
    assert of_means[0][0] == "cap"


def pad(*shapes: np.ndarray) -> np.ndarray:
    return np.stack(shapes, axis=1)


def test_each_class_has_a_name_of_its_own() -> None:
    dip, deep = 1 + np.cos(np.radians(ANGLES)) ** 2, 1 + 3 * np.cos(np.radians(ANGLES)) ** 2
    pads = np.stack([pad(SINE, SINE), pad(SINE**4, SINE), pad(dip, SINE), pad(dip, dip), pad(deep, dip)])
    shapes = [["pancake"] * 2, ["pancake"] * 2, ["butterfly", "pancake"], ["butterfly"] * 2, ["butterfly"] * 2]
    names = class_names(shapes, ANGLES, pads)
    assert names == ("pancake_broad", "pancake_steep", "butterfly_to_pancake", "butterfly_shallow", "butterfly_deep")
    assert [shape_of_name(name) for name in names] == ["pancake", "pancake", *["butterfly"] * 3]


def test_more_than_two_of_a_name_are_numbered_from_the_steepest() -> None:
    pads = np.stack([pad(SINE**n) for n in (1, 3, 2)])
    assert class_names([["pancake"]] * 3, ANGLES, pads) == ("pancake_3", "pancake_1", "pancake_2")


def test_names_tell_of_the_energies_that_are_asked_for() -> None:
    pads = np.stack([pad(SINE, SINE, SINE)] * 2)
    shapes = [["flattop", "flattop", "pancake"], ["flattop", "pancake", "pancake"]]
    assert class_names(shapes, ANGLES, pads, places=[0, 1]) == ("flattop", "flattop_to_pancake")
    assert class_names(shapes, ANGLES, pads) == ("flattop_to_pancake_steep", "flattop_to_pancake_broad")
    unclear = np.full((2, 17, 3), np.nan)
    assert class_names([["unclear"] * 3] * 2, ANGLES, unclear) == ("unclear_steep", "unclear_broad")


def test_the_shape_of_a_name() -> None:
    names = ("pancake_steep", "field-aligned_1", "cap", "my_cap", "class_0")
    assert [shape_of_name(name) for name in names] == ["pancake", "field-aligned", "cap", "my_cap", "class_0"]


def test_the_nearest_energies() -> None:
    assert places_of([2.1, 3.39], np.array([1.8, 2.1, 2.6, 3.4])) == [1, 3]
