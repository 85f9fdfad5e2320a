# SPDX-License-Identifier: BSD-3-Clause
"""Run directories, models, stores and archives from strangers: nothing in them is run, no path leads out of them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from padflow.archive.catalog import FORMAT, Catalog
from padflow.archive.files import find_files
from padflow.autoencoder.keras import load_keras
from padflow.errors import ConfigError, PadflowError
from padflow.instruments.instrument import Instrument, load_instrument
from padflow.report.html import write_report
from padflow.store.durable import read_json
from padflow.store.opening import open_archive, open_results
from padflow.store.paths import is_inside, is_plain_name
from padflow.store.reading import ArchiveReader, ResultsReader

FILE = "rbspa_rel03_ect-rept-sci-l3_{}_v5.0.0.cdf"
READ_BY_THE_REPORT = ("catalog.json", "config.yaml", "run.json", "summary.nc", "model/model.json")
NOT_AN_ANSWER = "This should not happen"


class Harm:
    """Makes a folder where it is unpickled."""

    def __init__(self, trace: Path):
        self.trace = str(trace)

    def __reduce__(self) -> tuple:
        return os.mkdir, (self.trace,)


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What exists once something planted was run; the harm is real, which is checked in the end."""
    path = tmp_path_factory.mktemp("trace") / "harm"
    yield path
    assert not path.exists()
    pickle.loads(pickle.dumps(Harm(path)))
    assert path.is_dir()


