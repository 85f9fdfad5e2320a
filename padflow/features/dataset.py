# SPDX-License-Identifier: BSD-3-Clause
"""Apply a kernel that works on rows of an archive to an xarray Dataset, in memory or lazily on Dask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dask
import dask.array as da
import numpy as np
import xarray as xr

from padflow.config.sections import Config, PreprocessConfig
from padflow.errors import ConfigError, brief
from padflow.features.checks import check_dataset
from padflow.features.preprocessor import Preprocessor
from padflow.records import BLOCK_ROWS, Axes, Needs, Records, Rows, halo_rows


@dataclass(frozen=True)
class DatasetReader:
    """Read rows of an archive that is open as a Dataset."""

    dataset: xr.Dataset

    @property
    def group(self) -> str:
        """The spacecraft, by whose name rows are dealt, here as in a run; empty where the Dataset does not say it."""
        return str(self.dataset.attrs.get("spacecraft", ""))

    @property
    def rows(self) -> int:
        """Number of records."""
        return self.dataset.sizes["time"]

    def times(self, start: int, stop: int) -> np.ndarray:
        """Return the times of rows [start, stop) as datetime64[ns]."""
        return self.dataset["time"].values[start:stop].astype("datetime64[ns]")

    def read(self, start: int, stop: int, *, ephemeris: tuple[str, ...] = ()) -> Records:
        """Return rows [start, stop) with the ephemeris named, as far as the Dataset has it."""
        rows = self.dataset.isel(time=slice(start, stop))
        flux = rows["flux"].transpose("time", "pitch_angle", "energy")
        found = {name: _computed_here(rows[name]) for name in ephemeris if name in rows}
        return Records(self.times(start, stop), _computed_here(flux).astype(np.float32, copy=False), found)


def _computed_here(array: xr.DataArray) -> np.ndarray:
    # The caller may be a task of a cluster, or one of several threads: what it reads it must compute itself.
    return array.variable.compute(scheduler="synchronous").values  # without its coordinates


def preprocess(dataset: xr.Dataset, config: PreprocessConfig | Config) -> xr.Dataset:
    """Preprocess an archive: Dataset in, Dataset out, lazy where `flux` is a Dask array.

    Parameters
    ----------
    dataset : xarray.Dataset
        As `padflow.open_archive` returns it: ``flux`` (time, pitch_angle, energy) and the ephemeris.
    config : PreprocessConfig or Config
        A whole configuration, such as ``padflow.load_config("run.yaml")``, of which the section `preprocess` is used;
        or that section alone.

    Returns
    -------
    xarray.Dataset
        ``features`` (time, feature) float32 and ``reason`` (time) int8, see `Features`; coordinates
        ``feature_pitch_angle`` (deg) and ``feature_energy`` (MeV).

    Raises
    ------
    PadflowError
        Where the Dataset is not laid out so, or its times do not ascend.
    ConfigError
        Where `config` is something else, or asks for what the Dataset does not hold.

    Examples
    --------
    >>> import padflow
    >>> archive = padflow.open_archive("run", "rbspa")
    >>> made = padflow.preprocess(archive, padflow.load_config("recommended.yaml"))
    >>> made["features"].dims
    ('time', 'feature')
    >>> selected = made["features"].isel(time=made["reason"].values == 0)
    """
    config = config.preprocess if isinstance(config, Config) else config
    if not isinstance(config, PreprocessConfig):
        raise ConfigError(
            f"preprocess needs a configuration, as padflow.load_config returns it, or its section preprocess, but got "
            f"{brief(config)}."
        )
    check_dataset(dataset)
    preprocessor = Preprocessor(config, Axes.of_dataset(dataset))

    def kernel(rows: Rows) -> dict[str, np.ndarray]:
        features = np.empty((len(rows), preprocessor.features), np.float32)
        reason = np.empty(len(rows), np.int8)
        for where, _, made in preprocessor.blocks(rows):
            features[where], reason[where] = made.rows, made.reason
        return {"features": features, "reason": reason}

    out = map_rows(
        dataset,
        kernel,
        outputs={"features": (("feature",), (preprocessor.features,), "f4"), "reason": ((), (), "i1")},
        needs=preprocessor.needs,
    )
    pitch_angle, energy = np.meshgrid(preprocessor.pitch_angle, preprocessor.energy, indexing="ij")
    return out.assign_coords(
        feature_pitch_angle=("feature", pitch_angle.ravel(), {"units": "degree"}),
        feature_energy=("feature", energy.ravel(), {"units": "MeV"}),
    )


Kernel = Callable[[Rows], dict[str, np.ndarray]]


Outputs = dict[str, tuple[tuple[str, ...], tuple[int, ...], str]]


def map_rows(dataset: xr.Dataset, kernel: Kernel, *, outputs: Outputs, needs: Needs) -> xr.Dataset:
    """Run `kernel` over the rows of a Dataset, chunk by chunk, each with its halo.

    Parameters
    ----------
    dataset : xarray.Dataset
        With ``flux`` (time, pitch_angle, energy); Dask chunks along time are kept, rounded to whole blocks.
    kernel : callable
        Takes `Rows` and returns arrays, one value for each row.
    outputs : dict
        For each array its dimensions and sizes after time, and its dtype.
    needs : Needs
        What the kernel reads.

    Returns
    -------
    xarray.Dataset
        The outputs along time, with the attributes of `dataset`.
    """
    flux = dataset["flux"].transpose("time", "pitch_angle", "energy").data
    time = dataset["time"].values.astype("datetime64[ns]")
    extras = {name: dataset[name].data for name in needs.ephemeris if name in dataset}
    lazy = isinstance(flux, da.Array)
    group = DatasetReader(dataset).group
    pieces: dict[str, list[Any]] = {name: [] for name in outputs}
    for start, stop in _spans(flux, len(time)):
        low, high = halo_rows(time, start, stop, halo_seconds=needs.halo_seconds)
        near = {name: values[low:high] for name, values in extras.items()}
        arguments = (group, start, stop, low, time[low:high], flux[low:high], near)
        call = dask.delayed(_call, pure=True) if lazy else _call
        result = call(kernel, *arguments)
        for name, (_, sizes, dtype) in outputs.items():
            shape = (stop - start, *sizes)
            piece = da.from_delayed(result[name], shape, dtype) if lazy else result[name]
            pieces[name].append(piece)
    join = da.concatenate if lazy else np.concatenate
    return xr.Dataset(
        {
            name: (("time", *dims), join(pieces[name]) if pieces[name] else np.empty((0, *sizes), dtype))
            for name, (dims, sizes, dtype) in outputs.items()
        },
        coords={"time": dataset["time"]},
        attrs=dict(dataset.attrs),
    )


def _call(
    kernel: Kernel,
    group: str,
    start: int,
    stop: int,
    first: int,
    time: np.ndarray,
    flux: np.ndarray,
    ephemeris: dict[str, np.ndarray],
) -> dict[str, np.ndarray]:
    # Dask computes what is among the arguments, but not what lies within a Rows.
    records = Records(time, np.asarray(flux, np.float32), {k: np.asarray(v) for k, v in ephemeris.items()})
    return kernel(Rows(group, start, stop, records, first))


def _spans(flux: np.ndarray | da.Array, rows: int) -> list[tuple[int, int]]:
    """Cut the rows where Dask's chunks end, moved to the next multiple of a block."""
    if isinstance(flux, da.Array):
        ends = np.cumsum(flux.chunks[0])
        edges = sorted({min(rows, -(-int(end) // BLOCK_ROWS) * BLOCK_ROWS) for end in ends})
    else:
        edges = [*range(32 * BLOCK_ROWS, rows, 32 * BLOCK_ROWS), rows]
    starts = [0, *edges[:-1]]
    return [(a, b) for a, b in zip(starts, edges, strict=True) if a < b]
