# SPDX-License-Identifier: BSD-3-Clause
"""What the classes look like: mean distributions, quartiles, sizes, where and when they occur, and metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from padflow.clustering.metrics import ClassStatistics, calinski_harabasz, davies_bouldin, inertia, silhouette
from padflow.maps.orbits import LOOK_BACK, ORBIT_L, begins_of_orbits, last_known
from padflow.maps.regions import RegionCounter, RegionSums
from padflow.maps.run_maps import MapCounter, MapSums
from padflow.pipeline.directory import RunDirectory, read_left
from padflow.pipeline.parts import PartTask
from padflow.pipeline.passes import Pass
from padflow.pipeline.receipts import Summarised
from padflow.records import Axes, Needs, Reason, Rows, uniform_hash
from padflow.shapes.class_names import count_shapes, main_shape, shapes_of_means, shapes_of_records
from padflow.shapes.means import MIN_RECORDS, mean_ratio, shape_ratio, standard_error, sum_shapes
from padflow.shapes.names import SHAPES
from padflow.store.durable import facts_of, write_bytes
from padflow.store.npz import pack_arrays
from padflow.store.npz_specs import OF_SUMMARY
from padflow.store.reading import ArchiveReader, needed_rows
from padflow.store.run_files import FIT

QUANTILES = (0.25, 0.5, 0.75)


SHAPE_SAMPLES = 2000
"""Records of each class that quartiles are computed from."""


SCORE_SAMPLES = 20_000
"""Scores shown as points, and the silhouette's."""


@dataclass(frozen=True)
class SummaryPart(Pass):
    """Sums over one part for the summary; left as a file of the ``fit`` folder.

    Parameters
    ----------
    l_variable : str
        Which L the occurrence is counted by.
    maps : MapCounter
        Counts where and when classes and shapes occur.
    share_shapes : tuple of float
        By class, share of its records that quartiles are computed from.
    share_scores : float
        Share of the labelled records whose scores are kept.
    centroids : tuple of tuple of float
        Mean score of each class.
    seed : int
    shaped : bool
        Whether the results hold shapes.
    """

    l_variable: str
    maps: MapCounter
    share_shapes: tuple[float, ...]
    share_scores: float
    centroids: tuple[tuple[float, ...], ...]
    seed: int
    shaped: bool

    def __call__(self, task: PartTask) -> Summarised:
        """Return the receipt."""
        results, reader = self.results(task.group), self.reader(task.group)
        pad_class = results.read("pad_class", task.start, task.stop)
        score = results.read("score", task.start, task.stop)
        reason = results.read("reason", task.start, task.stop)
        places = (self.l_variable, "MLT", "MLAT", *ORBIT_L)
        rows = needed_rows(reader, task.start, task.stop, needs=Needs(ephemeris=places))
        shape = results.read("shape", task.start, task.stop) if self.shaped else None
        k = len(self.centroids)
        arrays = self._shapes(rows, pad_class, reader.axes.counts_per_flux)
        statistics = ClassStatistics.of(score, pad_class, k, centroids=np.array(self.centroids))
        assert statistics.distance is not None, "the centroids are given"
        arrays |= {
            "n": statistics.n,
            "mean": statistics.mean,
            "scatter": statistics.scatter,
            "distance": statistics.distance,
            "unlabelled": np.bincount(reason[pad_class < 0], minlength=len(Reason) - 1),
        }
        sin_n = results.read("sin_n", task.start, task.stop) if self.shaped else None
        outcome = self.maps.outcomes.of(pad_class, reason, shape)
        arrays |= self._count_places(rows, outcome, reader, shape=shape, sin_n=sin_n)
        if shape is not None:
            arrays["name_counts"] = count_shapes(shape, pad_class, k)
        kept = (uniform_hash(self.seed, f"{rows.group} scores", rows.numbers) < self.share_scores) & (pad_class >= 0)
        arrays |= {"sample_score": score[kept], "sample_class": pad_class[kept]}
        content = pack_arrays(arrays)
        name = summary_file(task)
        write_bytes(self.directory.path / name, content)
        return Summarised(task.key, task.start, task.stop, {name: facts_of(content)})

    def _shapes(self, rows: Rows, pad_class: np.ndarray, counts_per_flux: np.ndarray) -> dict[str, np.ndarray]:
        """Sum what mean shapes are made of, and draw the records that quartiles are made of."""
        share = np.append(self.share_shapes, 0.0)[pad_class]
        sampled = uniform_hash(self.seed, f"{rows.group} shapes", rows.numbers) < share
        sums = sum_shapes(rows.flux, pad_class, len(self.centroids), counts_per_flux=counts_per_flux)
        sample = shape_ratio(rows.flux[sampled], counts_per_flux)
        return sums | {"shape_sample": sample, "shape_class": pad_class[sampled]}

    def _count_places(
        self,
        rows: Rows,
        outcome: np.ndarray,
        reader: ArchiveReader,
        *,
        shape: np.ndarray | None,
        sin_n: np.ndarray | None,
    ) -> dict[str, np.ndarray]:
        """Count where and when classes and shapes occur; nothing where the archive does not say where it was."""
        ephemeris = rows.records.ephemeris  # there is no halo
        orbit_l = next((name for name in ORBIT_L if name in ephemeris), None)
        if self.l_variable not in ephemeris or orbit_l is None:
            return {}
        values = {"time": rows.time, "L": ephemeris[self.l_variable]}
        earlier = reader.ephemeris(orbit_l, rows.start - LOOK_BACK, rows.start)
        begins = begins_of_orbits(ephemeris[orbit_l], before=np.nan if earlier is None else last_known(earlier))
        if "MLT" not in ephemeris:
            return self.maps.count(values, outcome, begins)
        values |= {name: ephemeris[name] for name in ("MLT", "MLAT") if name in ephemeris}
        regions = RegionCounter(self.maps.outcomes).count(values, outcome[:, 0], begins, shape=shape, sin_n=sin_n)
        return self.maps.count(values, outcome, begins) | regions


