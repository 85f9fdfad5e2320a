# SPDX-License-Identifier: BSD-3-Clause
"""Simulated archives of REPT level-3 files whose pitch-angle distributions are known.

The files look like those of the Van Allen Probes (names, folders, variables, units, fill), the physics is
plausible, and a side file per spacecraft says which shape and which population each record has.
"""

from __future__ import annotations

import datetime
import json
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from padflow.config.local_paths import local_path
from padflow.errors import ConfigError
from padflow.simulation.day import SPACECRAFT, Noise, Settings
from padflow.simulation.families import FAMILIES, Family, choose_family
from padflow.simulation.files import write_whole
from padflow.simulation.indices import write_indices
from padflow.simulation.populations import POPULATIONS, Population
from padflow.simulation.troubles import Troubles, assign
from padflow.simulation.truth import remove_parts, write_truth
from padflow.simulation.writing import DayResult, DayTask, write_day
from padflow.startup import check_semaphores, hold, unheard_interrupts

__all__ = [
    "FAMILIES",
    "POPULATIONS",
    "Family",
    "Noise",
    "Population",
    "SimulationSummary",
    "Troubles",
    "parallel_map",
    "simulate_archive",
]


RECEIPT = "simulation.json"


@dataclass(frozen=True)
class SimulationSummary:
    """What ``simulate_archive`` wrote.

    Parameters
    ----------
    folder : Path
        Where the archive is.
    files, bytes : int
        Number and size of the files under CDF names, the bad ones included.
    records : int
        Good records, each of which an archive ought to hold once.
    troubles : dict of str to int
        Number of days struck by each trouble.
    truth : dict of str to Path
        The truth file of each spacecraft.
    indices : dict of str to Path
        The files of ``sym_h`` and ``dst`` (`padflow.read_indices`).
    """

    folder: Path
    files: int
    bytes: int
    records: int
    troubles: dict[str, int]
    truth: dict[str, Path]
    indices: dict[str, Path]


def parallel_map(function: Callable, items: Iterable, *, workers: int | None = None) -> Iterator:
    """Map over fresh processes, in order; for ``simulate_archive(map_days=...)``.

    Parameters
    ----------
    workers : int, optional
        Number of processes; as many as the machine has processors if not given.
    """
    hold()
    check_semaphores()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers or os.cpu_count(), mp_context=context) as pool:
        with unheard_interrupts():  # all processes start with the first item
            results = pool.map(function, items)
        yield from results


def simulate_archive(
    folder: str | os.PathLike,
    *,
    spacecraft: tuple[str, ...] = ("rbspa",),
    start: datetime.date = datetime.date(2013, 3, 1),
    days: int = 20,
    seed: int = 0,
    family: str | Family = "separated",
    populations: int | tuple[Population, ...] | None = None,
    troubles: Troubles | None = None,
    noise: Noise | None = None,
    records_per_day: int | None = None,
    map_days: Callable[[Callable, Iterable], Iterable] = map,
) -> SimulationSummary:
    """Write an archive of simulated REPT level-3 files, its truth, its SYM-H and Dst, and ``simulation.json``.

    Each day derives from the seed, the spacecraft and the date alone: it is the same in every archive of that
    seed, family and noise. Running again with the same arguments writes the same bytes.

    Parameters
    ----------
    folder : path
        Made if need be. An archive made with other arguments is refused.
    spacecraft : tuple of str
        Of ``"rbspa"`` and ``"rbspb"``; both meet the same storms.
    start, days : date, int
        First day and number of days.
    seed : int
        Not negative.
    family : str or Family
        What pitch-angle distributions there are: ``"separated"`` (populations that are apart), ``"continuum"``
        (shapes that change smoothly, as measured ones do), ``"wide"`` (populations with wide scatter and sharp
        borders that wander), ``"single"`` (one population everywhere), or an object of your own.
    populations : int or tuple of Population, optional
        Of the family ``separated``: 3 to 8 populations; a number takes the first of ``POPULATIONS``, 6 if not given.
    troubles : Troubles, optional
        What is wrong with the archive; nothing if not given.
    noise : Noise, optional
        How clean and complete the records are; ``Noise()`` if not given.
    records_per_day : int, optional
        Records a day at a coarser step, each still of one spin; a small archive for tests.
    map_days : callable
        Like ``map``; ``parallel_map`` or ``functools.partial(parallel_map, workers=4)`` use fresh processes,
        so a script needs its ``if __name__ == "__main__"``.

    Returns
    -------
    SimulationSummary

    Raises
    ------
    ConfigError
        If an argument is out of range, the days are too few for the troubles, or the folder holds another
        simulation.

    Examples
    --------
    >>> import padflow
    >>> summary = padflow.simulate("simulated", days=2, records_per_day=200)
    >>> summary.files
    2
    >>> summary.truth["rbspa"].name
    'truth_rbspa.nc'
    >>> summary.indices["sym_h"].name
    'sym_h_simulated.txt'
    """
    folder = local_path(folder, "folder")
    check_arguments(spacecraft, days, seed, records_per_day)
    chosen = choose_family(family, populations)
    settings = Settings(seed, chosen, noise or Noise(), records_per_day)
    troubles = troubles or Troubles()
    parameters = {
        "spacecraft": spacecraft,
        "start": start.isoformat(),
        "days": days,
        "seed": seed,
        "family": {"name": chosen.name, **chosen.parameters()},
        "noise": asdict(settings.noise),
        "records_per_day": records_per_day,
        "troubles": asdict(troubles),
    }
    parameters = json.loads(json.dumps(parameters))  # tuples become lists, to compare with what a file holds
    dates = [start + datetime.timedelta(days=i) for i in range(days)]
    tasks = []
    for name in spacecraft:
        struck = assign(troubles, dates, seed=seed, spacecraft=name)
        tasks += [DayTask(folder, name, day, struck[day], settings) for day in dates]

    claim_folder(folder, parameters)
    results = list(map_days(write_day, tasks))
    return finish_folder(folder, parameters, chosen, tasks, results)