@pytest.fixture(scope="module")
def stranger(finished_run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a finished run; tests put back what they change."""
    return Path(shutil.copytree(finished_run.directory, tmp_path_factory.mktemp("stranger") / "run"))


@pytest.fixture
def planted(stranger: Path, trace: Path) -> Iterator[Callable[[str, bytes], Path]]:
    """Puts other content into a file of the run, for one test."""
    before: dict[Path, bytes] = {}

    def plant(name: str, content: bytes) -> Path:
        path = stranger / name
        before[path] = path.read_bytes()
        path.write_bytes(content)
        return path

    yield plant
    for path, content in before.items():
        path.write_bytes(content)
    assert not trace.exists()


def arrays_with_harm(content: bytes, trace: Path) -> bytes:
    """The same archive of arrays, with pickled objects in each."""
    with np.load(io.BytesIO(content)) as file:
        harmful = {name: np.array([Harm(trace)], dtype=object) for name in file.files}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=True, **harmful)
    return buffer.getvalue()


def look_everywhere(padflow: Callable, stranger: Path, output: Path, *, report: bool = True) -> list[str]:
    """Do all that only looks at a run directory; return what was said."""
    said = []
    commands = [("status", stranger), ("verify", stranger), ("export", stranger, output / "out.csv")]
    for command in commands + [("report", stranger)] * report:
        ended = padflow(*command)
        assert ended.status in (0, 1, 2)
        said.append(ended.err)
    for reader in (open_archive, open_results):
        try:
            reader(stranger).isel(time=slice(0, 10)).load()
        except (PadflowError, OSError, ValueError, KeyError, RuntimeError) as error:  # the last from a codec
            said.append(str(error))
    return said


@pytest.mark.parametrize(
    "name",
    [
        "catalog.json",
        "config.yaml",
        "run.json",
        "summary.nc",
        "model/model.json",
        "model/autoencoder.keras",
        "fit/train.json",
        "receipts/label/rbspa/000000.json",
        "archive.zarr/rbspa/zarr.json",
        "archive.zarr/rbspa/flux/c/0/0/0",
        "results.zarr/rbspa/pad_class/c/0",
    ],
)
def test_a_pickle_in_the_place_of_any_file_stays_unread(padflow, two_figures, stranger, planted, trace, name) -> None:
    planted(name, pickle.dumps(Harm(trace)))
    said = look_everywhere(padflow, stranger, trace.parent, report=name in READ_BY_THE_REPORT)
    if name.startswith(("catalog", "config", "summary", "receipts", "results", "archive")):
        assert any(said)


def test_pickled_arrays_of_a_run_and_a_model_stay_unread(
    padflow, serial, two_figures, stranger, planted, trace, finished_run
) -> None:
    for name in ("fit/network.npz", "fit/encoder.npz", "fit/classes.npz", "model/arrays.npz"):
        planted(name, arrays_with_harm((stranger / name).read_bytes(), trace))
    description = read_json(stranger / "model" / "model.json")
    checksum = hashlib.sha256((stranger / "model" / "arrays.npz").read_bytes()).hexdigest()
    planted("model/model.json", json.dumps(description | {"arrays_sha256": checksum}).encode())
    look_everywhere(padflow, stranger, trace.parent)
    source = ["--set", f"archive.source={finished_run.archive}"]
    labels = ["label", stranger / "model", finished_run.arguments[1], "--workdir", trace.parent / "labels", *source]
    ended = padflow(*labels)
    assert ended.status == 1
    assert "arrays.npz cannot be read" in ended.err
    run = list(finished_run.arguments)
    run[run.index("--workdir") + 1] = str(stranger)
    shutil.rmtree(stranger / "receipts" / "score")
    ended = padflow(*run)
    assert ended.status == 1
    assert "encoder.npz cannot be read: 'axis_pitch_angle.npy' in it holds 'object'" in ended.err
    assert NOT_AN_ANSWER not in ended.err
    shutil.copytree(finished_run.directory / "receipts" / "score", stranger / "receipts" / "score")


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.mkdir ['{trace}']\n",
        "archive: {{source: !!python/object/apply:os.mkdir ['{trace}']}}\n",
        "seed: !!python/object/new:os.mkdir ['{trace}']\n",
    ],
)
def test_tags_in_a_configuration_are_not_run(padflow, stranger, planted, trace, tmp_path, text) -> None:
    planted("config.yaml", text.format(trace=trace).encode())
    for command in ("status", "verify"):
        ended = padflow(command, stranger)
        assert ended.status == 2
        assert "is not valid YAML" in ended.err
    instrument = tmp_path / "instrument.yaml"
    instrument.write_text(text.format(trace=trace))
    ended = padflow("plan", tmp_path / "no.yaml", "--set", f"archive.instrument={instrument}")
    assert ended.status == 2


@pytest.mark.parametrize("place", ["compressor", "filters"])
def test_codecs_that_unpickle_are_not_opened(tmp_path: Path, trace: Path, place: str) -> None:
    """Zarr's format 2 names such a codec; padflow reads format 3 alone, whose codecs are plain."""
    store = tmp_path / "evil.zarr"
    codec = {"id": "pickle"}
    array = {"zarr_format": 2, "shape": [4], "chunks": [4], "dtype": "<i8", "fill_value": 0, "order": "C"}
    array |= (
        {"compressor": codec, "filters": None} if place == "compressor" else {"compressor": None, "filters": [codec]}
    )
    for name in ("time", "pad_class", "flux", "pitch_angle", "energy", "counts_per_flux"):
        folder = store / "rbspa" / name
        folder.mkdir(parents=True)
        (folder / ".zarray").write_text(json.dumps(array))
        (folder / "0").write_bytes(pickle.dumps(Harm(trace)))
    for folder in (store, store / "rbspa"):
        (folder / ".zgroup").write_text('{"zarr_format": 2}')
    with pytest.raises(PadflowError, match="no Zarr store"):
        open_results(store)
    with pytest.raises(PadflowError, match="No group found"):
        ResultsReader(store, "rbspa").read("pad_class", 0, 4)
    with pytest.raises(PadflowError, match="No group found"):
        ArchiveReader(store, "rbspa").times(0, 4)
    assert not trace.exists()


@pytest.mark.parametrize("codec", ["pickle", "numcodecs.pickle"])
def test_codecs_by_name_that_would_unpickle_do_not_exist(stranger, planted, trace, codec) -> None:
    name = "results.zarr/rbspa/pad_class/zarr.json"
    metadata = json.loads((stranger / name).read_text())
    metadata["codecs"] = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": codec}]
    planted(name, json.dumps(metadata).encode())
    planted("results.zarr/rbspa/pad_class/c/0", pickle.dumps(Harm(trace)))
    with pytest.raises(Exception, match=r"(?i)codec"):
        ResultsReader(stranger / "results.zarr", "rbspa").read("pad_class", 0, 4)


def test_code_in_a_keras_file_is_not_run(tmp_path: Path, trace: Path, stranger: Path) -> None:
    whole = stranger / "model" / "autoencoder.keras"
    evil = tmp_path / "autoencoder.keras"
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(evil, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "config.json":
                config = json.loads(content)
                layer = next(one for one in config["config"]["layers"] if one["class_name"] == "Dense")
                layer["class_name"] = "Lambda"
                layer["config"] = {
                    "name": "harm",
                    "function": {
                        "class_name": "function",
                        "module": "os",
                        "config": "mkdir",
                        "registered_name": "mkdir",
                    },
                    "arguments": {"path": str(trace)},
                }
                content = json.dumps(config).encode()
            target.writestr(name, content)
    with pytest.raises(PadflowError, match="cannot be opened as a Keras model"):
        load_keras(evil)
    with pytest.raises(PadflowError, match=r"must end in \.keras"):
        load_keras(evil.rename(tmp_path / "autoencoder.h5"))
    assert not trace.exists()


# --- paths and names -----------------------------------------------------------------------------------------

OUTSIDE = ["/etc/passwd", "../elsewhere", "a/../../elsewhere", "", ".", "a\0b"]


@pytest.mark.parametrize("name", OUTSIDE)
def test_paths_that_lead_out_are_told_from_those_that_do_not(name: str) -> None:
    assert not is_inside(name)
    assert not is_plain_name(name)
    assert is_inside("2013/.../fi..le")
    assert is_inside("é/" * 500 + "x")
    assert [is_plain_name(one) for one in ("rbspa", "zarr.json", "a" * 65)] == [True, False, False]


@pytest.mark.parametrize("change", [{"path": name} for name in OUTSIDE] + [{"spacecraft": ".."}, {"spacecraft": "a/b"}])
def test_a_catalogue_that_names_what_is_outside_is_refused(padflow, stranger, planted, change) -> None:
    catalog = json.loads((stranger / "catalog.json").read_text())
    catalog["files"][0] |= change
    planted("catalog.json", json.dumps(catalog).encode())
    with pytest.raises(PadflowError, match=r"catalog\.json is not as padflow wrote it .* Remove it"):
        Catalog.load(stranger / "catalog.json")
    ended = padflow("status", stranger)
    assert ended.status == 1
    assert "is not as padflow wrote it" in ended.err


@pytest.mark.parametrize("text", [f'{{"format": {FORMAT}}}', f'{{"format": {FORMAT}, "files": [3]}}'])
def test_a_catalogue_of_another_structure_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "catalog.json").write_text(text)
    with pytest.raises(PadflowError, match="is not as padflow wrote it"):
        Catalog.load(tmp_path / "catalog.json")


def test_a_catalogue_nested_without_end_is_none(tmp_path: Path) -> None:
    (tmp_path / "catalog.json").write_text("[" * 100_000)
    assert Catalog.load(tmp_path / "catalog.json") is None


@pytest.mark.parametrize("name", ["receipts", "archive.zarr", "fit/moments", "model", "report/index.html"])
def test_nothing_is_written_or_removed_through_links_in_a_run_directory(
    padflow, serial, finished_run, tmp_path, name
) -> None:
    elsewhere, directory = tmp_path / "elsewhere", tmp_path / "run"
    (elsewhere / "ingest" / "rbspa").mkdir(parents=True)
    (elsewhere / "ingest" / "rbspa" / "mine.json").write_text("precious")
    (directory / name).parent.mkdir(parents=True)
    (directory / name).symlink_to(elsewhere)
    arguments = ["ingest", *finished_run.arguments[1:]]
    arguments[arguments.index("--workdir") + 1] = str(directory)
    ended = padflow(*arguments)
    assert ended.status == 1
    assert f"{directory / name} is a symbolic link" in ended.err
    assert [path.name for path in elsewhere.rglob("*")] == ["ingest", "rbspa", "mine.json"]


def test_the_run_directory_itself_may_be_a_link(padflow, serial, finished_run, tmp_path) -> None:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "run").symlink_to("scratch")
    arguments = ["ingest", *finished_run.arguments[1:]]
    arguments[arguments.index("--workdir") + 1] = str(tmp_path / "run")
    assert padflow(*arguments).status == 0
    assert (tmp_path / "scratch" / "archive.zarr").is_dir()


