# SPDX-License-Identifier: BSD-3-Clause
"""Quick looks at the records of a run: a day, an orbit, a time range, or the records of a class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from padflow.config.local_paths import local_path
from padflow.config.reading import load_config
from padflow.errors import ConfigError, PadflowError
from padflow.instruments.origin import SIMULATED
from padflow.report.examples import find_examples
from padflow.store.durable import write_bytes
from padflow.store.opening import open_archive, open_results
from padflow.store.run_files import CONFIG

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from padflow.report.figures.examples import Example

DAY = np.timedelta64(1, "D")


MOST_ENERGIES = 8
"""Lines of a panel of `view_class` at most (chosen: as many as REPT has in recommended mode)."""


EXAMPLES = 4
"""Records of either kind that are drawn of a class (chosen)."""


SAMPLED = 10
"""Of so many records one is looked at to choose channels."""


ORBIT_RISE = 0.5
"""Rise of L on both sides of its least value that ends an orbit (chosen: far more than L's own steps)."""


def view(
    run_dir: str | Path,
    start: str | np.datetime64,
    end: str | np.datetime64 | None = None,
    *,
    orbit: bool = False,
    spacecraft: str | None = None,
    energies: Sequence[float] = (),
    indices: xr.Dataset | None = None,
) -> Figure:
    """Draw a day, an orbit or a time range: flux, pitch angles, shapes, classes and an index.

    Parameters
    ----------
    run_dir : path
        The directory of a finished run.
    start : str or datetime64
        A day such as ``"2013-03-17"``. With `end` or `orbit` a time such as ``"2013-03-17T06:00"``. UTC.
    end : str or datetime64, optional
        End of a time range, not included.
    orbit : bool
        Draw the orbit of the time `start`, from one least L to the next.
    spacecraft : str, optional
        Which one, where the run has several.
    energies : sequence of float, optional
        MeV; the nearest channels are drawn. By default three that have enough
        counts in half of the time.
    indices : xarray.Dataset, optional
        As `padflow.read_indices` returns it. SYM-H is drawn, or Dst where there is no SYM-H.

    Returns
    -------
    matplotlib.figure.Figure
        A notebook shows it as the last line of a cell; ``figure.savefig("day.png", dpi=200)`` writes it.

    Raises
    ------
    ConfigError
        Where no record is in the range; names the nearest day that has one.
    PadflowError
        Where there is no such run or spacecraft.

    Examples
    --------
    >>> import padflow
    >>> figure = padflow.view("run", "2013-03-17")
    >>> figure.savefig("day.pdf")
    """
    from padflow.report.figures.quick_look import quick_look
    from padflow.report.figures.style import default_settings

    archive, results = _opened(run_dir, spacecraft)
    first, last = _range(archive, np.datetime64(start), None if end is None else np.datetime64(end), orbit=orbit)
    seen = _seen(archive, results, first, last, energies=energies)
    title = f"{_who(archive)}, {str(archive.attrs['instrument']).upper()}, {_range_words(first, last)}"
    with default_settings():
        return quick_look(seen, first, last, title=title, index=_index(indices))


def view_class(run_dir: str | Path, pad_class: int, *, spacecraft: str | None = None) -> Figure:
    """Draw the four most typical and the four least certain records of a class.

    Typical is what has the smallest distance to its class, least certain what has the smallest probability. What is
    drawn is the average of the records around it, from which it got its class. Two of one row are never of the same
    hour, for neighbouring spins are nearly the same.

    Parameters
    ----------
    run_dir : path
        The directory of a finished run.
    pad_class : int
        Number of the class.
    spacecraft : str, optional
        Which one, where the run has several.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ConfigError
        Where no record has the class.
    PadflowError
        Where there is no such run or spacecraft.

    Examples
    --------
    >>> import padflow
    >>> figure = padflow.view_class("run", 0)
    >>> figure.savefig("class_0.png", dpi=200)
    """
    from padflow.report.figures.examples import draw_examples
    from padflow.report.figures.style import default_settings

    archive, results = _opened(run_dir, spacecraft)
    typical, uncertain = find_examples(results, pad_class, number=EXAMPLES)
    names = str(results["pad_class"].attrs.get("flag_meanings", "")).split()
    if not len(uncertain):
        raise ConfigError(f"No record of {_who(archive)} has the class {pad_class}; there are {_classes_words(names)}.")
    used = results["energy"].values if "energy" in results.coords else archive["energy"].values
    used = used[np.unique(np.linspace(0, len(used) - 1, MOST_ENERGIES).round().astype(int))]
    seconds = load_config(local_path(run_dir, "run_dir") / CONFIG).preprocess.average_seconds
    rows = [[_example(archive, results, row, seconds, used) for row in chosen] for chosen in (typical, uncertain)]
    name = f"{pad_class} {names[pad_class]}".replace("_", " ") if pad_class < len(names) else str(pad_class)
    with default_settings():
        return draw_examples(
            *rows,
            pitch_angle=archive["pitch_angle"].values,
            energy=used,
            title=f"{_who(archive)}, {str(archive.attrs['instrument']).upper()}: class {name}",
            simulated=SIMULATED in archive.attrs,
        )


def _classes_words(names: Sequence[str]) -> str:
    return ", ".join(f"{number} ({name})" for number, name in enumerate(names)) or "no classes"


def _example(archive: xr.Dataset, results: xr.Dataset, row: int, seconds: float, energies: np.ndarray) -> Example:
    """Return the average of the records around a row, within `seconds` in all."""
    from padflow.report.figures.examples import Example

    time = archive["time"].values
    reach = np.timedelta64(round(seconds * 5e8), "ns")
    near = slice(*np.searchsorted(time, [time[row] - reach, time[row] + reach + np.timedelta64(1, "ns")]))
    around = archive[["flux", "counts_per_flux"]].reset_coords().isel(time=near).sel(energy=energies, method="nearest")
    flux = around["flux"].values
    number = np.isfinite(flux).sum(axis=0)
    total = np.nansum(flux, axis=0, dtype=float)
    mean = np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)
    places = archive.reset_coords().isel(time=row)
    known = {name: float(places[name]) for name in ("L", "MLT") if name in places}
    units = {"L": "", "MLT": " h"}
    words = [f"{name} {value:.1f}{units[name]}" for name, value in known.items() if np.isfinite(value)]
    probability = float(results["probability"][row])
    words += [f"p {probability:.2f}"] if np.isfinite(probability) else []
    return Example(f"{_minute(time[row])}\n{', '.join(words)}".strip(), mean, total * around["counts_per_flux"].values)


