"""How well the classes are the populations that were simulated: paper mode, recommended mode, and without autoencoder.

    python scripts/bench/quality.py run --json quality.json --data bench-data/quality
    python scripts/bench/quality.py table quality.json

The archives are those of ``harness/cases.py``; by default, those kept aside.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from sklearn.metrics import adjusted_rand_score

import padflow
from harness.cases import CASES
from harness.markdown import Table, number
from harness.results import Results, median
from harness.tables import conditions
from padflow.autoencoder.network import Network
from padflow.config.reading import load_config
from padflow.config.sections import Config
from padflow.errors import PadflowError
from padflow.model.fit import fit, fit_encoded
from padflow.model.model import Model
from padflow.pipeline.driver import run
from padflow.simulation.archive import parallel_map, simulate_archive

CONFIGS = Path(__file__).parents[2] / "configs"
FEWEST_SHARE = 0.01
"""Share of the classifiable records below which a population does not count as one to be found."""


def prepare(name: str, data: Path) -> xr.Dataset:
    """Simulate and ingest a case, where that has not been done, and return it with the truth as ``population``."""
    case, folder = CASES[name], data / name.replace(" ", "-")
    simulate_archive(
        folder / "cdf",
        spacecraft=(case.spacecraft,),
        start=case.start,
        days=case.days,
        seed=case.seed,
        populations=case.populations,
        noise=case.noise,
        map_days=parallel_map,
    )
    config = load_config(CONFIGS / "recommended.yaml", [f"archive.source={folder / 'cdf'}"])
    run(config, folder / "run", until="ingest")
    dataset = padflow.open_archive(folder / "run", spacecraft=case.spacecraft).load()
    with xr.open_dataset(folder / "cdf" / f"truth_{case.spacecraft}.nc", engine="h5netcdf") as truth:
        assert (truth["time"].values == dataset["time"].values).all(), "the archive and the truth differ in time"
        return dataset.assign(population=("time", truth["population"].values))


def without_autoencoder(dataset: xr.Dataset, config: Config) -> Model:
    """Fit components to the features themselves."""
    features = padflow.preprocess(dataset.isel(time=slice(2)), config.preprocess).sizes["feature"]
    same = np.eye(features, dtype=np.float32)
    zero = np.zeros(features, np.float32)
    # Features are not negative, so that a unit matrix and ReLU leave them as they are. What they decode to matters only
    # as slopes, which are nearly the same for all.
    return fit_encoded(dataset, config, network=Network(same, zero, same, zero), training={})


def agreement(population: np.ndarray, pad_class: np.ndarray) -> dict[str, Any]:
    """Compare classes with populations, over the records that have both.

    Returns
    -------
    dict
        ``ari``; ``recall``: of each population, the share of its labelled records in classes that it holds most
        of; ``found`` and ``truth``: numbers of classes, and of populations that hold a hundredth; ``labelled``:
        share of the records of a population that have a class.
    """
    real, both = population >= 0, (population >= 0) & (pad_class >= 0)
    truth, label = population[both], pad_class[both]
    table = np.zeros((truth.max() + 1, label.max() + 1), np.int64)
    np.add.at(table, (truth, label), 1)
    owner = table.argmax(axis=0)
    sizes = table.sum(axis=1)
    recall = [float(table[p, owner == p].sum() / sizes[p]) if sizes[p] else None for p in range(len(table))]
    return {
        "ari": float(adjusted_rand_score(truth, label)),
        "recall": recall,
        "shares": (sizes / sizes.sum()).tolist(),
        "found": int((np.bincount(pad_class[pad_class >= 0]) > 0).sum()),
        "truth": int((sizes >= FEWEST_SHARE * sizes.sum()).sum()),
        "labelled": float(both.sum() / real.sum()),
    }


def fits(dataset: xr.Dataset, modes: dict[str, Config], repeats: int) -> Iterator[tuple[str, Callable[[], Model]]]:
    """Yield the fits of an archive: every mode, then the recommended one with other seeds and on half of the days."""
    recommended = modes["recommended"]
    for mode, config in modes.items():
        yield mode, partial(fit, dataset, config)
    yield "no autoencoder", partial(without_autoencoder, dataset, recommended)
    for repeat in range(1, repeats):
        yield "recommended", partial(fit, dataset, recommended.model_copy(update={"seed": recommended.seed + repeat}))
    days = dataset["time"].values.astype("datetime64[D]")
    for kept in (np.unique(days)[::2], np.unique(days)[1::2]):
        yield "half the days", partial(fit, dataset.isel(time=np.isin(days, kept)), recommended)


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Fit and compare all modes on one archive."""
    dataset = prepare(name, options.data)
    modes = {
        "paper": load_config(CONFIGS / "killey2023.yaml", options.set_paper),
        "recommended": load_config(CONFIGS / "recommended.yaml", options.set),
    }
    found: dict[str, list[dict[str, Any]]] = {}
    labels: dict[str, list[np.ndarray]] = {}
    for mode, fitting in fits(dataset, modes, options.repeats):
        if options.only and mode not in options.only:
            continue
        began = time.perf_counter()
        population = dataset["population"].values
        try:
            model = fitting()
        except PadflowError as error:
            # A fit that finds no classes leaves all records in one.
            pad_class, more = np.where(population >= 0, 0, -1), {"error": str(error)}
        else:
            pad_class = model.label(dataset)["pad_class"].values
            more = {
                "mean_shift": model.info["mean_shift"]["counts"],
                "signal_to_noise": model.info["pca"].get("signal_to_noise", [])[:8],
            }
        facts = agreement(population, pad_class) | {"seconds": time.perf_counter() - began} | more
        print(f"{name}, {mode}: {json.dumps(facts)}", file=sys.stderr, flush=True)
        found.setdefault(mode, []).append(facts)
        labels.setdefault(mode, []).append(pad_class)
    return {"fits": found, "stability": {mode: stability(classes) for mode, classes in labels.items()}}


