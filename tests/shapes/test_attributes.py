# SPDX-License-Identifier: BSD-3-Clause
"""Attributes of measured shapes."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from padflow.shapes.attributes import STORED, shape_attributes
from padflow.shapes.measures import Measures
from padflow.shapes.names import CRITERIA, SHAPES


def test_every_array_is_explained() -> None:
    names = [field.name for field in fields(Measures)]
    assert {"shape", *STORED} <= set(names)
    words = {name: shape_attributes(name)["long_name"] for name in names}
    assert len(set(words.values())) == len(names)
    assert words["c2_error"] == f"standard error of {words['c2']}"
    assert shape_attributes("peak_pitch_angle")["units"] == "degree"


def test_the_flags_are_those_of_the_names() -> None:
    attributes = shape_attributes("shape")
    assert attributes["flag_meanings"].split() == list(SHAPES)
    assert attributes["flag_values"].dtype == np.int8
    assert all(criterion in attributes["comment"] for criterion in CRITERIA.values())
