# SPDX-License-Identifier: BSD-3-Clause
"""The simulated archive as a whole: bytes, truth under every trouble, refusals."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from dataclasses import fields
from functools import partial
from pathlib import Path

import numpy as np
import pycdfpp
import pytest
import xarray as xr

from padflow.errors import ConfigError
from padflow.simulation.archive import parallel_map, simulate_archive
from padflow.simulation.day import Noise
from padflow.simulation.families import FAMILIES
from padflow.simulation.populations import POPULATIONS
from padflow.simulation.troubles import Troubles

NAME = re.compile(r"(rbsp[ab])_rel03_ect-rept-sci-l3_(\d{8})_v(\d+)\.(\d+)\.(\d+)\.cdf")
EPOCH_1970_MS = 62_167_219_200_000
small = partial(simulate_archive, records_per_day=200)
KINDS = [f.name for f in fields(Troubles)]


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def truth_of(folder: Path, spacecraft: str = "rbspa") -> xr.Dataset:
    with xr.open_dataset(folder / f"truth_{spacecraft}.nc", engine="h5netcdf") as dataset:
        return dataset.load()


def is_whole(path: Path) -> bool:
    """Whether the file is a CDF as long as its own descriptor (GDR, field eof) says."""
    data = path.read_bytes()
    if data[:4] != b"\xcd\xf3\x00\x01":
        return False
    descriptor = int.from_bytes(data[20:28], "big")
    return int.from_bytes(data[descriptor + 36 : descriptor + 44], "big") == len(data)


def ingested_times(folder: Path, spacecraft: str = "rbspa") -> np.ndarray:
    """Read an archive as padflow promises to, by another reader: newest version, good files, times once."""
    newest: dict[str, tuple[tuple[int, ...], Path]] = {}
    for path in folder.rglob("*.cdf"):
        name, day, *version = NAME.fullmatch(path.name).groups()
        if name == spacecraft:
            newest[day] = max(newest.get(day, ((0,), path)), (tuple(map(int, version)), path))
    times = [np.array([], np.int64)]
    for _, path in newest.values():
        if not is_whole(path):
            continue
        file = pycdfpp.load(str(path))
        if (file["FEDU"].values < -9e30).all():
            continue
        epoch = file["Epoch"].values["mseconds"]
        times.append((epoch[epoch > EPOCH_1970_MS] - EPOCH_1970_MS).astype(np.int64))
    return np.unique(np.concatenate(times)).astype("datetime64[ms]")


@pytest.mark.parametrize("kind", KINDS)
def test_truth_is_right_under_each_trouble(tmp_path: Path, kind: str) -> None:
    summary = small(tmp_path, days=3, troubles=Troubles(**{kind: 1}))
    truth = truth_of(tmp_path)
    np.testing.assert_array_equal(truth.time.values, ingested_times(tmp_path))
    assert truth.sizes["time"] == summary.records > 300
    receipt = json.loads((tmp_path / "simulation.json").read_text())
    applied = {trouble["kind"].split()[0] for file in receipt["files"] for trouble in file["troubles"]}
    assert applied == {kind}


def test_truth_is_right_under_all_troubles_together(tmp_path: Path) -> None:
    summary = small(tmp_path, spacecraft=("rbspa", "rbspb"), days=16, troubles=Troubles.all(2), seed=3)
    assert summary.files == 2 * (16 - 2 + 2)  # two days missing, two with a second version
    for spacecraft in ("rbspa", "rbspb"):
        truth = truth_of(tmp_path, spacecraft)
        np.testing.assert_array_equal(truth.time.values, ingested_times(tmp_path, spacecraft))
    receipt = json.loads((tmp_path / "simulation.json").read_text())
    for kind in KINDS:
        struck = [t for f in receipt["files"] for t in f["troubles"] if t["kind"].split()[0] == kind]
        assert len(struck) == (8 if kind == "border" else 4), kind
        assert all(t["why"] for t in struck)
    assert sum(file["good_records"] for file in receipt["files"]) == summary.records


def test_clean_archive_has_every_record_in_the_truth(tmp_path: Path) -> None:
    summary = small(tmp_path, days=2)
    receipt = json.loads((tmp_path / "simulation.json").read_text())
    assert summary.records == sum(file["records"] for file in receipt["files"])
    assert summary.troubles == {}


def test_truncated_file_is_the_beginning_of_the_whole_one(tmp_path: Path) -> None:
    small(tmp_path / "clean", days=1)
    small(tmp_path / "cut", days=1, troubles=Troubles(truncated=1))
    (whole,), (cut,) = (list((tmp_path / name).rglob("*.cdf")) for name in ("clean", "cut"))
    assert is_whole(whole)
    assert not is_whole(cut)
    assert whole.read_bytes().startswith(cut.read_bytes())
    assert truth_of(tmp_path / "cut").sizes["time"] == 0


def test_older_version_has_other_values_and_sorts_later_as_text(tmp_path: Path) -> None:
    small(tmp_path, days=1, troubles=Troubles(versions=1), start=datetime.date(2013, 3, 10))
    older, newer = sorted(tmp_path.rglob("*.cdf"), reverse=True)
    assert older.name.endswith("v5.9.0.cdf")
    assert newer.name.endswith("v5.10.0.cdf")
    times = [pycdfpp.load(str(path))["Epoch"].values["mseconds"] for path in (older, newer)]
    assert not np.isin(*times).any()


def test_bad_values_are_as_announced(tmp_path: Path) -> None:
    small(tmp_path, days=1, troubles=Troubles(bad_flux=1, bad_epochs=1, out_of_order=1, doubled=1))
    file = pycdfpp.load(str(next(tmp_path.rglob("*.cdf"))))
    flux, epoch = file["FEDU"].values, file["Epoch"].values["mseconds"]
    assert np.isnan(flux).any()
    assert np.isposinf(flux).any()
    assert ((flux < 0) & (flux > -1e6)).any()
    assert np.isnan(epoch).any()
    assert (epoch == 0).any()
    assert (epoch == -1e31).any()
    valid = epoch[epoch > 0]
    assert (np.diff(valid) < 0).any()
    assert len(np.unique(valid)) < len(valid)


def test_doubled_records_are_equal_everywhere(tmp_path: Path) -> None:
    small(tmp_path, days=3, troubles=Troubles(border=2, doubled=3, bad_flux=3))
    seen: dict[float, bytes] = {}
    copies = 0
    for path in tmp_path.rglob("*.cdf"):
        file = pycdfpp.load(str(path))
        for epoch, flux in zip(file["Epoch"].values["mseconds"], file["FEDU"].values, strict=True):
            copies += epoch in seen
            assert seen.setdefault(epoch, flux.tobytes()) == flux.tobytes()
    assert copies > 12


@pytest.mark.parametrize("family", FAMILIES)
def test_same_arguments_give_the_same_bytes_in_any_order_of_days(tmp_path: Path, family: str) -> None:
    def backwards(function, tasks):
        return reversed([function(task) for task in reversed(tasks)])

    arguments = {"days": 7, "troubles": Troubles.all(), "seed": 5, "family": family}
    small(tmp_path / "a", **arguments)
    small(tmp_path / "b", **arguments, map_days=backwards)
    first = digests(tmp_path / "a")
    assert first == digests(tmp_path / "b")
    small(tmp_path / "a", **arguments)
    assert digests(tmp_path / "a") == first
    assert not list(tmp_path.rglob(".*"))


def test_processes_give_the_same_bytes(tmp_path: Path) -> None:
    small(tmp_path / "a", days=2)
    small(tmp_path / "b", days=2, map_days=partial(parallel_map, workers=2))
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_day_does_not_depend_on_the_others(tmp_path: Path, family: str) -> None:
    small(tmp_path / "a", days=3, family=family)
    small(tmp_path / "b", days=1, start=datetime.date(2013, 3, 3), spacecraft=("rbspb", "rbspa"), family=family)
    name = "*rbspa*20130303*.cdf"
    (long,), (short,) = (list((tmp_path / folder).rglob(name)) for folder in "ab")
    assert long.read_bytes() == short.read_bytes()


class Halves:
    """A family of a user's own: pancakes, and flat beyond L 5."""

    name = "halves"
    population_names = ("pancake", "flat")

    def __init__(self, steepness: float) -> None:
        self.steepness = steepness

    def parameters(self) -> dict:
        return {"steepness": self.steepness}

    def pads(self, conditions, pitch_angles, energies):
        flat = conditions.L > 5
        sine = np.sin(np.radians(pitch_angles))[None, :, None]
        pads = sine ** np.where(flat, 0, self.steepness)[:, None, None] * np.ones((1, 1, len(energies)))
        return (pads / ((pads * sine).sum(axis=1) / sine.sum())[:, None]).astype(np.float32), flat.astype(np.int8)


