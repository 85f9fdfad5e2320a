# SPDX-License-Identifier: BSD-3-Clause
"""Open the archive or the results of a run as an xarray Dataset."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import xarray as xr
import zarr
from dask.base import tokenize
from xarray.backends import BackendArray
from xarray.core.indexing import ExplicitIndexer, IndexingSupport, LazilyIndexedArray, explicit_indexing_adapter

from padflow.config.local_paths import local_path
from padflow.errors import PadflowError
from padflow.store.reading import GroupReader, reading
from padflow.store.run_files import ARCHIVE, RESULTS
from padflow.store.states import Snapshot

PAUSE_SECONDS = 0.2


T = TypeVar("T")


def open_archive(
    path: str | Path, spacecraft: str | None = None, *, chunks: dict[str, int] | None = None
) -> xr.Dataset:
    """Open the archive of one spacecraft, lazily.

    Parameters
    ----------
    path : path
        A run directory, or its ``archive.zarr``.
    spacecraft : str, optional
        Such as ``rbspa``. Needed where there are several.
    chunks : dict, optional
        Dask chunks; one part by default.

    Returns
    -------
    xarray.Dataset
        ``flux`` (time, pitch_angle, energy) float32 in cm-2 s-1 sr-1 MeV-1, NaN where missing; coordinates
        time (UTC), pitch_angle (deg), energy (MeV) and the ephemeris along time; ``counts_per_flux`` (energy).

    Raises
    ------
    PadflowError
        Where there is no such archive or spacecraft.

    Examples
    --------
    >>> import padflow
    >>> archive = padflow.open_archive("run", "rbspa")
    >>> archive["flux"].dims
    ('time', 'pitch_angle', 'energy')
    >>> spectrum = archive["flux"].sel(pitch_angle=90, method="nearest").isel(time=0).values
    >>> spectrum.shape
    (12,)
    """
    opened = _open_group(_store(path, ARCHIVE), spacecraft, chunks=chunks)
    # A coordinate: xarray.concat would give a variable without time one along time.
    return opened.set_coords([name for name in ("counts_per_flux",) if name in opened])


def open_results(
    path: str | Path, spacecraft: str | None = None, *, chunks: dict[str, int] | None = None
) -> xr.Dataset:
    """Open the results of one spacecraft, lazily.

    Parameters
    ----------
    path : path
        A run directory, or its ``results.zarr``.
    spacecraft, chunks
        As for `open_archive`.

    Returns
    -------
    xarray.Dataset
        Along time: ``pad_class`` (-1 where there is none), its ``probability``, ``reason`` (`padflow.records.Reason`),
        ``score``, ``distance``, ``margin`` and ``reconstruction_error``. Where the autoencoder was trained on other
        spins, along (time, energy) also ``shape``, ``shape_probability`` and what was measured of the shapes.

    Raises
    ------
    PadflowError
        Where there are no such results or spacecraft.

    Examples
    --------
    >>> import padflow
    >>> results = padflow.open_results("run", "rbspa")
    >>> results["score"].dims
    ('time', 'component')
    >>> labelled = results.isel(time=results["reason"].values == 0)
    """
    return _open_group(_store(path, RESULTS), spacecraft, chunks=chunks)


def _store(path: str | Path, name: str) -> Path:
    path = local_path(path, "path")
    return path if path.suffix == ".zarr" else path / name


def _open_group(store: Path, group: str | None, *, chunks: dict[str, int] | None) -> xr.Dataset:
    """Open one group of a store in its present state. `group` may be None where there is only one.

    Raises
    ------
    PadflowError
        Where there is no store or no such group; names the groups of the store.
    """
    return _twice(lambda: _open_once(store, group, chunks=chunks))


def _twice(look: Callable[[], T]) -> T:
    """Call a function, and once more where it fails: a file server may refuse what it gives a moment later."""
    try:
        return look()
    except (PadflowError, OSError):
        time.sleep(PAUSE_SECONDS)
        return look()


def _open_once(store: Path, group: str | None, *, chunks: dict[str, int] | None) -> xr.Dataset:
    if not (store / "zarr.json").is_file():
        raise PadflowError(f"There is no Zarr store at {store}. `padflow run` makes it in its --workdir.")
    snapshot = Snapshot.now(store)
    with reading(store, "zarr.json"):
        root = zarr.open_group(store, mode="r", zarr_format=3, use_consolidated=False)
        names = sorted(_members(store) if snapshot.rows is None else snapshot.rows)
    if group is None and len(names) == 1:
        group = names[0]
    if group not in names:
        raise PadflowError(
            f"{store} holds {', '.join(names) or 'no spacecraft'}; name one of them as the spacecraft, not {group}."
        )
    with reading(store, group):
        where = root[group]
        if not isinstance(where, zarr.Group):
            raise TypeError("an array where a group belongs")
        members = {name: where[name] for name in _members(store / group)}
    arrays = {name: array for name, array in members.items() if isinstance(array, zarr.Array)}
    along_time = {name: array for name, array in arrays.items() if _dimensions(array)[:1] == ("time",)}
    if snapshot.rows is not None:
        rows = snapshot.rows[group]
    else:  # while arrays grow, some have their new size and others do not
        rows = min(array.shape[0] for array in along_time.values())
        snapshot = replace(snapshot, rows={group: rows})
    reader = GroupReader(store, group, snapshot=snapshot)
    data: dict[str, Any] = {name: array[...] for name, array in arrays.items() if name not in along_time}
    for name, array in along_time.items():
        data[name] = LazilyIndexedArray(_Rows(reader, name, (rows, *array.shape[1:]), array.dtype))
    variables = {name: xr.Variable(_dimensions(array), data[name], dict(array.attrs)) for name, array in arrays.items()}
    dataset = xr.decode_cf(xr.Dataset(variables, attrs=dict(where.attrs)))
    if chunks is None:
        chunks = {"time": arrays["time"].chunks[0]}
    return dataset.chunk(chunks, name_prefix="padflow-", token=tokenize(snapshot, group))


def _members(folder: Path) -> list[str]:
    """Return the names in a group. Zarr's own list warns of each temporary file of a run that writes meanwhile."""
    return sorted(path.parent.name for path in folder.glob("*/zarr.json"))


def _dimensions(array: zarr.Array) -> tuple[str | None, ...]:
    return getattr(array.metadata, "dimension_names", None) or ()


class _Rows(BackendArray):
    """An array along time. xarray reads it when its values are needed."""

    def __init__(self, reader: GroupReader, name: str, shape: tuple[int, ...], dtype: np.dtype):
        self._reader, self._name = reader, name
        # 16 bits are for the disk: sums of many values overflow in them.
        self.shape, self.dtype = shape, np.dtype(np.float32) if dtype == np.float16 else dtype

    def __getitem__(self, key: ExplicitIndexer) -> np.ndarray:
        return explicit_indexing_adapter(key, self.shape, IndexingSupport.BASIC, self._chosen)

    def _chosen(self, key: tuple[int | slice, ...]) -> np.ndarray:
        rows = range(self.shape[0])[key[0]]
        if isinstance(rows, int):
            return self._read(rows, rows + 1)[0][key[1:]]
        if not rows:
            return np.empty((0, *self.shape[1:]), self.dtype)[:, *key[1:]]
        return self._read(min(rows[0], rows[-1]), max(rows[0], rows[-1]) + 1)[:: rows.step][:, *key[1:]]

    def _read(self, start: int, stop: int) -> np.ndarray:
        return _twice(lambda: self._reader.read_array(self._name, start, stop)).astype(self.dtype, copy=False)
