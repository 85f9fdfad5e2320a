"""Cells of a continuum, against the borders that names draw in it."""

from __future__ import annotations

import numpy as np
import pytest

from padflow.clustering.cells import LEAST_SHARE, fit_cells


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


def test_many_small_classes_leave_the_largest() -> None:
    places = plane(2000)
    names = np.arange(100, dtype=np.int8)[np.lexsort(places.T).argsort() * 100 // 2000][:, None]
    assert len(fit_cells(places, names).centres) >= 1


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
