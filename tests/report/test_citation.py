# SPDX-License-Identifier: BSD-3-Clause
"""Text to paste into a paper."""

from __future__ import annotations

from padflow.report.citation import citation

REAL = {
    "TITLE": "REPT level 3",
    "Logical_source_description": "RBSPA ECT REPT pitch angle resolved flux",
    "Data_version": "5.6.0",
    "PI_name": "A. Person",
    "PI_affiliation": "Some University",
    "Acknowledgement": "Thank the team.",
    "Rules_of_use": "Ask before you publish.",
    "DOI": "https://doi.org/10.1234/abc",
}


def test_data_are_named_as_their_files_say() -> None:
    assert citation([(REAL, "a.cdf")], version="0.1.0") == (
        "Pitch-angle distributions were classified with padflow 0.1.0 (method after Killey et al. 2023, "
        "doi:10.1093/rasti/rzad035). The data are RBSPA ECT REPT pitch angle resolved flux (version 5.6.0; PI "
        "A. Person, Some University; doi:10.1234/abc). Thank the team. Ask before you publish."
    )


def test_what_files_do_not_say_is_left_out() -> None:
    method = citation([], version="1.0")
    assert method.endswith("rzad035).")
    assert citation([({"TITLE": "HOPE"}, "")], version="1.0") == f"{method} The data are HOPE."
    assert "doi:10.1234/abc)." in citation([({"TITLE": "HOPE", "DOI": "10.1234/abc"}, "")], version="1.0")


def test_sentences_end_once() -> None:
    text = citation(
        [({"TITLE": "HOPE data.", "Data_version": "01", "Acknowledgement": "H. Person"}, "")], version="1.0"
    )
    assert text.endswith("The data are HOPE data (version 01). H. Person.")


def test_simulated_data_are_called_so() -> None:
    text = citation([(REAL | {"TITLE": "SIMULATED REPT"}, "")], version="1.0")
    assert "The data are SIMULATED: they are no measurement." in text
    assert "A. Person" not in text


def test_the_doi_of_a_known_data_set_where_its_files_say_none() -> None:
    said, file = {"TITLE": "HOPE"}, "l3/rbspa_rel04_ect-hope-PA-L3_20121201_v7.1.0.cdf"
    assert "(doi:10.48322/17p9-rf75)." in citation([(said, file)], version="1.0")
    assert "10.48322" not in citation([(said, "rbspa_rel04_ect-hope-mom-l3_20121201_v7.1.0.cdf")], version="1.0")
    assert "10.48322" not in citation([(said | {"DOI": "10.1234/abc"}, file)], version="1.0")
    assert "10.48322" not in citation([(said | {"TITLE": "SIMULATED"}, file)], version="1.0")


def test_two_spacecraft_are_named_and_nothing_is_said_twice() -> None:
    other = REAL | {"Logical_source_description": "RBSPB ECT REPT"}
    text = citation([(REAL, "a.cdf"), (other, "b.cdf")], version="1.0")
    assert text.count("Thank the team.") == text.count("rzad035") == 1
    assert text.count("The data are ") == 2
