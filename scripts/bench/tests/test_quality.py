# SPDX-License-Identifier: BSD-3-Clause
"""The measurements of quality: each figure on made-up classes, baselines, tables, and a whole small measurement."""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import padflow
import quality
from harness.cases import NAMES, SEASON_DAYS, START, Case
from harness.modes import OneClass, Rule, fit_kmeans, fit_or_one_class, modes, of_root_shares
from harness.quality_tables import tables
from harness.results import Results, environment
from harness.scoring import Labels, agreement, labels_of, score, score_names
from harness.tables import conditions
from harness.truth import AT, ENERGIES_MEV, KnownArchive, known_archive
from padflow.config.sections import Config
from padflow.errors import ConfigError, PadflowError
from padflow.records import Reason
from padflow.shapes.names import BUTTERFLY, FLATTOP, PANCAKE, SHAPES, UNCLEAR
from padflow.simulation.day import ENERGIES, FOLDED_PITCH_ANGLES, PITCH_ANGLES

BENCH = Path(__file__).resolve().parent.parent
CONFIGS = BENCH.parents[1] / "configs"
RECOMMENDED = padflow.load_config(CONFIGS / "recommended.yaml")
NAMED = {"pancake": np.sin(np.radians(PITCH_ANGLES)) ** 3, "butterfly": 1.2 - np.sin(np.radians(PITCH_ANGLES)) ** 4}
NAMED["butterfly"] *= np.sin(np.radians(PITCH_ANGLES)) ** 0.5


def records_of(shapes: list[str], *, counts: float = 1000.0) -> xr.Dataset:
    """Return an archive of noiseless records: so many counts in each, at all energies alike."""
    pads = np.stack([NAMED[shape] / NAMED[shape].sum() for shape in shapes])
    number = len(shapes)
    time = np.datetime64("2013-03-01", "ns") + np.arange(number) * np.timedelta64(11, "s")
    flux = np.repeat(pads[:, :, None] * counts / len(ENERGIES), len(ENERGIES), axis=2).astype(np.float32)
    return xr.Dataset(
        {
            "flux": (("time", "pitch_angle", "energy"), flux),
            "counts_per_flux": ("energy", np.ones(len(ENERGIES))),
            "L": ("time", np.full(number, 5.0, np.float32)),
            "MLT": ("time", np.full(number, 12.0, np.float32)),
        },
        coords={"time": time, "pitch_angle": PITCH_ANGLES, "energy": ENERGIES},
    )


def truth_of(records: xr.Dataset, population: np.ndarray) -> xr.Dataset:
    half = records["flux"].values[:, : len(FOLDED_PITCH_ANGLES)]
    return xr.Dataset(
        {"pad": (("time", "folded_pitch_angle", "energy"), half), "population": ("time", population)},
        coords={"time": records["time"], "folded_pitch_angle": FOLDED_PITCH_ANGLES, "energy": ENERGIES},
    )


@pytest.fixture(scope="module")
def two_shapes() -> KnownArchive:
    """An hour of pancakes, a gap, and an hour of butterflies: two populations."""
    records = records_of(["pancake"] * 300 + ["butterfly"] * 300)
    gap = np.where(np.arange(600) < 300, 0, 3600)
    records = records.assign_coords(time=records["time"].values + gap * np.timedelta64(1, "s"))
    return known_archive(records, truth_of(records, np.repeat([0, 1], 300).astype(np.int8)), RECOMMENDED)


def test_truth_of_records(two_shapes: KnownArchive) -> None:
    assert (two_shapes.names[:300] == PANCAKE).all()
    assert (two_shapes.names[300:] == BUTTERFLY).all()
    # Eleven records of 1000 counts over 12 energies; at an end only half a window.
    np.testing.assert_allclose(two_shapes.counts[[50, 0, 300]], np.repeat([[11_000], [6000], [6000]], 6, 1) / 12, 1e-5)
    assert two_shapes.selected.all()
    assert two_shapes.populations == 2
    few = known_archive(
        records_of(["pancake"] * 20, counts=5), truth_of(records_of(["pancake"] * 20), -np.ones(20, "i1")), RECOMMENDED
    )
    assert (few.reason == Reason.LOW_COUNTS).all()
    assert few.in_belt.all()
    assert few.populations == 0