def finish_folder(
    folder: Path, parameters: dict[str, Any], family: Family, tasks: list[DayTask], results: list[DayResult]
) -> SimulationSummary:
    """Write truth and indices of all days, and the receipt that says the simulation is complete."""
    truth = write_truths(folder, parameters["spacecraft"], results, family)
    start = datetime.date.fromisoformat(parameters["start"])
    indices = write_indices(folder, seed=parameters["seed"], start=start, days=parameters["days"])
    entries = [entry for result in results for entry in result.files]
    write_receipt(folder, {"complete": True, "parameters": parameters, "files": entries})
    paths = [folder / entry["path"] for entry in entries if entry["path"]]
    return SimulationSummary(
        folder=folder,
        files=len(paths),
        bytes=sum(path.stat().st_size for path in paths),
        records=sum(result.records for result in results),
        troubles=dict(Counter(kind for task in tasks for kind in task.troubles)),
        truth=truth,
        indices=indices,
    )


def write_truths(folder: Path, spacecraft: list[str], results: list[DayResult], family: Family) -> dict[str, Path]:
    """Write the truth file of each spacecraft and return their paths."""
    truth = {}
    for name in spacecraft:
        own = [result for result in results if result.spacecraft == name]
        truth[name] = folder / f"truth_{name}.nc"
        write_truth(
            truth[name],
            sorted(result.truth for result in own if result.truth),
            records=sum(result.records for result in own),
            population_names=family.population_names,
        )
    remove_parts(folder)
    return truth


def check_arguments(spacecraft: tuple[str, ...], days: int, seed: int, records_per_day: int | None) -> None:
    """Raise ``ConfigError`` for the first argument out of range."""
    if not spacecraft or len(set(spacecraft)) < len(spacecraft) or not set(spacecraft) <= set(SPACECRAFT):
        raise ConfigError(f"spacecraft={spacecraft!r}: name one or more of {', '.join(SPACECRAFT)}, each once.")
    if days < 1:
        raise ConfigError(f"days={days}: simulate at least one day.")
    if seed < 0:
        raise ConfigError(f"seed={seed}: use a seed of 0 or more.")
    if records_per_day is not None and not 100 <= records_per_day <= 7900:
        raise ConfigError(f"records_per_day={records_per_day}: use 100 to 7900, or leave it out for one a spin.")


def claim_folder(folder: Path, parameters: dict[str, Any]) -> None:
    """Make the folder this simulation's, or raise ``ConfigError`` if it holds another one."""
    receipt = folder / RECEIPT
    if receipt.exists():
        other = json.loads(receipt.read_text())["parameters"]
        differing = sorted(key for key in parameters if other.get(key) != parameters[key])
        if differing:
            raise ConfigError(
                f"{folder} holds a simulation made with other parameters (they differ in "
                f"{', '.join(differing)}): choose another folder, or remove that one first."
            )
    write_receipt(folder, {"complete": False, "parameters": parameters, "files": []})


def write_receipt(folder: Path, content: dict[str, Any]) -> None:
    """Write ``simulation.json``."""
    text = json.dumps(content, indent=1) + "\n"
    write_whole(folder / RECEIPT, lambda part: part.write_text(text))