def summary_file(task: PartTask) -> str:
    """Return where a part's sums lie, relative to the run directory."""
    return f"{FIT}/summary/{task.group}-{task.index:06d}.npz"


def summarise(
    directory: RunDirectory,
    tasks: list[PartTask],
    *,
    axes: Axes,
    shape_energy: np.ndarray,
    maps: MapCounter,
    silhouette_samples: int,
    seed: int,
) -> tuple[xr.Dataset, dict[str, float], list[dict[str, Any]]]:
    """Merge the sums of all parts, in their order.

    Returns
    -------
    xarray.Dataset
        ``summary.nc``: what the report draws.
    dict of str to float
        Metrics of the classes over all labelled records; the silhouette on a sample.
    list of dict
        For each class its records, its share, what it looks like, and that at each energy: the name that most of its
        records have, or where shapes are not measured, that of its mean distribution.
    """
    groups = sorted({task.group for task in tasks})
    totals: dict[str, np.ndarray] = {}
    by_group: dict[str, dict[str, np.ndarray]] = {group: {} for group in groups}
    samples: dict[str, list[np.ndarray]] = {}
    found_maps, regions = MapSums(maps), RegionSums(RegionCounter(maps.outcomes))
    statistics: ClassStatistics | None = None
    for task in tasks:
        arrays = read_left(directory.path / summary_file(task), OF_SUMMARY, stage="report")
        part = ClassStatistics(*(arrays[name] for name in ("n", "mean", "scatter", "distance")))
        statistics = part if statistics is None else statistics.merge(part)
        for name in ("n", "unlabelled"):
            _add(by_group[task.group], name, arrays[name])
        found_maps.add(task.group, arrays)
        regions.add(task.group, arrays)
        for name, values in arrays.items():
            if name.startswith(("ratio_", "flux_", "name_")):
                _add(totals, name, values)
            elif name.startswith(("sample_", "shape_")):
                samples.setdefault(name, []).append(values)
    drawn = {name: np.concatenate(pieces) for name, pieces in samples.items()}
    if statistics is None:
        raise ValueError("a summary is of at least one part")
    metrics = {
        "inertia": inertia(statistics),
        "calinski_harabasz": calinski_harabasz(statistics),
        "davies_bouldin": davies_bouldin(statistics),
    }
    if silhouette_samples:
        metrics["silhouette"] = silhouette(
            drawn["sample_score"], drawn["sample_class"], samples=silhouette_samples, seed=seed
        )
    dataset = _dataset(totals, by_group, drawn, axes=axes)
    dataset = dataset.merge(found_maps.dataset(shape_energy)).merge(regions.dataset())
    if "name_counts" in totals:
        dataset["shape_records"] = (("pad_class", "shape_energy", "shape"), totals["name_counts"])
        dataset = dataset.assign_coords(
            shape=list(SHAPES), shape_energy=("shape_energy", shape_energy, {"units": "MeV"})
        )
    return dataset, metrics, _describe(dataset, statistics.n)