def test_halves_are_every_second_of_the_days_that_there_are() -> None:
    records = records_of(["pancake"] * 5)
    days = np.array(["2013-03-01", "2013-03-02", "2013-12-01", "2013-12-01", "2013-12-02"], "datetime64[ns]")
    archive = KnownArchive(records.assign_coords(time=days), *[np.zeros(5)] * 4)
    assert [archive.of_days(which)["time"].values.tolist() for which in ("even", "odd")] == [
        days[[0, 2, 3]].tolist(),
        days[[1, 4]].tolist(),
    ]
    assert archive.of_days("all") is archive.records


def archive_of(
    names: list[int], population: list[int], counts: list[float] | None = None, **places: list
) -> KnownArchive:
    """Return an archive of which only the truth matters."""
    number = len(names)
    usual = {"L": [5.0] * number, "MLT": [12.0] * number} | places
    records = xr.Dataset({name: ("time", np.array(values, "f4")) for name, values in usual.items()})
    at_all = np.ones((1, 6))
    return KnownArchive(
        records,
        np.array(population, np.int8),
        (np.array(names)[:, None] * at_all).astype(np.int8),
        np.array(counts or [100.0] * number)[:, None] * at_all,
        np.zeros(number, np.int8),
    )


def labels(pad_class: list[int], names: list[int], probability: list[float] | None = None) -> Labels:
    known = probability or [np.nan] * len(pad_class)
    return Labels(np.array(pad_class, np.int16), np.array(known, np.float32), np.repeat(np.array(names)[:, None], 6, 1))


def test_class_names_are_right_where_they_are_those_of_the_noiseless_shapes() -> None:
    archive = archive_of(
        [PANCAKE, PANCAKE, BUTTERFLY, BUTTERFLY, FLATTOP, PANCAKE], [0, 0, 1, 1, 1, -1], [100, 100, 100, 30, 100, 100]
    )
    found = score(labels([0, 0, 1, 1, 1, -1], [PANCAKE, BUTTERFLY]), archive)
    assert found["classes"] == 2
    assert found["labelled"] == pytest.approx(5 / 6)
    assert found["ari"] == 1
    assert found["name_right"] == 3 / 4  # the flattop is not; one has too few counts, one no class
    assert found["certain"]["share"] is None
    same = score(labels([0, 0, 1, 1, 2, -1], [PANCAKE, BUTTERFLY, FLATTOP]), archive)
    assert (same["ari_of_names"], same["name_right"]) == (1, 1)
    assert score(labels([0] * 6, [PANCAKE]), archive_of([PANCAKE] * 6, [-1] * 6))["ari"] is None


def test_butterflies_are_counted_at_night_far_out_and_by_day_further_in() -> None:
    archive = archive_of(
        [BUTTERFLY, BUTTERFLY, PANCAKE, PANCAKE, BUTTERFLY],
        [-1] * 5,
        L=[5.6, 5.6, 5.6, 5.0, 5.0],
        MLT=[20.0, 3.9, 0.0, 8.0, 4.0],
    )
    found = score(labels([0, 1, 1, 0, 0], [BUTTERFLY, PANCAKE]), archive)
    assert found["night_butterflies"] == pytest.approx([1 / 3, 2 / 3])
    assert found["day_butterflies"] == [1, 0]


def test_certain_labels_are_right_by_population_and_by_name() -> None:
    archive = archive_of([PANCAKE] * 4 + [BUTTERFLY] * 2, [0, 0, 0, 1, 1, 1])
    found = score(labels([0, 0, 0, 0, 1, 1], [PANCAKE, PANCAKE], [0.9, 0.95, 0.5, 0.99, 1.0, 0.89]), archive)
    assert found["certain"] == {"share": pytest.approx(4 / 6), "population_right": 3 / 4, "name_right": 3 / 4}


def test_names_of_records_count_where_there_are_counts() -> None:
    archive = archive_of([PANCAKE, PANCAKE, BUTTERFLY, BUTTERFLY], [-1] * 4, [100, 31, 100, 6])
    shape = np.repeat(np.array([PANCAKE, UNCLEAR, PANCAKE, BUTTERFLY], np.int8)[:, None], 6, 1)
    found = score_names(shape, archive)
    assert found["over 30"]["named"][AT] == pytest.approx(2 / 3)
    assert found["over 30"]["right"][AT] == 1 / 2
    assert found["over 5"]["named"][AT] == 3 / 4
    assert found["over 5"]["right"][AT] == pytest.approx(2 / 3)
    assert len(found["over 5"]["right"]) == len(ENERGIES_MEV)


