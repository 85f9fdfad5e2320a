# SPDX-License-Identifier: BSD-3-Clause
"""Write the Zarr stores of a run, whole parts at a time and durably.

A part is a fixed number of rows: one shard of `flux`, and one chunk of each other array. It is encoded in memory, and
one rename puts each file in place. So a reader sees the old part of an array or the new one, and never a mixture. This
is the only module that writes Zarr. It writes format 3. Format 2 is never opened, for it has codecs that unpickle.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BytesCodec, ZstdCodec
from zarr.core.buffer import Buffer
from zarr.storage import LocalStore

from padflow.errors import PadflowError
from padflow.store.durable import FileFacts, facts_of, naming, read_json, sync_file, write_bytes
from padflow.store.reading import DAMAGES
from padflow.store.shards import encode_chunk, encode_shard
from padflow.store.specs import ArraySpec
from padflow.store.states import forget_state, keep_replaced


def prepare_group(
    store: Path,
    group: str,
    *,
    specs: list[ArraySpec],
    rows: int,
    rows_per_part: int,
    axes: Mapping[str, tuple[np.ndarray, Mapping[str, Any]]],
    attributes: Mapping[str, Any],
) -> None:
    """Make a group and its arrays, or change the number of rows and the attributes of existing ones.

    Parameters
    ----------
    axes : mapping of str to (values, attributes)
        One-dimensional float64 arrays. The attribute ``dimension`` names their dimension; by default it has the name
        of the array.

    Raises
    ------
    PadflowError
        Where the store holds arrays of another shape. They are not changed.
    """
    for path in _metadata(store, group):
        if path.is_file() and read_json(path) is None:  # a power cut has cut it short; it is made again
            path.unlink()
    with naming(store / group):
        root = zarr.open_group(_Writable(store), mode="a", zarr_format=3, use_consolidated=False)
        where = root.require_group(group)
        where.attrs.put(dict(attributes))  # replaces all attributes: the files may no longer say some
        for spec in specs:
            _prepare_array(store, where, spec, rows=rows, rows_per_part=rows_per_part)
        for name, (values, axis_attributes) in axes.items():
            _prepare_axis(where, name, values, attributes=axis_attributes)
        _consolidate(store)
        for path in (*_metadata(store, group), *(store / group / name / "c" / "0" for name in axes)):
            sync_file(path)


class _Writable(LocalStore):
    """Zarr's store without hard links, which some file systems lack. Only one process writes, so none are needed."""

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        if not await self.exists(key):
            await self.set(key, value)


def _prepare_axis(where: zarr.Group, name: str, values: np.ndarray, *, attributes: Mapping[str, Any]) -> None:
    plain = dict(attributes)
    dimension = plain.pop("dimension", name)
    if name not in where:
        where.create_array(name, data=np.asarray(values, "f8"), dimension_names=(dimension,), attributes=plain)
    elif not _holds(array := _array(where, name), values):
        array[...] = values


