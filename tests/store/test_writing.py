# SPDX-License-Identifier: BSD-3-Clause
"""The Zarr stores, read back by zarr and xarray themselves."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest
import tensorstore
import xarray as xr
import zarr

from padflow.errors import PadflowError
from padflow.records import BLOCK_ROWS, Reason
from padflow.store.durable import sha256_of
from padflow.store.reading import ArchiveReader, ResultsReader
from padflow.store.specs import ArraySpec, archive_specs, results_specs
from padflow.store.writing import encode_part, part_path, prepare_group, set_attributes, write_part

PART = 2 * BLOCK_ROWS
ROWS = 2 * PART + 700  # two whole parts and one that is not
EPHEMERIS = ("L", "L_star", "MLT")


def test_zarr_reads_every_value_back(archive, records):
    group = zarr.open_group(archive, mode="r")["rbspa"]
    assert group["flux"].shape == (ROWS, 17, 12)
    assert group["flux"][...].tobytes() == records.flux.tobytes()
    assert group["time"][...].tobytes() == records.time.tobytes()
    for name in EPHEMERIS:
        assert group[name][...].tobytes() == records.ephemeris[name].tobytes()
    assert group["flux"].chunks == (BLOCK_ROWS, 17, 12)
    assert group["flux"].shards == (PART, 17, 12)
    assert dict(group.attrs) == {"title": "test"}


def test_xarray_reads_times_to_the_nanosecond_and_all_units(archive, records, factories):
    with xr.open_zarr(archive, group="rbspa") as opened:
        assert opened["time"].values.astype("M8[ns]").tobytes() == records.time.tobytes()
        assert (records.time.astype("i8") % 1000 != 0).any()  # there are nanoseconds to lose
        assert opened["flux"].dims == ("time", "pitch_angle", "energy")
        assert opened["flux"].dtype == np.float32
        assert opened["flux"].values.tobytes() == records.flux.tobytes()
        assert set(opened.coords) == {"time", "pitch_angle", "energy", *EPHEMERIS}
        np.testing.assert_array_equal(opened["energy"], factories.ENERGY)
        assert opened["counts_per_flux"].dims == ("energy",)
        assert opened["flux"].attrs["units"] == "cm-2 s-1 sr-1 MeV-1"
        assert opened["MLT"].attrs["units"] == "h"
        assert opened["pitch_angle"].attrs["units"] == "degree"
        assert opened["time"].attrs["standard_name"] == "time"


def test_consolidated_metadata_tell_what_the_store_holds(archive):
    opened = zarr.open_group(archive, mode="r", use_consolidated=True)
    assert opened["rbspa/flux"].shape == (ROWS, 17, 12)
    assert opened["rbspb/flux"].shape == (0, 17, 12)


PLAIN = ("probability", "distance", "margin", "reconstruction_error")


def test_results_keep_their_types_and_fill_values(tmp_path):
    store, specs = tmp_path / "results.zarr", results_specs(3)
    prepare_group(store, "rbspa", specs=specs, rows=2 * PART, rows_per_part=PART, axes={}, attributes={})
    values = {
        "time": np.arange(PART, dtype="i8") * 10**9,
        "pad_class": np.arange(PART, dtype="i2") % 7 - 1,
        "reason": np.arange(PART, dtype="i1") % 7,
        "score": np.random.default_rng(0).normal(size=(PART, 3)).astype("f4"),
        **{name: np.full(PART, np.nan, "f4") for name in PLAIN},
    }
    write_part(store, "rbspa", 0, specs=specs, values=values, rows_per_part=PART)
    with xr.open_zarr(store, group="rbspa", decode_times=False) as opened:
        assert {name: str(opened[name].dtype) for name in ("pad_class", "reason", "score", "margin")} == {
            "pad_class": "int16",
            "reason": "int8",
            "score": "float32",
            "margin": "float32",
        }
        for name, expected in values.items():
            np.testing.assert_array_equal(opened[name].values[:PART], expected)
        # What no part was written to is what was not processed.
        assert set(opened["pad_class"].values[PART:]) == {-1}
        assert set(opened["reason"].values[PART:]) == {Reason.NOT_PROCESSED}
        assert np.isnan(opened["score"].values[PART:]).all()
        meanings = opened["reason"].attrs["flag_meanings"].split()
        assert dict(zip(opened["reason"].attrs["flag_values"], meanings, strict=True)) == {
            int(reason): reason.name.lower() for reason in Reason
        }
    assert ResultsReader(store, "rbspa").read("pad_class", 5, 9).tolist() == [4, 5, -1, 0]


def test_receipts_of_a_write_are_of_the_files_there_are(archive, records, write_all):
    written = write_all(archive, records)
    along_time = ("time", "flux", *EPHEMERIS)
    files = {str(p.relative_to(archive)) for name in along_time for p in (archive / "rbspa" / name / "c").rglob("*")}
    assert set(written) == {name for name in files if (archive / name).is_file()}
    assert len(written) == 3 * (2 + len(EPHEMERIS))
    for name, (size, checksum) in written.items():
        content = (archive / name).read_bytes()
        assert (len(content), sha256_of(content)) == (size, checksum)


def test_writing_again_gives_the_same_bytes(archive, records, tmp_path, prepare, write_all):
    other = tmp_path / "other.zarr"
    prepare(other, rows=ROWS)
    assert write_all(other, records) == write_all(archive, records)


def test_zarr_itself_writes_the_same_rows_as_one_shard(archive, records, tmp_path):
    """Our encoding of a part is what zarr-python makes of a whole shard."""
    array = zarr.open_array(archive / "rbspa/flux", mode="r+")
    ours = (archive / part_path("rbspa", archive_specs(17, 12, ephemeris=())[1], 0)).read_bytes()
    array[:PART] = records.flux[:PART]
    assert (archive / "rbspa/flux/c/0/0/0").read_bytes() == ours


def test_the_bytes_of_the_last_part_do_not_depend_on_the_length_of_the_array(tmp_path, records, prepare, write_all):
    short, long = tmp_path / "short.zarr", tmp_path / "long.zarr"
    prepare(short, rows=ROWS)
    prepare(long, rows=ROWS + 5 * PART)
    assert write_all(short, records) == write_all(long, records)
    flux = zarr.open_group(long, mode="r")["rbspa/flux"]
    assert np.isnan(flux[ROWS:]).all()
    assert flux[ROWS - 700 : ROWS].tobytes() == records.flux[-700:].tobytes()


def test_growing_keeps_what_was_written(archive, factories, records, prepare, write_all):
    more = factories.records(ROWS + PART, missing_share=0.3)
    before = {p: p.read_bytes() for p in archive.rglob("c/**/*") if p.is_file()}
    prepare(archive, rows=ROWS + PART)
    assert {p: p.read_bytes() for p in archive.rglob("c/**/*") if p.is_file()} == before
    group = zarr.open_group(archive, mode="r")["rbspa"]
    assert group["flux"].shape[0] == group["time"].shape[0] == ROWS + PART
    assert group["flux"][:ROWS].tobytes() == records.flux.tobytes()
    assert np.isnan(group["flux"][ROWS:]).all()
    write_all(archive, more, first=2)
    with xr.open_zarr(archive, group="rbspa") as opened:
        assert opened.sizes["time"] == ROWS + PART
        assert opened["flux"].values[: 2 * PART].tobytes() == records.flux[: 2 * PART].tobytes()
        assert opened["flux"].values[2 * PART :].tobytes() == more.flux[2 * PART :].tobytes()


def test_shrinking_and_growing_again_does_not_bring_old_rows_back_changed(archive, records, prepare, write_all):
    prepare(archive, rows=PART)
    assert ArchiveReader(archive, "rbspa").rows == PART
    prepare(archive, rows=ROWS)
    written = write_all(archive, records)
    assert set(written) == set(write_all(archive, records))
    assert zarr.open_group(archive, mode="r")["rbspa/flux"][...].tobytes() == records.flux.tobytes()


def test_preparing_twice_changes_nothing(archive, prepare):
    before = {p: p.read_bytes() for p in archive.rglob("*") if p.is_file()}
    prepare(archive, rows=ROWS)
    assert {p: p.read_bytes() for p in archive.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("change", [{"rows_per_part": 4 * BLOCK_ROWS}, {"pitch_angles": 9}])
def test_a_store_of_another_shape_is_refused_and_stays(archive, records, change, prepare):
    with pytest.raises(PadflowError, match=r"rbspa/.*(--workdir|rows_per_part)"):
        prepare(archive, rows=ROWS, **change)
    assert zarr.open_group(archive, mode="r")["rbspa/flux"][...].tobytes() == records.flux.tobytes()


@pytest.mark.parametrize("shape", [(PART + 1, 17, 12), (0, 17, 12), (PART, 12, 17), (PART, 17), (PART, 17, 12, 1)])
def test_parts_of_a_wrong_shape_are_refused(tmp_path, shape):
    spec = archive_specs(17, 12, ephemeris=())[1]
    with pytest.raises(ValueError, match="flux: a part of shape"):
        write_part(tmp_path, "rbspa", 0, specs=[spec], values={"flux": np.zeros(shape, "f4")}, rows_per_part=PART)
    assert list(tmp_path.iterdir()) == []


def test_parts_that_are_all_fill_values_are_stored(tmp_path, prepare):
    store = tmp_path / "archive.zarr"
    prepare(store, rows=PART)
    specs = archive_specs(17, 12, ephemeris=EPHEMERIS)
    values = {spec.name: np.full((PART, *spec.sizes), spec.fill_value, spec.dtype) for spec in specs}
    written = write_part(store, "rbspa", 0, specs=specs, values=values, rows_per_part=PART)
    assert all((store / name).stat().st_size == size > 0 for name, (size, _) in written.items())
    assert np.isnan(zarr.open_group(store, mode="r")["rbspa/flux"][...]).all()
    assert zarr.open_group(store, mode="r")["rbspa/flux"].nchunks_initialized == 2


def test_a_block_of_nothing_but_nan_inside_a_part_is_stored_too():
    spec = archive_specs(17, 12, ephemeris=())[1]
    flux = np.full((PART, 17, 12), np.nan, "f4")
    flux[0] = 1
    with_index = encode_part(spec, flux, rows_per_part=PART)
    # The last of a shard is its index: offset and length of each block, uint64, and a checksum of 4 bytes.
    index = np.frombuffer(with_index[-(2 * 16 + 4) : -4], "<u8").reshape(2, 2)
    assert (index < len(with_index)).all()
    assert (index[:, 1] > 0).all()


def test_attributes_set_later_are_seen_by_everyone(archive):
    set_attributes(archive, "rbspa/flux", {"comment": "checked"})
    set_attributes(archive, "rbspa", {"history": "again"})
    with xr.open_zarr(archive, group="rbspa") as opened:
        assert opened["flux"].attrs["comment"] == "checked"
        assert opened["flux"].attrs["units"] == "cm-2 s-1 sr-1 MeV-1"
        assert opened.attrs == {"title": "test", "history": "again"}


def test_metadata_say_what_other_readers_need(archive):
    """Zarr v3's own field names, for readers that are not Python."""
    metadata = json.loads((archive / "rbspa/flux/zarr.json").read_text())
    assert metadata["zarr_format"] == 3
    assert metadata["dimension_names"] == ["time", "pitch_angle", "energy"]
    assert metadata["fill_value"] == "NaN"
    assert metadata["chunk_key_encoding"] == {"name": "default", "configuration": {"separator": "/"}}
    assert metadata["codecs"][0]["name"] == "sharding_indexed"
    inner = [codec["name"] for codec in metadata["codecs"][0]["configuration"]["codecs"]]
    assert inner == ["bytes", "zstd"]