def test_fits_agree_over_records_that_both_label(tmp_path: Path) -> None:
    one = labels([0, 0, 1, 1, 1, -1], [PANCAKE, BUTTERFLY], [0.9, 0.9, 0.9, 0.9, 0.5, 0.9])
    other = labels([1, 1, 0, 0, 1, 0], [BUTTERFLY, PANCAKE], [0.9, 0.9, 0.9, 0.9, 0.9, 0.9])
    one.save(tmp_path / "a" / "one.npz")
    found = agreement(Labels.load(tmp_path / "a" / "one.npz"), other)
    assert found["all"] < 1
    assert (found["sure"], found["sure_share"]) == (1, 0.8)
    unknown = labels([0, 0, 1], [PANCAKE, BUTTERFLY])
    assert agreement(unknown, unknown) == {"all": 1, "sure": None, "sure_share": None}


class Said:
    """A model that gives all that a model may give."""

    def __init__(self) -> None:
        self.info = {"classes": [{"shapes": ["flattop"] * 12}, {"shapes": ["unclear"] * 12}], "separated": True}

    def label(self, dataset: xr.Dataset) -> xr.Dataset:
        number = dataset.sizes["time"]
        return xr.Dataset(
            {
                "pad_class": ("time", np.zeros(number, np.int16)),
                "probability": ("time", np.full(number, 0.75, np.float32)),
                "shape": (("time", "energy"), np.full((number, 12), BUTTERFLY, np.int8)),
            },
            coords={"energy": ENERGIES},
        )


def test_names_and_probabilities_are_those_of_the_model_if_it_gives_them(two_shapes: KnownArchive) -> None:
    found = labels_of(Said(), two_shapes)
    assert (found.names == np.array([[SHAPES.index("flattop")] * 6, [UNCLEAR] * 6])).all()
    assert (found.probability == 0.75).all()
    assert found.shape is not None
    assert score_names(found.shape, two_shapes)["over 30"]["right"] == [0.5] * 6


def test_classes_without_names_have_those_of_their_mean_shapes(two_shapes: KnownArchive) -> None:
    kmeans = fit_kmeans(two_shapes.records, RECOMMENDED, clusters=2, seed=0)
    found = labels_of(kmeans, two_shapes)
    assert score(found, two_shapes) | {"certain": None} == {
        **{"classes": 2, "labelled": 1, "ari": 1, "ari_of_names": 1, "name_right": 1, "certain": None},
        **{"night_butterflies": [None, None], "day_butterflies": [0.5, 0.5]},
    }
    assert sorted(found.names[:, AT]) == [PANCAKE, BUTTERFLY]


def test_rule_names_each_record_by_its_mean(two_shapes: KnownArchive) -> None:
    found = labels_of(Rule(RECOMMENDED), two_shapes)
    assert (found.pad_class == two_shapes.names[:, AT]).all()
    assert score(found, two_shapes)["name_right"] == 1


def test_fit_without_classes_leaves_all_records_in_one(two_shapes: KnownArchive) -> None:
    def nothing(records: xr.Dataset, seed: int) -> OneClass:
        raise PadflowError("a single class")

    def refused(records: xr.Dataset, seed: int) -> OneClass:
        raise ConfigError("no such thing")

    fitted = fit_or_one_class(nothing, two_shapes.records, seed=0, config=RECOMMENDED)
    assert fitted.info == {"error": "a single class"}
    assert score(labels_of(fitted, two_shapes), two_shapes)["classes"] == 1
    with pytest.raises(ConfigError):
        fit_or_one_class(refused, two_shapes.records, seed=0, config=RECOMMENDED)


def test_features_without_autoencoder_are_root_shares_whatever_it_takes() -> None:
    spins = ["train.target=other_spins", "preprocess.normalise=counts"]
    config = of_root_shares(padflow.load_config(CONFIGS / "recommended.yaml", spins))
    assert Config.model_validate(config.model_dump()).preprocess.normalise == "count_shares"


def test_seasons_share_the_days_of_an_archive() -> None:
    first, second = Case("wide", 3, 5).seasons()
    assert first == {"family": "wide", "seed": 3, "start": START, "days": 3}
    assert second == first | {"start": START + datetime.timedelta(SEASON_DAYS), "days": 2}
    assert len(Case("single", 1, 1).seasons()) == 1
    numbers = [len(Case("drawn", seed, 1).seasons()[0]["populations"]) for seed in range(6)]
    assert numbers == [3, 4, 5, 6, 7, 8]
    assert {"separated", "continuum", "wide", "single", "zhao"} < set(NAMES)