def stability(classes: list[np.ndarray]) -> list[float]:
    """Return the adjusted Rand index of each pair of fits, over the records that both label."""
    pairs = [(a, b, (a >= 0) & (b >= 0)) for a, b in combinations(classes, 2)]
    return [float(adjusted_rand_score(a[both], b[both])) for a, b, both in pairs]


def tables(measurements: list[dict[str, Any]]) -> list[Table]:
    """Return the table of archives and that of medians."""
    every = Table(
        "Known populations",
        ("archive", "mode", "ARI", "classes", "populations", "least recall", "labelled", "ARI of repeats"),
        "ARI: adjusted Rand index against the simulator's populations. Least recall: of the population found worst, "
        "the share of records in classes that it holds most of. Labelled: share of the records that have a population. "
        "A fit that finds a single class and ends counts as one class.",
    )
    by_mode: dict[tuple[str, str], list[float]] = {}
    for one in measurements:
        archive = one["of"]["archive"]
        for mode, facts in one["fits"].items():
            ari = median([f["ari"] for f in facts])
            by_mode.setdefault((archive.split()[0], mode), []).append(ari)
            classes = "/".join(str(f["found"]) for f in facts)
            least = median([min(r for r in f["recall"] if r is not None) for f in facts])
            labelled, repeats = median([f["labelled"] for f in facts]), median(one["stability"][mode])
            cells = (number(ari), classes, str(facts[0]["truth"]), number(least), number(labelled), number(repeats))
            every.rows.append((archive, mode, *cells))
    medians = Table("Medians over archives", ("archives", "mode", "ARI"))
    medians.rows = [(group, mode, number(median(values))) for (group, mode), values in by_mode.items()]
    return [every, medians]


def known(asked: str) -> str:
    """Return the name of an archive, or the first word of several."""
    if not any(f"{name} ".startswith(f"{asked} ") for name in CASES):
        raise argparse.ArgumentTypeError(f"there is no archive {asked!r}; there are {', '.join(CASES)}")
    return asked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="what", required=True)
    command = commands.add_parser("run", help="fit all modes to the archives")
    names = "names of archives, or their first words: dev, seen, drawn; test by default"
    command.add_argument("archives", nargs="*", metavar="ARCHIVE", default=["test"], type=known, help=names)
    command.add_argument("--json", type=Path, help="file of measurements, written to and gone on with")
    command.add_argument("--data", type=Path, default=Path("bench-data/quality"), help="folder of simulated archives")
    command.add_argument("--repeats", type=int, default=3, help="fits of the recommended mode with other seeds")
    command.add_argument("--only", action="append", default=[], help="this mode alone; may be repeated")
    command.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for the recommended mode")
    command.add_argument("--set-paper", action="append", default=[], metavar="KEY=VALUE", help="for paper mode")
    command = commands.add_parser("table", help="print the tables of a file of measurements as Markdown")
    command.add_argument("file", type=Path)
    options = parser.parse_args()
    if options.what == "table":
        content = json.loads(options.file.read_text())
    else:
        results = Results(options.json)
        for name in [name for name in CASES if any(f"{name} ".startswith(f"{asked} ") for asked in options.archives)]:
            results.measure({"what": "quality", "archive": name}, partial(measure, name, options))
        content = results.content
    print("\n".join([table.markdown() for table in tables(content["measurements"])] + [conditions(content)]))


if __name__ == "__main__":
    main()
