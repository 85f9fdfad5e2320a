# SPDX-License-Identifier: BSD-3-Clause
"""Known results: a simulation made to agree agrees, one made to differ differs, and one that cannot tell says why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from padflow.maps.orbits import begins_of_orbits
from padflow.maps.outcomes import Outcomes
from padflow.maps.regions import RegionCounter, RegionSums
from padflow.report.known import AGREES, CANNOT_TELL, DIFFERS, Known, known_results, verdict
from padflow.report.tables import Run, read_run
from padflow.shapes.names import name_shapes
from padflow.simulation.conditions import Conditions, smooth_noise
from padflow.simulation.continuum import Continuum
from padflow.simulation.day import PITCH_ANGLES
from padflow.simulation.families import FAMILIES, Family
from padflow.simulation.orbit import track, unix_ms

ENERGY = np.array([1.8, 2.1, 4.2])
SINE = np.sin(np.radians(PITCH_ANGLES))
NIGHT, NOON = np.datetime64("2013-03-01").item(), np.datetime64("2014-02-01").item()
"""Days from which the apogee is by night, and by day."""


class AsNiSaw(Continuum):
    """By night beyond L 5.5 some 80 % of the records are butterflies."""

    def pads(self, conditions: Conditions, pitch_angles: np.ndarray, energies: np.ndarray) -> tuple:
        pads, population = super().pads(conditions, pitch_angles, energies)
        outer = (conditions.L > 5.5) & (np.cos(conditions.MLT * np.pi / 12) > 0)
        butterfly, pancake = SINE * (0.3 + 2 * (1 - SINE**2)), SINE**2
        pads[outer] = np.where(conditions.latent[outer, 6, None] < 0.84, butterfly, pancake)[:, :, None]
        return pads, population


class UpsideDown(Continuum):
    """Steeper at low energy, and less steep by day further out."""

    def pads(self, conditions: Conditions, pitch_angles: np.ndarray, energies: np.ndarray) -> tuple:
        inside_out = replace(conditions, L=10 - conditions.L)
        pads, population = super().pads(inside_out, pitch_angles, energies)
        return pads[:, :, ::-1], population


def simulated(family: Family, first: Any, *, days: int = 10) -> xr.Dataset:
    """Return the regions of records without counting noise, one every four minutes."""
    counter = RegionCounter(Outcomes(2, len(ENERGY)))
    sums = RegionSums(counter)
    before = np.nan
    for number in range(days):
        start = unix_ms(first) + number * 86_400_000
        time = start + np.arange(360) * 240_000
        at = track("rbspa", time)
        zero = np.zeros(len(time))
        noise = smooth_noise(0, 0, time, start // 86_400_000)
        place = Conditions(time, at.L, at.MLT, zero - 12, zero, zero, at.B_Eq / at.B_Calc, noise)
        pads = family.pads(place, PITCH_ANGLES, ENERGY)[0].swapaxes(1, 2)
        inner = SINE > 0.4
        log_sine = np.log(SINE[inner])
        log_pad = np.log(pads[..., inner] / pads[..., len(SINE) // 2, None])
        sin_n = (log_pad * log_sine).sum(axis=-1) / (log_sine**2).sum()
        begins = begins_of_orbits(at.L, before=before)
        before = at.L[-1]
        shape = name_shapes(PITCH_ANGLES, pads)
        arrays = counter.count(
            {"L": at.L, "MLT": at.MLT, "MLAT": at.MLAT}, zero.astype(int), begins, shape=shape, sin_n=sin_n
        )
        sums.add("rbspa", arrays)
    return sums.dataset().assign_coords(shape_energy=ENERGY)


@pytest.fixture
def run(small_run: Path) -> Run:
    """A run of two classes, without regions."""
    found = read_run(small_run)
    gone = [name for name in found.summary.variables if str(name).startswith(("region", "l_"))]
    return replace(found, summary=found.summary.drop_vars(gone).drop_dims(["shape_energy", "region"], errors="ignore"))


def told(run: Run, regions: xr.Dataset, words: str) -> list[Known]:
    """Return the rows whose result has the words."""
    known = known_results(replace(run, summary=run.summary.merge(regions)))
    return [row for row in known if words in row.result]


def test_butterflies_agree_and_differ(run: Run) -> None:
    (agreeing,) = told(run, simulated(AsNiSaw(), NIGHT, days=30), "beyond L 5.5")
    assert agreeing.verdict == AGREES, agreeing
    share = float(agreeing.found.partition(" %")[0])
    assert 72 <= share <= 88
    assert "from 22 to 24 h, of the records with a name at 2.1 MeV; 30 orbits" in agreeing.found
    differing, by_day = told(run, simulated(FAMILIES["single"], NIGHT, days=30), "Butterflies")
    assert differing.verdict == DIFFERS
    assert differing.found.startswith("0 %")
    assert "30 orbits" in differing.found  # of two-hour sectors without any, that with most orbits
    assert (by_day.verdict, by_day.found) == (CANNOT_TELL, "no record was taken there")


def test_the_continuum_has_as_many_butterflies_as_were_measured_where_its_orbits_reach(run: Run) -> None:
    """Measured PADs have 63 to 75 % from L 5.6 to 5.8, where the simulated orbits end near the equator."""
    (row,) = told(run, simulated(Continuum(), NIGHT, days=30), "beyond L 5.5")
    assert 63 <= float(row.found.partition(" %")[0]) <= 75
    assert row.verdict == AGREES


def test_steepness_agrees_and_differs(run: Run) -> None:
    for family, answer in ((Continuum(), AGREES), (UpsideDown(), DIFFERS)):
        steepness = told(run, simulated(family, NOON), "steeper")
        assert [row.verdict for row in steepness] == [answer] * 2, steepness


def test_few_orbits_cannot_tell(run: Run) -> None:
    (row,) = told(run, simulated(AsNiSaw(), NIGHT, days=1), "beyond L 5.5")
    assert row.verdict == CANNOT_TELL


@pytest.mark.parametrize(
    ("low", "high", "answer"),
    [
        *[(0.75, 0.85, AGREES), (0.6, 0.75, CANNOT_TELL), (0.5, 0.69, DIFFERS), (0.91, 0.95, DIFFERS)],
        *[(0.6, 0.95, CANNOT_TELL), (np.nan, np.nan, CANNOT_TELL)],
    ],
)
def test_a_verdict_is_of_the_whole_interval(low: float, high: float, answer: str) -> None:
    assert verdict(low, high, (0.7, 0.9)) == answer


def test_the_number_of_classes_counts_where_they_are_separated(run: Run) -> None:
    regions = simulated(Continuum(), NIGHT, days=1)
    (row,) = told(run, regions, "Classes")
    assert row.verdict == CANNOT_TELL
    assert "a convention" in row.found
    six = [replace(run.classes[0], shape=shape) for shape in ("pancake", "butterfly", "flattop") * 2]
    for classes, answer in ((six, AGREES), (six[:5], DIFFERS)):
        separated = replace(run, model=run.model | {"separated": True}, classes=tuple(classes))
        (row,) = told(separated, regions, "Classes")
        assert row.verdict == answer


def test_without_places_there_is_no_table(run: Run) -> None:
    assert known_results(run) == []