def measured(what: str, mode: str, seed: int = 1, **facts: object) -> dict:
    of = {"table": "quality", "family": "wide", "archive": "wide 9d seed 1", "what": what, "mode": mode, "seed": seed}
    return {"of": of | ({"days": "all"} if what == "fit" else {})} | facts


def test_tables_have_medians_and_ranges() -> None:
    nothing = {"share": None, "population_right": None, "name_right": None}
    usual = {"labelled": 1.0, "ari_of_names": 0.5, "name_right": 0.75, "certain": nothing}
    usual |= {"night_butterflies": [0.25, 0.5], "day_butterflies": [None, None], "separated": False}
    fits = [measured("fit", "recommended", seed, ari=seed / 10, classes=5 + seed, **usual) for seed in (1, 2, 4)]
    names = {"over 30": {"named": [0.9] * 6, "right": [0.8] * 6}}
    fits[0]["names"] = fits[1]["names"] = names
    paper = measured("fit", "paper", ari=0.0, classes=1, error="a single class", **(usual | {"separated": None}))
    halves = measured("halves", "recommended", all=0.9, sure=0.95, sure_share=0.5)
    about = measured("archive", "", populations=6, commonest_name=0.6, names={"measure_shapes": names})
    measurements = [about, *fits, paper, halves]
    classes, agreements, of_records = tables(measurements)
    assert classes.rows == [
        ("wide 9d seed 1", "truth", "6", "–", "–", "–", "–", "0.600", "0.500", "–"),
        (
            *("wide 9d seed 1", "recommended", "6/7/9", "no/no/no", "1.000", "0.200 (0.100 to 0.400)"),
            *("0.500", "0.750", "0.250", "–"),
        ),
        ("wide 9d seed 1", "paper", "1!", "–", "1.000", "0.000", "0.500", "0.750", "0.250", "–"),
    ]
    assert "found no classes" in classes.note
    assert agreements.rows == [("wide 9d seed 1", "recommended", "–", "0.900", "0.950", "0.500", "–", "–", "–")]
    assert [row[:4] for row in of_records.rows] == [
        ("wide 9d seed 1", "over 30", "measure_shapes", "0.900 : 0.800"),
        ("wide 9d seed 1", "over 30", "recommended", "0.900 : 0.800"),
    ]
    content = {"environment": environment(), "measurements": [one | {"date": "2026-01-02"} for one in measurements]}
    assert "; 2026-01-02; python" in conditions(content)  # no word of repeats: there are none


@pytest.mark.slow
def test_all_modes_are_measured_and_a_second_call_measures_nothing(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCH / "quality.py"), "run", "separated", "--days", "4", "--seeds", "1", "2"]
    command += ["--halves", "1", "--json", str(tmp_path / "quality.json"), "--data", str(tmp_path / "data")]
    command += ["--set", "train.epochs=2", "--set", "mean_shift.samples=2000", "--set", "mean_shift.repeats=2"]
    command += ["--set-paper", "train.epochs=2", "--set-paper", "mean_shift.samples=2000"]
    first = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert first.returncode == 0, first.stderr
    found = json.loads((tmp_path / "quality.json").read_text())["measurements"]
    recommended, paper = (padflow.load_config(CONFIGS / f"{name}.yaml") for name in ("recommended", "killey2023"))
    for mode in modes(recommended, paper, populations=6):
        of = [one["of"] for one in found if one["of"].get("mode") == mode]
        fits = 1 if mode == "rule" else 4
        assert [sum(one["what"] == what for one in of) for what in ("fit", "seeds", "halves")] == [
            fits,
            int(fits > 1),
            int(fits > 1),
        ]
    for title in ("classes against the truth", "agreement of fits", "names of records"):
        assert f"### separated: {title}" in first.stdout
    again = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (again.stdout, again.stderr) == (first.stdout, "")


def test_family_without_tables_is_refused_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PADFLOW_REAL_DATA", str(tmp_path))
    options = argparse.Namespace(families=["separated", "zhao"], archives=[1], days=4)
    with pytest.raises(SystemExit, match="needs the tables of Zhao et al"):
        quality.measure(Results(None), options)