def _opened(run_dir: str | Path, spacecraft: str | None) -> tuple[xr.Dataset, xr.Dataset]:
    """Open archive and results of a run."""
    run_dir = local_path(run_dir, "run_dir")
    archive, results = open_archive(run_dir, spacecraft), open_results(run_dir, spacecraft)
    if archive.sizes["time"] != results.sizes["time"]:
        raise PadflowError(f"{run_dir}: not all records have results; finish `padflow run` first.")
    return archive, results


def _range(
    archive: xr.Dataset, start: np.datetime64, end: np.datetime64 | None, *, orbit: bool
) -> tuple[np.datetime64, np.datetime64]:
    """Return begin and end of what is to be drawn.

    Raises
    ------
    ConfigError
        Where no record is there.
    """
    time = archive["time"].values
    if orbit:
        return _orbit(archive, start.astype("M8[ns]"))
    if end is None:
        start = start.astype("M8[D]")
        end = start + DAY
    first, last = start.astype("M8[ns]"), end.astype("M8[ns]")
    if not first < last:
        raise ConfigError(f"The end, {_minute(last)}, is not after the start, {_minute(first)}.")
    if np.searchsorted(time, first) == np.searchsorted(time, last):
        raise ConfigError(
            f"{_who(archive)} has no record in {_range_words(first, last)}; {_nearest(time, first, last)}."
        )
    return first, last


def _who(archive: xr.Dataset) -> str:
    return str(archive.attrs["spacecraft"])


def _nearest(time: np.ndarray, first: np.datetime64, last: np.datetime64) -> str:
    """Return in words which day with records is nearest to a range without any."""
    place = int(np.searchsorted(time, first))
    sides = [(first - time[place - 1], time[place - 1])] if place else []
    sides += [(time[place] - last, time[place])] if place < len(time) else []
    return f"the nearest day that has some is {min(sides)[1].astype('M8[D]')}" if sides else "it has none at all"


