# SPDX-License-Identifier: BSD-3-Clause
"""Names of pitch-angle distributions, against the shapes of the textbook."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from padflow.shapes.names import (
    BUTTERFLY,
    BUTTERFLY_INDEX,
    CRITERIA,
    FLATTOP,
    FLATTOP_RATIO,
    PANCAKE,
    SHAPES,
    name_shape,
    name_shapes,
)

LAYOUTS = {
    "17": (np.arange(17) + 0.5) * 180 / 17,
    "11": (np.arange(11) + 0.5) * 180 / 11,
    "hope": np.array([4.5, 18, 36, 54, 72, 90, 108, 126, 144, 162, 175.5]),
    "9": (np.arange(9) + 0.5) * 20,
    "folded": (np.arange(9) + 0.5) * 180 / 17,
    "even": (np.arange(18) + 0.5) * 10,
}
REPT = LAYOUTS["17"]
in_every_layout = pytest.mark.parametrize("angles", LAYOUTS.values(), ids=LAYOUTS)


def sine_of(angles: np.ndarray) -> np.ndarray:
    return np.sin(np.radians(angles))


def names_of(angles: np.ndarray, pads: list[np.ndarray]) -> set[str]:
    return {SHAPES[code] for code in name_shapes(angles, 1e4 * np.stack(pads))}


@in_every_layout
def test_a_power_of_the_sine_is_flat_on_top_or_a_pancake(angles: np.ndarray) -> None:
    powers = np.arange(0.2, 8.01, 0.05)
    flat = 0.75 ** (powers / 2) >= FLATTOP_RATIO
    codes = name_shapes(angles, sine_of(angles) ** powers[:, None])
    np.testing.assert_array_equal(codes, np.where(flat, FLATTOP, PANCAKE))


@in_every_layout
@pytest.mark.parametrize("half_width", np.arange(40, 76, 2.5))
def test_a_plateau_is_flat_on_top_however_it_falls_off(angles: np.ndarray, half_width: float) -> None:
    outside = np.maximum(np.abs(angles - 90) - half_width, 0)
    edge = sine_of(np.array(90 - half_width))
    shoulders = [
        *[np.minimum(sine_of(angles) / edge, 1) ** power for power in (1, 2, 4, 8)],
        *[np.exp(-((outside / width) ** 2)) for width in (5, 10, 20)],
        *[np.maximum(1 - outside / width, 0) for width in (5, 10, 20)],
        (outside == 0).astype(float),
    ]
    resolved = [pad for pad in shoulders if pad.max() >= 1.1 * pad.min()]  # else no bin lies off the plateau
    assert len(resolved) == len(shoulders) or half_width > 70
    assert names_of(angles, resolved) <= {"flattop"}
    assert names_of(angles, [np.ones(len(angles)), *(pad for pad in shoulders if pad.min() > 0.95)]) == {"isotropic"}


@in_every_layout
def test_flux_that_rises_towards_the_field_is_field_aligned(angles: np.ndarray) -> None:
    cosine = np.cos(np.radians(angles))
    cigars = [1 + size * cosine**power for size in (0.15, 0.3, 0.5, 1, 2, 5, 20, 100) for power in (2, 4)]
    cigars += [sine_of(angles) ** -power for power in (0.15, 0.3, 0.5, 1, 2)]
    assert names_of(angles, cigars) == {"field-aligned"}


@in_every_layout
@pytest.mark.parametrize("width", [8.0, 10, 12, 15])
def test_a_bump_on_a_pancake_is_a_cap(angles: np.ndarray, width: float) -> None:
    bump = np.exp(-(((angles - 90) / width) ** 2) / 2)
    powers, sizes = (0.3, 0.5, 1, 1.5, 2), (0.5, 0.7, 1, 2, 3)
    assert names_of(angles, [sine_of(angles) ** n + size * bump for n in powers for size in sizes]) == {"cap"}


@in_every_layout
@pytest.mark.parametrize("width", [6, 8, 10, 15, 20, 25, 30])
@pytest.mark.parametrize("power", [0, 0.5, 1, 2])
def test_a_dip_that_the_bins_resolve_is_a_butterfly(angles: np.ndarray, power: float, width: float) -> None:
    dip = np.exp(-(((angles - 90) / (width / 2)) ** 2) * np.log(2))  # full width at half depth
    pads = np.stack([sine_of(angles) ** power * (1 - depth * dip) for depth in (0.1, 0.2, 0.4, 0.6, 0.9, 1)])
    middle = np.abs(angles - 90) == np.abs(angles - 90).min()
    deep = pads.max(axis=1) >= BUTTERFLY_INDEX * pads[:, middle].mean(axis=1)
    assert deep[-1]
    assert names_of(angles, list(pads[deep])) == {"butterfly"}


@in_every_layout
def test_a_wide_dip_in_isotropic_flux_is_a_butterfly(angles: np.ndarray) -> None:
    dip = np.exp(-(((angles - 90) / 30) ** 2))
    assert names_of(angles, [1 - depth * dip for depth in (0.2, 0.4, 0.6, 0.9)]) == {"butterfly"}


@in_every_layout
def test_without_any_change_over_angle_a_pad_is_isotropic(angles: np.ndarray) -> None:
    random = np.random.default_rng(1)
    assert names_of(angles, [random.uniform(1, 1.09, len(angles)) for _ in range(100)]) == {"isotropic"}


def test_a_shallow_dip_is_no_butterfly() -> None:
    pad = sine_of(REPT) ** 0.5 * (1 - 0.12 * np.exp(-(((REPT - 90) / 20) ** 2)))
    assert 1 < pad.max() / pad[8] < BUTTERFLY_INDEX
    assert name_shape(REPT, pad) == "flattop"


@pytest.mark.parametrize(("missing", "name"), [((3, 13), "pancake"), ((0, 1, 15, 16), "pancake"), ((8,), "pancake")])
def test_a_few_missing_bins_leave_the_name(missing: tuple[int, ...], name: str) -> None:
    pad = sine_of(REPT) ** 3
    pad[list(missing)] = np.nan
    assert name_shape(REPT, pad) == name


def test_a_missing_bin_is_replaced_by_its_mirror() -> None:
    pad = sine_of(REPT) ** 1.0 * (1 - 0.5 * np.exp(-(((REPT - 90) / 30) ** 2)))
    half = np.where(np.arange(17) < 9, pad, np.nan)
    assert name_shape(REPT, pad) == name_shape(REPT, half) == name_shape(REPT, half[::-1]) == "butterfly"


@pytest.mark.parametrize(
    "known",
    [(6, 7, 8), (0, 2, 4, 6), (5, 6, 7, 8), (0, 1, 2, 8)],
    ids=["three angles", "none at 90", "none below 45", "a wide gap"],
)
def test_too_few_values_are_unclear(known: tuple[int, ...]) -> None:
    pad = np.full(17, np.nan)
    pad[list(known)] = sine_of(REPT)[list(known)]
    assert name_shape(REPT, pad) == "unclear"


def test_bins_from_45_degrees_on_are_enough() -> None:
    angles = np.arange(45.0, 91, 5)
    assert name_shape(angles, sine_of(angles) ** 3) == "pancake"
    assert name_shape(angles[1:], sine_of(angles[1:]) ** 3) == "unclear"


@pytest.mark.parametrize("pad", [np.zeros(17), -np.ones(17), np.full(17, np.nan), np.full(17, np.inf)])
def test_without_flux_there_is_no_name(pad: np.ndarray) -> None:
    assert name_shape(REPT, pad) == "unclear"


def test_flux_that_is_nowhere_but_at_90_degrees_is_no_cap() -> None:
    assert name_shape(REPT, np.where(np.abs(REPT - 90) < 15, 1.0, 0.0)) == "pancake"


@given(scale=st.floats(1e-8, 1e8), power=st.floats(0.1, 6))
def test_the_name_does_not_depend_on_the_unit(scale: float, power: float) -> None:
    if abs(0.75 ** (power / 2) - FLATTOP_RATIO) > 1e-6:
        pad = sine_of(REPT) ** power
        assert name_shape(REPT, scale * pad) == name_shape(REPT, pad)


@given(st.lists(st.floats(0, 100) | st.just(np.nan), min_size=51, max_size=51))
def test_many_have_the_names_that_each_has(values: list[float]) -> None:
    pads = np.array(values).reshape(3, 1, 17)
    codes = name_shapes(REPT, pads)
    assert codes.shape == (3, 1)
    assert codes.dtype == np.int8
    assert [SHAPES[code] for code in codes.ravel()] == [name_shape(REPT, pad[0]) for pad in pads]


def test_every_name_is_explained() -> None:
    assert set(CRITERIA) == set(SHAPES)
    table = (Path(__file__).parents[2] / "docs" / "shapes.md").read_text()
    rows = [line for line in table.splitlines() if line.startswith("| ")]
    assert rows[1:] == [f"| {name} | {criterion} |" for name, criterion in CRITERIA.items()]
    assert (SHAPES[BUTTERFLY], SHAPES[FLATTOP]) == ("butterfly", "flattop")