def test_a_report_is_not_written_through_links(padflow, stranger, tmp_path) -> None:
    figures = stranger / "report" / "figures"
    kept = figures.rename(stranger / "report" / "kept")
    figures.symlink_to(tmp_path)
    try:
        with pytest.raises(PadflowError, match="figures is a symbolic link"):
            write_report(stranger)
    finally:
        figures.unlink()
        kept.rename(figures)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["..-20130317.cdf", "-20130317.cdf", "zarr.json-20130317.cdf", "a b-20130317.cdf"])
def test_a_file_name_cannot_name_a_folder_that_is_none(tmp_path: Path, name: str) -> None:
    fields = load_instrument("rept").model_dump() | {"file_pattern": r"(?P<spacecraft>.*)-(?P<date>\d{8})\.cdf"}
    (tmp_path / name).touch()
    with pytest.raises(ConfigError, match="cannot name a folder"):
        find_files(tmp_path, Instrument(**fields))


STRANGE = (
    b"<script>alert(1)<",
    "é 日本 \u202e".encode(),
    b"not \xff UTF-8",
    b"new\nline",
    b"\x1b]0;title\x07\x1b[31m",
    b"x" * 255,
    b"..." + b"=cmd",
    b"a,b;'\"",
)


def test_strange_names_of_folders_are_read_and_shown_as_text(
    padflow, serial, stranger, two_figures, tmp_path: Path, finished_run
) -> None:
    source, directory = tmp_path / "source", tmp_path / "run"
    good = sorted(finished_run.archive.rglob("*.cdf"))
    for number, (name, path) in enumerate(zip(STRANGE, good, strict=True)):
        folder = source / os.fsdecode(name) / "script>"
        folder.mkdir(parents=True)
        shutil.copy(path, folder)
        (folder / FILE.format(f"2013040{number + 1}")).write_bytes(b"<html>")
    (tmp_path / "my.yaml").write_text("archive: {rows_per_part: 1024}\n")
    ended = padflow("ingest", tmp_path / "my.yaml", "--workdir", directory, "--set", f"archive.source={source}")
    assert ended.status == 3
    assert "\n11,952 records" in ended.out
    assert "\x1b" not in ended.err
    assert r"\x1b]0;title" in ended.err
    catalog = Catalog.load(directory / "catalog.json")
    assert len(catalog.used()) == len(catalog.set_aside()) == len(STRANGE)

    ours = (stranger / "catalog.json").read_bytes()
    shutil.copy(directory / "catalog.json", stranger / "catalog.json")
    try:
        page = write_report(stranger).read_text(encoding="utf-8")
    finally:
        (stranger / "catalog.json").write_bytes(ours)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;/rbspa" in page
    assert "日本" in page
    assert r"not \udcff UTF-8" in page
    assert (stranger / "report" / "tables" / "files.csv").read_text(encoding="utf-8").count("rbspa") > 16
