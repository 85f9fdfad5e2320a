# SPDX-License-Identifier: BSD-3-Clause
"""How well classes and names agree with the truth, and fits with one another."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from sklearn.metrics import adjusted_rand_score

from harness.modes import Fitted
from harness.truth import AT, MANY, KnownArchive, channels
from padflow.shapes.means import mean_ratio, sum_shapes
from padflow.shapes.names import BUTTERFLY, SHAPES, UNCLEAR, name_shapes

FEW = 5
"""Counts in two minutes above which names of records are judged as well, beside `MANY`."""


SURE, CERTAIN = 0.8, 0.9
"""Probabilities above which two fits are compared once more, and from which labels ought to be right."""


OUTER_L, NIGHT, DAY = 5.5, (20.0, 4.0), (8.0, 16.0)
"""Where butterflies are counted: beyond this L by night, inside it by day (hours of MLT)."""


@dataclass(frozen=True)
class Labels:
    """The classes of an archive's records.

    Parameters
    ----------
    pad_class : ndarray of int16, shape (records,)
        -1: none.
    probability : ndarray of float32, shape (records,)
        That the class is right; NaN where the mode does not say it.
    names : ndarray of int8, shape (class, energy)
        Codes of the names of each class.
    shape : ndarray of int8, shape (records, energy), optional
        Codes of the names of the records themselves, where the mode gives them.
    """

    pad_class: np.ndarray
    probability: np.ndarray
    names: np.ndarray
    shape: np.ndarray | None = None

    @property
    def number(self) -> int:
        """Number of classes that have a record."""
        return len(np.unique(self.pad_class[self.pad_class >= 0]))

    def save(self, path: Path) -> None:
        """Keep the classes, to be compared with those of other fits."""
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, pad_class=self.pad_class, probability=self.probability, names=self.names)

    @staticmethod
    def load(path: Path) -> Labels:
        """Read what `save` wrote."""
        with np.load(path) as arrays:
            return Labels(arrays["pad_class"], arrays["probability"], arrays["names"])


def labels_of(fitted: Fitted, archive: KnownArchive) -> Labels:
    """Label all records, and keep the classes of those that modes are compared on."""
    out = fitted.label(archive.records)
    pad_class = np.where(archive.selected, out["pad_class"].values, -1).astype(np.int16)
    unknown = np.full(len(pad_class), np.nan, np.float32)
    probability = out["probability"].values if "probability" in out else unknown
    shape = out["shape"].values[:, channels(out)] if "shape" in out else None
    return Labels(pad_class, probability, class_names(fitted.info, pad_class, archive.records), shape)


def class_names(info: dict[str, Any], pad_class: np.ndarray, records: xr.Dataset) -> np.ndarray:
    """Return the codes of the names of classes, int8 of shape (class, energy).

    They are those that the model gives. Where it gives none, they are those of the mean shapes.
    """
    chosen = channels(records)
    if "classes" in info:
        return np.array([[SHAPES.index(one["shapes"][i]) for i in chosen] for one in info["classes"]], np.int8)
    flux = records["flux"].transpose("time", "pitch_angle", "energy").values
    per_flux = records["counts_per_flux"].values
    sums = sum_shapes(flux, pad_class, int(pad_class.max()) + 1, counts_per_flux=per_flux)
    pads = mean_ratio(sums).swapaxes(1, 2)[:, chosen]
    return name_shapes(records["pitch_angle"].values, pads)


def score(labels: Labels, archive: KnownArchive) -> dict[str, Any]:
    """Compare classes with the truth.

    Returns
    -------
    dict
        ``classes``: their number. ``labelled``: share of the selected records that have a class. ``ari``: adjusted Rand
        index with the populations, None where there are none. The rest is among labelled records with more than `MANY`
        counts at 2.1 MeV: ``ari_of_names``, with the true names; ``name_right``: share whose class has the true name;
        ``night_butterflies`` and ``day_butterflies``, each by class and in truth; ``certain``: see `calibration`.
    """
    labelled = labels.pad_class >= 0
    judged = labelled & (archive.counts[:, AT] > MANY)
    truth, name = archive.names[judged, AT], labels.names[labels.pad_class[judged], AT]
    both = labelled & (archive.population >= 0)
    night, day = (places[judged] for places in butterfly_places(archive.records))
    return {
        "classes": labels.number,
        "labelled": share(labelled[archive.selected]),
        "ari": rand(archive.population[both], labels.pad_class[both]) if archive.populations else None,
        "ari_of_names": rand(truth, labels.pad_class[judged]),
        "name_right": share(name == truth),
        "night_butterflies": [share(found[night] == BUTTERFLY) for found in (name, truth)],
        "day_butterflies": [share(found[day] == BUTTERFLY) for found in (name, truth)],
        "certain": calibration(labels, archive),
    }


def butterfly_places(records: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return which records lie beyond L 5.5 by night, and which inside it by day."""
    shell, hours = records["L"].values, records["MLT"].values
    outer = shell > OUTER_L
    night = (hours >= NIGHT[0]) | (hours < NIGHT[1])
    return outer & night, ~outer & (hours >= DAY[0]) & (hours < DAY[1])


