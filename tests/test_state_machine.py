# SPDX-License-Identifier: BSD-3-Clause
"""Random sequences of commands and mishaps against an oracle that holds everything in memory.

The oracle knows the records of each file, which files are whole, and which parts were damaged. From these follow the
archive, the labels by the fitted model, and what `verify` has to say.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from tempfile import mkdtemp
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from padflow.autoencoder.network import Network
from padflow.compute.workers import SerialWorkers
from padflow.config.sections import Config
from padflow.errors import ConfigError, PadflowError
from padflow.instruments.instrument import load_instrument
from padflow.model.model import Model
from padflow.pipeline import driver, trainer
from padflow.pipeline.verify import repair, verify
from padflow.progress.events import Progress
from padflow.store.durable import sha256_of

HERE = Path(__file__).resolve().parent
REPT = load_instrument("rept").model_copy(update={"ephemeris": {}})
DAYS, VERSIONS, RECORDS = (1, 2, 3, 4), ("5.3.0", "5.10.0"), 450
PITCH_ANGLES, ENERGIES = slice(None, None, 4), slice(3)
STORES = ("archive.zarr", "results.zarr")
FITS = ("train", "pca", "classes")


class Killed(BaseException):
    """The process is dead from here on."""


class MortalReplace:
    """`Path.replace` of a process that dies just before, or just after, its n-th durable write."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.after = False
        self._replace = Path.replace

    def __call__(self, path: Path, target: Path) -> Path:
        if self.left is None:
            return self._replace(path, target)
        self.left -= 1
        if self.left > 0 or (self.left == 0 and self.after):
            moved = self._replace(path, target)
            if self.left > 0:
                return moved
        raise Killed


MORTAL = MortalReplace()