def test_a_family_of_ones_own(tmp_path: Path) -> None:
    summary = small(tmp_path / "a", days=2, family=Halves(2.0))
    receipt = json.loads((tmp_path / "a" / "simulation.json").read_text())
    assert receipt["parameters"]["family"] == {"name": "halves", "steepness": 2.0}
    truth = truth_of(tmp_path / "a")
    assert list(truth.attrs["population_names"]) == ["pancake", "flat"]
    for number, power in ((0, 2.0), (1, 0.0)):
        shape = truth["pad"].values[truth["population"].values == number]
        expected = np.sin(np.radians(truth["folded_pitch_angle"].values)) ** power
        np.testing.assert_allclose(shape, np.broadcast_to(expected[:, None], shape.shape), atol=1e-4)
        assert len(shape) > 20
    with pytest.raises(ConfigError, match="differ in family"):
        small(tmp_path / "a", days=2, family=Halves(3.0))
    again = small(tmp_path / "b", days=2, family=Halves(2.0), map_days=partial(parallel_map, workers=2))
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert again.records == summary.records


def test_receipt_says_the_family_and_separated_is_the_usual_one(tmp_path: Path) -> None:
    small(tmp_path / "a", days=1)
    small(tmp_path / "a", days=1, family="separated", populations=6)
    family = json.loads((tmp_path / "a" / "simulation.json").read_text())["parameters"]["family"]
    assert family["name"] == "separated"
    assert [p["name"] for p in family["populations"]] == [p.name for p in POPULATIONS[:6]]
    for name in FAMILIES:
        small(tmp_path / name, days=1, family=name)
        content = json.loads((tmp_path / name / "simulation.json").read_text())
        assert content["parameters"]["family"]["name"] == name


