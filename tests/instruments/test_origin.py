# SPDX-License-Identifier: BSD-3-Clause
"""What is said of the origin of data, from what their files say."""

from __future__ import annotations

import pytest

from padflow.instruments.origin import (
    common_attributes,
    differing_words,
    group_attributes,
    is_simulated,
    simulated_words,
)

MEASURED = {"TITLE": "REPT", "Data_version": "1", "Acknowledgement": "Tests used simulated data."}
SIMULATED = {"TITLE": "SIMULATED REPT", "Data_version": "1"}


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (MEASURED, False),  # thanks and rules may speak of simulations
        (SIMULATED, True),
        ({"Source_name": "RBSPA>Probe A (simulated)"}, True),
        ({"Descriptor": "dissimulated"}, False),
        ({}, False),
    ],
)
def test_what_a_file_calls_itself_decides(attributes: dict[str, str], expected: bool) -> None:
    assert is_simulated(attributes) == expected


def test_words() -> None:
    assert simulated_words([]) == simulated_words([MEASURED, {}]) == ""
    assert simulated_words([SIMULATED, SIMULATED]) == "no measurement"
    assert simulated_words([MEASURED, SIMULATED, {}]) == "no measurement in 1 of 3 files"


def test_the_first_file_counts_and_others_that_differ_are_counted() -> None:
    later = MEASURED | {"Data_version": "2"}
    first, differ = common_attributes([MEASURED, later, later, {**MEASURED, "DOI": "x"}])
    assert first == MEASURED
    assert differing_words(differ, 4) == "Data_version in 2 of 4 files; DOI in 1 of 4 files"
    assert common_attributes([]) == ({}, {})


def test_attributes_of_a_group() -> None:
    assert group_attributes([MEASURED], title="REPT, rbspa") == {
        "title": "REPT, rbspa",
        "cdf_TITLE": "REPT",
        "cdf_Data_version": "1",
        "cdf_Acknowledgement": "Tests used simulated data.",
    }
    found = group_attributes([SIMULATED, MEASURED], title="REPT, rbspa")
    assert found["title"] == "SIMULATED: REPT, rbspa"
    assert found["SIMULATED"] == "no measurement in 1 of 2 files"
    assert found["cdf_attributes_that_differ"] == "TITLE in 1 of 2 files; Acknowledgement in 1 of 2 files"