def _prepare_array(store: Path, where: zarr.Group, spec: ArraySpec, *, rows: int, rows_per_part: int) -> None:
    shape = (rows, *spec.sizes)
    layout = spec.chunks(rows_per_part)
    if spec.name not in where:
        where.create_array(
            spec.name,
            shape=shape,
            dtype=spec.dtype,
            fill_value=spec.fill_value,
            dimension_names=("time", *spec.dims),
            attributes=dict(spec.attributes),
            compressors=ZstdCodec(level=spec.zstd_level, checksum=True),
            serializer=BytesCodec(endian="little") if np.dtype(spec.dtype).itemsize > 1 else "auto",
            chunks=layout["chunks"],
            shards=layout.get("shards"),
        )
        return
    array = _array(where, spec.name)
    found = {"chunks": array.chunks} | ({"shards": array.shards} if array.shards else {})
    if array.shape[1:] != spec.sizes or found != layout:
        raise PadflowError(
            f"{store}/{where.basename}/{spec.name} has shape {array.shape} and {found}; this run needs {shape} and "
            f"{layout}. Choose another --workdir, or the archive.rows_per_part it was made with."
        )
    array.update_attributes(dict(spec.attributes))
    if array.shape != shape:
        for index in range(-(-rows // rows_per_part), -(-array.shape[0] // rows_per_part)):  # zarr removes them below
            keep_replaced(store, part_path(where.basename, spec, index))
        array.resize(shape)


def _array(where: zarr.Group, name: str) -> zarr.Array:
    node = where[name]
    if not isinstance(node, zarr.Array):
        raise PadflowError(f"{where.path}/{name} is a group where an array belongs. Choose another --workdir.")
    return node


def drop_groups(store: Path, *, keep: set[str]) -> None:
    """Remove all groups except some. Nobody can open the store until its next change is complete."""
    groups = [path.parent for path in store.glob("*/zarr.json") if path.parent.name not in keep]
    if groups:
        forget_state(store)
        for group in groups:
            shutil.rmtree(group)
        _consolidate(store)
        sync_file(store / "zarr.json")


def _metadata(store: Path, group: str) -> list[Path]:
    return [
        store / "zarr.json",
        *sorted((store / group).glob("zarr.json")),
        *sorted((store / group).glob("*/zarr.json")),
    ]


def _holds(array: zarr.Array, values: np.ndarray) -> bool:
    try:
        return np.array_equal(array[...], values, equal_nan=True)
    except DAMAGES:
        return False


def _consolidate(store: Path) -> None:
    # `xarray.open_zarr(store, group=...)` warns where this is missing. Zarr warns that format 3 does not define it yet.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Consolidated metadata", category=UserWarning)
        zarr.consolidate_metadata(_Writable(store))


def encode_part(spec: ArraySpec, values: np.ndarray, *, rows_per_part: int) -> bytes:
    """Encode the rows of one part as the bytes of its one shard or chunk.

    The last part of a group may have fewer rows. It is filled up, so that its bytes do not depend on the present length
    of the array.
    """
    if values.shape[1:] != spec.sizes or not 0 < len(values) <= rows_per_part:
        raise ValueError(f"{spec.name}: a part of shape {values.shape}, expected (1..{rows_per_part}, {spec.sizes})")
    whole = np.ascontiguousarray(values, spec.dtype)
    if len(values) < rows_per_part:
        whole = np.full((rows_per_part, *spec.sizes), spec.fill_value, spec.dtype)
        whole[: len(values)] = values
    layout = spec.chunks(rows_per_part)
    if "shards" in layout:
        return encode_shard(whole, chunk_rows=layout["chunks"][0], level=spec.zstd_level)
    return encode_chunk(whole, level=spec.zstd_level)


def write_part(
    store: Path,
    group: str,
    index: int,
    *,
    specs: list[ArraySpec],
    values: Mapping[str, np.ndarray],
    rows_per_part: int,
) -> dict[str, FileFacts]:
    """Write part `index` of some arrays of a group, whole and durable.

    Returns
    -------
    dict of str to [int, str]
        Size and SHA-256 of each file, by its path relative to the store; a receipt keeps them.
    """
    written, writes = {}, []
    # Making several files durable takes no longer than one. Meanwhile the next array is encoded.
    with ThreadPoolExecutor(len(specs)) as pool:
        for spec in specs:
            content = encode_part(spec, values[spec.name], rows_per_part=rows_per_part)
            relative = part_path(group, spec, index)
            writes.append(pool.submit(_replace_part, store, relative, content))
            written[relative] = facts_of(content)
    for write in writes:
        write.result()
    return written


def _replace_part(store: Path, relative: str, content: bytes) -> None:
    keep_replaced(store, relative)
    write_bytes(store / relative, content)


def part_path(group: str, spec: ArraySpec, index: int) -> str:
    """Return the path of a part's file, relative to the store, in Zarr's default chunk key encoding."""
    return "/".join([group, spec.name, "c", str(index), *("0" for _ in spec.sizes)])


def set_attributes(store: Path, path: str, attributes: Mapping[str, Any]) -> None:
    """Update the attributes of an array or group of a store."""
    with naming(store / path):
        node = zarr.open_group(_Writable(store), mode="r+", zarr_format=3, use_consolidated=False)[path]
        if {name: node.attrs.get(name) for name in attributes} != dict(attributes):
            node.update_attributes(dict(attributes))
            _consolidate(store)
            for metadata in (store / "zarr.json", store / path / "zarr.json"):
                sync_file(metadata)
