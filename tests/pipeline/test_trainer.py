# SPDX-License-Identifier: BSD-3-Clause
"""The process that trains: its result, its errors, its death, and the death of its parent."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import yaml

from padflow.autoencoder.denoiser import DenoisingNetwork, network_from_arrays
from padflow.errors import ConfigError, PadflowError
from padflow.pipeline import trainer
from padflow.pipeline.directory import RunDirectory
from padflow.store.npz_specs import NETWORK

GROUPS = ["rbspa"]
MIB = 2**20


@pytest.fixture
def untrained(finished_run, tmp_path: Path) -> Path:
    """A run directory with an archive and without a network."""
    directory = tmp_path / "run"
    shutil.copytree(finished_run.directory, directory, ignore=shutil.ignore_patterns("fit", "model", "report"))
    (directory / "fit").mkdir()
    return directory


def change(directory: Path, section: str, **values: object) -> None:
    path = directory / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config[section] |= values
    path.write_text(yaml.safe_dump(config))


def train_apart(directory: Path, show: Callable) -> int:
    with trainer.Trainer() as process:
        return process.train(directory, GROUPS, show)


def child() -> psutil.Process:
    (found,) = [one for one in psutil.Process().children() if "padflow.pipeline.trainer" in one.cmdline()]
    return found


def test_leaves_what_a_run_has_and_shows_each_epoch(finished_run, untrained: Path) -> None:
    shown = []
    peak = train_apart(untrained, lambda *epoch: shown.append(epoch))
    assert 300 * MIB < peak < 3000 * MIB
    assert [epoch for epoch, *_ in shown] == list(range(len(shown)))
    assert all(loss > 0 and validation > 0 and rate > 0 for _, loss, validation, rate in shown)
    for name in ("fit/network.npz", "fit/split.json"):
        assert (untrained / name).read_bytes() == (finished_run.directory / name).read_bytes()
    assert (untrained / "model" / "autoencoder.keras").stat().st_size > 1000
    assert (untrained / "fit" / "train.json").is_file()


def test_the_users_settings_of_keras_change_nothing(
    finished_run, untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"backend": "jax", "floatx": "float64", "epsilon": 1, "image_data_format": "none that there is"}
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text(json.dumps(settings))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setenv("KERAS_MAX_EPOCHS", "many")
    train_apart(untrained, lambda *_: None)
    for name in ("fit/network.npz", "fit/split.json"):
        assert (untrained / name).read_bytes() == (finished_run.directory / name).read_bytes()


def test_where_the_target_is_other_spins_the_run_has_a_denoiser(untrained: Path) -> None:
    change(untrained, "preprocess", normalise="counts", average_seconds=120)
    change(untrained, "train", target="other_spins", epochs=2, learning_rate=2e-3)
    shown = []
    train_apart(untrained, lambda *epoch: shown.append(epoch))
    assert [epoch for epoch, *_ in shown] == [0, 1]
    directory = RunDirectory(untrained)
    network = network_from_arrays(directory.arrays(NETWORK))
    assert isinstance(network, DenoisingNetwork)
    assert (network.w_3.shape[1], network.features, network.energies) == (16, 72, 8)
    assert directory.fit("train").info["history"]["loss"] == [loss for _, loss, *_ in shown]
    assert (untrained / "model" / "autoencoder.keras").stat().st_size > 1000


ONLY_WITH_TENSORFLOW = """
import sys, padflow.archive.ingest
from padflow.autoencoder.tensorflow import training_flags
from padflow.pipeline import trainer

trainer._listen = lambda orders: orders.put(["run", []])
trainer.fit_network = lambda *_: len(training_flags())
trainer.main()
unused = {"PIL", "pandas", "sklearn", "matplotlib", "xarray", "distributed"}
loaded = {name.split(".")[0] for name, module in sys.modules.items() if module}
print(sorted(unused & loaded), "tensorflow" in sys.modules)
"""


def test_it_and_ingest_load_no_library_that_they_do_not_use() -> None:
    ended = subprocess.run([sys.executable, "-c", ONLY_WITH_TENSORFLOW], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "[] True"


def test_its_error_is_its_parents(untrained: Path) -> None:
    change(untrained, "preprocess", l_range=[50.0, 60.0])
    with pytest.raises(PadflowError, match="There is no record for training") as raised:
        train_apart(untrained, print)
    assert not (untrained / "fit" / "network.npz").exists()
    assert type(raised.value) is PadflowError
    change(untrained, "preprocess", l_range="wide")
    with pytest.raises(ConfigError, match=r"preprocess\.l_range"):
        train_apart(untrained, print)


def test_its_death_is_said(untrained: Path) -> None:
    change(untrained, "train", epochs=500, patience=500)
    with pytest.raises(PadflowError, match=r"status -9 \(killed, perhaps for want of memory\)"):
        train_apart(untrained, lambda *_: child().kill())


def test_an_error_without_words_is_said(untrained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "__name__", "padflow.run.no_such_module")
    with pytest.raises(PadflowError, match=r"status 1\. Run the same command"):
        train_apart(untrained, print)


def test_an_interrupt_ends_it(untrained: Path) -> None:
    change(untrained, "train", epochs=500, patience=500)
    children = []

    def interrupt(*_: object) -> None:
        children.append(child())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_apart(untrained, interrupt)
    assert not children[0].is_running()


def test_it_ends_with_its_parent(untrained: Path) -> None:
    change(untrained, "train", epochs=500, patience=500)
    code = f"""
import os, psutil
from pathlib import Path
from padflow.pipeline.trainer import Trainer
def die(*_):
    print(psutil.Process().children()[0].pid, flush=True)
    os.kill(os.getpid(), {signal.SIGKILL})
Trainer().train(Path({str(untrained)!r}), {GROUPS}, die)
"""
    ended = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(int(ended.stdout)).wait(30)
    assert not (untrained / "fit" / "network.npz").exists()


def test_one_that_is_not_wanted_after_all_is_ended() -> None:
    with trainer.Trainer():
        process = child()
    assert not process.is_running()


def test_one_that_died_while_it_waited_is_said(untrained: Path) -> None:
    with trainer.Trainer() as process:
        found = child()
        found.kill()
        while found.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        with pytest.raises(PadflowError, match=r"status -9 \(killed"):
            process.train(untrained, GROUPS, print)


def test_it_ends_with_its_parent_while_it_waits() -> None:
    code = f"""
import os, psutil
from padflow.pipeline.trainer import Trainer
trainer = Trainer()
print(psutil.Process().children()[0].pid, flush=True)
os.kill(os.getpid(), {signal.SIGKILL})
"""
    ended = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=False)
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(int(ended.stdout)).wait(30)