def test_tensorstore_reads_the_same(archive, records):
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(archive / "rbspa/flux")}}
    flux = tensorstore.open(spec).result().read().result()
    assert np.asarray(flux).tobytes() == records.flux.tobytes()


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Path, list[ArraySpec], dict[str, np.ndarray]]:
    """A store with one part of an archive of 5 pitch angles and 3 energies."""
    specs = archive_specs(5, 3, ephemeris=("L", "Position"))
    axes = {name: (np.arange(size) + 1.0, {}) for name, size in (("pitch_angle", 5), ("energy", 3))}
    prepare_group(tmp_path, "rbspa", specs=specs, rows=2048, rows_per_part=2048, axes=axes, attributes={})
    random = np.random.default_rng(0)
    values = {
        "time": np.arange(2048),
        "flux": random.gamma(1, 10, (2048, 5, 3)).round().astype("f4"),
        "L": random.random(2048).astype("f4"),
        "Position": random.random((2048, 3)).astype("f4"),
    }
    write_part(tmp_path, "rbspa", 0, specs=specs, values=values, rows_per_part=2048)
    return tmp_path, specs, values


@pytest.mark.parametrize("name", ["time", "flux", "L"])
@pytest.mark.parametrize("harm", ["flip", "cut"])
def test_a_damaged_part_is_an_error_for_every_reader_and_never_a_value(stored, name: str, harm: str) -> None:
    store, specs, values = stored
    path = store / part_path("rbspa", next(spec for spec in specs if spec.name == name), 0)
    whole = path.read_bytes()
    random = np.random.default_rng(1)
    for _ in range(60):
        content = bytearray(whole)
        place = int(random.integers(len(content)))
        if harm == "flip":
            content[place] ^= 1 << int(random.integers(8))
        else:
            del content[place:]
        path.write_bytes(content)
        with pytest.raises(PadflowError, match=rf"rbspa/{name}/c/0\S* is damaged.*padflow verify --repair"):
            ArchiveReader(store, "rbspa").read_array(name, 0, 2048)
        with pytest.raises((RuntimeError, ValueError)):
            xr.open_zarr(store, group="rbspa", consolidated=False, chunks=None, decode_times=False)[name].load()
    path.write_bytes(whole)
    np.testing.assert_array_equal(ArchiveReader(store, "rbspa").read_array(name, 0, 2048), values[name])