def module_of(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Files:
    """What each version of each day holds, and its file."""

    def __init__(self, folder: Path):
        factory = module_of(HERE / "cdf_factory.py")
        self.paths: dict[tuple[int, str], Path] = {}
        self.flux: dict[tuple[int, str], np.ndarray] = {}
        self.times: dict[tuple[int, str], np.ndarray] = {}
        for day in DAYS:
            for number, version in enumerate(VERSIONS):
                records = RECORDS + 60 * number
                content = factory.rept(f"2013-03-0{day}", records, seed=10 * day + number)
                flux = content["FEDU"]["data"][:, PITCH_ANGLES, ENERGIES]
                units = content["FEDU"]["attributes"]["UNITS"]
                chosen = {
                    "Epoch": content["Epoch"],
                    "FEDU": factory.variable(np.ascontiguousarray(flux), units=units),
                    "FEDU_Alpha": factory.variable(content["FEDU_Alpha"]["data"][PITCH_ANGLES], varies=False),
                    "FEDU_Energy": factory.variable(factory.REPT_ENERGY[ENERGIES], varies=False, units="MeV"),
                }
                path = folder / f"rbspa_rel03_ect-rept-sci-l3_2013030{day}_v{version}.cdf"
                self.paths[day, version] = factory.write_cdf(path, chosen)
                self.flux[day, version] = np.where(flux >= 0, flux, np.nan).astype("f4")
                step = np.arange(records) * np.timedelta64(10_900, "ms")
                start = np.datetime64(f"2013-03-0{day}", "ms") + np.timedelta64(5450, "ms")
                self.times[day, version] = (start + step).astype("datetime64[ns]")
        self.axes = {
            "pitch_angle": ((np.arange(17) + 0.5) * 180 / 17)[PITCH_ANGLES],
            "energy": factory.REPT_ENERGY[ENERGIES],
        }

    def dataset(self, used: tuple[tuple[int, str], ...]) -> xr.Dataset:
        """Return the archive that some files make."""
        return xr.Dataset(
            {
                "flux": (("time", "pitch_angle", "energy"), np.concatenate([self.flux[key] for key in used])),
                "counts_per_flux": ("energy", REPT.counts_per_flux(self.axes["energy"])),
            },
            coords={"time": np.concatenate([self.times[key] for key in used]), **self.axes},
        )


FILES: Files
REFERENCES: dict[Any, Any] = {}
"""What undisturbed runs come to, by configuration and files; and labels, by model and files."""


def configuration(source: Path, *, fold: bool, classes: int) -> Config:
    return Config.model_validate(
        {
            "archive": {"source": source, "rows_per_part": 1024},
            "preprocess": {"average_seconds": 60, "fold": fold},
            "train": {"split": "row"},
            "mean_shift": {"samples": 40, "repeats": 1, "bandwidth": 0.4},
            "kmeans": {"classes": classes, "silhouette_samples": 0},
            "method": "agglomerative",
            "agglomerative": {"samples": 40},
        }
    )


def run_padflow(
    config: Config,
    directory: Path,
    *,
    until: str | None = None,
    restart_from: str | None = None,
    allow_removal: int = 0,
) -> None:
    driver.run(config, directory, restart_from=restart_from, until=until, allow_removal=allow_removal)


def arrays(directory: Path, store: str) -> dict[str, np.ndarray]:
    root = zarr.open_group(directory / store, path="rbspa", mode="r", use_consolidated=False)
    return {name: array[...] for name, array in root.arrays()}


class Mishaps(RuleBasedStateMachine):
    """A folder of files, a run directory, and what ought to be in it."""

    def __init__(self) -> None:
        super().__init__()
        memory = Path("/dev/shm")
        self.folder = Path(mkdtemp(prefix="padflow-", dir=memory if memory.is_dir() else None))
        self.source, self.directory = self.folder / "cdf", self.folder / "run"
        self.source.mkdir()
        self.state: dict[tuple[int, str], bool] = {}  # whether the file is whole
        self.fold, self.classes = True, 3
        self.made_with = (True, 3)
        self.archive_at: dict[str, Any] = {}  # the files when each fit was made
        self.model: str | None = None
        self.damaged: dict[str, bytes | None] = {}  # what damaged files of parts hold
        self.whole: dict[str, bytes] = {}  # and what they held before
        self.settled = False  # whether the last command did all there was to do
        self.least: dict[int, int] = {}  # records of each day that are in the archive, by number of the day
        self.most: dict[int, int] = {}  # that may be: a run that died has written some of its days, or all

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    # What ought to be

    def used(self) -> tuple[tuple[int, str], ...]:
        newest = {}
        for day, version in sorted(self.state, key=lambda key: (key[0], VERSIONS.index(key[1]))):
            if self.state[day, version]:
                newest[day] = version
        return tuple(sorted(newest.items()))

    def config(self) -> Config:
        return configuration(self.source, fold=self.fold, classes=self.classes)

    def fits(self) -> dict[str, str]:
        paths = {name: self.directory / "fit" / f"{name}.json" for name in FITS}
        return {name: path.read_text() for name, path in paths.items() if path.exists()}

    def still_damaged(self) -> dict[str, bytes | None]:
        def content(name: str) -> bytes | None:
            path = self.directory / name
            return path.read_bytes() if path.exists() else None

        # What no receipt names any more is no part, but room for one. Nor is what a smaller archive has no part for.
        files = self.part_files()
        there = {(group, index) for stage, group, index in files.values() if stage == "ingest"}
        parts = {name for name, (_, group, index) in files.items() if (group, index) in there}
        return {name: harm for name, harm in self.damaged.items() if name in parts and content(name) == harm}

    # The input

    @initialize()
    def first_files(self) -> None:
        for day in DAYS[:2]:
            self.put(day, VERSIONS[0], whole=True)

    def put(self, day: int, version: str, *, whole: bool) -> None:
        path = self.source / FILES.paths[day, version].name
        content = FILES.paths[day, version].read_bytes()
        path.write_bytes(content if whole else content[: len(content) // 2])
        self.state[day, version] = whole

    @rule(day=st.sampled_from(DAYS[2:]))
    def add_a_day(self, day: int) -> None:
        self.put(day, VERSIONS[0], whole=True)

    @rule(day=st.sampled_from(DAYS), whole=st.booleans())
    def add_or_break_or_mend_a_newer_version(self, day: int, whole: bool) -> None:
        self.put(day, VERSIONS[1], whole=whole or not self.not_the_last((day, VERSIONS[1])))

    def not_the_last(self, key: tuple[int, str]) -> bool:
        """Return whether another file is whole."""
        return any(whole for other, whole in self.state.items() if other != key)

    @rule(data=st.data())
    def take_a_file_away(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(filter(self.not_the_last, self.state)) or [None]))
        if key is None:
            return
        (self.source / FILES.paths[key].name).unlink()
        del self.state[key]

    @rule(data=st.data())
    def touch(self, data: st.DataObject) -> None:
        day, version = data.draw(st.sampled_from(sorted(self.state)))
        os.utime(self.source / FILES.paths[day, version].name)

    # The configuration

    @rule(key=st.sampled_from(["fold", "classes"]))
    def change_the_configuration(self, key: str) -> None:
        if key == "fold":
            self.fold = not self.fold
        else:
            self.classes = 5 - self.classes

    # Commands

    @rule(ingest=st.booleans())
    def run(self, ingest: bool) -> None:
        until = "ingest" if ingest else None
        try:
            self.command(until)
        except PadflowError as error:
            self.is_of_damage(error)
            self.mend()
            self.command(until)
        self.settled = not ingest
        self.check(ingest=ingest)

    @rule(n=st.integers(1, 70), after=st.booleans(), ingest=st.integers(0, 3))
    def run_and_die(self, n: int, after: bool, ingest: int) -> None:
        self.settled = False
        MORTAL.left, MORTAL.after = n, after
        try:
            self.command("ingest" if not ingest else None)
        except Killed:
            holder = {"host": socket.gethostname(), "pid": 2**22 + 1, "process": 1.0}
            space = str(Path("/proc/self/ns/pid").readlink())
            (self.directory / ".lock").write_text(json.dumps(holder | {"space": space}))
            (self.directory / "fit").mkdir(exist_ok=True)  # it may have died before it made one
            (self.directory / "fit" / "x.npz.1.partial").write_bytes(b"half")
        except PadflowError as error:
            self.is_of_damage(error)
        finally:
            MORTAL.left = None

    def command(self, until: str | None) -> None:
        self.directory.mkdir(exist_ok=True)
        before = self.fits()
        changed = [name for name, old, new in self.values() if old != new]
        restart_from, removed, done = None, 0, False
        try:
            while not done:
                found = self.tree()
                try:
                    options = {"until": until, "restart_from": restart_from, "allow_removal": removed}
                    run_padflow(self.config(), self.directory, **options)
                    done = True
                except ConfigError as error:
                    assert self.tree() == found  # what is refused changes nothing
                    if "--allow-removal" in str(error):
                        assert not removed
                        removed = self.refused_for_records(str(error))
                    else:
                        assert restart_from is None
                        restart_from = self.refused(str(error), changed)
            if restart_from is None:
                assert not ("train" in before and "fold" in changed)
                assert not ("classes" in before and "classes" in changed)
            assert removed or not self.lost(self.least)
        finally:
            self.hold(removed=removed, done=done)
            now = self.fits()
            if (self.directory / "config.yaml").exists():
                text = (self.directory / "config.yaml").read_text()
                self.made_with = ("fold: true" in text, 3 if "classes: 3" in text else 2)
            for name in FITS:
                if name not in now:
                    self.archive_at.pop(name, None)
                elif restart_from or name not in before:
                    stands = before.get(name) == now[name] and FITS.index(name) < 2 and restart_from == "classes"
                    if not stands:
                        self.archive_at[name] = self.used()

    def tree(self) -> dict[Path, bytes]:
        """Return what is in the directory, but for what tells that somebody is at work."""
        of_work = (".lock", "progress.json")
        files = (path for path in self.directory.rglob("*") if path.is_file() and path.name not in of_work)
        return {path: path.read_bytes() for path in files}

    def planned(self) -> dict[int, int]:
        return {key[0]: len(FILES.times[key]) for key in self.used()}

    def lost(self, held: dict[int, int]) -> int:
        """Return how many records a run from the files that are there takes out of an archive."""
        planned = self.planned()
        return sum(max(0, count - planned.get(day, 0)) for day, count in held.items())

    def refused_for_records(self, text: str) -> int:
        """Check the refusal of a source that shrank; return how many records are to be let go."""
        removed = int(text.rpartition("--allow-removal ")[2].strip("."))
        assert removed > 0
        assert self.lost(self.least) <= removed <= self.lost(self.most)
        return removed

    def hold(self, *, removed: int, done: bool) -> None:
        """Note what is in the archive after a command, or may be where it did not end."""
        planned = self.planned()
        if done:
            self.least, self.most = dict(planned), dict(planned)
            return
        self.most = {day: max(self.most.get(day, 0), planned.get(day, 0)) for day in DAYS}
        if removed:
            self.least = {day: min(count, planned.get(day, 0)) for day, count in self.least.items()}

    def values(self) -> Iterator[tuple[str, Any, Any]]:
        yield "fold", self.made_with[0], self.fold
        yield "classes", self.made_with[1], self.classes

    def is_of_damage(self, error: PadflowError) -> None:
        """Check that a stage has come upon damage that only a checksum tells, and not upon anything else."""
        assert "is damaged" in str(error)
        assert self.still_damaged()

    @staticmethod
    def refused(text: str, changed: list[str]) -> str:
        """Check the refusal of another configuration; return the stage to restart from."""
        assert changed
        stage = "train" if "fold" in changed and "fold was" in text else "classes"
        assert f"--from {stage}" in text
        return stage

    def check(self, *, ingest: bool) -> None:
        self.damaged = self.still_damaged()
        if self.damaged:  # a run does not look for it, and what came of it is known once it is mended
            self.mend()
            self.command("ingest" if ingest else None)
            self.damaged = {}
        used = self.used()
        expected = FILES.dataset(used)
        found = arrays(self.directory, "archive.zarr")
        assert found["time"].tobytes() == expected["time"].values.astype("i8").tobytes()
        assert found["flux"].tobytes() == expected["flux"].values.tobytes()
        if ingest:
            return
        model = Model.load(self.directory / "model")
        key = (model.digest(), used)
        if key not in REFERENCES:
            REFERENCES[key] = model.label(expected)
        results = arrays(self.directory, "results.zarr")
        for name in ("pad_class", "reason", "score", "distance", "margin", "reconstruction_error"):
            assert results[name].tobytes() == REFERENCES[key][name].values.tobytes(), name
        if set(self.archive_at.values()) == {used}:
            assert model.digest() == undisturbed(self.fold, self.classes, used)
        self.verify()
        assert not list(self.directory.rglob("*.partial"))
        assert not (self.directory / ".lock").exists()

    # Damage

    def part_files(self) -> dict[str, tuple[str, str, int]]:
        found = {}
        for path in sorted((self.directory / "receipts").glob("*/*/*.json")):
            for name in json.loads(path.read_text()).get("files", {}):
                if name.startswith(STORES):
                    found[name] = (path.parent.parent.name, path.parent.name, int(path.stem))
        return found

    @precondition(lambda self: any((self.directory / "receipts").glob("*/*/*.json")))
    @rule(data=st.data(), how=st.sampled_from(["cut", "flip", "flip", "delete"]))
    def damage_a_part(self, data: st.DataObject, how: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.part_files())))
        path = self.directory / name
        if not path.exists():
            return
        content = bytearray(path.read_bytes())
        if name not in self.still_damaged():
            self.whole[name] = bytes(content)
        if how == "delete":
            path.unlink()
            self.damaged[name] = None
            return
        place = data.draw(st.integers(0, len(content) - 1)) if content else 0
        if how == "cut":
            del content[place:]
        elif content:
            content[place] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(content)
        self.damaged[name] = bytes(content)
        if content == self.whole[name]:  # the same bit was flipped twice
            del self.damaged[name]

    def verify(self) -> None:
        """Compare what `verify` finds in a settled run with what is known to be damaged."""
        verdict = verify(self.directory)
        parts, damaged = self.part_files(), self.still_damaged()
        assert {parts[name] for name in damaged} <= set(verdict.broken)
        if not damaged:
            assert verdict.problems == []
            assert verdict.records == sum(len(FILES.times[key]) for key in self.used_when_settled())
        for name in damaged:
            assert any(name in problem for problem in verdict.problems)

    def used_when_settled(self) -> list[tuple[int, str]]:
        files = json.loads((self.directory / "catalog.json").read_text())["files"]
        return [(int(file["day"][-1]), file["version"]) for file in files if file["status"] == "used"]

    @precondition(lambda self: self.settled)
    @rule()
    def look(self) -> None:
        self.verify()

    def mend(self) -> None:
        broken = verify(self.directory).broken
        parts = self.part_files()
        assert {parts[name] for name in self.still_damaged()} <= set(broken)
        repair(self.directory, broken)


