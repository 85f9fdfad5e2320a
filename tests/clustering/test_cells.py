# SPDX-License-Identifier: BSD-3-Clause
"""Cells of a continuum, against the borders that names draw in it."""

from __future__ import annotations

import numpy as np
import pytest

from padflow.clustering.cells import LEAST_SHARE, ONE_SHAPE, Regions, shape_coordinates
from padflow.clustering.cells import fit_cells as fit_regions
from padflow.clustering.ward import NearestSample
from padflow.shapes.coordinates import border_coordinates
from padflow.shapes.names import UNCLEAR


def fit_cells(places: np.ndarray, names: np.ndarray, **options) -> NearestSample:
    """Return the classes of places alone. Names begin at 1, for 0 is unclear."""
    return fit_regions(places, names + np.int8(1), energies=np.arange(names.shape[1]), **options).nearest


def plane(rows: int = 20_000) -> np.ndarray:
    """Draw places in a square, without any cluster."""
    return np.random.default_rng(5).uniform(-1, 1, (rows, 2))


def names_of(places: np.ndarray) -> np.ndarray:
    """Name places: a disc, what lies right of it, and the rest; and a second name by a border of its own."""
    disc = np.hypot(*places.T) < 0.5
    return np.stack([np.where(disc, 2, places[:, 0] > 0.3), places[:, 1] > 0], axis=1).astype(np.int8)


def test_classes_follow_the_borders_of_names() -> None:
    names = names_of(plane())
    classes = fit_cells(plane(), names)
    other = np.random.default_rng(6).uniform(-1, 1, (5000, 2))

    found = classes.assign(other)["pad_class"]

    truth = names_of(other)
    assert len(classes.centres) == 6
    named = [np.unique(truth[found == c], axis=0, return_counts=True) for c in range(6)]
    main = np.array([which[count.argmax()] for which, count in named])
    assert len(np.unique(main, axis=0)) == 6
    assert (main[found] == truth).all(axis=1).mean() > 0.93  # what is wrong lies within half a cell of a border
    sizes = np.bincount(classes.assign(plane())["pad_class"])
    assert (np.diff(sizes) <= 0).all()


def test_one_cell_more_or_less_follows_a_curved_border_better() -> None:
    places, names = plane(), names_of(plane())[:, :1]
    right = []
    for cells in (20, 200):
        found = fit_cells(places, names, cells=cells).assign(places)["pad_class"]
        main = np.array([np.bincount(names[found == c, 0]).argmax() for c in range(found.max() + 1)])
        right.append((main[found] == names[:, 0]).mean())
    assert right[1] > right[0] + 0.03


def test_a_small_class_joins_the_nearest() -> None:
    places = plane()
    names = np.zeros((len(places), 1), np.int8)
    names[places[:, 0] > 0.5] = 1
    names[(places < -0.9).all(axis=1)] = 2  # a corner of 0.25 % of the square, and the farthest from class 1
    share = (names == 2).mean()
    assert 0 < share < LEAST_SHARE

    classes = fit_cells(places, names)

    assert len(classes.centres) == 2
    assert classes.assign(np.array([[-0.98, -0.98]]))["pad_class"][0] == 0


def test_one_name_is_one_class() -> None:
    classes = fit_cells(plane(2000), np.full((2000, 2), 3, np.int8))
    found = classes.assign(plane(2000))
    assert len(classes.centres) == 1
    assert (found["pad_class"] == 0).all()
    assert (found["margin"] == 1).all()


def test_nearly_one_name_is_one_class() -> None:
    places = plane(4000)
    names = (places[:, :1] > 0.85).astype(np.int8)  # 7.5 % of the square: enough for a class beside several others
    assert LEAST_SHARE < names.mean() < 1 - ONE_SHAPE
    assert len(fit_cells(places, names).centres) == 1
    assert len(fit_cells(places, (places[:, :1] > 0.6).astype(np.int8)).centres) == 2


