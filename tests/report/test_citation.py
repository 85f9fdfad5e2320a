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
    assert citation([REAL], version="0.1.0") == (
        "Pitch-angle distributions were classified with padflow 0.1.0 (method after Killey et al. 2023, "
        "doi:10.1093/rasti/rzad035). The data are RBSPA ECT REPT pitch angle resolved flux (version 5.6.0; PI "
        "A. Person, Some University; doi:10.1234/abc). Thank the team. Ask before you publish."
    )


def test_what_files_do_not_say_is_left_out() -> None:
    method = citation([], version="1.0")
    assert method.endswith("rzad035).")
    assert citation([{"TITLE": "HOPE"}], version="1.0") == f"{method} The data are HOPE."
    assert "doi:10.1234/abc)." in citation([{"TITLE": "HOPE", "DOI": "10.1234/abc"}], version="1.0")


def test_simulated_data_are_called_so() -> None:
    text = citation([REAL | {"TITLE": "SIMULATED REPT"}], version="1.0")
    assert "The data are SIMULATED: they are no measurement." in text
    assert "A. Person" not in text


def test_the_doi_of_a_known_data_set_where_its_files_say_none() -> None:
    said = {"TITLE": "REPT", "Logical_source": "RBSPB_rel03_ect-rept-sci-l3"}
    assert "(doi:10.48322/5t1q-9z75)." in citation([said], version="1.0")
    assert "10.48322" not in citation([said | {"DOI": "10.1234/abc"}], version="1.0")
    assert "10.48322" not in citation([said | {"TITLE": "SIMULATED REPT"}], version="1.0")


def test_two_spacecraft_are_named_and_nothing_is_said_twice() -> None:
    other = REAL | {"Logical_source_description": "RBSPB ECT REPT"}
    text = citation([REAL, other], version="1.0")
    assert text.count("Thank the team.") == text.count("rzad035") == 1
    assert text.count("The data are ") == 2