def undisturbed(fold: bool, classes: int, used: tuple[tuple[int, str], ...]) -> str:
    """Return the digest of the model that a run fits to some files when nothing happens."""
    key = (fold, classes, used)
    if key not in REFERENCES:
        folder = Path(mkdtemp(prefix="padflow-"))
        (folder / "cdf").mkdir()
        for day in used:
            shutil.copyfile(FILES.paths[day], folder / "cdf" / FILES.paths[day].name)
        run_padflow(configuration(folder / "cdf", fold=fold, classes=classes), folder / "run")
        REFERENCES[key] = Model.load(folder / "run" / "model").digest()
        shutil.rmtree(folder)
    return REFERENCES[key]


def train_nothing(readers: Any, preprocessor: Any, *, split: Any, config: Any, show_epoch: Any) -> tuple[Any, dict]:
    random = np.random.default_rng(config.seed)
    features = preprocessor.features
    network = Network(*(random.normal(0, 0.3, s) for s in ((features, 6), (6,), (6, features), (features,))))
    info = {"rows": 1, "history": {"loss": [1.0], "val_loss": [1.0]}, "best_epoch": 0, "flags": {}}
    return type("Trained", (), {"network": network}), info


def test_random_sequences_end_as_the_oracle_says(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, no_report: None, tmp_path: Path
) -> None:
    global FILES
    FILES = Files(tmp_path)
    REFERENCES.clear()
    monkeypatch.setattr(Path, "replace", lambda path, target: MORTAL(path, target))
    monkeypatch.setattr(driver, "connect", lambda *_, **__: nullcontext(SerialWorkers()))
    monkeypatch.setattr(driver, "shown", lambda *_: Progress())
    monkeypatch.setattr("padflow.pipeline.plan.load_instrument", lambda _: REPT)
    monkeypatch.setattr("padflow.pipeline.verify.load_instrument", lambda _: REPT)
    monkeypatch.setattr(driver, "Trainer", lambda: nullcontext(SimpleNamespace(train=trainer.fit_network)))
    monkeypatch.setattr(trainer, "train_network", train_nothing)
    monkeypatch.setattr(trainer, "_save_keras", lambda *_: None)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # test_durable.py has it
    assert sha256_of(b"")  # nothing is replaced before this line
    run_state_machine_as_test(
        Mishaps,
        settings=settings(
            max_examples=request.config.getoption("--sequences"),
            stateful_step_count=8,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