def calibration(labels: Labels, archive: KnownArchive) -> dict[str, float | None]:
    """Say of the records whose probability is at least `CERTAIN` how many are right.

    Returns
    -------
    dict
        ``share``: of the labelled records. ``population_right``: share of them in a class whose commonest population is
        theirs. ``name_right``: share of them, with more than `MANY` counts at 2.1 MeV, whose class has the true name.
        All None where the mode gives no probabilities.
    """
    labelled = labels.pad_class >= 0
    if np.isnan(labels.probability[labelled]).all():
        return {"share": None, "population_right": None, "name_right": None}
    certain = labelled & (labels.probability >= CERTAIN)
    known, judged = certain & (archive.population >= 0), certain & (archive.counts[:, AT] > MANY)
    name = labels.names[labels.pad_class[judged], AT]
    owner = owners(archive.population, labels.pad_class)
    return {
        "share": share(certain[labelled]),
        "population_right": share(owner[labels.pad_class[known]] == archive.population[known]),
        "name_right": share(name == archive.names[judged, AT]),
    }


def owners(population: np.ndarray, pad_class: np.ndarray) -> np.ndarray:
    """Return the commonest population of each class, shape (class,)."""
    both = (population >= 0) & (pad_class >= 0)
    table = np.zeros((pad_class.max(initial=0) + 1, population.max(initial=0) + 1), np.int64)
    np.add.at(table, (pad_class[both], population[both]), 1)
    return table.argmax(axis=1)


def score_names(shape: np.ndarray, archive: KnownArchive) -> dict[str, dict[str, list[float | None]]]:
    """Compare the names of records themselves with the truth, by energy, in the belt.

    Parameters
    ----------
    shape : ndarray of int8, shape (records, energy)
        Codes; unclear is no name.

    Returns
    -------
    dict
        For records with more than `MANY` and `FEW` counts at an energy: ``named``, their share that have a name, and
        ``right``, the share of these whose name is the true one.
    """
    out = {}
    for least in (MANY, FEW):
        judged = (archive.counts > least) & archive.in_belt[:, None] & (archive.names != UNCLEAR)
        named = judged & (shape != UNCLEAR)
        right = named & (shape == archive.names)
        energies = range(shape.shape[1])
        out[f"over {least}"] = {
            "named": [share(named[judged[:, e], e]) for e in energies],
            "right": [share(right[named[:, e], e]) for e in energies],
        }
    return out


def agreement(one: Labels, other: Labels) -> dict[str, float | None]:
    """Compare two fits over the records that both label.

    Returns
    -------
    dict
        ``all``: adjusted Rand index; ``sure``: the same among records with probabilities above `SURE` in both, and
        ``sure_share``, their share; None where there are no probabilities.
    """
    both = (one.pad_class >= 0) & (other.pad_class >= 0)
    first, second = one.pad_class[both], other.pad_class[both]
    least = np.minimum(one.probability[both], other.probability[both])
    if np.isnan(least).all():
        return {"all": rand(first, second), "sure": None, "sure_share": None}
    sure = least > SURE
    return {"all": rand(first, second), "sure": rand(first[sure], second[sure]), "sure_share": share(sure)}


def rand(one: np.ndarray, other: np.ndarray) -> float | None:
    """Return the adjusted Rand index, None of no records."""
    return float(adjusted_rand_score(one, other)) if len(one) else None


def share(which: np.ndarray) -> float | None:
    """Return the share that is true, None of none."""
    return float(which.mean()) if len(which) else None