@pytest.mark.parametrize("lost", ["zarr.json", "rbspa/zarr.json", "rbspa/flux/zarr.json", "rbspa/energy/c/0"])
@pytest.mark.parametrize("how", ["gone", "empty", "half"])
def test_metadata_that_is_not_whole_is_made_again_and_parts_stay(stored, lost: str, how: str) -> None:
    store, specs, _ = stored
    whole = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    path = store / lost
    {
        "gone": path.unlink,
        "empty": lambda: path.write_bytes(b""),
        "half": lambda: path.write_bytes(whole[path][: len(whole[path]) // 2]),
    }[how]()
    axes = {name: (np.arange(size) + 1.0, {}) for name, size in (("pitch_angle", 5), ("energy", 3))}
    prepare_group(store, "rbspa", specs=specs, rows=2048, rows_per_part=2048, axes=axes, attributes={})
    assert {path: path.read_bytes() for path in store.rglob("*") if path.is_file()} == whole


def test_a_reader_meanwhile_sees_a_part_as_it_was_or_as_it_is(stored) -> None:
    """Hundreds of rewrites of a part under readers that have the store open, all of its values changed each time."""
    store, specs, values = stored
    chosen = [spec for spec in specs if spec.name in ("time", "flux")]
    seen: dict[str, set[float]] = {"time": set(), "flux": set()}
    mixed: list[str] = []
    over = threading.Event()

    def look(name: str) -> None:
        array = zarr.open_group(store, path="rbspa", mode="r", use_consolidated=False)[name]
        while not over.is_set():
            found = np.unique(array[...])
            seen[name].add(float(found[0]))
            if len(found) > 1:
                mixed.append(name)

    def write(number: int) -> None:
        filled = {name: np.full_like(values[name], number) for name in ("time", "flux")}
        write_part(store, "rbspa", 0, specs=chosen, values=filled, rows_per_part=2048)

    write(0)
    readers = [threading.Thread(target=look, args=(name,)) for name in seen for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(1, 150):
        write(number)
    over.set()
    for reader in readers:
        reader.join()
    assert mixed == []
    assert all(len(numbers) > 3 for numbers in seen.values())  # they did look meanwhile


def test_a_reader_that_opened_a_store_before_days_came_reads_what_it_knew(stored) -> None:
    store, specs, values = stored
    array = zarr.open_group(store, path="rbspa", mode="r", use_consolidated=False)["L"]
    prepare_group(store, "rbspa", specs=specs, rows=5000, rows_per_part=2048, axes={}, attributes={})
    more = {name: np.concatenate([v[:1000], v[:1048]]) for name, v in values.items()}
    write_part(store, "rbspa", 1, specs=specs, values=more, rows_per_part=2048)
    np.testing.assert_array_equal(array[...], values["L"])
