# SPDX-License-Identifier: BSD-3-Clause
"""Quick looks at a run, and what is said where there is nothing to look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from padflow import ConfigError, open_archive, open_results, read_indices
from padflow.report.view import _seen, save, view, view_class


def panels(figure) -> list[str]:
    return [ax.get_ylabel().split("\n")[0] for ax in figure.axes if ax.get_label() != "<colorbar>"]


def test_a_day(finished_run, tmp_path: Path, index_factory, monkeypatch) -> None:
    path = tmp_path / "sym.txt"
    path.write_text(index_factory.one_storm())
    figure = view(finished_run.directory, "2013-03-02", energies=[2, 3.5], indices=read_indices(path))
    assert panels(figure) == ["L", "Pitch angle (°)", "Pitch angle (°)", "Shape", "Class", "SYM-H"]
    assert [ax.get_ylabel() for ax in figure.axes[1:3]] == ["Pitch angle (°)\n2.1 MeV", "Pitch angle (°)\n3.4 MeV"]
    of_day = open_results(finished_run.directory).sel(time="2013-03-02")["pad_class"].values
    words = f"{len(of_day):,} records, {(of_day >= 0).sum():,} with a class"
    assert figure.axes[0].get_title(loc="left") == f"rbspa, REPT, 2013-03-02: {words}"
    assert figure.get_suptitle().startswith("SIMULATED")
    monkeypatch.setattr("padflow.report.figures.style.DOTS_PER_INCH", 30)
    for name, magic in (("day.png", b"\x89PNG"), ("day.pdf", b"%PDF")):
        save(figure, tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(magic)


def test_an_orbit_is_from_one_least_l_to_the_next(finished_run) -> None:
    figure = view(finished_run.directory, "2013-03-02T12:00", orbit=True)
    title = figure.axes[0].get_title(loc="left")
    first, last = (np.datetime64(text.strip().replace(" ", "T")) for text in title.split(": ")[0][13:].split(" to "))
    assert np.timedelta64(500, "m") < last - first < np.timedelta64(580, "m")
    place = open_archive(finished_run.directory)["L"].sel(time=slice(first, last)).values
    assert place[:20].max() < 2
    assert place[-20:].max() < 2
    assert place.max() > 5


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ({"start": "2014-03-01"}, r"rbspa has no record in 2014-03-01; the nearest day that has some is 2013-03-0\d\."),
        ({"start": "2013-03-02", "end": "2013-03-01"}, "The end, 2013-03-01 00:00, is not after the start"),
        ({"start": "2014-03-01T12:00", "orbit": True}, "rbspa has no whole orbit around 2014-03-01 12:00; the nearest"),
    ],
)
def test_nothing_to_look_at(chosen: dict, says: str, finished_run) -> None:
    with pytest.raises(ConfigError, match=says):
        view(finished_run.directory, **chosen)


def test_indices_without_one_of_storms(finished_run, tmp_path: Path, index_factory) -> None:
    path = tmp_path / "sym.txt"
    path.write_text(index_factory.one_storm())
    indices = read_indices(path).rename(sym_h="ae")
    with pytest.raises(ConfigError, match="Expected SYM-H or Dst among the indices, not only ae"):
        view(finished_run.directory, "2013-03-02", indices=indices)


def test_records_of_a_class(finished_run) -> None:
    figure = view_class(finished_run.directory, 0)
    names = open_results(finished_run.directory)["pad_class"].attrs["flag_meanings"].split()
    title = f"rbspa, REPT: class 0 {names[0].replace('_', ' ')}"
    assert title in [text.get_text() for text in figure.texts]
    shown = [ax.get_title(loc="left") for ax in figure.axes if ax.get_label() != "<colorbar>"]
    assert len(shown) == 8
    assert all(words.startswith("2013-03-0") and "\nL " in words and " h, p " in words for words in shown)
    with pytest.raises(ConfigError, match=r"No record of rbspa has the class 99; there are 0 \("):
        view_class(finished_run.directory, 99)


def test_places_that_are_missing_throughout_are_left_out() -> None:
    time = np.datetime64("2013-03-02", "ns") + np.arange(3) * np.timedelta64(1, "m")
    archive = xr.Dataset(
        {"flux": (("time", "pitch_angle", "energy"), np.ones((3, 2, 2), "f4"))},
        {"time": time, "pitch_angle": [45.0, 135.0], "energy": [1.8, 2.1], "counts_per_flux": ("energy", [1.0, 1.0])},
    ).assign_coords(L=("time", [np.nan] * 3), MLT=("time", [1.0, np.nan, 2.0]))
    results = xr.Dataset({"pad_class": ("time", [0, 0, 0]), "probability": ("time", [1.0, 1, 1])}, {"time": time})
    seen = _seen(archive, results, time[0], time[-1] + np.timedelta64(1, "m"), energies=[2.0])
    assert seen["channel"].values.tolist() == [2.1]
    assert "L" not in seen.variables
    assert "MLT" in seen