def _range_words(first: np.datetime64, last: np.datetime64) -> str:
    if last - first == DAY and first == first.astype("M8[D]"):
        return str(first.astype("M8[D]"))
    return f"{_minute(first)} to {_minute(last)}"


def _minute(time: np.datetime64) -> str:
    return str(time.astype("M8[m]")).replace("T", " ")


def _orbit(archive: xr.Dataset, when: np.datetime64) -> tuple[np.datetime64, np.datetime64]:
    """Return the times of the least L before and after a time."""
    from scipy.signal import find_peaks

    near = archive.sel(time=slice(when - DAY, when + DAY))
    if "L" not in near.variables:
        raise ConfigError(f"{_who(archive)} has no L, so its orbits are not known. Give a start and an end.")
    place = near["L"].values
    known = np.isfinite(place)
    time, place = near["time"].values[known], place[known]
    least = time[find_peaks(-place, prominence=ORBIT_RISE)[0]]
    before, after = least[least <= when], least[least > when]
    if not len(before) or not len(after):
        nearest = _nearest(archive["time"].values, when, when)
        raise ConfigError(f"{_who(archive)} has no whole orbit around {_minute(when)}; {nearest}.")
    return before[-1], after[0]


def _seen(
    archive: xr.Dataset, results: xr.Dataset, first: np.datetime64, last: np.datetime64, *, energies: Sequence[float]
) -> xr.Dataset:
    """Return what is drawn of records, loaded."""
    rows = slice(*np.searchsorted(archive["time"].values, [first, last]))
    records = archive.isel(time=rows).reset_coords()
    channels = _channels(records, results, energies)
    flux = records[["flux", "counts_per_flux"]].isel(energy=channels).rename(energy="channel")
    seen = flux.set_coords("counts_per_flux")
    places = {name: records[name].load() for name in ("L", "MLT", "MLAT") if name in records}
    seen = seen.assign({name: place for name, place in places.items() if place.notnull().any()})
    labels = results[[name for name in ("pad_class", "probability", "shape") if name in results]].isel(time=rows)
    marks = {SIMULATED: archive.attrs[SIMULATED]} if SIMULATED in archive.attrs else {}
    return seen.assign(labels.data_vars).assign_attrs(marks).load()


def _channels(records: xr.Dataset, results: xr.Dataset, energies: Sequence[float]) -> list[int]:
    """Return the positions of the channels that are drawn, ascending."""
    known = records["energy"].values
    if energies:
        return sorted({int(np.abs(np.log(known / energy)).argmin()) for energy in energies})
    used = results["energy"].values if "energy" in results.coords else known
    inside = np.flatnonzero((known >= used[0] * 0.999) & (known <= used[-1] * 1.001))
    from padflow.report.figures.quick_look import COLUMNS, FEWEST_COUNTS

    flux = records["flux"].isel(energy=inside, time=slice(None, None, SAMPLED)).values
    counts = np.nansum(flux, axis=1) * records["counts_per_flux"].values[inside]
    counts *= max(1.0, SAMPLED * len(flux) / COLUMNS)  # of a column
    enough = np.where(np.isnan(counts), np.nansum(flux, axis=1) > 0, counts >= FEWEST_COUNTS).mean(axis=0) >= 0.5
    bright = inside[enough] if enough.any() else inside[:1]
    return sorted({int(bright[0]), int(bright[len(bright) // 2]), int(bright[-1])})


def _index(indices: xr.Dataset | None) -> xr.DataArray | None:
    """Return the index that tells storms best.

    Raises
    ------
    ConfigError
        Where neither SYM-H nor Dst is there.
    """
    if indices is None:
        return None
    for name in ("sym_h", "dst"):
        if name in indices:
            return indices[name]
    raise ConfigError(f"Expected SYM-H or Dst among the indices, not only {', '.join(map(str, indices)) or 'none'}.")


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PDF where the name ends so, else as PNG."""
    from padflow.report.figures.style import default_settings, pdf, png

    with default_settings():
        write_bytes(path, pdf(figure) if path.suffix == ".pdf" else png(figure))
