# SPDX-License-Identifier: BSD-3-Clause
"""A fake but structured run directory: every file the report reads, of populations like those of REPT."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from padflow.indices.storms import TIMES
from padflow.maps.outcomes import Outcomes
from padflow.maps.regions import RegionCounter, RegionSums
from padflow.maps.run_maps import MapCounter, MapSums
from padflow.maps.superposed import superpose
from padflow.records import Reason

REPT_ENERGIES = [1.8, 2.1, 2.6, 3.4, 4.2, 5.2, 6.3, 7.7, 9.9, 12.3, 15.2, 20.0]
SHAPES = ["pancake", "flattop", "butterfly", "pancake", "flattop", "butterfly", "isotropic", "pancake"]


def shape_of(kind: str, pitch: np.ndarray, steepness: float) -> np.ndarray:
    sine = np.sin(np.radians(pitch))
    curve = {
        "pancake": sine ** (1 + 2 * steepness),
        "flattop": 1 - (1 - sine) ** (2 + 3 * steepness),
        "butterfly": sine**0.8 * (1 - 0.55 * (0.4 + steepness) * sine**6),
        "isotropic": np.ones_like(sine),
    }[kind]
    return curve / curve.mean()


def make_summary(n_classes: int, n_energies: int, n_pitch: int, spacecraft: list[str], n_records: int) -> xr.Dataset:
    rng = np.random.default_rng(5)
    rept = np.array(REPT_ENERGIES)
    energy = rept if n_energies == 12 else np.geomspace(0.03, 8.0, n_energies)
    pitch = (np.arange(n_pitch) + 0.5) * 180 / n_pitch
    kinds = [SHAPES[i % len(SHAPES)] for i in range(n_classes)]
    mean = np.full((n_classes, n_pitch, n_energies), np.nan, "f4")
    quantile = np.full((3, n_classes, n_pitch, n_energies), np.nan, "f4")
    for i, kind in enumerate(kinds):
        for j in range(n_energies):
            if j > n_energies - 1 - i % 4:
                continue  # too few counts
            steepness = (j / n_energies + 0.3 * i / n_classes) % 1
            curve = shape_of(kind, pitch, steepness) + rng.normal(0, 0.02, n_pitch)
            spread = 0.08 + 0.2 * j / n_energies
            mean[i, :, j] = curve
            quantile[:, i, :, j] = np.stack([curve * (1 - spread), curve * 0.99, curve * (1 + spread)])
    weights = rng.dirichlet(np.full(n_classes, 1.5))
    labelled = int(n_records * 0.93)
    per_class = rng.multinomial(labelled, weights)
    split = np.array([0.53, 0.47]) if len(spacecraft) == 2 else np.array([1.0])
    records = np.stack([(per_class * split[0]).astype(int), per_class - (per_class * split[0]).astype(int)])
    records = records if len(spacecraft) == 2 else per_class[None]
    rest = n_records - labelled
    unlabelled = np.zeros((len(spacecraft), 4), "i8")
    unlabelled[0] = [0, rest - rest // 3, rest // 3, 0]
    return xr.Dataset(
        {
            "pad_mean": (("pad_class", "pitch_angle", "energy"), mean),
            "pad_error": (("pad_class", "pitch_angle", "energy"), np.where(np.isfinite(mean), 0.02, np.nan)),
            "pad_quantile": (("quantile", "pad_class", "pitch_angle", "energy"), quantile),
            "flux_mean": (("pad_class", "pitch_angle", "energy"), mean * (energy**-3).astype("f4")),
            "records": (("spacecraft", "pad_class"), records.astype("i8")),
            "unlabelled": (
                ("spacecraft", "reason"),
                unlabelled,
                {
                    "flag_values": np.arange(4),
                    "flag_meanings": "labelled no_flux too_few_counts outside_region",
                },
            ),
            **sample(per_class, rng),
        },
        coords={
            "pad_class": np.arange(n_classes),
            "pitch_angle": pitch,
            "energy": energy,
            "quantile": [0.25, 0.5, 0.75],
            "spacecraft": spacecraft,
            "reason": np.arange(4),
        },
    ).merge(maps(per_class, rng))


def maps(per_class: np.ndarray, rng: np.random.Generator) -> xr.Dataset:
    """Each class in a ring of its own, by day or night, now and then; some days without records; orbits of a day."""
    n, days = len(per_class), np.arange(420)
    edges = np.datetime64("2012-09-01", "ns") + np.arange(0, 421, 7) * np.timedelta64(1, "D")
    outcomes = Outcomes(n, 2)
    counter = MapCounter(tuple(edges.astype(np.int64).tolist()), outcomes)
    rows = np.repeat(np.arange(n), np.minimum(per_class, 2000))
    day = np.sort(rng.choice(days[(days // 7 < 20) | (days // 7 > 21)], len(rows)))
    pad_class = rng.permutation(rows)
    values = {
        "time": edges[0] + (day * 24 + rng.integers(0, 24, len(rows))) * np.timedelta64(1, "h"),
        "L": np.clip(3.2 + 3 * pad_class / n + rng.normal(0, 0.6, len(rows)), 2.1, 6.9),
        "MLT": 12 + 24 * pad_class / n + rng.normal(0, 4, len(rows)),
    }
    reason = np.where(rng.random(len(rows)) < 0.07, Reason.LOW_COUNTS, Reason.SELECTED)
    shape = np.stack([1 + pad_class % 4, np.where(rng.random(len(rows)) < 0.3, 0, 1 + pad_class % 3)], axis=1)
    shape[reason > 0] = 0
    pad_class = np.where(reason > 0, -1, pad_class)
    begins = np.diff(day, prepend=-1) > 0
    arrays = counter.count(values, outcomes.of(pad_class, reason, shape), begins)
    pad_class = outcomes.of(pad_class, reason)[:, 0]
    sums, regions = MapSums(counter), RegionSums(RegionCounter(outcomes))
    sums.add("rbspa", arrays)
    sin_n = rng.normal(1, 0.3, shape.shape)
    regions.add("rbspa", RegionCounter(outcomes).count(values, pad_class, begins, shape=shape, sin_n=sin_n))
    return sums.dataset(np.array([1.8, 4.2])).merge(regions.dataset())


def superposed(rng: np.random.Generator, classes: int) -> xr.Dataset:
    """Five storms of half a day a phase: class 0 before and after the main phase, the last class in it."""
    starts = np.datetime64("2012-09-01", "ns") + np.arange(5) * np.timedelta64(10, "D")
    phases = [starts + i * np.timedelta64(12, "h") for i in range(4)]
    storms = xr.Dataset({name: ("storm", phase) for name, phase in zip(TIMES, phases, strict=True)})
    time = np.datetime64("2012-09-01", "ns") + np.sort(rng.integers(0, 50 * 24 * 60, 8000)) * np.timedelta64(1, "m")
    in_main = ((time - starts[0]) % np.timedelta64(10, "D") // np.timedelta64(12, "h")) == 1
    pad_class = np.where(in_main, classes - 1, 0).astype("i2")
    data = {
        "pad_class": ("time", pad_class, {"flag_values": np.arange(classes)}),
        "reason": ("time", np.zeros(len(time), "i1")),
        "shape": (("time", "energy"), np.stack([1 + 3 * in_main, 1 + 2 * in_main], axis=1).astype("i1")),
    }
    results = xr.Dataset(data, {"time": time, "energy": [1.8, 4.2]})
    return superpose(results, xr.Dataset({"L": ("time", rng.uniform(3, 6, len(time)))}, {"time": time}), storms)


def sample(per_class: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    n = int(min(per_class.sum(), 30_000))
    pad_class = rng.choice(len(per_class), n, p=per_class / per_class.sum()) if n else np.zeros(0, int)
    centres = rng.normal(0, [3.0, 2.0, 1.0], (len(per_class), 3))
    score = centres[pad_class] + rng.normal(0, [0.7, 0.5, 0.4], (n, 3))
    pad_class[: n // 50] = -1
    return {
        "sample_score": (("sample", "component"), score.astype("f4")),
        "sample_class": (("sample",), pad_class.astype("i2")),
    }


def make_model(summary: xr.Dataset) -> dict[str, Any]:
    records = summary["records"].sum("spacecraft").values
    n, n_energies = len(records), summary.sizes["energy"]
    epochs = np.arange(40)
    spectrum = 0.62 * 0.55 ** np.arange(102) + 1e-6
    spectrum /= spectrum.sum()
    return {
        "instrument": "REPT",
        "training": {
            "history": {
                "loss": (0.004 + 0.05 * np.exp(-epochs / 4)).tolist(),
                "val_loss": (0.0045 + 0.05 * np.exp(-epochs / 4) + 1e-5 * epochs).tolist(),
            },
            "best_epoch": 39,
            "rows": 123_456,
            "validation_rows": 40_000,
            "rows_per_second": 4e5,
        },
        "pca": {
            "explained_variance": (4 * spectrum[:3]).tolist(),
            "explained_variance_ratio": spectrum[:3].tolist(),
            "noise_variance": 0.01,
            "mean_log_likelihood": -12.0,
            "spectrum": spectrum.tolist(),
        },
        "mean_shift": {
            "bandwidth": 0.823,
            "n_modes": n,
            "n_all": n + 3,
            "counts": {str(n): 4, str(n + 1): 1},
            "shares": (records / max(records.sum(), 1)).tolist(),
            "unconfirmed_shares": [0.04, 0.02],
        },
        "method": "kmeans",
        "metrics": {
            "inertia": 12345.6,
            "calinski_harabasz": 88_000.0,
            "davies_bouldin": 0.91,
            "silhouette": None,
        },
        "classes": [
            {
                "pad_class": i,
                "name": f"{SHAPES[i % len(SHAPES)]}_{i + 1}",
                "records": int(records[i]),
                "share": float(records[i] / max(records.sum(), 1)),
                "shape": SHAPES[i % len(SHAPES)],
                "shapes": [SHAPES[(i + (j > 8)) % len(SHAPES)] for j in range(n_energies)],
            }
            for i in range(n)
        ],
    }


def make_catalog(spacecraft: list[str]) -> dict[str, Any]:
    def entry(name: str, day: int, status: str, **more: Any) -> dict[str, Any]:
        common = {"path": f"rept/{name}", "spacecraft": spacecraft[day % len(spacecraft)], "version": "5.6.0"}
        common |= {"day": f"2012-09-{day:02d}", "size_bytes": 20_000_000 + day, "records": 7900, "rows": 7890}
        return common | {"status": status, "reason": None, "message": None, "notes": {}} | more

    files = [entry(f"rbspa_rel03_ect-rept-sci-l3_201209{d:02d}_v5.6.0.cdf", d, "used") for d in range(1, 21)]
    files[3]["notes"] = {"duplicate_records": 12, "missing_time": 1}
    files[5]["notes"] = {"duplicate_records": 3}
    files.append(entry("rbspa_rel03_ect-rept-sci-l3_20120903_v5.0.0.cdf", 3, "superseded"))
    message = "rept/<script>alert(1)</script>.cdf holds 512 bytes, its header promises 20,971,520: truncated."
    bad = {"reason": "truncated", "message": message, "records": None, "rows": None}
    files.append(entry("<script>alert(1)</script>.cdf", 21, "set_aside", **bad))
    origin = {"TITLE": "REPT level 3", "PI_name": "A. Person", "Rules_of_use": "<script>alert(2)</script> & thanks"}
    for entry in files:
        entry["origin"] = "newer" if entry["day"] == "2012-09-05" else "older"
    return {"files": files, "origins": {"older": origin, "newer": origin | {"Data_version": "5.7.0"}}}


def make_provenance() -> dict[str, Any]:
    gigabyte = 2**30
    return {
        "padflow": "0.1.0",
        "created": "2026-11-22T16:41:00+00:00",
        "command": "padflow run configs/mission.yaml --workdir out",
        "config_hash": "5f2b8c1e9d7a6034aa11bb22cc33dd44",
        "versions": {"python": "3.11.9", "numpy": "2.4.6", "dask": "2026.9.0", "tensorflow": "2.20.0"},
        "host": {"platform": "Linux-6.8-x86_64", "cores": 2, "memory_bytes": 8 * gigabyte},
        "flags": {"TF_ENABLE_ONEDNN_OPTS": "0", "xla": False},
        "stages": {
            "ingest": {"seconds": 61.5, "records": 158_000, "peak_memory_bytes": gigabyte},
            "train": {"seconds": 12.0, "records": 123_456, "peak_memory_bytes": 2 * gigabyte},
            "label": {"seconds": 0.0, "records": 0, "peak_memory_bytes": None},
        },
    }


BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER_FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--hide-scrollbars"),
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command of a browser without a window, with a profile of its own."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser found ({', '.join(BROWSERS)}): pages are checked as text only")
    return [found, *BROWSER_FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]


def write_run(
    folder: Path,
    *,
    n_classes: int = 8,
    n_energies: int = 12,
    n_pitch: int = 17,
    spacecraft: tuple[str, ...] = ("rbspa", "rbspb"),
    n_records: int = 150_000,
) -> Path:
    """Write a run directory of any size, as far as the report reads it."""
    (folder / "model").mkdir(parents=True)
    summary = make_summary(n_classes, n_energies, n_pitch, list(spacecraft), n_records)
    write_summary(folder, summary)
    superposed(np.random.default_rng(7), n_classes).to_netcdf(folder / "superposed.nc", engine="h5netcdf")
    write_json(folder / "model/model.json", make_model(summary))
    write_json(folder / "catalog.json", make_catalog(list(spacecraft)))
    write_json(folder / "run.json", make_provenance())
    config = "instrument: rept\ninput:\n  pattern: '<b>*.cdf</b>'\npreprocess:\n  average: 2min\n"
    (folder / "config.yaml").write_text(config)
    return folder


@pytest.fixture(scope="session")
def make_run() -> Callable[..., Path]:
    """Return `write_run`."""
    return write_run


def write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content))


def write_summary(folder: Path, summary: xr.Dataset) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the writer alone; reading stays strict
        summary.to_netcdf(folder / "summary.nc", engine="h5netcdf")


def load_summary(folder: Path) -> xr.Dataset:
    with xr.open_dataset(folder / "summary.nc", engine="h5netcdf") as dataset:
        return dataset.load()


@pytest.fixture(scope="session")
def summary_of() -> Callable[[Path], xr.Dataset]:
    """Read the summary of a run."""
    return load_summary


@pytest.fixture(scope="session")
def report_run(make_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with everything, perhaps without its report yet; tests must not change it."""
    return make_run(tmp_path_factory.mktemp("full") / "run", n_records=20_000)


@pytest.fixture(scope="session")
def full_run(report_run: Path) -> Path:
    """The same run with its report; tests must not change it."""
    from padflow.report.html import write_report

    write_report(report_run)
    return report_run


@pytest.fixture
def small_run(make_run: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of 21 records and one spacecraft that a test may change; its figures are drawn coarsely."""
    monkeypatch.setattr("padflow.report.figures.style.DOTS_PER_INCH", 30)
    return make_run(tmp_path / "run", n_classes=2, n_energies=5, n_pitch=9, spacecraft=["rbspa"], n_records=21)


@pytest.fixture(scope="session")
def edit_summary() -> Callable[..., None]:
    """Return a function that replaces ``summary.nc`` by what a function makes of it."""

    def edit(folder: Path, change: Callable[[xr.Dataset], xr.Dataset]) -> None:
        write_summary(folder, change(load_summary(folder)))

    return edit


@pytest.fixture(scope="session")
def edit_json() -> Callable[..., None]:
    """Return a function that changes a JSON file of a run in place."""

    def edit(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
        content = json.loads(path.read_text())
        change(content)
        write_json(path, content)

    return edit