def test_other_seed_noise_family_or_populations_give_other_values(tmp_path: Path) -> None:
    variants = {
        "same": {},
        "seed": {"seed": 1},
        "noise": {"noise": Noise(background_per_second=0.3)},
        "populations": {"populations": 3},
        **{name: {"family": name} for name in FAMILIES if name != "separated"},
    }
    found = set()
    for name, arguments in variants.items():
        small(tmp_path / name, days=1, **arguments)
        (path,) = (tmp_path / name).rglob("*.cdf")
        found.add(path.read_bytes())
    assert len(found) == len(variants)


@pytest.mark.parametrize("number", [3, 8])
def test_three_to_eight_populations(tmp_path: Path, number: int) -> None:
    small(tmp_path, days=20, populations=POPULATIONS[:number], start=datetime.date(2013, 3, 25))
    truth = truth_of(tmp_path)
    counts = np.bincount(truth.population.values + 1, minlength=number + 1)
    assert len(counts) == number + 1
    assert (counts[1:] > 10).all()
    assert counts[1:].max() > 2 * counts[1:].min()
    assert list(truth.attrs["population_names"]) == [p.name for p in POPULATIONS[:number]]
    np.testing.assert_array_equal(truth.population == -1, truth.expected_counts < 20)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"spacecraft": ("rbspc",)}, "rbspa, rbspb"),
        ({"spacecraft": ()}, "one or more"),
        ({"days": 0}, "at least one day"),
        ({"seed": -1}, "0 or more"),
        ({"family": "narrow"}, "separated, continuum, wide, single"),
        ({"populations": 2}, "between 3 and 8"),
        ({"populations": POPULATIONS[:1]}, "between 3 and 8"),
        ({"records_per_day": 9000}, "100 to 7900"),
        ({"days": 6, "troubles": Troubles.all()}, "at least 7 days"),
    ],
)
def test_refusals(tmp_path: Path, arguments: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        simulate_archive(tmp_path / "new", **arguments)
    assert not (tmp_path / "new").exists()


def test_folder_of_another_simulation_is_refused(tmp_path: Path) -> None:
    small(tmp_path, days=1)
    before = digests(tmp_path)
    with pytest.raises(ConfigError, match="differ in days, seed"):
        small(tmp_path, days=2, seed=9)
    assert digests(tmp_path) == before