def _add(totals: dict[str, np.ndarray], name: str, values: np.ndarray) -> None:
    totals[name] = totals[name] + values if name in totals else values


def _dataset(
    totals: dict[str, np.ndarray],
    by_group: dict[str, dict[str, np.ndarray]],
    drawn: dict[str, np.ndarray],
    *,
    axes: Axes,
) -> xr.Dataset:
    k = len(totals["ratio_n"])
    reasons = [reason for reason in Reason if reason >= 0]
    bins = ("pad_class", "pitch_angle", "energy")
    few, ratio = totals["ratio_n"] < MIN_RECORDS, mean_ratio(totals)
    error = standard_error(*(totals[f"ratio_{name}"] for name in ("sum", "squares", "n")))
    quantiles = np.where(few, np.nan, _quantiles(drawn["shape_sample"], drawn["shape_class"], k))
    flux = np.where(totals["flux_n"] > 0, totals["flux_sum"] / np.maximum(totals["flux_n"], 1), np.nan)
    return xr.Dataset(
        {
            "pad_mean": (bins, ratio, {"long_name": "flux over its pitch-angle average", "units": "1"}),
            "pad_error": (
                bins,
                np.where(few, np.nan, error),
                {"long_name": "standard error of pad_mean", "units": "1"},
            ),
            "pad_quantile": (("quantile", *bins), quantiles, {"units": "1"}),
            "flux_mean": (bins, flux, {"units": "cm-2 s-1 sr-1 MeV-1"}),
            "records": (("spacecraft", "pad_class"), np.stack([g["n"] for g in by_group.values()])),
            "unlabelled": (
                ("spacecraft", "reason"),
                np.stack([g["unlabelled"] for g in by_group.values()]),
                {
                    "flag_values": np.array([int(r) for r in reasons], "i1"),
                    "flag_meanings": " ".join(r.name.lower() for r in reasons),
                },
            ),
            "sample_score": (("sample", "component"), drawn["sample_score"]),
            "sample_class": (("sample",), drawn["sample_class"]),
        },
        coords={
            "pad_class": np.arange(k),
            "pitch_angle": ("pitch_angle", axes.pitch_angle, {"units": "degree"}),
            "energy": ("energy", axes.energy, {"units": "MeV"}),
            "quantile": list(QUANTILES),
            "spacecraft": list(by_group),
            "reason": [int(r) for r in reasons],
        },
    )


def _quantiles(sample: np.ndarray, pad_class: np.ndarray, k: int) -> np.ndarray:
    out = np.full((len(QUANTILES), k, *sample.shape[1:]), np.nan)
    for c in range(k):
        ordered = np.sort(sample[pad_class == c], axis=0)  # NaN last
        number = np.isfinite(ordered).sum(axis=0)
        for q, quantile in enumerate(QUANTILES):
            place = np.round(quantile * np.maximum(number - 1, 0)).astype(int)
            if len(ordered):
                out[q, c] = np.take_along_axis(ordered, place[None], axis=0)[0]
    return out


def _describe(dataset: xr.Dataset, sizes: np.ndarray) -> list[dict[str, Any]]:
    shapes = shapes_of_means(dataset["pitch_angle"].values, dataset["pad_mean"].values)
    if "shape_records" in dataset:
        counts, known = dataset["shape_records"].values, dataset["shape_energy"].values
        shapes = shapes_of_records(counts, known, energy=dataset["energy"].values, of_means=shapes)
    total = max(1, int(sizes.sum()))
    return [
        {"pad_class": c, "records": size, "share": size / total, "looks": main_shape(shapes[c]), "shapes": shapes[c]}
        for c, size in enumerate(sizes.tolist())
    ]