def test_many_small_classes_leave_the_largest() -> None:
    places = plane(2000)
    names = np.arange(100, dtype=np.int8)[np.lexsort(places.T).argsort() * 100 // 2000][:, None]
    assert len(fit_cells(places, names).centres) >= 1


def test_unclear_names_do_not_count() -> None:
    places, names = plane(4000), (plane(4000)[:, :1] > 0).astype(np.int8) + np.int8(1)
    names[np.random.default_rng(1).random(4000) < 0.7] = UNCLEAR
    regions = fit_regions(places, names, energies=np.array([0]), cells=30)
    assert sorted(regions.names.ravel()) == [1, 2]


def shapes(rows: int = 500, seed: int = 2) -> dict[str, np.ndarray]:
    """Draw the shapes of records at three energies, as they are stored."""
    random = np.random.default_rng(seed)
    flat, largest = random.uniform(0.5, 1.2, (rows, 3)), random.uniform(1.0, 2.0, (rows, 3))
    return {
        "score": random.normal(size=(rows, 2)).astype("f4"),
        "likeliest_shape": random.integers(0, 5, (rows, 3)).astype("i1"),
        "shape_probability": random.uniform(0.3, 1, (rows, 3)).astype("f2"),
        "j60_over_j90": flat.astype("f2"),
        "max_over_j90": largest.astype("f2"),
    }


def regions_of(scored: dict[str, np.ndarray], energies: np.ndarray) -> Regions:
    coordinates, names = shape_coordinates(scored, energies)
    return fit_regions(coordinates, names, energies=energies, cells=40)


def test_coordinates_are_those_of_the_chosen_energies() -> None:
    scored = shapes()
    coordinates, names = shape_coordinates(scored, np.array([2, 0]))
    flat, largest = (scored[name][:, [2, 0]].astype("f4") for name in ("j60_over_j90", "max_over_j90"))
    np.testing.assert_array_equal(coordinates, border_coordinates(flat, largest))
    np.testing.assert_array_equal(names, scored["likeliest_shape"][:, [2, 0]])
    scored["j60_over_j90"][3, 2] = np.nan
    assert shape_coordinates(scored, np.array([2]))[0][3, 0] == 0


def test_the_probability_is_that_of_the_names_of_the_class() -> None:
    scored, energies = shapes(), np.array([0, 2])
    scored["score"][7] = np.nan
    regions = regions_of(scored, energies)
    found = regions.classify(scored)
    assert found["pad_class"][7] == -1
    assert np.isnan(found["probability"][7])
    for row in [*range(7), *range(8, 60)]:
        expected = 1.0
        for place, energy in enumerate(energies):
            likeliest, name = float(scored["shape_probability"][row, energy]), scored["likeliest_shape"][row, energy]
            same = name == regions.names[found["pad_class"][row], place]
            expected *= likeliest if same else 1 - likeliest
        assert found["probability"][row] == pytest.approx(expected, rel=1e-6)
    nearest = regions.nearest.assign(shape_coordinates(scored, energies)[0])["pad_class"]
    known = np.arange(len(nearest)) != 7
    np.testing.assert_array_equal(found["pad_class"][known], nearest[known])


def test_bits_do_not_depend_on_the_other_records() -> None:
    scored = shapes()
    regions = regions_of(scored, np.array([1]))
    whole = regions.classify(scored)
    some = regions.classify({name: values[100:133] for name, values in scored.items()})
    for name, values in some.items():
        np.testing.assert_array_equal(values, whole[name][100:133])


def test_arrays_come_back() -> None:
    regions = regions_of(shapes(), np.array([0, 1]))
    again = Regions.from_arrays(regions.to_arrays())
    for name, values in again.to_arrays().items():
        np.testing.assert_array_equal(values, regions.to_arrays()[name])


@pytest.mark.parametrize("rows", [3, 40])
def test_fewer_shapes_than_cells(rows: int) -> None:
    places = np.repeat(plane(rows), 5, axis=0)
    classes = fit_cells(places, (places[:, :1] > 0).astype(np.int8))
    assert len(classes.sample) == rows
    assert set(classes.assign(places)["pad_class"]) == {*range(len(classes.centres))}


def test_the_same_seed_gives_the_same_bits() -> None:
    one, other = (fit_cells(plane(3000), names_of(plane(3000)), seed=4) for _ in range(2))
    for name, values in one.to_arrays().items():
        np.testing.assert_array_equal(values, other.to_arrays()[name])
