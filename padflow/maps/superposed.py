# SPDX-License-Identifier: BSD-3-Clause
"""Superposed epochs: where classes and shapes occur by L and the time of storms, or of other events."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from padflow.errors import PadflowError
from padflow.indices.epochs import epochs_of
from padflow.instruments.origin import SIMULATED
from padflow.maps.grid import Grid
from padflow.maps.occurrence import chunks_of, described, needed_records, number_of_classes, shape_energies
from padflow.maps.orbits import OrbitCounts, OrbitSums
from padflow.maps.outcomes import Outcomes
from padflow.maps.tables import as_dataset

L_EDGES = np.arange(2.0, 7.51, 0.5)
"""Wider than those of other maps: storms are few (chosen)."""


def superpose(
    results: xr.Dataset | Sequence[xr.Dataset],
    places: xr.Dataset | Sequence[xr.Dataset],
    events: xr.Dataset | Sequence[np.datetime64] | np.ndarray,
    *,
    l_variable: str = "L",
) -> xr.Dataset:
    """Superpose storms or other events: count classes and shapes by L and by the time of the event.

    The time of a storm is normalised, as Walach and Grocott 2019 (10.1029/2019JA026816) do: each phase has the length
    1, however long it was. The time of other events is in hours. A record counts for the nearest event.

    Parameters
    ----------
    results, places : xarray.Dataset, or a sequence of them
        As for `padflow.occurrence`; one of each for each spacecraft.
    events : xarray.Dataset, or times
        Storms, as `padflow.find_storms` returns them; or times, datetime64 in UTC.
    l_variable : str
        ``"L"`` or ``"L_star"``.

    Returns
    -------
    xarray.Dataset
        The shares of `padflow.occurrence`, by L and ``storm_time`` (0 to 1 initial, 1 to 2 main, 2 to 3 recovery), or
        by L and ``event_hours``. Intervals come from the scatter of events, and ``events`` counts them: a storm that
        both spacecraft meet is one. The attribute ``events_met`` says how many events have a record in any cell.

    Raises
    ------
    PadflowError
        Where there is no event, or a Dataset is not as `padflow.occurrence` needs it.

    Examples
    --------
    >>> import padflow
    >>> results, archive = padflow.open_results("run", "rbspa"), padflow.open_archive("run", "rbspa")
    >>> storms = padflow.find_storms(padflow.read_indices("sym_h.txt"))
    >>> found = padflow.superpose(results, archive, storms)
    >>> found["class_share"].dims
    ('pad_class', 'L', 'storm_time')
    """
    several, where = _listed(results), _listed(places)
    if not several or len(several) != len(where):
        raise PadflowError("Give as many Datasets of places as of results, at least one.")
    epochs = epochs_of(events)
    grid = Grid({l_variable: L_EDGES, epochs.name: epochs.edges})
    energy = shape_energies(several[0])
    outcomes = Outcomes(number_of_classes(several[0]), len(energy))
    sums, met = OrbitSums(grid.size, outcomes.size, complete=outcomes.complete), set[int]()
    for of_one, at in zip(several, where, strict=True):
        for chunk in chunks_of(needed_records(of_one, at, (l_variable, "time"))):
            clock, event = epochs.read(chunk["time"])
            cell = grid.cells(chunk | {epochs.name: clock})
            met.update(np.unique(event[cell >= 0]).tolist())
            outcome = outcomes.of(chunk["pad_class"], chunk["reason"], chunk.get("shape"))
            # No event is closed before all records are there: another spacecraft may meet it, too.
            sums.add(OrbitCounts.of_numbers(event, cell, outcome, size=(grid.size, outcomes.size)))
    sums.finish()
    found = as_dataset(sums, grid, outcomes, energy=energy).rename(orbits="events")
    found["events"].attrs["long_name"] = "events with a record in the cell"
    said = events.attrs if isinstance(events, xr.Dataset) else {}
    marks = {SIMULATED: said[SIMULATED]} if SIMULATED in said else {}
    return described(found, several[0]).assign_attrs(marks | {"events_met": len(met)})


def _listed(datasets: xr.Dataset | Sequence[xr.Dataset]) -> list[xr.Dataset]:
    return [datasets] if isinstance(datasets, xr.Dataset) else list(datasets)
